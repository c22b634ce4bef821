// Package load sends files of FHIR resources to a FHIR server over HTTP: any server, with nothing of this one's engine in it.
//
// # Design
//
// One goroutine reads, several send. Reading is a chain: the arguments become sources (source.go: files, folders, archives, standard
// input), a source is a sequence of JSON documents (scan.go, document.go), and a document becomes jobs (job.go, collection.go): one HTTP
// request each, with what is needed to retry it and to count it. Workers send jobs (work.go, client.go), read the responses as streams
// (response.go), and report to one tally (summary.go) that the progress display (progress.go) reads. A journal (journal.go) keeps what is
// stored, so that another run can go on from one that ended early.
//
// What a document becomes:
//
//	Bundle, transaction or batch        POST [base], the bytes as they are
//	Bundle, document or message         stored whole, as a resource
//	Bundle, collection or searchset     PUT (an id) and POST (none) entries of batches; a transaction where urn: references need one
//	Bundle, history                     as a collection, of each resource the newest version only, deleted ones left out
//	a resource alone in its file        PUT [base]/Type/id, or POST [base]/Type without an id
//	resources in sequence (NDJSON)      entries of batches
//	SearchParameters by themselves      entries of transactions, after everything else (parameters.go)
package load
