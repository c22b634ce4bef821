// Package specification shows the definitions of R4 as resources beside those of a site: StructureDefinitions, SearchParameters,
// OperationDefinitions, CompartmentDefinitions, CodeSystems, ValueSets and ConceptMaps, as package definition has them embedded.
//
// # Design
//
// A Specification puts its resources Beside a storage.Reader. Who holds only the site's Reader sees only the site's data: nothing of a
// definition is ever stored, counted, copied or exported, and a write never meets one. The Service of package interaction asks for the other
// view where a client reads, and where a search asks for it.
//
//	Get, GetVersion, GetMany, History of a key   the site's resource; where it has never had one of the key, the definition
//	Find, Count, Explain, Estimate               the site's rows, and the definitions that search.Match accepts, merged in the query's order
//	everything else                              the site's
//
// A definition is version 1, has been there since the release, and says in meta.tag and meta.source whose it is. A resource that the site stores
// under the key of a definition replaces it, also when it is deleted.
//
// The JSON of a definition is unpacked when it is read. What a type's definitions are found by is made at the first search of the type and kept; a
// search tries all of them, which are some thousand, with search.Match. See DECISIONS.md.
package specification
