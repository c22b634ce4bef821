package interaction

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// lookedUp is the search.Finder with which reading the parameters of a search looks up what canonicals name. It tells what that cost where the
// search is explained.
type lookedUp struct {
	reader  storage.Reader
	explain bool
	plan    search.Plan
}

// Find implements search.Finder.
func (l *lookedUp) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	if !l.explain {
		return l.reader.Find(ctx, q)
	}
	rows, plan, err := l.reader.Explain(ctx, q)
	plan.Steps = nil // Canonicals tells what it does, in fewer steps
	add(&l.plan, plan)
	return rows, err
}

// parse reads the parameters of a search with what the view holds: stored value sets and code systems, and the resources that canonicals name.
func (s *Service) parse(ctx context.Context, l *lookedUp, types []string, pairs []search.Pair, opt search.ParseOptions) (search.Request, []fhir.Issue, error) {
	terms, canonicals := s.terminologyOf(ctx, l.reader), search.NewCanonicals(ctx, l)
	opt.Terminology, opt.Canonicals = terms, canonicals
	req, issues, err := s.parameters.Parse(types, pairs, opt)
	l.plan.Steps = append(l.plan.Steps, canonicals.Steps()...)
	if terms.err != nil {
		err = terms.err
	}
	if canonicals.Err() != nil {
		err = canonicals.Err()
	}
	return req, issues, err
}
