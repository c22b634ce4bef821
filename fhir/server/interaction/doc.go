// Package interaction performs FHIR's interactions with no HTTP: read, vread, create, update, patch, delete, history, search, batch,
// transaction (R4 http, http://hl7.org/fhir/R4/http.html).
//
// # Design
//
// A write is prepared, then applied. Preparing parses, validates and extracts what the resource is found by, outside of any lock and on all
// cores; applying checks conditions, numbers the version, stamps it with the Update's instant and puts it, inside of one Update of the store. A
// transaction is the same with many writes. An Update may run more than once, so nothing that it does is remembered but what it returns.
//
// Every request is a Request, whether package rest read it from HTTP or entry.go from an entry of a Bundle. It is located by the table of routes
// (route.go), its query (view.go) and conditions (etag.go) are read in one way, and dispatch.go admits and performs it: Service.Do for HTTP, the
// same phases one by one for the entries of a batch or transaction.
//
// An interaction's file bears its name; the others bear the name of the part that they do for all interactions. Service is what other packages see. Every error is a *fhir.Error with stable issue ids;
// failure.go is where an engine's errors become one.
//
// The SearchParameters of clients are package parameter's, what value sets and code systems hold is package terminology's, background work is
// package job's.
//
// Conditions (If-None-Exist, conditional update, patch and delete, conditional references of transactions) are one type, condition: a query,
// and a name that equal conditions share, which the Update guards. So two of them can't both find nothing and create.
//
// A page of a search or history is a Bundle written byte by byte around the stored bodies. Its links carry sealed cursors: a place in the
// order, the moment of the first page, and the engine's mark of the state that it showed. Nothing is kept in the server between two pages.
package interaction
