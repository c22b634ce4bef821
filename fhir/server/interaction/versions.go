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
		links := followedBy(q)
		for len(links) > 0 {
			n := 1
			for n < len(links) && links[n].typ == links[0].typ {
				n++
			}
			naming, err := nameVersions(ctx, r, links[:n])
			if err != nil {
				return nil, err
			}
			for _, link := range naming {
				issues = append(issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDVersionNotFollowed,
					Text: fmt.Sprintf("some references of %s.%s name a version; this search follows them to the current version of the resource, and not to the one named", link.typ, link.param)})
			}
			links = links[n:]
		}
	}
	return issues, nil
}

// nameVersions returns those of a type's links of which some reference names a version. Nearly no reference does, so one question is about all.
func nameVersions(ctx context.Context, r storage.Reader, links []followed) ([]followed, error) {
	where := make(search.Or, len(links))
	for i, link := range links {
		where[i] = search.NamesVersions(link.param)
	}
	q := search.Query{Types: []string{links[0].typ}, Where: where, Limit: 1}
	if len(links) == 1 {
		q.Where = where[0]
	}
	rows, err := r.Find(ctx, q)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if len(links) == 1 {
		return links, nil
	}
	var out []followed
	for _, link := range links {
		one, err := nameVersions(ctx, r, []followed{link})
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
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
