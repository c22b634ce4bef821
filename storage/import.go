package storage

import "context"

// Version is a version of a resource as Import takes it.
type Version struct {
	Record
	// Current marks the newest version of the resource; it may be a deletion.
	Current bool
}

// Importer is a Store that takes the content of another as it is, so that a database can be moved from one engine to another: versions keep
// their numbers, instants and methods. It is no part of serving: while a store is imported into, nothing else uses it.
type Importer interface {
	Store
	// Metas returns all named values.
	Metas(ctx context.Context) (map[string][]byte, error)
	// Import stores versions, in any order, over any number of calls; each version is given once, and each resource has one that is current.
	// What a call returned nil for is durable. Histories and reads are complete when all of it has been imported. Entries may be left out;
	// searches then find resources when they have been indexed again. A call that fails may have stored some of its versions: an import that
	// was interrupted begins again with an empty store.
	Import(ctx context.Context, versions []Version) error
}
