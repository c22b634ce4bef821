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
// # Figures
//
// Made on two cores that other work was loading too, so counts and ratios say more than times:
//
//	go test ./storage/embedded -run '^$' -bench . [-embedded.million -embedded.dir DIR]
//
// A resource of 700 bytes with some 13 entries makes 30 rows, 3.7 KB of keys and values, 1.2 KB on disk. Durable Updates of 250 resources
// take 1.1 to 1.9 times as long as raw batches of the same rows (14,500 and 28,100 resources/s in the worst run; the budget is 2). Single durable
// creates: 1,080/s from one client, 2,550/s from 8, 4,900/s from 64, which share syncs. A read by key, with its View, 4.5 us.
//
// First pages of 20 as clients get them, through HTTP's handler but without sockets, in us:
//
//	go test ./fhir/server/rest -run '^$' -bench Population -benchtime 1000x -population.million -population.dir DIR
//
//	shape                                 10,000     p99  million     p99   ratio
//	token                                     47     318       60     369    1.28
//	date range, a month                       65     398       87     407    1.33
//	code and date range, a year               79     377      100     524    1.26
//	rarer code and date range, two years      74     341       99     367    1.34
//	code and value above                      67     326       88     357    1.31
//	composite of code and value              118     443      131     339    1.11
//	patient and code                          93     371      117     431    1.25
//	patient, code and date range              96     388      119     418    1.24
//	patient, newest first                     85     396      110     408    1.30
//	OR of 200 tokens                         405   2,435      410   1,766    1.01
//	chain to family                           73     256      102     303    1.39
//	chain to gender                          157     478      239     651    1.52
//	_has by code                              66     307       70     374    1.06
//	two _includes                            175     812      232   1,015    1.32
//	newest first of a common code             60     265       76     260    1.27
//	gender and birthdate, 40 years            79     329       98     395    1.25
//	count of a code                            5      16        5      22    0.97
//	string prefix                             66     465       75     326    1.14
//	page 1,000                                50     420       53     326    1.05
//
// Forty variants of each shape take turns. Every shape reads about the rows of its page at both sizes; what grows is the cost of a row: more
// blocks to seek in, and some that are not in the cache. The store had settled (settle.go).
//
// # Decisions
//
// 1. One writer at a time (2026-11-23). Context: an instant is stamped into a body before the commit, and every View must see exactly the
// versions up to its moment; writers that run at once would commit out of the order of their instants. Choice: Update runs its function
// under one lock and gives it back when the batch is in the memory table, before the log is synced; commits that queue up meanwhile share
// the next sync. Views begin on the last synced moment. Consequence: no conflict but a stale expectation, Guard has nothing to do, and the
// function must be short: what can be prepared outside of it should be.
//
// 2. Ids stand in keys as they are (2026-11-23). Context: numbers in their place would save bytes, but the order of an answer is that of
// ids. Choice: ids in full; block compression takes what is alike. Consequence: some 1 KB a resource all the same, and no lookup between.
//
// 3. The column first, all else behind the id (2026-11-23). Context: a token is asked for with and without its system, a quantity with and
// without its unit. Choice: only the compared field is in front of the id; system, unit and the other bound are in the tail. Consequence:
// one index for all of these, in the order of ids; a value that many systems share is filtered row by row.
//
// 4. Ranges that reach over a value (2026-11-23). Context: "Hi above x" can't be scanned by Lo, and a row by Hi for every range costs a tenth
// of the write, and is read in an order that nobody asked for. Choice: a point, and a range within one day of the calendar, can reach over x
// only from x's own day, so rows are read by Lo from there: from x itself where x is a day, a second (of ranges within seconds) or a number.
// All other ranges are wide and have a row by node and Hi; the node is what Lo and Hi have in common, and of what reaches over x it is a
// beginning of x. Consequence: a first page above a value reads its rows and the few wide ones that reach over it; periods that pass midnight,
// months and years cost a row more.
//
// 5. Samples instead of histograms (2026-11-23). Context: a planner needs to know how large a range is, and counters know single values
// only. Choice: the rows of one id in 64, and in 4096, stand a second time. Consequence: any scan, of any index, is estimated by the
// same scan of a sample, at 2 % of the index's size; an estimate is off by its sample's luck.
//
// 6. Counters are read, changed and set (2026-11-23). Context: Pebble's merge operands of a hot counter pile up until the next flush, and a
// read adds them all up. Choice: the writer reads the counter (mostly from a map) and sets it. Consequence: an Update sets each counter it
// touches once; a bundle sets each once.
//
// 7. A full disk (2026-11-23). Context: Pebble ends the process when its log or manifest can't be written. Choice: a reserve is checked
// before each commit (KindFull below it), and log and manifest writes that find no space all the same wait for it. Consequence: a write
// that was begun on a disk that another program filled hangs until there is space, and then succeeds; reads go on.
// Where a flush or compaction finds no space although the reserve is free, the store counts as full until one succeeds, the disk has got much
// space, or a minute passes (shortage.go), because a write that Pebble lets wait can't be refused any more.
//
// 8. Block compression by level (2026-11-23). Context: a resource is read by key, its index rows by scans. Choice: Pebble's balanced
// setting, fast above and strong at the bottom, with blocks of 16 KB. Consequence: 3.4 KB become 1.1 KB.
//
// 9. Groups of ranges (2026-11-23). Context: a first page of "date in March" in the order of ids, over a million resources, reads all of
// March, or walks the ids until twenty are of March. Choice: each range has a row under the first six bytes of its Lo, in the order of ids
// within. Consequence: that page is a merge of few streams and reads some twenty rows; one more row for each range. So have the rows of
// composites and compounds that end in a range, unless they begin with a reference, whose rows are few: the first page of a composite above
// a value over a million resources takes 0.2 ms where it took 5.3, for three more rows a resource. Ranges beside a code gain less.
//
// 10. Small memory tables (2026-11-23). Context: the log is kept until its memory table is flushed, and some logs are kept for reuse, so
// with tables of 32 MB a store of 10 MB took 150 MB on disk. Choice: 8 MB, and a 64th of a disk below 512 MB. Consequence: 35 MB; a disk of 96 MB
// takes half as much again before it counts as full.
//
// 11. The format is refused, not converted (2026-11-23). Context: rows that a layout adds are not in stores written before, and a search would
// miss resources in silence. Choice: Open compares the format number and refuses any other than its own. Consequence: a store of another
// layout is loaded again.
//
// 12. A store that is left alone settles (2026-11-23). Context: Pebble stops compacting while up to six sorted runs are left, and each look-up
// and each seek goes through all of them: over a million resources after a load, a Get takes 3.0 us of CPU, the first row of a scan 7.5, a
// seek 5.6, where 10,000 resources, which lie in one run, take 1.1, 1.1 and 0.6. Choice: while less than 4 MB are written in ten seconds, and a
// tenth of the store lies above the last level, it is compacted into that level, in pieces of 32 MB with a pause as long as each took.
// Consequence: 1.4, 1.9 and 1.3 us; a page over a million resources costs 0.9 to 1.7 times as much as over 10,000, where it cost 0.9 to 3.5.
// A million resources take 30 s of one core, once, and 1.8 GB become 1.5. A store whose writes never rest keeps its runs.
//
// 13. A page reads each document once (2026-11-23). Context: a row needs its version, which stands in the entries row and in the document, and
// then the document is asked for. Choice: a row that the index decides is read from its document, which is kept for the GetMany that follows
// (1 MB at most); what one View looks up comes through one iterator. Consequence: 21 look-ups a page instead of 41, and each at half the cost:
// a page by token takes 53 us of CPU where it took 80, one by code and date range 88 where it took 129.
//
// 14. Filters of the last level serve writes (2026-11-23). Context: what is put is mostly new, and looking for it read a block of the last
// level for each document and counter; reads find what they look for and gain nothing from filters there. Choice: Updates ask through an
// iterator that uses them. Consequence: a small put into a store of a million resources takes 11 us of CPU where it took 43, and
// no block is read. Without these filters a load takes a tenth less CPU while the store is small.
//
// 15. Entries have their lengths (2026-11-23). Context: a condition that no index decides is tried on the entries row, and looks at one or two
// of some twenty entries; reading the others' fields to get past them took a third of the engine's CPU in a search by gender and birthdate. Choice:
// each entry's length stands before it, checked against the row's end, and what is read of an entry must end where it does. Consequence: 14 bytes
// more a resource before compression, of 3,700. The median page through HTTP's handler, 10,000 resources, in runs that took turns with those of
// format 3: by gender and birthdate 70 us where it took 80, by chain to gender 145 where it took 177, by two categories and two codes 80 where it
// took 90; allocations are the same.
//
// # What it does not do
//
// Negations and conditions that compare by "contains" are tried row by row, and Explain says so. A range over a huge population that spans
// more than 32 groups and is still rare is read whole. Systems past the 4,096th stand in full in the keys.
package embedded
