package embedded

import (
	"context"
	"fmt"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// explainer collects how a query ran. Only the statistics are kept where nobody asks for the plan.
type explainer struct {
	stats     *stats
	wanted    bool
	entries   bool // matches need their entries
	steps     []search.Step
	unindexed []string
}

// step adds a step.
func (x *explainer) step(s search.Step) {
	if x.wanted {
		x.steps = append(x.steps, s)
	}
}

// chosen tells which sources drive a query, and what is tried row by row.
func (x *explainer) chosen(p *planner, chosen []*source) {
	if !x.wanted {
		return
	}
	served := map[int]bool{}
	if len(chosen) == 0 {
		x.step(search.Step{Kind: "scan", Index: p.typ, Detail: "all resources in the order of ids", Rows: int(p.total)})
	}
	for i, s := range chosen {
		detail := "read in order"
		if !s.sorted {
			detail = "read whole, ids sorted"
		}
		if i > 0 {
			detail = "merged by seeks"
		}
		kind := s.kind
		if s.full {
			kind, detail = "scan", "all rows of the index are read"
			x.unindexed = append(x.unindexed, s.index)
		}
		x.step(search.Step{Kind: kind, Index: s.index, Detail: detail, Rows: int(s.est)})
		for _, c := range s.conj {
			served[c] = true
		}
	}
	for i, e := range p.conj {
		if served[i] {
			continue
		}
		name := describe(e)
		if s := p.per[i]; s != nil && !s.full {
			x.step(search.Step{Kind: "probe", Index: p.typ + ": " + name, Detail: "tried on what is left"})
			continue
		}
		x.step(search.Step{Kind: "probe", Index: p.typ + ": " + name, Detail: "no index serves it"})
		x.unindexed = append(x.unindexed, p.typ+": "+name)
	}
}

// describe names a condition without its values.
func describe(e search.Expr) string {
	switch e := e.(type) {
	case search.Some:
		return e.Param
	case search.And:
		return join("and", e)
	case search.Or:
		if a, ok := atomOf(e); ok {
			return a.param
		}
		return join("or", e)
	case search.Not:
		return "not " + describe(e.Expr)
	case search.KeyIn:
		return "_id"
	case search.Refers:
		return e.Param + ":" + e.Target + "." + describe(e.Where)
	case search.Referred:
		return "_has:" + e.Source + ":" + e.Param + ":" + describe(e.Where)
	}
	return "all"
}

func join(word string, list []search.Expr) string {
	if len(list) == 0 {
		return "all"
	}
	out := describe(list[0])
	for i, e := range list[1:] {
		if i == 4 {
			return fmt.Sprintf("%s %s %d more", out, word, len(list)-5)
		}
		out += " " + word + " " + describe(e)
	}
	return out
}

// Explain runs q and says how.
func (r *reader) Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error) {
	if err := r.ready(ctx); err != nil {
		return nil, search.Plan{}, err
	}
	x := &explainer{stats: &stats{}, wanted: true}
	rows, err := r.find(ctx, q, x)
	if err != nil {
		return nil, search.Plan{}, err
	}
	return rows, search.Plan{Steps: x.steps, Unindexed: x.unindexed, Examined: x.stats.examined, Fetched: x.stats.fetched, Returned: len(rows)}, nil
}
