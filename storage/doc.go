// Package storage is the contract of an engine: what is stored, read and found, and what every engine promises.
//
// # Design
//
// An engine keeps versions of resources (Record): a key, a number, an instant, the JSON that clients read, and the entries that the version is
// found by. It never looks into the JSON and knows no FHIR: package search has turned resources into entries and URLs into queries over them,
// and search.Match is the one definition of what a query means. An engine answers with exactly what Match accepts, in the query's order.
//
//	Store.View(f)      f reads one moment: every version up to an instant, none of after it
//	Store.Update(f)    f reads, and what it puts is stored whole and durably when Update returns nil, or not at all
//	Reader             Get, GetVersion, GetMany, Find, Count, Explain, Estimate, History, Counts, Meta
//	Tx                 Reader, and Put, Reindex, Guard, SetMeta
//
// All methods of Store may be called at the same time. A Reader belongs to its function. Update runs its function again after a conflict, so
// the function has no effects but through its Tx.
//
// The contract is held three times. The comments of this package state it. Checked wraps any Store and panics where one call shows a broken
// promise: orders, pages, instants, versions, the use of a Reader that is over. Package storagetest runs the same suite on every engine, with
// scripts, crashes, races and random work that is compared with a model over search.Match, and drives two engines side by side.
//
// Importer moves a database from one engine to another, versions and instants as they are. CountExplainer says how a count was made. A Keeper shows again
// what one of its views, a Marker, has shown.
//
// # Decisions
//
// 1. Units of work are functions (2026-11-23). Context: a transaction that conflicts must be run again, and one that its caller forgets to end
// holds locks. Choice: View and Update take a function instead of returning a handle. Consequence: nothing is left open, engines retry by
// themselves, and callers keep their functions free of other effects.
//
// 2. The engine decides, never the caller (2026-11-23). Context: engines that answer a superset for the caller to filter end in full scans
// behind green tests. Choice: Find, Count and pages are exact. Consequence: each engine decides every condition on entries, and Explain names
// those that no index serves.
//
// 3. One instant an Update (2026-11-23). Context: histories and cursors ask for "what was there at a moment", and meta.lastUpdated is in the
// stored bytes. Choice: Tx.Now is fixed before the commit, and every View sees all versions up to its Moment and none of after it.
// Consequence: engines order their commits by their instants, each in its own way.
//
// 4. Expected versions and guards (2026-11-23). Context: an update must not lose against another in silence, and two conditional creates that
// find nothing must not both create. Choice: Put names the version that must be current at commit; Guard makes two Updates conflict by a name.
// Consequence: no locks in the contract; whoever comes second runs again and sees what the first one did.
//
// 5. Pages by position (2026-11-23). Context: skipping rows costs more with every page, and rows move while a client reads. Choice:
// Query.After is a place in the order, and Find continues behind it in both directions. Consequence: page 1,000 costs what page 1 does.
//
// 6. Three errors (2026-11-23). Context: an engine's own errors say nothing that a client may read. Choice: ErrNotFound, ErrDeleted and
// ErrConflict, *fhir.Error for an engine that can't be reached or has no space, and anything else is a failure. Consequence: status codes are
// decided above, once.
//
// 7. No optional suite (2026-11-23). Context: the suite that a backend may opt out of is the one that it fails. Choice: storagetest.Run has
// nothing optional. Consequence: an engine that can't do something does not exist.
package storage
