package embedded

import (
	"context"
	"fmt"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// explainer collects how a query ran. Only the statistics are kept where nobody asks for the plan.
type explainer struct {
	stats   *stats
	entries bool  // matches need their entries
	keys    bool  // only the keys of matches are needed: what an index is sure of is not looked at
	told    *told // nil where nobody asks
	// documents says that the rows found are a page, whose documents are asked for next.
	documents bool
}

// told is what Explain tells.
type told struct {
	steps     []*step
	unindexed []string
}

// step is a step with what counts its rows: those that it read, or those that its condition was tried on.
type step struct {
	search.Step
	stats *stats
	cond  *condition
}

// step adds a step that reads, and returns what counts it.
func (x *explainer) step(s search.Step) *explainer {
	if x.told == nil {
		return x
	}
	own := *x
	own.stats = &stats{want: x.stats.want}
	x.told.steps = append(x.told.steps, &step{Step: s, stats: own.stats})
	return &own
}

// probe adds a condition that is tried row by row.
func (x *explainer) probe(index, detail string, cond *condition) {
	x.told.steps = append(x.told.steps, &step{Step: search.Step{Kind: "probe", Index: index, Detail: detail}, cond: cond})
}

// plan is what was told, and what all steps read together.
func (x *explainer) plan(returned int) search.Plan {
	out := search.Plan{Unindexed: x.told.unindexed, Examined: x.stats.examined, Fetched: x.stats.fetched, Returned: returned}
	for _, s := range x.told.steps {
		if s.stats != nil {
			out.Examined += s.stats.examined
			out.Fetched += s.stats.fetched
			s.Rows += s.stats.examined
		}
		if s.cond != nil {
			s.Rows = s.cond.tried
			s.Detail += fmt.Sprintf(", %d passed", s.cond.passed)
		}
		out.Steps = append(out.Steps, s.Step)
	}
	return out
}

// chosen says which sources drive a query, and what is tried row by row; cond is all of the query's conditions. It returns what counts
// each source, or all resources of the type where there is none; nil where nobody asks.
func (x *explainer) chosen(p *planner, chosen []*source, cond *condition) (reads []*explainer) {
	if x.told == nil {
		return nil
	}
	served := map[int]bool{}
	if len(chosen) == 0 {
		reads = append(reads, x.step(search.Step{Kind: "scan", Index: p.typ, Detail: "all resources in the order of ids"}))
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
			x.told.unindexed = append(x.told.unindexed, s.index)
		}
		rows := 0
		if kind == "keys" {
			rows = int(s.est) // the ids that are asked for, which no index row is read for
		}
		reads = append(reads, x.step(search.Step{Kind: kind, Index: s.index, Detail: detail, Rows: rows}))
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
			x.probe(p.typ+": "+name, "tried on what is left", cond.kids[i])
			continue
		}
		x.probe(p.typ+": "+name, "no index serves it", cond.kids[i])
		x.told.unindexed = append(x.told.unindexed, p.typ+": "+name)
	}
	return reads
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
	case search.Within:
		return e.Param + " inside:" + e.Target + "." + describe(e.Where)
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
	x := &explainer{stats: &stats{}, told: &told{}}
	rows, err := r.find(ctx, q, x)
	if err != nil {
		return nil, search.Plan{}, err
	}
	return rows, x.plan(len(rows)), nil
}

// ExplainCount counts the rows of q as Count does, and says how.
func (r *reader) ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error) {
	x := &explainer{stats: &stats{}, told: &told{}}
	n, err := r.countAll(ctx, q, x)
	if err != nil {
		return 0, search.Plan{}, err
	}
	return n, x.plan(int(n)), nil
}
