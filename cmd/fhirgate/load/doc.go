// Package load sends files of FHIR resources to a FHIR server over HTTP: any server, with nothing of this one's engine in it.
//
// # Design
//
// One goroutine reads, several send. Reading is a chain: the arguments become sources (source.go: files, folders, archives, standard
// input), a source is a sequence of JSON documents (scan.go, document.go), and a document becomes jobs (job.go, collection.go): one HTTP
// request each, with what has to be known to try it again and to count it. Workers send jobs (client.go), read the answers as streams
// (answer.go), and report to one tally (summary.go) that the progress display (progress.go) reads.
//
// What a document becomes:
//
//	Bundle, transaction or batch        POST [base], the bytes as they are
//	Bundle, document or message         stored whole, as a resource
//	Bundle, collection or searchset     PUT (an id) and POST (none) entries of batches; a transaction where urn: references need one
//	Bundle, history                     as a collection, of each resource the newest version only, deleted ones left out
//	a resource alone in its file        PUT [base]/Type/id, or POST [base]/Type without an id
//	resources in sequence (NDJSON)      entries of batches
//
// # Decisions
//
// 1. A scanner of its own (2026-11-23). Context: encoding/json needs a value in memory, or costs a heap object a token; a file of 2 GB
// must cost neither. Choice: scan.go walks the structure of JSON over a 64 KiB buffer and picks out the few strings that decide what a
// document is; whether the document is valid is the server's to say. Consequence: a file costs memory by its chunk, and the loader takes a
// small part of the processor that it shares with a local server.
//
// 2. A body that can be opened again (2026-11-23). Context: a request that met 503 is sent again, and a transaction has to be sent whole
// however large it is. Choice: up to 8 MiB a body is held in memory; past that it is read again from its file, decompressing again where
// needed; only what can't be read twice (standard input, a tar archive) is spooled to a temporary file. Consequence: memory is bounded by
// 8 MiB a worker, and a plain file costs no disk.
//
// 3. Only what is safe is tried again (2026-11-23). Context: a lost connection leaves open whether a POST was carried out. Choice: 429 and
// 503, by which a server says that it did nothing, and refused connections are tried again for every request; broken connections, 502
// and 504 only for requests made of PUT alone. Consequence: no resource is created twice by a retry.
//
// 4. urn: references of large collections are rewritten here (2026-11-23). Context: a collection larger than a request is split, and a
// batch resolves no references between entries. Choice: entries with a urn:uuid fullUrl and no id get the UUID as id, and references to a
// urn fullUrl become Type/id, by an index made in the first pass. Consequence: some 60 bytes of memory an entry that has a urn fullUrl;
// links inside of narratives are not rewritten.
package load
