package interaction

import (
	"context"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// A reference may name a version, "Patient/1/_history/2". Includes bring the version that is named. Chains and _has, whose indexes hold current
// versions, are decided by the current one, and a search says so where it matters.

// namedVersions returns a warning for each reference parameter that the queries follow and of which some reference names a version.
func namedVersions(ctx context.Context, r storage.Reader, f finding) ([]fhir.Issue, error) {
	var issues []fhir.Issue
	for _, q := range f {
		for _, link := range followedBy(q) {
			rows, err := r.Find(ctx, search.Query{Types: []string{link.typ}, Where: search.NamesVersions(link.param), Limit: 1})
			if err != nil {
				return nil, err
			}
			if len(rows) > 0 {
				issues = append(issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDVersionNotFollowed,
					Text: fmt.Sprintf("some references of %s.%s name a version; this search follows them to the current version of the resource, and not to the one named", link.typ, link.param)})
			}
		}
	}
	return issues, nil
}

// followed is a reference parameter of a type that a query follows.
type followed struct{ typ, param string }

// followedBy returns the reference parameters that conditions and orders of a query follow.
func followedBy(q search.Query) []followed {
	var out []followed
	add := func(typ, param string) {
		if l := (followed{typ, param}); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	var walk func(types []string, e search.Expr)
	walk = func(types []string, e search.Expr) {
		switch e := e.(type) {
		case search.And:
			for _, c := range e {
				walk(types, c)
			}
		case search.Or:
			for _, c := range e {
				walk(types, c)
			}
		case search.Not:
			walk(types, e.Expr)
		case search.Refers:
			for _, typ := range types {
				add(typ, e.Param)
			}
			walk([]string{e.Target}, e.Where)
		case search.Referred:
			add(e.Source, e.Param)
			walk([]string{e.Source}, e.Where)
		}
	}
	walk(q.Types, q.Where)
	for _, s := range q.Sort {
		if s.Chain != nil {
			for _, typ := range q.Types {
				add(typ, s.Chain.Param)
			}
		}
	}
	return out
}
