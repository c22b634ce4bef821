package fhir

import (
	"errors"
	"strings"
)

// Kind classifies an Error. The set is closed: fhir/server/rest maps each to one HTTP status, in one table.
type Kind uint8

// The kinds, with the status each is rendered as.
const (
	KindInternal      Kind = iota // 500: a defect or an engine failure
	KindInvalid                   // 400: the request is malformed
	KindUnauthorized              // 401
	KindForbidden                 // 403
	KindNotFound                  // 404: never existed
	KindNotAllowed                // 405: the interaction is not served for this path
	KindNotAcceptable             // 406: no representation the client accepts
	KindConflict                  // 409: the write lost a race or contradicts the state
	KindGone                      // 410: deleted
	KindPrecondition              // 412: If-Match, If-None-Match or a conditional with several matches
	KindTooLarge                  // 413: past a limit on size, depth or count
	KindMediaType                 // 415: the body's Content-Type is not understood
	KindUnprocessable             // 422: well-formed, but not valid FHIR or against a rule
	KindThrottled                 // 429
	KindNotSupported              // 501: known to FHIR, not served here
	KindUnavailable               // 503: the engine can't be reached; try again
	KindFull                      // 507: no space left for a write
	KindURITooLong                // 414: past the limit on a URL's length
)

// Error is the one error type that crosses packages. It is wrapped at most once a layer and logged once, at the edge.
type Error struct {
	Kind Kind
	// Op is the interaction or function that failed, as in "update"; for logs.
	Op string
	// Key is the resource concerned; zero if none.
	Key Key
	// Issues say what is wrong; never empty for the kinds of status 4xx.
	Issues []Issue
	// Err is the cause; it is logged and never shown to a client.
	Err error
}

// Error returns one line for logs. It contains issue texts, and so no patient data.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	if e.Key != (Key{}) {
		b.WriteString(e.Key.String())
		b.WriteString(": ")
	}
	for i, is := range e.Issues {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(is.Text)
	}
	if e.Err != nil {
		if len(e.Issues) > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, and KindInternal where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// NewError returns an Error of kind k with one issue of severity error.
func NewError(k Kind, code IssueType, id IssueID, text string) *Error {
	return &Error{Kind: k, Issues: []Issue{{Severity: SeverityError, Code: code, ID: id, Text: text}}}
}
