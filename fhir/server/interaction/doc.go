// Package interaction performs FHIR's interactions with no HTTP: read, vread, create, update, patch, delete, history, search, batch,
// transaction (R4 http, http://hl7.org/fhir/R4/http.html).
//
// # Design
//
// A write is prepared, then applied. Preparing parses, validates and extracts what the resource is found by, outside of any lock and on all
// cores; applying checks conditions, numbers the version, stamps it with the Update's instant and puts it, inside of one Update of the store. A
// transaction is the same with many writes. An Update may run more than once, so nothing that it does is remembered but what it returns.
//
// A file holds one interaction and is named after it. Service is what other packages see. Every error is a *fhir.Error with stable issue ids;
// failure.go is where an engine's errors become one.
//
// Conditions (If-None-Exist, conditional update, patch and delete, conditional references of transactions) are one type, condition: a query,
// and a name that equal conditions share, which the Update guards. So two of them can't both find nothing and create.
//
// A page of a search or history is a Bundle written byte by byte around the stored bodies. Its links carry sealed cursors: a place in the
// order, the moment of the first page, and the engine's mark of the state that it showed. Nothing is kept in the server between two pages.
//
// # Decisions
//
// 1. Ids grow (2026-11-23). Context: random ids spread inserts over all of an engine's indexes; counters tell how many patients there are, and
// need a lock between gateways. Choice: 20 characters, milliseconds first, then 50 random bits that grow by random steps within a millisecond.
// Consequence: inserts stand side by side, ids sort by age, and one id does not give the next.
//
// 2. Equal means equal bytes (2026-11-23). Context: an update that changes nothing makes no version; what is read back is what was written,
// its order of members included. Choice: the new content, stamped like the current version, is compared byte for byte; resourceType, id and meta may
// stand anywhere, since the server puts id and meta where the client has none. Consequence: a body that was read and sent back, or one that was posted
// and is put under its id, makes no version; one with its other members in another order, or 1.0 for 1.00, does.
//
// 3. Conditions are looked up twice (2026-11-23). Context: what a transaction's references become depends on what its conditions find, and
// rewriting and validating under the write lock would stop all other writers. Choice: resolve in a View, prepare, resolve again in the Update, and
// where the answer differs prepare again for what the Update found (a View may not see yet what the Update does). Consequence: a transaction with conditions costs its searches twice; the lock is held as briefly as without.
//
// 4. Pages show the moment of the first (2026-11-23). Context: engines keep no snapshots for clients who may never come back. Choice: the
// second and later versions of a resource carry an entry with their time (_lastUpdated:changed). A later page takes what the indexes find,
// leaves out what is newer than the moment, and finds by that entry which resources were updated since: their version of the moment is matched
// and sorted again and put where it belonged. Consequence: what existed throughout appears exactly once, what was created later does not, what
// was deleted vanishes. It works on any engine; a page costs one look-up more, and the cost of the updates since the first page. Past 10,000 of them
// the link expires. An engine that keeps its states for a while (storage.Keeper) spares all this: later pages are read in the state of the first, but for
// what has been deleted since, and by the moment only once that is forgotten; so several gateways, whose moments are not exact between them, lose
// nothing. By the moment, conditions that follow references (chains, _has, chained sorts) see the resources that they lead to as they are when the page is read.
//
// 5. Totals of histories (2026-11-23). Context: Bundle.total of a system's history would count every version there ever was. Choice: the history
// of an instance has a total, found by binary search in its versions; those of a type or the system have one where the page holds everything.
//
// 6. A compartment of all types is many searches (2026-11-23). Context: which parameters make a resource part of a compartment differs from type
// to type, and conditions know no types. Choice: one query a type, merged in the search's order. Consequence: exact, and some 60 small look-ups a page.
//
// 7. Includes are never cut off (2026-11-23). Context: a cut include can't be told from a missing resource. Choice: a page that would include more
// than 20,000 resources has fewer matches, and only where one match alone includes more it is refused with the issue too-many-includes. Consequence:
// a page may be shorter than _count, with a next link.
//
// 8. New search parameters (2026-11-23). Context: a SearchParameter is active when its write is answered, while writes that were extracted without
// it are on their way, through any gateway. Choice: the write notes in the same Update that indexing is due; a write checks inside of its Update that
// the parameters are those that its entries were made with; and indexing starts when the writes that were running here have ended. What was running
// elsewhere is decision 17. Consequence: no resource is missed, and a crash at any point leaves the note. A search on the parameter carries the warning
// parameter-indexing until it is done. One that is deleted, retired or taken from a type is indexed the same way, which takes its entries away. Whether
// it can be served beside the others is asked inside of the Update, of what that sees, its own entries included; Updates that write one guard and
// count on the revision of the set, so that of two that conflict one is refused however they came.
//
// 9. Explain is an outcome (2026-11-23). _explain=true adds an entry with search.mode outcome to the Bundle: an OperationOutcome with an issue
// plan-step for each step in its order, plan-unindexed for each condition that no index served, and plan-cost with the rows read. Values are left
// out: they may be patient data. What was looked up to read the parameters (canonicals) stands first, how the total was made last; a search that only
// counts has the count's plan alone.
//
// 10. Conflicts are waited out (2026-11-23). Context: 64 clients that updated one resource on MongoDB: 8 were told 409 after the engine's eleven
// tries. Choice: an Update that lost is begun again up to eight times, with pauses that double from 5 ms and are half random. Consequence: none of
// the 64 is refused; 409 is left for what does not end within seconds.
//
// 11. Subsets (2026-11-23). _elements names elements of the types searched, so included resources of other types come whole; _summary is about
// every resource in the Bundle. Mandatory elements, id and meta always stay, and the tag SUBSETTED tells of it.
//
// 12. Pages have a length (2026-11-23). Context: 53 Binaries on one page, 58 MB, took 185 MB of memory, and _count lets a client ask for 1,000. Choice: a
// page of a search, history or $everything ends where its bodies pass 16 MiB, what they include counted, with one match at least; how many bodies are
// read at once follows from how long those of the type were. Consequence: a page costs a few times 16 MiB at most, whatever is stored; the reads of a
// Bundle are refused past four pages.
//
// 13. Conditional references everywhere (2026-11-23). Context: R4 has them in transactions; elsewhere "Patient?identifier=x" was stored as text that
// refers to nothing. Choice: single creates and updates, and the entries of batches, resolve them in a view before the write, with the transaction's
// faults; a patch that makes one is refused, and so is a batch's entry that names another by its urn:. Consequence: no stored reference is a search.
// A urn:uuid: or urn:oid: that names no entry is an error in a transaction, whose rules it breaks, and stored as it is elsewhere: R4 lets a reference be
// any absolute URI and leaves it to the server whether it must lead somewhere (CapabilityStatement.rest.resource.referencePolicy). HAPI refuses it with
// 400 where a search parameter reads it, because it indexes types and ids only; here it is found as the URI that it is.
//
// 14. Posted searches have sealed links (2026-11-23). Context: the parameters of a POST _search came back in its links, so that identifiers that were
// posted to stay out of URLs were logged by proxies, and a form of 105 KB made three links of 115 KB. Choice: the links carry nothing but a cursor, with
// the parameters packed and sealed in it; first and the first page's self run the search again. Consequence: the links are about two thirds of the form,
// say nothing, and work for a day.
//
// 15. See the decisions of package terminology.
//
// 16. Conditions are read where they are asked (2026-11-23). Context: what "code:in=..." or a chain through a canonical means depends on the store.
// Choice: such a condition is read again in each View and Update that asks it. Consequence: conditional interactions see what searches see.
//
// 17. Gateways go by the revision of the parameters (2026-11-23). Context: gateways that heard of each other's SearchParameters by a poll answered for
// two seconds by old definitions, and stored what new ones did not find. Choice: a search that names a custom parameter, an unknown one or all reads the
// revision in its view, and what has changed where it is another; R4's own mean the same in every set, and cost nothing. A write reads it once it is
// stored, in a view of its own: if that shows no other, the indexing that follows one sees the write; else its entries are made again before it is
// answered. Reading it before or within the write would leave the time until the commit open, or make every write conflict with every other. Consequence:
// what is acknowledged through one gateway holds through all. With one process, as on the embedded engine, nothing is read. On MongoDB it is one find
// of one small document a write request (a Bundle is one), and a search by a custom parameter: on two busy cores the medians of BenchmarkGateways went from
// 1.4 to 1.8 ms a create, 2.7 to 3.2 an update and 0.8 to 1.0 a search. Leases would spare that, and hold only as far as clocks do. The poll is left
// for what no request asks: the CapabilityStatement and the indexing. A gateway that ends between a commit and the look at the revision leaves the
// write to the second pass of the indexing.
//
// 18. The envelope of a Bundle is a request (2026-11-23). Context: request.IfMatch, ifNoneExists and fullURL were passed over, and so lost updates, made
// duplicates and left references as they were; the resources inside were checked, what carries them was not. Choice: names, kinds and values of what
// is not a carried resource are walked as validation walks a resource, at every level, Off included, because a request that is half read does something else
// than was asked for; conditions that a method does not have are refused. Consequence: 400 with the nearest name; half a microsecond an entry, no allocation (BenchmarkEnvelopeEntry).
//
// 19. All faults of a Bundle at once (2026-11-23). Context: one round for the structure, one for references, one for conditions, one for contents. Choice: each
// step of a transaction before the first write notes faults with its entries and goes on; where there are any, the contents are validated, rewritten as far
// as is known, and all is told: 400 where anything is malformed, else 422, else the kind of the first. Consequence: a good transaction pays nothing.
//
// 20. What names of entries stand for (2026-11-23). Context: R4 leaves undefined what a relative reference means in an entry whose fullUrl has no base, and
// widespread clients send "Patient/77" as a fullUrl. Choice: both are told from the server's base, as request.url beside them is. R4 lets elements of type oid and
// uuid be replaced and forbids it for canonical; since no URL can stand in the former, all three stay. Consequence: a relative reference and the absolute one mean the same.
//
// 21. Gateways take turns at indexing (2026-11-23). Context: gateways on one store know the same unfinished indexing, and all did it. Choice: one takes the
// turn, a note in the store that ends after 15 s where it is not kept, and the others show its progress; the entries are exact however many index.
// Consequence: the work is done once; where a gateway is killed at it, another begins it anew within 15 s and a poll.
//
// 22. Targets have slots (2026-11-23). Context: with ReferentialIntegrity, under snapshot isolation, a delete saw no referrer and a write its target, and
// both won. Rivals: one guard a target makes all that is written about a patient conflict; measured on MongoDB, 8 writers of 400 Observations of one
// patient: 700 to 750 tries. Choice: 16 guards a target, of which a write takes one, another at each try, and a delete all: 400 tries, 0.5 s to 0.24 s
// without the flag. Consequence: a write with references is a transaction; what the Bundle writes itself is not guarded.
//
// 23. Conditions conflict by identifiers (2026-11-23). Context: conditions that overlap, or are spelled in two ways, both created. Choice: see guard.go.
// Two conditional writes of which each would find what the other writes conflict wherever one of them asks for an identifier. Rivals: guarding
// every comparison makes all that ask for gender=male conflict; guarding every write of a resource with identifiers makes each create a
// transaction, of twice the time. Consequence: two conditions without identifiers that ask for different things of one resource can both create, and
// so can two transactions of which each creates unconditionally what the other's condition finds.
package interaction
