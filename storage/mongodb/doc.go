// Package mongodb is the engine on a MongoDB replica set or sharded cluster, version 6.0 or later: for those who outgrow one machine, or have
// MongoDB already. It is the only importer of the driver.
//
// # Design
//
// Each resource type has two collections: Observation holds the newest version of each resource (deletions too), Observation_history the
// superseded ones. fhirgate_meta holds what the server keeps for itself, fhirgate_guards the conditions of conditional writes. A document:
//
//	{
//	  _id: "o1",                      // in Observation_history "o1#0000000001"
//	  version: 1, updated: 1795406560946542, method: "PUT",   // deleted: true for a deletion, without what follows; revived: true after one
//	  resource: {resourceType: "Observation", id: "o1", status: "final", ...},   // db.Observation.find({"resource.status": "final"})
//	  json: "...",                    // only where resource does not give the JSON back byte for byte
//	  index: {
//	    terms: ["*", "code|c|8480-6", "code|t|http://loinc.org|8480-6", "patient|r|Patient|p1",
//	            "patient|code|j|r|Patient|p1|c|8480-6|", ...],
//	    pairs: {date: ["code|j|c|8480-6|", "patient|j|r|Patient|p1|", ...], "value-quantity": [...]},
//	    sort: {date: {w: 4, a: "20180623031907"}, status: {w: 6, a: "final"}, ...},
//	    ranges: [{p: "date|", w: 4, l: "20180623031907", h: "20180623031908"}, ...],
//	    entries: [{p: "code", y: "http://loinc.org", c: "8480-6"}, ...]
//	  }
//	}
//
// entries and ranges hold every search.Entry, so that any condition compiles to a filter which the server decides exactly (filter.go): nothing
// is left for the caller. The rest says the same again in forms that indexes serve (index.go). terms are strings for what equality and prefix
// ask for: parameter, kind (c code, t system|code, f folded and x exact string, r reference, u URI, k parts of a composite, j several
// parameters joined), values; "|" and "\" in all but the last value are escaped. pairs are the terms of a search.Compound's leading
// parameters, under its last. sort is a resource's place in the order of each parameter: a least value, d greatest where there are several,
// w the width of its range.
//
// Indexes, each with _id last for pages: {terms}; {ranges.p, ranges.w, ranges.l}; {pairs.P, sort.P.w, sort.P.a} for the last parameters P of
// compounds; {sort.P.w, sort.P.a} for those and _lastUpdated, and for any other parameter once a client has sorted by it in a type of 2,000
// resources or more, or has asked for :missing=true or :contains of it and much was read for that; {updated} for histories. They are made when a type is first stored, and missing ones in the background at start.
//
// A plan (plan.go) names its index to the server with a hint and hides all other conditions from the server's planner. A page in an order is
// walked for with a bound, in turn with what other indexes find (source.go). Orders are walked in
// segments: rows equal to the page's position by id, rows beyond it, rows without a value. Reads of a View share a snapshot session.
//
// Chains are semi-joins from the side that is smaller (chain.go): up to 100 resources on the far side become terms, up to 10,000 where all rows
// are read or thousands have been looked up in vain, and more are looked up for a batch of at most 1,000 rows.
//
// Large resources: what does not fit in a resource's document stands in Group_more (large.go): the body compressed and in parts, one set a
// version, and the entries of its heaviest parameters where it has more than 2,000 or 1 MB of them (largeindex.go). A condition on a parameter that
// was ever spilled in its type, as fhirgate_spilled tells, is put to those documents first. No other search knows of them.
//
// # Deployment
//
// Everything about the connection is in the URI, as the driver documents it: maxPoolSize (100, or --mongodb-pool), serverSelectionTimeoutMS (5000, or --mongodb-timeout),
// connectTimeoutMS, tls and tlsCAFile, authSource. Read preference, read and write concern are not: reads are from the primary with concern
// snapshot or majority, writes have concern majority, journaled, because the promises of storage.Store need them.
//
// Sharding: sh.shardCollection("fhir.Observation", {_id: "hashed"}) and the same for "fhir.Observation_history" and, where there are large
// resources, "fhir.Observation_more", before data is loaded or while it is served. Reads by id, of versions, of a resource's history (up to 1,000
// versions) and all writes then go to the shards that own the documents; searches go to all shards and are merged there by the index's order. A
// transaction over shards costs a two-phase commit. No sharded cluster was there to test against: shard_test.go holds what one asks of the
// commands, and hello_test.go that a router is accepted.
//
// Backup and restore: mongodump --oplog and mongorestore --oplogReplay, a file system snapshot of a member with its journal, or a managed
// cluster's own snapshots. All that there is lies in the one database. fhirgate copy moves it to a folder and back.
//
// Two or more gateways may use one database. What one has acknowledged the others read. Their clocks should agree (NTP): see clock.go for
// what depends on it. A resource type that another gateway was the first to store joins the histories of the whole system within a second.
//
// Disk and memory, measured: an Observation of Synthea (850 bytes of JSON, 15 search parameters with their derived ones) is a document of
// 9 KB, compressed to 2.1 KB, and 4.4 KB of indexes; an Encounter 0.7 and 1.8 KB; 20,885 resources of 77 patients 31 MB and 59 MB. A million
// resources of that mix are 1.5 GB of documents and 3 GB of indexes; the indexes of terms and pairs should fit in the cache.
//
// # Limits
//
// One search value must fit in 16 MB (KindTooLarge), and so must the small members of a resource. Of a resource of more than 4 MB only the
// members of up to 64 KB can be queried with mongosh; packed.left names the others. The first resource that spills a parameter of its type (see
// Design) waits three seconds for the other gateways. A transaction must end in 60 s, and its changes must fit in a fifth of the storage engine's
// cache (KindTooLarge, nothing stored): a Group of 100,000 members did not always fit in that of a cache of 0.5 GB, and does in that of 1 GB. One of
// 400,000 (43 MB of JSON) does not fit in that of 1 GB and does in that of 4 GB, where two cores that others use as well took 53 s. A
// write whose connection is lost and whose server does not come back in time is KindUnavailable and may have been stored.
//
// No index serves orders by a chain, and orders by several parameters where the first has no index or thousands of equal values: all that the best
// index for one of the conditions finds is read. Of conditions each of which many resources satisfy and all together hardly one, as many resources
// are read as satisfy one of them; for those of which no index knows (:not, :contains and :missing=true before their order is made) all may be.
// :contains reads the keys of an order, about an eighth of the time of the documents, and the documents that have several values.
//
// # Decisions
//
//  1. Pairs and scalars beside terms (2026-11-23). Context: "code, newest first" and "code and date range" are what clients ask most. Measured
//     on mongod 6.0.5 with 180,000 Observations, pages of 20, keys examined: terms alone and a sort 30,781 (656 ms) for newest first of a
//     code and 1,463 for code and a year; dates as sub-documents in an array of their own 13,745 for code and a year; an order by date with
//     the code tried 180,000. Choice: {pairs, sort.w, sort.a, _id}, 21 to 23 keys for each of them, the same at 9,000. Consequence: one
//     B-tree key for each pair, 8 in an Observation.
//
//  2. Joined terms for patient and code (2026-11-23). Context: of two terms MongoDB bounds a scan by one. Measured: 103 keys for 12 rows with
//     two terms, 12 with the joined one. Choice: one joined term for each combination. Consequence: 4 keys an Observation.
//
//  3. Widths (2026-11-23). Context: "hi above A" bounds lo on no side, so "since yesterday" would scan everything before. Ranges whose bounds
//     share n bytes and enclose A share those bytes with A. Choice: the width tells n as 0, 6, 8 or 12, or that the range is a point; a scan
//     has a branch for each width, which the server merges in order. Consequence: a merge of up to seven scans, some 0.3 ms more than one
//     scan; 21 keys for a page of 20 of "date from".
//
//  4. Several values (2026-11-23). A resource with several dates has no one scalar. Choice: width 0, where spans bound nothing and filters
//     decide; downwards such resources are a stream of their own, sorted by the server and merged. Consequence: one find more for every
//     descending page; it examines no key where there are none.
//
//  5. Hints (2026-11-23). Context: the server chooses among so many similar indexes by trial and remembers the winner for other values.
//     Choice: the plan names the index, and other conditions stand in a double negation, which the server's planner does not look into.
//     How frequent a term is, is counted up to 501 keys and remembered for a minute. A page that is asked for
//     while that is not known is looked for first: among the first few resources of the term, or in all that the range finds where they are few
//     (unplanned.go). Consequence: one plan for one query, which Explain shows with the server's executionStats.
//
//  6. Orders on demand (2026-11-23). Context: 64 indexes a collection, and each costs every write. Choice: an order that is asked for is made
//     when first asked for. Consequence: the first such search sorts.
//
//  7. No transaction for one new resource (2026-11-23). Context: a transaction costs a round trip more. Measured, with the server beside it:
//     a create by one insert 1.4 ms; an update by a transaction 2.6 ms, by two writes with a compare-and-set 2.9, because it waits for two
//     majorities. Choice: an Update is a view until it puts more than one new resource, guards, or searches; what it has read by key is
//     read again in the transaction, or held by the version that a put replaces. Consequence: one write or one transaction, never two.
//
//  8. No counters (2026-11-23). Context: a counter in a transaction makes every two creates conflict. Choice: Counts and totals count keys of
//     an index, some million a second; CountCheap answers where one term has at most 200. Consequence: a total of millions is not cheap.
//
//  9. No term for the presence of a parameter (2026-11-23). Measured: a quarter of a document's keys. Every entry has a
//     term or a range that begins with its parameter, so up to 100 resources that have one are found by these; more are met soon in the order
//     of ids. Consequence: a resource that has it is found by two indexes, whose answers are united.
//
//  10. Spilled entries (2026-11-23). Context: MongoDB takes 16 MB a document and 100,000 keys of an index for one; a Group of 100,000 members
//     has 30 MB of index. Rivals: all resources' entries in documents of their own cost every search a join; a marker in each query costs every
//     search a branch. Choice: further documents for the heaviest parameters of large resources, and a list of which parameters those are, that
//     all gateways know before they are used. Consequence: searches by such a parameter in such a type ask twice (0.3 ms); the first spill
//     of a parameter waits three seconds.
//
//  11. Marks (2026-11-23). Context: no process can know the instants of the commits that others have in flight (clock.go): of 60 walks over
//     60 resources in pages of 10, each page from either of two gateways while both were written through, 14 lost a resource or had one twice. Rivals: a
//     clock in the database costs every write a round trip and orders all of them; a margin of the moment is a guess. Choice: a mark is the cluster
//     time of the snapshot that a view has read, and ViewAt reads there again; the server keeps five minutes of it
//     (minSnapshotHistoryWindowInSeconds). Consequence: pages are exact over any number of gateways and restarts of them, and do not grow dearer with
//     what was updated since; a client that takes longer, and the first after an index was made, gets pages by moment.
//
//  12. Rivals (2026-11-23). Context: the page of an order is found soon where what is asked for is common, and after everything has been read where
//     it is not; which holds no statistics tell, and dates and values go together. Measured at 20,000 resources, keys and documents: a value that
//     none has, newest first, 18,000 and 18,000; one of six in 2,987 of a code 2,987 and 2,987. Choice: the walk reads 4 times its page, then each
//     index says whether it finds less than 250, then both bounds grow fourfold; where rows of the page were met the walk goes on as far as they
//     let expect. Which won is remembered for a minute. Consequence: the same are 85 and 84, and 737 and 994; a page of 21 of what one in twenty
//     satisfies is 2,014 and 700 instead of 463 and 462, and that of what one in four satisfies what it was, but 1.6 ms instead of 0.9 when it is not
//     the first page again: a find has no such bound. An aggregation has, at 40 us a document instead of 8; beyond 128 rows the ids are read from the
//     index, and found in batches. Counts read the least that an index finds: of a chain to half of the patients 9,520 and 105 instead of 39,716 and
//     39,672. A text that nowhere stands is found not to by 39,452 and 1,764 instead of 18,000 and 18,000, in 34 ms instead of 1,002.
//
//  13. Bounded waits (2026-11-23). Context: the server keeps the transaction of a gateway that was killed until its lifetime of 60 s and the reaper's
//     round are over, and writes of what it holds waited 85 s without an answer. Rivals: a shorter transactionLifetimeLimitSeconds refuses large
//     Bundles; ending the sessions of gateways that are gone needs a privilege and a heartbeat. Choice: an Update gives up ten seconds after its
//     first conflict, a single insert, which the server makes wait, after twenty. Consequence: clients are told to try again for up to 85 s after a
//     gateway was killed, and so are those that lose for ten seconds to writers who are alive.
//
// Benchmarks (go test -bench . ./storage/mongodb, two cores shared with mongod): loading 200 resources an Update takes 1.5 times insertMany of
// the same documents under the same indexes (2,157 and 3,278 resources/s; budget 2). Finds beside the same finds through the driver alone, at
// 10,000 and 200,000 resources in ms (budget 1.3 times): token 0.26/0.25 and 0.29/0.25, identifier 0.24/0.21 and 0.19/0.18, date from
// 0.60/0.52 and 0.73/0.61, code and date range 0.72/0.61 and 0.84/0.82, code and value 0.64/0.54 and 0.68/0.58, patient and code 0.30/0.24 and
// 0.27/0.23, patient newest first 0.76/0.68 and 0.81/0.68, newest first of a code 0.82/0.70 and 0.79/0.75, OR of 50 tokens 0.67/0.55 and
// 0.77/0.63, chain to gender 1.10/0.91 and 3.16/2.82, _has by code 1.88/1.71 and 4.60/3.99, all 0.28/0.24 and 0.29/0.24. Keys and documents
// examined are the same at both sizes but for chains and _has, whose far sides grow. What is asked for
// the first time in a minute, at 10,000 with other programs running, mean of one run: prefix 0.38/0.33, composite 0.75/0.50, token 0.39/0.32.
package mongodb
