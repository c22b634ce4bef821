// Package terminology knows the codes of code systems and the members of value sets: those of the definitions, and before them those that a
// store holds as resources.
//
// # Design
//
// A [Terminology] belongs to the definitions and lives as long as the server. [Terminology.At] gives the [Snapshot] of one state of the store,
// which a [Source] shows: a search, an Update of a transaction or an evaluation each has its own. The Snapshot is the search.Terminology that
// the modifiers :in, :not-in, :above and :below ask, and answers membership and subsumption for FHIRPath and operations.
//
// What is worked out of stored resources (the expansion of a value set, the hierarchy of a code system) is immutable, and kept beside the
// questions that the store was asked for it and the versions that answered. It is used again wherever the store gives the same answers. Nothing
// has to be told of writes, through whichever gateway they come.
//
// The package knows no engine: the user of a Source says how a store is read.
package terminology
