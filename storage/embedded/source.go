package embedded

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// source is a way to get the ids that satisfy some of a query's conditions.
type source struct {
	kind   string // for Explain
	index  string
	conj   []int   // the conditions that it serves
	est    float64 // about how many ids
	rows   float64 // about how many rows it reads for all of them
	whole  float64 // rows that are read before the first id is given
	sorted bool    // in the order of ids without reading all of them
	parts  int     // streams that it merges
	full   bool    // it reads all rows of an index for a condition that does not bound them
	loose  bool    // it may give ids of resources that do not exist
	open   func(ctx context.Context, reverse bool, x *explainer) (ids, error)
	scans  []*scan // what it reads, if that is known
}

// sourceOf returns the source of one condition; nil where no index serves it.
func (p *planner) sourceOf(ctx context.Context, e search.Expr) (*source, error) {
	if a, ok := atomOf(e); ok {
		return p.atomSource(a)
	}
	switch e := e.(type) {
	case search.KeyIn:
		list := sortedList(slices.Clone(e.IDs))
		return &source{kind: "keys", index: p.typ + ": _id", est: float64(len(list)), sorted: true, parts: 1, loose: true,
			open: func(_ context.Context, reverse bool, _ *explainer) (ids, error) {
				return newListIDs(list, true, reverse), nil
			}}, nil
	case search.Or:
		return p.orSource(ctx, e)
	case search.And:
		q := search.Conjuncts(e)
		var best *source
		for _, c := range q {
			s, err := p.sourceOf(ctx, c)
			if err != nil {
				return nil, err
			}
			if s != nil && (best == nil || s.est < best.est) {
				best = s
			}
		}
		if best == nil {
			return nil, nil
		}
		s := *best
		if len(q) > 1 {
			open := best.open
			s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
				in, err := open(ctx, reverse, x)
				return unsure{in}, err
			}
		}
		return &s, nil
	case search.Refers:
		return p.refersSource(ctx, e)
	case search.Referred:
		return p.referredSource(ctx, e)
	case search.Within:
		return p.withinSource(ctx, e)
	}
	return nil, nil
}

// unsure is a stream for more than the condition that it was made for.
type unsure struct{ ids }

func (unsure) sure() bool { return false }

// orSource merges the sources of alternatives, where each has one.
func (p *planner) orSource(ctx context.Context, e search.Or) (*source, error) {
	out := &source{kind: "union", sorted: true}
	var parts []*source
	var names []string
	for _, c := range e {
		s, err := p.sourceOf(ctx, c)
		if err != nil || s == nil {
			return nil, err
		}
		parts = append(parts, s)
		out.est += s.est
		out.parts += s.parts
		out.sorted = out.sorted && s.sorted
		out.loose = out.loose || s.loose
		if !slices.Contains(names, s.index) {
			names = append(names, s.index)
		}
	}
	out.index = strings.Join(names, " | ")
	out.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		var in []ids
		for _, s := range parts {
			st, err := s.open(ctx, reverse, x)
			if err != nil {
				for _, i := range in {
					i.close()
				}
				return nil, err
			}
			in = append(in, st)
		}
		if len(in) == 0 {
			return newListIDs(nil, true, reverse), nil
		}
		return newUnion(in, reverse), nil
	}
	return out, nil
}

// estimated is how many scans of a source are estimated; the others are taken to be like them.
const estimated = 16

// atomSource returns the source of a condition on one parameter.
func (p *planner) atomSource(a atom) (*source, error) {
	scans, ok := p.r.scans(p.typ, a)
	if !ok {
		return nil, nil
	}
	return p.scanSource(scans, p.typ+": "+a.param)
}

// scanSource returns the source that reads scans.
func (p *planner) scanSource(scans []*scan, index string) (*source, error) {
	s := p.streams(scans, index)
	for i, sc := range scans {
		if i < estimated {
			est, err := p.r.estimateScan(sc)
			if err != nil {
				return nil, err
			}
			s.est += est
			if !sc.sorted() {
				s.whole += est
			}
		} else if i == estimated {
			s.est *= float64(len(scans)) / estimated
		}
	}
	return s, nil
}

