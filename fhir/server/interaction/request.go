package interaction

import (
	"net/http"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// A request has one form, whether it came by HTTP or as an entry of a Bundle (R4 http, 3.1.0 RESTful API, http://hl7.org/fhir/R4/http.html).

// Code names an interaction as R4's CapabilityStatement does.
type Code string

// The interactions. R4 has no code of its own for the search of a compartment, a Bundle that may be either kind, and an operation.
const (
	CodeRead              Code = "read"
	CodeVRead             Code = "vread"
	CodeUpdate            Code = "update"
	CodePatch             Code = "patch"
	CodeDelete            Code = "delete"
	CodeCreate            Code = "create"
	CodeHistoryInstance   Code = "history-instance"
	CodeHistoryType       Code = "history-type"
	CodeHistorySystem     Code = "history-system"
	CodeSearchType        Code = "search-type"
	CodeSearchSystem      Code = "search-system"
	CodeSearchCompartment Code = "search-compartment"
	CodeCapabilities      Code = "capabilities"
	CodeBundle            Code = "batch"
	CodeOperation         Code = "operation"
)

// Request is one request for an interaction. Two readers make it: that of HTTP in package rest, and readEntry for the entries of a Bundle. Service.Do
// performs it.
type Request struct {
	// Code, Key, Version, Inside and Operation are set by Locate. Key has no ID where the path names a type alone, and no Type where it names none.
	Code Code
	Key  fhir.Key
	// Version is the version id of a vread.
	Version string
	// Inside is the type that is searched in the compartment of Key, or "*".
	Inside    string
	Operation *Operation
	// Method is that of HTTP. A HEAD is performed like a GET; its response is sent without a body.
	Method string
	// Base is the server's base URL without a trailing slash, as the client sees it.
	Base string
	// Parameters are those of the URL, and of a POST _search's form behind them, decoded. Posted says that some came in a form.
	Parameters []search.Pair
	Posted     bool
	// View is how the client wants to see the response.
	View View
	// Prefer is what the client prefers.
	Prefer Preferences
	// Conditions are the preconditions.
	Conditions Conditions
	// Resource is the body, where the request has one. ReadBody reads it into Resource when the request has been admitted; nil where there is none
	// to read.
	Resource fhir.Resource
	ReadBody func() (fhir.Resource, error)
	// Explain adds to a search how it ran.
	Explain bool
	// Pieces says that the JSON of a resource may come piece by piece.
	Pieces bool
}

// Preferences are those of a Prefer header (R4 http, 3.1.0.1.7, and search, 3.1.1.2 handling).
type Preferences struct {
	// Return is "minimal", "representation" or "OperationOutcome".
	Return string
	// Lenient ignores and reports parameters that are unknown (handling=lenient).
	Lenient bool
}

// read reports whether the request changes nothing: it may be performed in a View.
func (q *Request) read() bool {
	switch q.Code {
	case CodeCreate, CodeUpdate, CodePatch, CodeDelete, CodeBundle:
		return false
	case CodeOperation:
		return !q.Operation.Writes && (q.Operation.WritesWith == nil || !q.Operation.WritesWith(q))
	}
	return true
}

// searches reports whether the request is a search or a history, or an operation: what it costs depends on what is stored.
func (q *Request) searches() bool {
	switch q.Code {
	case CodeSearchType, CodeSearchSystem, CodeSearchCompartment, CodeHistoryInstance, CodeHistoryType, CodeHistorySystem, CodeOperation:
		return true
	}
	return false
}

// criteria reports whether the request is a conditional update, patch or delete: its parameters say which resource it is about.
func (q *Request) criteria() bool {
	return q.Key.ID == "" && (q.Code == CodeUpdate || q.Code == CodePatch || q.Code == CodeDelete)
}

// Response is the response to a request. Each edge writes it in its own form: as an HTTP response, or as Bundle.entry.response.
type Response struct {
	Status int
	// Record is the version that ETag and Last-Modified describe, without its body; Version is 0 where there is none.
	Record storage.Record
	// Located says that Location names Record.
	Located bool
	// Resource is the JSON of a resource; nil for none. Parts are it in pieces, in its place, where Request.Pieces allows it.
	Resource []byte
	Parts    [][]byte
	// Updated is the greatest lastUpdated of a Bundle; zero where there is none.
	Updated time.Time
	// Issues are those of a write: warnings that did not prevent it.
	Issues []fhir.Issue
	// Operation is the response of an operation as it gave it; nil for all other interactions.
	Operation *OperationResponse
	// release gives the memory of Resource back; nil where nobody else uses it.
	release func()
}

// Release gives the memory of Resource back for other responses. Resource must not be used after it, nor Release called twice.
func (r *Response) Release() {
	if r.release != nil {
		r.release()
	}
}

// bundled returns a Bundle as a response.
func bundled(b Bundle) Response {
	return Response{Status: http.StatusOK, Resource: b.Body, Parts: b.Parts, Updated: b.Updated, release: b.Release}
}
