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
//	identity  -                                                        the store's own id
//	format    -                                                        the version of this layout
//
// and the index rows that version 2 no longer has are deleted. A deletion removes the entries row and all index rows; document stays, with a bit in its first byte.
//
// Erase deletes all of these rows but those of names and shapes; the tables are then written anew in the background (compact.go), so that none has bytes
// of them. Log files are used again, and hold bytes of earlier commits until they are overwritten.
//
// A crash leaves all of these rows or none: they are one record of Pebble's log. Update returns when the record is synced.
//
// Find plans each type by itself: a condition that an index serves becomes a source with an estimate, the cheapest source drives, and what is left is
// tried on the entries row of each candidate.
//
// How rows are made, how Find plans and what it does not do is in DECISIONS.md, with the decisions.
package embedded
