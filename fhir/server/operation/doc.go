// Package operation holds the named operations ($fhirpath, $everything ...): one table from which fhir/server/rest makes routes and the
// CapabilityStatement.
//
// # Design
//
// An Operation is a value: its name, where and how it can be called, and the function that runs it. It knows no HTTP: it is given the
// Request and returns an OperationResponse or an *fhir.Error. A file holds one operation and is named after it.
package operation
