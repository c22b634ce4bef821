// Package operation holds the named operations ($fhirpath, $everything ...): one table from which fhir/server/rest makes routes and the
// CapabilityStatement.
//
// # Design
//
// An Operation is a value: its name, where and how it can be called, and the function that runs it. It knows no HTTP: it is given the
// Parameters resource or the query and answers one resource or an *fhir.Error. A file holds one operation and is named after it.
//
// # Decisions
//
// 1. One table (2026-11-23). Context: where routes, authorization and CapabilityStatement each list the operations, they disagree sooner or
// later. Choice: cmd builds one []Operation and hands it to rest, which derives all of them from it. Consequence: an operation that is not in the table
// answers 404 and is not advertised.
//
// 2. $fhirpath refuses what can't exist (2026-11-23). Context: a misspelt element yields nothing, as FHIRPath evaluates paths, and nobody sees why.
// Choice: paths are checked against the type of the resource, or of the context's items; validate=false evaluates all the same. Consequence: an
// error names the column.
//
// 3. $fhirpath is bounded as a whole (2026-11-23). Context: a context of many items evaluates the expression as many times. Choice: all
// evaluations of a call share 5,000,000 steps, its results and traces may take 16 MiB, and the call 30 s. Consequence: what passes a bound is one
// error of the issue id fhirpath-limit, and no part of an answer.
//
// 4. $fhirpath asks no other server (2026-11-23). Context: the playgrounds' protocol has a terminologyserver, to be asked where the engine has no
// terminology. Choice: this server answers from what it stores and the definitions, and the answer says so. Consequence: no request makes this
// server send another.
package operation
