// Package searchtest runs the search scripts of testdata/search against anything that can store and search resources: the oracle, the
// engines, and a server over HTTP. One script means the same everywhere.
//
// # Design
//
// A script is lines of plain text that anyone can read and add to:
//
//	# A comment says which sentence of the specification the lines below hold.
//	put Observation/a {"status":"final","code":{"text":"x"},"effectiveDateTime":"2024-05"}
//	delete Observation/a
//	search Observation?date=2024          -> a
//	search Patient?_sort=-birthdate       -> c b a
//	search Observation?date=xx            -> error bad-date
//	search Observation?code=none          -> none
//
// What follows "->" are the ids found: in any order, or where the search has _sort in that order. "none" says that nothing is found, "error"
// that the search is refused with an issue of that id. A search over several types names keys, "Patient/a". resourceType and id are added
// to what is put. "reset" empties the store.
//
// # Decisions
//
// 1. Text rather than tables in Go (2026-11-23). Context: the same cases run in four places. Choice: scripts in testdata, one runner with a
// Backend of three methods. Consequence: a bug report is one line, and a backend can't leave a case out.
package searchtest
