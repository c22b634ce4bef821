package rest

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Errors as OperationOutcomes (R4 http, 3.1.0.1.5 Status codes, and operationoutcome). Which status a kind has is decided by fhir.Kind.

// retryAfter is the seconds that clients are asked to wait when the server can't do its work for now.
var retryAfter = []string{"5"}

// outcome writes the error as status and OperationOutcome, in the format that the client accepts, where it accepts one that is served. What the server did wrong itself is told by a reference only.
func (x *exchange) outcome(e *fhir.Error) {
	issues := e.Issues
	if len(issues) == 0 || e.Kind == fhir.KindInternal {
		issues = []fhir.Issue{x.withoutDetails(e.Kind)}
	}
	issues = ofRequest(issues)
	head := x.w.Header()
	// What was set for a response that was not sent must not describe this one.
	for _, name := range [...]string{"Content-Disposition", "Content-Encoding", "Content-Security-Policy", "Content-Location", "Location", "Etag", "Last-Modified", "X-Security-Context"} {
		head.Del(name)
	}
	if (e.Kind == fhir.KindUnavailable || e.Kind == fhir.KindThrottled) && !storage.IsUnknown(e) { // which nobody is to send again unseen
		head["Retry-After"] = retryAfter
	}
	head["Cache-Control"] = noStore
	if x.format == nil { // the request got nowhere
		if t, err := x.h.formats.negotiate(x.r.Header["Accept"], x.q.View.Format); err == nil {
			x.format = t
		}
	}
	x.write(e.Kind.Status(), fhir.AppendOutcome(nil, issues))
}

// ofRequest returns issues without the expressions that only a Bundle's entry has, such as ".request.url": what they are about is in no resource here.
func ofRequest(issues []fhir.Issue) []fhir.Issue {
	inEntry := func(is fhir.Issue) bool { return strings.HasPrefix(is.Expression, ".") }
	if !slices.ContainsFunc(issues, inEntry) {
		return issues
	}
	issues = slices.Clone(issues)
	for i := range issues {
		if inEntry(issues[i]) {
			issues[i].Expression = ""
		}
	}
	return issues
}

// withoutDetails is the issue of an error that has none to show.
func (x *exchange) withoutDetails(k fhir.Kind) fhir.Issue {
	is := fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueProcessing, ID: fhir.IDFailed, Text: "the request was refused"}
	switch k {
	case fhir.KindInternal:
		is = fhir.Issue{Severity: fhir.SeverityFatal, Code: fhir.IssueException, ID: fhir.IDInternal,
			Text: "the server failed; its log says why under reference " + x.requestID()}
	case fhir.KindUnavailable:
		is.Code, is.ID, is.Text = fhir.IssueTransient, fhir.IDUnavailable, "the server can't do this for now; try again, reference "+x.requestID()
	case fhir.KindFull:
		is.Code, is.ID, is.Text = fhir.IssueNoStore, fhir.IDStorageFull, "there is no space left to store this, reference "+x.requestID()
	}
	return is
}
