// Package mongodb is the storage engine on a MongoDB replica set or sharded cluster, version 6.0 or later. It implements package storage's
// contract and is the only importer of the driver.
//
// # Design
//
// Each resource type has two collections: Observation holds the newest version of each resource (deletions too), Observation_history the
// superseded ones. fhirgate_meta holds what the server keeps for itself, fhirgate_guards the conditions of conditional writes. A document:
//
//	{
//	  _id: "o1",                      // in Observation_history "o1#0000000001"
//	  version: 1, updated: 1795406560946542, method: "PUT",   // deleted: true for a deletion; revived: true for the version after one
//	  resource: {resourceType: "Observation", id: "o1", status: "final", ...},   // db.Observation.find({"resource.status": "final"})
//	  json: "...",                    // only where resource does not give the JSON back byte for byte
//	  index: {
//	    terms: ["*", "code|c|8480-6", "code|t|http://loinc.org|8480-6", "patient|r|Patient|p1", "patient|code|j|r|Patient|p1|c|8480-6|", ...],
//	    pairs: {date: ["code|j|c|8480-6|", "patient|j|r|Patient|p1|", ...], "value-quantity": [...]},
//	    sort: {date: {w: 4, a: "20180623031907"}, status: {w: 6, a: "final"}, ...},
//	    ranges: [{p: "date|", w: 4, l: "20180623031907", h: "20180623031908"}, ...],
//	    entries: [{p: "code", y: "http://loinc.org", c: "8480-6"}, ...]
//	  }
//	}
//
// entries and ranges hold every search.Entry, so every condition compiles to a filter that the server decides exactly (filter.go). The other
// parts repeat them in forms that indexes serve (index.go): terms for equality and prefix, with the parameter, the kind (term.go) and the
// values; pairs for equality before an order; sort for orders: a is the least value, d the greatest where there are several, w the width.
//
// The indexes end with _id, for pages: {terms}; {ranges.p, ranges.w, ranges.l}; {pairs.P, sort.P.w, sort.P.a} for the last parameters P of
// compounds; {sort.P.w, sort.P.a} for those and for _lastUpdated, and for any other parameter after a search in a type of 2,000 resources or
// more has needed it; {updated} for histories. The engine makes them when a type is first stored, and missing ones at start.
//
// A search is planned in steps: source.go collects the candidates, cost.go chooses one, plan.go makes it a plan, walk.go reads pages by it or by
// a rival that turns out to read less. The plan names its index to the server and hides all other conditions from the server's planner.
// Chains are semi-joins from the smaller side (chain.go). Reads of a View share a snapshot session; an Update is one insert or one transaction
// (update.go). Resources that do not fit in a document have further ones, in Group_more (large.go, largeindex.go).
//
// # Limits
//
// One search value must fit in 16 MB, and so must the small members of a resource. Of a resource of more than 4 MB only members of up to 64 KB
// can be queried with mongosh; packed.left names the others. The first resource that spills a parameter of its type waits three seconds for the
// other gateways. A transaction must end in 60 s, and its changes must fit in a part of the storage engine's cache. A write whose connection is
// lost, and whose server does not come back in time, is storage.Unknown. Chained orders have no index; for conditions
// that no index knows (:not, and :contains before its order is made) all resources may be read.
//
// Erase removes the documents of a resource. MongoDB keeps their bytes in its files until it writes over them, in the journal and the oplog until these roll,
// and shows them in snapshots of before for as long as it keeps those (five minutes by default).
//
// The README says how to deploy it. DECISIONS.md says why it is as it is.
package mongodb
