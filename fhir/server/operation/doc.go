// Package operation holds the named operations ($fhirpath, $everything ...): one table from which fhir/server/rest makes routes and the
// CapabilityStatement.
//
// # Design
//
// An Operation is a value: its name, where and how it can be called, and the function that runs it. The function is given the Request and returns an
// OperationResponse or an *fhir.Error; it sees no connection, and names a status, a header or a body of another type only where its operation has one of
// its own. A file holds one operation and is named after it. Responses to messages are sent by the courier, the package's one client of HTTP.
package operation
