// Package searchtest runs the search scripts of testdata/search against anything that can store and search resources: the oracle, the engines, and a
// server over HTTP. One script means the same everywhere.
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
// After "->" come the ids found: in any order, or in their order where the search has _sort. "none" means that nothing is found, "error" that the search is
// refused with an issue of that id. Resources of another type than the path names are keys, "Patient/a". resourceType and id are added to what is put. "reset" empties the
// store.
//
// Decisions are in DECISIONS.md.
package searchtest
