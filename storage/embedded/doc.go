// Package embedded is the storage engine for one machine: a folder with a Pebble database in it. It implements package storage's contract.
//
// # Design
//
// Everything is a row of one ordered key space; the first byte is the table. T is a type's number, P a parameter's (3 bytes each, from the
// dictionary), and values are written so that the order of keys is the order of values (0x00 is escaped, 0x00 0x01 ends a value). For
//
//	PUT Observation/8f  {"status":"final","code":LOINC 8480-6,"subject":"Patient/3a","effectiveDateTime":"2024-05-01T09:30:00Z"}
//
// as its second version these rows are written, all in one batch:
//
//	table     key                                                      value
//	document  T 8f                                                     method, instant, version 2, JSON
//	entries   T 8f                                                     instant, version 2, what it is found by: P, length, entry; ..
//	old       T 8f 00 ^1                                               method, instant, version 1, JSON: moved from document
//	history   T ^instant 8f 00 ^2                                      -
//	index     P(status) c "final" 8f 00 [c, system]                    -
//	index     P(code) c "8480-6" 8f 00 [c, system]                     -
//	index     P(subject) i "3a" 8f 00 [i, Patient]                     -
//	index     P(date) l "20240501093" 8f 00 [l, Hi]                    -
//	index     P(date) g "202405" 8f 00 [g, Lo, Hi]                     -
//	index     P(code+date) p "8480-6" "20240501093" 8f 00 [c.., l..]   -
//	index     P(code+date) r "8480-6" "202405" 8f 00 [c.., g..]        -
//	index     P(subject+code+date) p "3a" "8480-6" "20240501093" 8f .. -
//	sample    one resource of 64: the same index keys                  -
//	sparse    one resource of 4096: the same                           -
//	count     T; P #; P c "8480-6" [c, system]                         how many resources: of the type; with the parameter; with the value
//	clock     -                                                        the instant of this commit
//	name      P                                                        "Observation", "code": with the first row that uses the number
//	shape     P                                                        which forms of entries the parameter has had
//	meta      name                                                     what the server keeps
//	format    -                                                        the version of this layout
//
// and the index rows of version 1 that version 2 does not have are deleted: they are computed from the entries row of version 1, and only
// the difference is written. A deletion removes the entries row and all index rows; document stays, with a bit in its first byte.
//
// A crash leaves all of these rows or none: they are one record of Pebble's log, and the log is read back to the last whole record. Update
// returns when the record is synced, so what was acknowledged is there. No row is written at any other time.
//
// An index row is (number, variant, columns, id, 0x00, tail). The variant says which field the last column is: c code, i id of a reference,
// u URI, f and x a string folded and exact, l Lo, h node and Hi of a wide range, g the first bytes of Lo. Composites and compounds are rows
// of several slots, one for each part or parameter (p; q with the last slot by node and Hi, r with it by group). The tail has for each slot
// its form and the fields that are no column, so a row holds its whole entries, and a condition on them is decided without reading the
// resource.
//
//	Where all columns are fixed, rows are in the order of ids: a stream that can be sought, merged (AND) and united (OR).
//	Where the last column is a range, rows are in its order: it is read whole, or it is the order of the answer.
//
// Find plans each type by itself: every condition that an index serves becomes a source with an estimate (counters for single values, else
// a walk over the rows of the index, of the sample and of the sparse sample). The cheapest source for the rows asked for drives, selective
// sorted ones are merged with it by seeks, and what is left is tried on the entries row, which each answer's row needs anyway for its
// version. Orders are read from an index that ends in the first sort parameter, or the matches are collected and the first kept,
// whichever is estimated to read less. A chain is read from the inner side while that is small, else asked candidate by candidate, with
// what was found remembered. A page behind a position seeks to it.
//
// # What it does not do
//
// Negations and conditions that compare by "contains" are tried row by row, and Explain says so. A range over a huge population that spans
// more than 32 groups and is still rare is read whole. Systems past the 4,096th stand in full in the keys.
package embedded