// streams returns the source that reads scans, without an estimate.
func (p *planner) streams(scans []*scan, index string) *source {
	s := &source{index: index, sorted: true, parts: len(scans), kind: "range", scans: scans}
	for _, sc := range scans {
		s.sorted = s.sorted && sc.sorted()
		s.full = s.full || sc.full
	}
	switch {
	case s.sorted && len(scans) > 1:
		s.kind = "union"
	case s.sorted:
		s.kind = "merge"
	}
	s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		return p.r.openScans(ctx, scans, reverse, x.stats)
	}
	return s
}

// openScans streams the ids of scans in their order.
func (r *reader) openScans(ctx context.Context, scans []*scan, reverse bool, st *stats) (ids, error) {
	var in []ids
	var unsorted, sorted []*scan
	for _, s := range scans {
		if s.sorted() {
			sorted = append(sorted, s)
		} else {
			unsorted = append(unsorted, s)
		}
	}
	if len(sorted) > r.s.tune.streams {
		in = append(in, &seekUnion{r: r, scans: sorted, reverse: reverse, stats: st})
		sorted = nil
	}
	for _, s := range sorted {
		one, err := r.scanIDs(s, reverse, st)
		if err != nil {
			for _, i := range in {
				i.close()
			}
			return nil, err
		}
		in = append(in, one)
	}
	if len(unsorted) > 0 {
		in = append(in, &idSort{ctx: ctx, r: r, scans: unsorted, reverse: reverse, stats: st, keep: keepFor(st.want)})
	}
	if len(in) == 0 {
		return newListIDs(nil, true, reverse), nil
	}
	return newUnion(in, reverse), nil
}

// keepFor is how many ids the first pass over an unsorted scan keeps for a number of rows asked for.
func keepFor(want int) int {
	if want == 0 {
		return tuned.pass
	}
	return max(64, 4*want)
}

// refersSource returns the source of a chain whose inner result is small.
func (p *planner) refersSource(ctx context.Context, e search.Refers) (*source, error) {
	plan, err := p.r.planType(ctx, e.Target, e.Where)
	if err != nil {
		return nil, err
	}
	inner := plan.matches()
	if inner > p.r.s.tune.inner {
		return nil, nil
	}
	targets, err := p.r.countType(e.Target)
	if err != nil {
		return nil, err
	}
	fan := p.total / math.Max(1, float64(targets))
	return &source{kind: "chain", index: p.typ + ": " + e.Param + " -> " + e.Target, est: math.Max(inner, 1) * math.Max(1, fan), sorted: true, parts: int(inner) + 1,
		open: func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
			return p.r.refers(ctx, p.typ, e, plan, reverse, x)
		}}, nil
}

// withinSource returns the source of what may satisfy a condition on a held resource: its container's own entries tell.
func (p *planner) withinSource(ctx context.Context, e search.Within) (*source, error) {
	needed, err := p.sourceOf(ctx, e.Needed())
	if err != nil || needed == nil {
		return nil, err
	}
	s := *needed
	s.scans = nil
	s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		in, err := needed.open(ctx, reverse, x)
		return unsure{in}, err
	}
	return &s, nil
}

// referredSource returns the source of a _has whose inner result is small.
func (p *planner) referredSource(ctx context.Context, e search.Referred) (*source, error) {
	plan, err := p.r.planType(ctx, e.Source, e.Where)
	if err != nil {
		return nil, err
	}
	inner := plan.matches()
	if inner > p.r.s.tune.inner {
		return nil, nil
	}
	return &source{kind: "chain", index: p.typ + " <- " + e.Source + ": " + e.Param, est: math.Max(inner, 1), whole: inner, parts: int(inner) + 1, loose: true,
		open: func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
			return plan.referred(ctx, p.typ, e, reverse, x)
		}}, nil
}
