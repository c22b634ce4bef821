package interaction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// failure turns what an engine or an interaction returned into a *fhir.Error that names the interaction and the resource. A *fhir.Error
// passes as it is but for what it does not say yet.
func failure(op string, key fhir.Key, err error) error {
	var e *fhir.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		c := *e
		if c.Op == "" {
			c.Op = op
		}
		if c.Key == (fhir.Key{}) {
			c.Key = key
		}
		return &c
	case errors.Is(err, storage.ErrConflict):
		e = fhir.NewError(fhir.KindConflict, fhir.IssueConflict, fhir.IDConflict, "another write to the same resource or condition came first; try again")
	case errors.Is(err, storage.ErrNotFound):
		e = errNotFound(key)
	case errors.Is(err, storage.ErrDeleted):
		e = errGone(key)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = fhir.NewError(fhir.KindUnavailable, fhir.IssueTimeout, fhir.IDTimeout, "the request timed out; nothing was stored")
		if onlyReads(op) {
			e = errTooLong(op)
		}
	default:
		e = &fhir.Error{Kind: fhir.KindInternal}
	}
	e.Op, e.Key, e.Err = op, key, err
	return e
}

// errTooLong says that what only reads took too long.
func errTooLong(what string) *fhir.Error {
	return fhir.NewError(fhir.KindUnavailable, fhir.IssueTimeout, fhir.IDTimeout, "the "+what+" took longer than the server allows; ask for less at once")
}

// failure is failure for the request. An operation is named as such, and only the request knows whether it stores anything.
func (q *Request) failure(key fhir.Key, err error) error {
	var e *fhir.Error
	if q.Code == CodeOperation && q.read() && !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		e = errTooLong("operation $" + q.Operation.Name)
		e.Err, err = err, e
	}
	return failure(cmp.Or(string(q.Code), "batch"), key, err)
}

// onlyReads reports whether the interaction that failure names only reads.
func onlyReads(op string) bool {
	for _, prefix := range [...]string{"read", "vread", "search", "history", "capabilities", "everything", "fhirpath", "subset"} {
		if strings.HasPrefix(op, prefix) {
			return true
		}
	}
	return false
}

func errNotFound(key fhir.Key) *fhir.Error {
	e := fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, key.String()+" does not exist")
	e.Key = key
	return e
}

// errNoVersion says that a resource which is there, or was, has no such version.
func errNoVersion(key fhir.Key) *fhir.Error {
	e := fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, key.String()+" has no version of this id")
	e.Key = key
	return e
}

func errGone(key fhir.Key) *fhir.Error {
	e := fhir.NewError(fhir.KindGone, fhir.IssueDeleted, fhir.IDDeleted, key.String()+" is deleted")
	e.Key = key
	return e
}

// at returns a copy of err, a *fhir.Error, with its issues told from the Bundle, as atEntry does.
func at(entry int, err error) error {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Issues = atEntry(entry, e.Issues)
	return &c
}

// atEntry returns issues with their expressions moved below a Bundle's entry: "Patient.name[0]", told from the entry's resource, becomes
// "Bundle.entry[12].resource.name[0]", ".request.url" becomes "Bundle.entry[12].request.url", and no expression the entry's own.
func atEntry(entry int, issues []fhir.Issue) []fhir.Issue {
	out := make([]fhir.Issue, len(issues))
	for i, is := range issues {
		where := fmt.Sprintf("Bundle.entry[%d]", entry)
		switch path := is.Expression; {
		case path == "":
		case path[0] == '.':
			where += path
		default:
			where += ".resource"
			if n := strings.IndexAny(path, ".["); n >= 0 {
				where += path[n:]
			}
		}
		is.Expression = where
		out[i] = is
	}
	return out
}

// isNotFound reports whether an engine says that something never existed.
func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
