package interaction

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// A Bundle is refused with all that is wrong with it at once, wherever it shows before anything is written: its structure, the contents, the
// references that nothing answers, the conditions that can't be asked.

// wholly makes the fault of a part one of the whole: what an entry or a reference asks for may not be there, the URL of the request is, and its
// response has a format.
func wholly(err error) error {
	switch fhir.KindOf(err) {
	case fhir.KindNotFound, fhir.KindGone, fhir.KindNotAllowed, fhir.KindNotAcceptable:
		return ofKind(err, fhir.KindInvalid)
	}
	return err
}

// ofKind returns a copy of err, an *fhir.Error, of another kind.
func ofKind(err error, kind fhir.Kind) error {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Kind = kind
	return &c
}

// join returns one error with the issues of both, a's first. Where both name an element, a says it. The kind is the graver one's: what is
// malformed comes before what is not valid, and that before all else. A fault that is not the client's is told alone.
func join(a, b error) error {
	if b == nil {
		return a
	}
	if a == nil {
		return b
	}
	var x, y *fhir.Error
	if !errors.As(a, &x) || !clients(x.Kind) {
		return a
	}
	if !errors.As(b, &y) || !clients(y.Kind) {
		return b
	}
	c := *x
	c.Issues = slices.Clone(x.Issues)
	for _, is := range y.Issues {
		same := func(o fhir.Issue) bool { return o.Expression == is.Expression }
		if is.Expression == "" || !slices.ContainsFunc(x.Issues, same) {
			c.Issues = append(c.Issues, is)
		}
	}
	if gravity(y.Kind) > gravity(x.Kind) {
		c.Kind = y.Kind
	}
	return &c
}

// clients reports whether an error of the kind is the client's fault, or what the server does not do.
func clients(k fhir.Kind) bool { return k.Status() < 500 || k == fhir.KindNotSupported }

// gravity orders the kinds of joined errors.
func gravity(k fhir.Kind) int {
	switch k {
	case fhir.KindInvalid:
		return 2
	case fhir.KindUnprocessable:
		return 1
	}
	return 0
}

// malformed returns issues as a fault of the request's form; nil for none.
func malformed(issues []fhir.Issue) error {
	if len(issues) == 0 {
		return nil
	}
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: issues}
}

// failures joins whole with the faults of the entries, told from the Bundle: one error that names them all, or says that there are more.
func failures(whole error, entries []*bundleEntry) error {
	all := whole
	for i, e := range entries {
		if e.err == nil {
			continue
		}
		all = join(all, wholly(at(e.index, e.err)))
		var told *fhir.Error
		if !errors.As(all, &told) || !clients(told.Kind) {
			return all
		}
		if len(told.Issues) < maxIssues {
			continue
		}
		if slices.ContainsFunc(entries[i+1:], func(e *bundleEntry) bool { return e.err != nil }) {
			return join(all, &fhir.Error{Kind: told.Kind, Issues: []fhir.Issue{{Severity: fhir.SeverityInformation, Code: fhir.IssueTooCostly, ID: fhir.IDIssuesTruncated,
				Text: fmt.Sprintf("there are more faults; those up to entry %d are listed", e.index)}}})
		}
		return all
	}
	return all
}

// maxIssues bounds the issues of one response to a Bundle.
const maxIssues = 200

// fault notes what is wrong with the request, beside what was noted before.
func (e *bundleEntry) fault(err error) {
	if e.err = join(e.err, err); e.refused != nil && clients(fhir.KindOf(e.err)) {
		e.err = ofKind(e.err, fhir.KindOf(e.refused))
	}
}

// refuse notes what refuses the request before its resource would be read. What is wrong with the resource is told behind it, and the status is that of
// the request by itself.
func (e *bundleEntry) refuse(err error) {
	if err == nil {
		return
	}
	beside := e.err
	e.err, e.refused = err, err
	e.fault(beside)
}

// faultContents notes what is wrong with the resources of entries that are refused for something else, or of all entries.
func (s *Service) faultContents(entries []*bundleEntry, all bool) {
	parallel(len(entries), func(i int) {
		if e := entries[i]; e.carries() && (all || e.err != nil) {
			e.fault(s.checkContent(e.resource))
		}
	})
}

// checkContent returns what is wrong with a resource that won't be stored in any case. A type that there is not is told from the URL.
func (s *Service) checkContent(r fhir.Resource) error {
	if _, known := s.registry.Resource(r.Type()); !known {
		return nil
	}
	if issues := s.validate(r); fhir.HasErrors(issues) {
		return errInvalidResource(issues)
	}
	return nil
}
