// Package storage is the contract of an engine: what is stored, read and found, and what every engine promises.
//
// # Design
//
// An engine keeps versions of resources (Record): a key, a number, an instant, the JSON that clients read, and the entries that the version is
// found by. It never looks into the JSON and knows no FHIR: package search has turned resources into entries and URLs into queries over them,
// and search.Match is the one definition of what a query means. An engine returns exactly what Match accepts, in the query's order.
//
//	Store.View(f)      f reads one moment: every version up to an instant, none of after it
//	Store.ViewAt(f)    f reads the moment of an earlier View again, where it is kept
//	Store.Update(f)    f reads, and what it puts is stored whole and durably when Update returns nil, or not at all
//	Store.Import       takes the versions of another store as they are
//	Reader             Get, GetVersion, GetMany, Find, Count, Explain, Estimate, History, Counts, Meta
//	Tx                 Reader, and Put, Reindex, Erase, Guard, SetMeta
//
// All methods of Store may be called at the same time. A Reader belongs to its function. Update runs its function again after a conflict, so
// the function has no effects but through its Tx.
//
// The contract is held three times. The comments of this package state it. storagetest.Checked wraps any Store and panics where one call shows a
// broken promise: orders, pages, instants, versions, the use of a Reader that is over. Package storagetest runs the same suite on every engine,
// with scripts, crashes, races and random work that is compared with a model over search.Match, and drives two engines side by side.
//
// Nothing in the contract is optional, and nobody asks a Store or a Reader by a type assertion what else it can do: a Store around another
// one wraps all of it.
package storage
