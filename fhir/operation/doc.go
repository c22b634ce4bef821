// Package operation holds the named operations ($fhirpath, $everything ...): one table from which fhir/rest makes routes and the
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
package operation
