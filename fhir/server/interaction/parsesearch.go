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
	reader storage.Reader
	// named has what canonicals may name, where that is more than what reader shows; nil for the same.
	named   storage.Reader
	explain bool
	plan    search.Plan
}

// Find implements search.Finder.
func (l *lookedUp) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	reader := l.reader
	if l.named != nil {
		reader = l.named
	}
	if !l.explain {
		return reader.Find(ctx, q)
	}
	rows, plan, err := reader.Explain(ctx, q)
	plan.Steps = nil // Canonicals tells what it does, in fewer steps
	add(&l.plan, plan)
	return rows, err
}

// parse reads the parameters of a search with what the view holds: stored value sets and code systems, the resources that canonicals name, and
// the SearchParameters that are in force. ids asks of ids that stand alone whether they are those of several resources.
func (s *Service) parse(ctx context.Context, l *lookedUp, types []string, pairs []search.Pair, ids bool, opt search.ParseOptions) (search.Request, []fhir.Issue, error) {
	for {
		known := s.custom.Generation()
		l.plan = search.Plan{}
		terms, canonicals := s.terminologyOf(ctx, l.reader), search.NewCanonicals(ctx, l)
		opt.Terminology, opt.Canonicals, opt.Base = terms, canonicals, baseIn(ctx)
		site := &lookedUp{reader: l.reader, explain: l.explain} // ids that stand alone are those of the site's resources
		stored := search.NewCanonicals(ctx, site)
		if ids {
			opt.IDs = stored
		}
		req, issues, err := s.parameters.Parse(types, pairs, opt)
		add(&l.plan, site.plan)
		l.plan.Steps = append(l.plan.Steps, canonicals.Steps()...)
		if err := cmp.Or(canonicals.Err(), stored.Err(), terms.Err()); err != nil {
			return req, issues, err
		}
		holds, fault := s.custom.Holds(ctx, l.reader, known, dependsOnCustom(req, issues, err))
		if fault != nil {
			return req, issues, fault
		}
		if holds {
			return req, issues, err
		}
	}
}

// dependsOnCustom reports whether what a search was understood as may be another for another set of custom parameters. R4's own parameters are
// the same in every set, and so are the codes of their elements: searches that name no others, which is most, depend on nothing.
func dependsOnCustom(req search.Request, issues []fhir.Issue, err error) bool {
	return err != nil || slices.ContainsFunc(issues, ofParameters) || req.Custom || slices.ContainsFunc(req.Includes, func(i search.Include) bool { return i.Param == "" })
}

// ofParameters reports whether a warning of a search tells of a parameter, and not of its value.
func ofParameters(i fhir.Issue) bool { return i.ID != fhir.IDUnknownCode }
