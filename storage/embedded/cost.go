package embedded

import (
	"context"
	"errors"
	"math"
	"slices"
)

// The costs that plans are compared by, in units of one row read from an index.
const (
	costRow   = 1.0
	costSeek  = 8.0
	costProbe = 10.0
)

// choose picks the sources to read for the first want resources in the order of ids (0 for all): one to drive, and those worth merging
// with it. None means that all ids of the type are tried.
func (p *planner) choose(want int) []*source {
	if p.fixed != nil {
		return p.fixed
	}
	if pick := p.r.s.tune.pick; pick != nil {
		return pick(p)
	}
	var best *source
	cost := p.costOf(nil, want)
	for _, s := range p.all {
		if c := p.costOf(s, want); c < cost {
			best, cost = s, c
		}
	}
	if best == nil {
		return nil
	}
	out := []*source{best}
	if p.matches()/math.Max(best.est, 1) > 0.3 {
		return out
	}
	covered := map[int]bool{}
	for _, c := range best.conj {
		covered[c] = true
	}
	for i, s := range p.per {
		if s != nil && !covered[i] && s.sorted && s.parts <= 8 && s.kind != "keys" && s.est < 0.3*p.total && s.est < 64*best.est {
			out = append(out, s)
		}
	}
	return out
}

// matches is about how many resources satisfy all conditions, as if they were independent; what no index tells is taken for a half.
func (p *planner) matches() float64 {
	if p.expected < 0 {
		p.expected = p.expect()
	}
	return p.expected
}

// expect is the result of matches.
func (p *planner) expect() float64 {
	m := p.total
	served := map[int]bool{}
	// Sources that serve more conditions together know better.
	order := slices.Clone(p.all)
	slices.SortStableFunc(order, func(a, b *source) int { return len(b.conj) - len(a.conj) })
	for _, s := range order {
		if slices.ContainsFunc(s.conj, func(c int) bool { return served[c] }) {
			continue
		}
		for _, c := range s.conj {
			served[c] = true
		}
		m *= math.Min(1, s.est/math.Max(p.total, 1))
	}
	for i := range p.conj {
		if !served[i] {
			m *= 0.5
		}
	}
	return m
}

// costOf is the cost of driving the query by a source; nil for all ids of the type.
func (p *planner) costOf(s *source, want int) float64 {
	est := p.total
	if s != nil {
		est = s.est
	}
	read := est
	if m := p.matches(); want > 0 && m > float64(want) {
		read = est * float64(want) / m
	}
	if s == nil {
		return read * costProbe
	}
	cost := float64(s.parts)*costSeek + read*costProbe
	if s.kind == "chain" {
		cost += float64(s.parts) * costProbe
	}
	cost += s.whole * costRow * 2
	if s.rows > est {
		cost += read * s.rows / math.Max(est, 1) * costRow
	}
	return cost
}

// stream opens sources merged; nil sources for all ids of the type. reads counts each of them, or is nil.
func (p *planner) stream(ctx context.Context, chosen []*source, reverse bool, x *explainer, reads []*explainer) (ids, error) {
	counts := func(i int) *explainer {
		if reads == nil {
			return x
		}
		return reads[i]
	}
	if len(chosen) == 0 {
		return p.r.allIDs(p.num, reverse, counts(0).stats)
	}
	var in []ids
	for i, s := range chosen {
		st, err := s.open(ctx, reverse, counts(i))
		if err != nil {
			for _, o := range in {
				o.close()
			}
			if i == 0 && errors.Is(err, errNoStream) {
				return p.r.allIDs(p.num, reverse, counts(0).stats)
			}
			return nil, err
		}
		in = append(in, st)
	}
	return newBoth(in, reverse), nil
}

// covers reports whether chosen sources serve all conditions, so that ids that they are sure of are matches.
func (p *planner) covers(chosen []*source) bool {
	served := map[int]bool{}
	for _, s := range chosen {
		for _, c := range s.conj {
			served[c] = true
		}
	}
	return len(served) == len(p.conj)
}
