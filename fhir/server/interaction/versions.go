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
			for n < len(links) && slices.Equal(links[n].types, links[0].types) {
				n++
			}
			naming, err := linksToVersions(ctx, r, links[:n])
			if err != nil {
				return nil, err
			}
			for _, link := range naming {
				issue := fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDVersionNotFollowed,
					Text: fmt.Sprintf("some references of %s name a version; this search follows them to the current version of the resource, and not to the one named", link)}
				if !slices.Contains(issues, issue) {
					issues = append(issues, issue)
				}
			}
			links = links[n:]
		}
	}
	return issues, nil
}

// linksToVersions returns those links of which some stored reference names a version. All links are of the same types. Hardly any reference names one, so the
// first query is about all links.
func linksToVersions(ctx context.Context, r storage.Reader, links []followed) ([]followed, error) {
	where := make(search.Or, len(links))
	for i, link := range links {
		where[i] = search.NamesVersions(link.param)
	}
	q := search.Query{Types: links[0].types, Where: where, Limit: 1}
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
		one, err := linksToVersions(ctx, r, []followed{link})
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

// followed is a reference parameter that a query follows: of one type, or of resources that those of the types hold, whose param names the holder.
type followed struct {
	types []string
	param string
}

// String returns the parameter for a message.
func (l followed) String() string {
	typ, param, held := search.HeldParameter(l.param)
	if !held {
		return l.types[0] + "." + l.param
	}
	for inner, of, ok := search.HeldParameter(param); ok; inner, of, ok = search.HeldParameter(param) {
		typ, param = inner, of
	}
	if len(l.types) == 1 {
		return typ + "." + param + " inside a " + l.types[0]
	}
	return typ + "." + param + " inside other resources"
}

// place is where a condition is evaluated: on resources of the types, or on what they hold.
type place struct {
	types []string
	// held is what the names of a held resource's entries begin with, and container that of the resource which contains it; "" for one that is
	// stored by itself.
	held, container string
}

// within returns the place of a condition on what resources of a place hold.
func (p place) within(w search.Within) place {
	if w.InPlace {
		p.held += w.Holder() + "."
		p.container = p.held
	} else {
		p.held = p.container + w.Holder() + "."
	}
	return p
}

// followedBy returns the reference parameters that conditions and orders of a query follow.
func followedBy(q search.Query) []followed {
	var out []followed
	add := func(param string, types ...string) {
		if !slices.ContainsFunc(out, func(l followed) bool { return l.param == param && slices.Equal(l.types, types) }) {
			out = append(out, followed{types, param})
		}
	}
	var walk func(at place, e search.Expr)
	walk = func(at place, e search.Expr) {
		switch e := e.(type) {
		case search.And:
			for _, c := range e {
				walk(at, c)
			}
		case search.Or:
			for _, c := range e {
				walk(at, c)
			}
		case search.Not:
			walk(at, e.Expr)
		case search.Refers:
			if at.held != "" {
				add(at.held+e.Param, at.types...)
			} else {
				for _, typ := range at.types {
					add(e.Param, typ)
				}
			}
			walk(place{types: []string{e.Target}}, e.Where)
		case search.Within:
			walk(at.within(e), e.Where)
		case search.Referred:
			add(e.Param, e.Source)
			walk(place{types: []string{e.Source}}, e.Where)
		}
	}
	walk(place{types: q.Types}, q.Where)
	for _, s := range q.Sort {
		if s.Chain != nil {
			for _, typ := range q.Types {
				add(s.Chain.Param, typ)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b followed) int { return slices.Compare(a.types, b.types) })
	return out
}
