package embedded

import (
	"container/heap"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// sorted runs a query on one type whose order is not that of ids: it walks an index in the order and tries its rows, or reads all matches
// and keeps the first, whichever reads less.
func (p *planner) sorted(ctx context.Context, q search.Query, x *explainer) ([]search.Row, error) {
	w, err := p.walkFor(q)
	if err != nil {
		return nil, err
	}
	if w != nil {
		collect := math.Inf(1)
		for _, s := range append(p.all, nil) {
			collect = math.Min(collect, p.costOf(s, 0))
		}
		if w.cost < collect || p.r.s.tune.walk {
			return w.run(ctx, x)
		}
	}
	return p.collect(ctx, q, x)
}

// collect reads all matches and keeps the first ones of the order.
func (p *planner) collect(ctx context.Context, q search.Query, x *explainer) ([]search.Row, error) {
	top := &topRows{q: q}
	all := q
	all.Limit = 0
	inner := *x
	inner.entries = true
	err := p.each(ctx, all, false, nil, false, &inner, func(m *match) (bool, error) {
		top.add(p.r.rowOf(m, q.Sort))
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	x.step(search.Step{Kind: "sort", Index: p.typ, Detail: "the first rows of the order are kept", Rows: top.seen})
	return top.list(), nil
}

// rowOf returns the row of a match with its place in an order.
func (r *reader) rowOf(m *match, sorts []search.Sort) search.Row {
	keys := make([]search.SortKey, len(sorts))
	for i, s := range sorts {
		keys[i] = search.ChainSortValue(m.key, m.found.entries, s, lookup{r})
		keys[i].Value = string([]byte(keys[i].Value))
	}
	return search.Row{Position: search.Position{Sort: keys, Key: m.key}, Version: m.found.version, Updated: m.found.updated}
}

// lookup gives search the resources that a chained sort follows.
type lookup struct{ r *reader }

// Entries returns the entries of a resource.
func (l lookup) Entries(key fhir.Key) ([]search.Entry, bool) {
	var f found
	exists, err := l.r.entries(key, &f, nil, &stats{})
	if err != nil || !exists {
		return nil, false
	}
	return cloneEntries(f.entries), true
}

// Resources is not needed by sorts.
func (l lookup) Resources(string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(func(fhir.Key, []search.Entry) bool) {}
}

// cloneEntries copies entries out of the row they point into.
func cloneEntries(in []search.Entry) []search.Entry {
	out := slices.Clone(in)
	for i := range out {
		e := &out[i]
		for _, s := range []*string{&e.System, &e.Code, &e.Folded, &e.Exact, &e.Lo, &e.Hi, &e.Type, &e.ID, &e.URI} {
			*s = string([]byte(*s))
		}
		if e.Parts != nil {
			e.Parts = cloneEntries(e.Parts)
		}
		if e.Inner != nil {
			e.Inner = &search.Inner{Entries: cloneEntries(e.Inner.Entries)}
		}
	}
	return out
}

// topRows keeps the first rows of a query's order behind its After: a heap with the last of them first.
type topRows struct {
	q    search.Query
	rows []search.Row
	seen int // rows that add was given
}

// compare orders rows in the query's direction.
func (t *topRows) compare(a, b *search.Position) int {
	c := a.Compare(*b, t.q.Sort)
	if t.q.Reverse {
		return -c
	}
	return c
}

func (t *topRows) Len() int           { return len(t.rows) }
func (t *topRows) Less(i, j int) bool { return t.compare(&t.rows[i].Position, &t.rows[j].Position) > 0 }
func (t *topRows) Swap(i, j int)      { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }

// Push adds a row.
func (t *topRows) Push(x any) { t.rows = append(t.rows, x.(search.Row)) }

// Pop removes the last.
func (t *topRows) Pop() any {
	x := t.rows[len(t.rows)-1]
	t.rows = t.rows[:len(t.rows)-1]
	return x
}

// add takes a row if it is among the first.
func (t *topRows) add(row search.Row) {
	t.seen++
	if t.q.After != nil && t.compare(&row.Position, t.q.After) <= 0 {
		return
	}
	if t.q.Limit == 0 {
		t.rows = append(t.rows, row)
		return
	}
	if len(t.rows) < t.q.Limit {
		heap.Push(t, row)
	} else if t.compare(&row.Position, &t.rows[0].Position) < 0 {
		t.rows[0] = row
		heap.Fix(t, 0)
	}
}

// list returns the rows in order.
func (t *topRows) list() []search.Row {
	slices.SortFunc(t.rows, func(a, b search.Row) int { return t.compare(&a.Position, &b.Position) })
	return t.rows
}
