package interaction

import (
	"cmp"
	"context"
	"slices"

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

// parse reads the parameters of a search with what the view holds: stored value sets and code systems, the resources that canonicals name, and
// the SearchParameters that are in force.
func (s *Service) parse(ctx context.Context, l *lookedUp, types []string, pairs []search.Pair, opt search.ParseOptions) (search.Request, []fhir.Issue, error) {
	for {
		known := s.custom.generation.Load()
		l.plan = search.Plan{}
		terms, canonicals := s.terminologyOf(ctx, l.reader), search.NewCanonicals(ctx, l)
		opt.Terminology, opt.Canonicals, opt.Base = terms, canonicals, baseIn(ctx)
		req, issues, err := s.parameters.Parse(types, pairs, opt)
		l.plan.Steps = append(l.plan.Steps, canonicals.Steps()...)
		if err := cmp.Or(canonicals.Err(), terms.Err()); err != nil {
			return req, issues, err
		}
		if !s.dependsOnCustom(known, req, issues, err) {
			return req, issues, err
		}
		if err := s.custom.follow(ctx, l.reader); err != nil {
			return req, issues, err
		}
		if s.custom.generation.Load() == known {
			return req, issues, err
		}
	}
}

// dependsOnCustom reports whether what a search was understood as may be another for another set of custom parameters, so that its view has to
// be asked which one it has: because the set is changing, or because other gateways may have changed it. R4's own parameters are the same in
// every set: searches that name no others, which is most, ask nothing.
func (s *Service) dependsOnCustom(generation uint64, req search.Request, issues []fhir.Issue, err error) bool {
	if generation%2 == 1 || generation != s.custom.generation.Load() {
		return true
	}
	if !s.opt.Shared {
		return false
	}
	if err != nil || len(issues) > 0 {
		return true
	}
	if slices.ContainsFunc(req.Includes, func(i search.Include) bool { return i.Param == "" }) {
		return true
	}
	return req.Custom
}
