// Package fhir is the vocabulary of every other package: keys, resources as parsed JSON trees, issues and their ids, errors, decimals and partial
// dates. It knows no resource type and imports only the standard library.
//
// # Design
//
// A resource is its bytes and a flat tree over them ([Tree], [Node]). [Parse] makes the tree once; search extraction, FHIRPath, patch and validation
// all read it. Values stay in the buffer unless an escape sequence forces a copy, so that numbers keep their digits and strings their spelling.
//
// [Error] is the one error type that crosses packages; its [Kind] decides the HTTP status. An [Issue] names its rule by an [IssueID]: the constants of
// issueid.go are all there are, and ISSUES.md lists them.
//
// Decisions are in DECISIONS.md.
package fhir
