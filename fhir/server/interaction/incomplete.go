package interaction

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
)

// While a search parameter is being indexed, what was stored before it is not found by it. Whatever shows what it finds says so; whatever decides by
// it, a condition or the check of references, waits for a while or is refused.

// asked are the search parameters that a request asks, as type and code; the code "" stands for all of a type, and the type "" for all types.
type asked map[[2]string]bool

// parameter notes a parameter of resource types, which may be one of the names that are derived from it, as "code:missing".
func (a asked) parameter(types []string, param string) {
	if typ, held, ok := search.HeldParameter(param); ok {
		types, param = []string{typ}, held
	}
	code, _, _ := strings.Cut(param, ":")
	for _, typ := range types {
		a[[2]string{typ, code}] = true
	}
}

// condition notes the parameters of a condition on resource types.
func (a asked) condition(types []string, e search.Expr) {
	switch e := e.(type) {
	case search.And:
		for _, c := range e {
			a.condition(types, c)
		}
	case search.Or:
		for _, c := range e {
			a.condition(types, c)
		}
	case search.Not:
		a.condition(types, e.Expr)
	case search.Some:
		a.parameter(types, e.Param)
	case search.Refers:
		a.parameter(types, e.Param)
		a.condition([]string{e.Target}, e.Where)
	case search.Within:
		if e.Param != "" { // else it asks what is contained, by whatever reference
			a.parameter(types, e.Param)
		}
		a.condition([]string{e.Target}, e.Where)
	case search.Referred:
		a.parameter([]string{e.Source}, e.Param)
		a.condition([]string{e.Source}, e.Where)
	}
}

// query notes the parameters of a query.
func (a asked) query(q search.Query) {
	a.condition(q.Types, q.Where)
	for _, s := range q.Sort {
		if s.Chain == nil {
			a.parameter(q.Types, s.Param)
			continue
		}
		a.parameter(q.Types, s.Chain.Param)
		a.parameter([]string{s.Chain.Target}, s.Param)
	}
}

// unfinished reports whether one of them is being indexed.
func (a asked) unfinished(p parameter.Progress) bool {
	if p.Removed {
		return false
	}
	for _, typ := range p.Types {
		for _, t := range [...]string{typ, ""} {
			if a[[2]string{t, p.Code}] || a[[2]string{t, ""}] {
				return true
			}
		}
	}
	return false
}

// incomplete returns a warning for each parameter by which a search may not find all yet, or include all: _revinclude goes by the index.
func (s *Service) incomplete(f finding, includes []search.Include) []fhir.Issue {
	jobs := s.Reindexing()
	if len(jobs) == 0 {
		return nil
	}
	a := make(asked)
	for _, q := range f {
		a.query(q)
	}
	for _, inc := range includes {
		if inc.Reverse {
			a.parameter([]string{inc.Source}, inc.Param)
		}
	}
	var issues []fhir.Issue
	for _, j := range jobs {
		if !a.unfinished(j) {
			continue
		}
		text := fmt.Sprintf("the search parameter %s waits to be indexed; resources that were stored before it may not be found by it yet", j.Code)
		if j.Counted {
			text = fmt.Sprintf("the search parameter %s is being indexed: %d of %d resources are done, and the others may not be found by it yet", j.Code, j.Done, j.Total)
		}
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDParameterIndexing, Text: text})
	}
	return issues
}

// awaitFor is how long a request waits for the indexing of what it decides by.
const awaitFor = 5 * time.Second

// decidable waits for a while, at most limit, until a query finds all that satisfies it, or refuses.
func (s *Service) decidable(ctx context.Context, limit time.Duration, q search.Query) error {
	if s.custom.Idle() {
		return nil
	}
	a := make(asked)
	a.query(q)
	return errIndexing(s.custom.Await(ctx, limit, a.unfinished))
}

// referencesIndexed refuses where a parameter by which a resource of type typ may be referred to is being indexed.
func (s *Service) referencesIndexed(typ string) error {
	if s.custom.Idle() {
		return nil
	}
	return errIndexing(s.custom.Await(context.Background(), 0, func(p parameter.Progress) bool {
		for _, source := range p.Types {
			if def, ok := s.parameters.Lookup(source, p.Code); ok && def.Type == "reference" && def.PointsTo(typ) {
				return true
			}
		}
		return false
	}))
}

// errIndexing says that a request can't be decided yet; nil where nothing is left to be indexed.
func errIndexing(left []parameter.Progress) error {
	if len(left) == 0 {
		return nil
	}
	text := fmt.Sprintf("the search parameter %s is being indexed, and what it finds decides about this write; nothing of it is stored. "+
		"Try again when [base]/$reindex-status no longer lists it", left[0].Code)
	return fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDParameterIndexing, text)
}
