package embedded

import (
	"bytes"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// walk answers an ordered query by reading an index whose last column is what the query sorts by first. A resource is in the index once
// for each of its values; it counts where the row has the value that it sorts by, and those without a value follow at the end.
//
// Where a condition is on the ranges that it sorts by, the walk is of those that begin where all that are not wide begin, or later; the wide
// ones that begin before and reach into it are read on the side.
//
// Rows of one value make a group. Within the index a group is in the order of ids; where the query wants another (further sorts, or a
// direction of ids that is not that of values, or values longer than keys hold) the group is read on its own.
type walk struct {
	p      *planner
	q      search.Query
	s      *scan
	wide   []*scan // the wide ranges that begin before s: they are read whole, and their rows put among those of s
	index  string
	conj   []int // conditions that the rows decide
	single bool  // no resource has several values
	need   bool  // no resource without a value matches: a condition asks for one, or all have one
	cost   float64

	x       *explainer
	reads   *explainer // counts the rows of s
	whole   *explainer // counts those of wide
	cond    *condition
	it      *pebble.Iterator
	rr      *rowReader
	down    bool // values are walked downwards
	idsDown bool
	rows    []search.Row
	fd      found
	tried   int
}

// full reports whether the page is.
func (w *walk) full() bool { return len(w.rows) >= w.q.Limit }

// run answers the query.
func (w *walk) run(ctx context.Context, x *explainer) ([]search.Row, error) {
	w.x = x
	w.cond = prepare(search.And(w.p.conj))
	defer w.cond.close()
	w.explain()
	w.down = w.q.Sort[0].Desc != w.q.Reverse
	w.idsDown = w.q.Reverse
	after := w.q.After
	if w.q.Reverse {
		if after == nil || after.Sort[0].Missing {
			if err := w.missing(ctx); err != nil || w.full() {
				return w.rows, err
			}
			after = nil
		}
		err := w.present(ctx, after)
		return w.rows, err
	}
	if after == nil || !after.Sort[0].Missing {
		if err := w.present(ctx, after); err != nil || w.full() {
			return w.rows, err
		}
	}
	return w.rows, w.missing(ctx)
}

// explain tells the plan.
func (w *walk) explain() {
	w.reads, w.whole = w.x, w.x
	if w.x.told == nil {
		return
	}
	w.reads = w.x.step(search.Step{Kind: "sort", Index: w.index, Detail: "read in the order of the answer"})
	if len(w.wide) > 0 {
		w.whole = w.x.step(search.Step{Kind: "range", Index: w.index, Detail: "wide ranges that reach into it"})
	}
	for i, e := range w.p.conj {
		if slices.Contains(w.conj, i) {
			continue
		}
		name := describe(e)
		detail := "tried on rows in order"
		if w.p.per[i] == nil {
			detail = "no index serves it"
			w.x.told.unindexed = append(w.x.told.unindexed, w.p.typ+": "+name)
		}
		w.x.probe(w.p.typ+": "+name, detail, w.cond.kids[i])
	}
}

// present walks the index.
func (w *walk) present(ctx context.Context, after *search.Position) (err error) {
	if w.it, err = w.p.r.iter(tableIndex, w.s.lower, w.s.upper); err != nil {
		return err
	}
	defer w.it.Close()
	w.rr = newRowReader(w.p.r.s.dict, w.s)
	had := len(w.rows)
	ok := bytes.Compare(w.s.lower, w.s.upper) < 0 && w.begin(after) // the bounds that conditions set may exclude each other
	for ok && !w.full() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err = w.group(ctx); err != nil {
			return err
		}
	}
	if err := w.it.Error(); err != nil || len(w.wide) == 0 {
		return err
	}
	return w.addWide(ctx, had)
}

// addWide puts the matches that wide ranges reach into among the rows from the had-th on.
func (w *walk) addWide(ctx context.Context, had int) error {
	top := &topRows{q: w.q}
	top.q.Limit -= had
	inner := *w.x
	inner.entries = true
	narrow := make(map[fhir.Key]bool, len(w.rows)-had)
	for _, row := range w.rows[had:] {
		narrow[row.Key] = true
	}
	in, err := w.p.r.openScans(ctx, w.wide, false, w.whole.stats)
	if err != nil {
		return err
	}
	defer in.close()
	m := match{found: &w.fd}
	for in.next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := fhir.Key{Type: w.p.typ, ID: string(in.at())}
		if _, err := w.p.tryOne(ctx, w.cond, &m, key, false, &inner, func(m *match) (bool, error) {
			if !narrow[m.key] {
				top.add(w.p.r.rowOf(m, w.q.Sort))
			}
			return true, nil
		}); err != nil {
			return err
		}
	}
	if err := in.err(); err != nil {
		return err
	}
	for _, row := range w.rows[had:] {
		top.add(row)
	}
	w.rows = append(w.rows[:had], top.list()...)
	return nil
}

// base is the beginning of all rows, with the table byte; the sort column follows.
func (w *walk) base() []byte {
	it, _ := w.splitAt(w.s.lower)
	return tabled(tableIndex, it)
}

// splitAt returns the fixed part of a key of the scan, and the rest.
func (w *walk) splitAt(key []byte) (fixed, rest []byte) { return key[:w.s.prefix], key[w.s.prefix:] }

// begin puts the iterator on the first group that can have a row behind after.
func (w *walk) begin(after *search.Position) bool {
	if after == nil {
		if w.down {
			return w.it.Last()
		}
		return w.it.First()
	}
	k, _ := appendColumn(w.base(), truncate(after.Sort[0].Value))
	if w.inOrder() && after.Key.Type == w.p.typ && len(after.Sort[0].Value) < maxColumn {
		k = append(k, after.Key.ID...)
		if w.down {
			return w.it.SeekLT(append(k, 0))
		}
		return w.it.SeekGE(append(k, 1))
	}
	if w.down {
		return w.it.SeekLT(prefixEnd(k))
	}
	return w.it.SeekGE(k)
}

// inOrder reports whether groups of the index are in the order of the query.
func (w *walk) inOrder() bool { return len(w.q.Sort) == 1 && w.down == w.idsDown }

func (w *walk) step(down bool) bool {
	if down {
		return w.it.Prev()
	}
	return w.it.Next()
}

// group takes the rows of the value that the iterator is on, and moves on to the next value.
func (w *walk) group(ctx context.Context) (more bool, err error) {
	key := w.it.Key()[1:]
	_, free, _, good := w.rr.split(key)
	if !good {
		return false, errDamaged
	}
	value := columnValue(free)
	long := len(value) >= maxColumn
	if w.inOrder() && !long {
		if err := w.take(ctx, w.emit); err != nil {
			return false, err
		}
		return w.step(w.down), nil
	}
	col := bytes.Clone(free)
	whole := append(w.base(), col...)
	value = columnValue(col)
	// Most groups have one row: it is told by the row behind it, and then the iterator is where it must be.
	var one *search.Row
	if !long {
		if err := w.take(ctx, func(r search.Row) { one = &r }); err != nil {
			return false, err
		}
		if more := w.step(w.down); !more || !bytes.HasPrefix(w.it.Key(), whole) {
			if one != nil {
				w.emit(*one)
			}
			return more, nil
		}
	}
	if len(w.q.Sort) == 1 && !long {
		return w.groupByID(ctx, whole)
	}
	top := &topRows{q: w.q}
	top.q.Limit = w.q.Limit - len(w.rows)
	last := "" // rows of one resource stand together
	add := func(r search.Row) {
		if r.Key.ID != last {
			last = r.Key.ID
			top.add(r)
		}
	}
	for ok := w.it.SeekGE(whole); ok && bytes.HasPrefix(w.it.Key(), whole); ok = w.it.Next() {
		if err := w.take(ctx, add); err != nil {
			return false, err
		}
	}
	w.rows = append(w.rows, top.list()...)
	return w.leave(whole), nil
}

// leave moves from a group to the next value.
func (w *walk) leave(whole []byte) bool {
	if w.down {
		return w.it.SeekLT(whole)
	}
	return w.it.SeekGE(prefixEnd(whole))
}

// groupByID takes the rows of a group in the direction of ids.
func (w *walk) groupByID(ctx context.Context, whole []byte) (more bool, err error) {
	ok := false
	a := w.q.After
	switch {
	case a != nil && a.Key.Type == w.p.typ && !a.Sort[0].Missing && bytes.Equal(mustColumn(a.Sort[0].Value), whole[1+w.s.prefix:]):
		k := append(bytes.Clone(whole), a.Key.ID...)
		if w.idsDown {
			ok = w.it.SeekLT(append(k, 0))
		} else {
			ok = w.it.SeekGE(append(k, 1))
		}
	case w.idsDown:
		ok = w.it.SeekLT(prefixEnd(whole))
	default:
		ok = w.it.SeekGE(whole)
	}
	for ; ok && bytes.HasPrefix(w.it.Key(), whole); ok = w.step(w.idsDown) {
		if err := w.take(ctx, w.emit); err != nil {
			return false, err
		}
		if w.full() {
			return false, nil
		}
	}
	return w.leave(whole), nil
}

// mustColumn is a value's column.
func mustColumn(v string) []byte {
	b, _ := appendColumn(nil, truncate(v))
	return b
}

// emit adds a row to the page, if it comes after the query's position and is not of the resource before.
func (w *walk) emit(r search.Row) {
	if a := w.q.After; a != nil {
		c := r.Position.Compare(*a, w.q.Sort)
		if w.q.Reverse {
			c = -c
		}
		if c <= 0 {
			return
		}
	}
	if n := len(w.rows); n > 0 && w.rows[n-1].Key == r.Key {
		return
	}
	w.rows = append(w.rows, r)
}

// take tries the row that the iterator is on, and gives f the resource if it matches and sorts by the row's value.
func (w *walk) take(ctx context.Context, f func(search.Row)) error {
	if w.tried++; w.tried&255 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	w.reads.stats.examined++
	key := w.it.Key()[1:]
	id, free, tail, good := w.rr.split(key)
	if !good {
		return errDamaged
	}
	yes, certain := w.rr.accepts(key, tail)
	if !yes {
		return nil
	}
	sure := certain && len(w.conj) == len(w.p.conj)
	m := match{found: &w.fd}
	k := fhir.Key{Type: w.p.typ, ID: string(id)}
	col := free
	inner := *w.x
	inner.entries = !(w.single && len(w.q.Sort) == 1 && certain)
	_, err := w.p.tryOne(ctx, w.cond, &m, k, sure, &inner, func(m *match) (bool, error) {
		var row search.Row
		if inner.entries {
			row = w.p.r.rowOf(m, w.q.Sort)
		} else {
			row = search.Row{Position: search.Position{Sort: []search.SortKey{{Value: string(columnValue(col))}}, Key: m.key}, Version: m.found.version, Updated: m.found.updated}
		}
		if row.Sort[0].Missing || truncate(row.Sort[0].Value) != string(columnValue(col)) {
			return true, nil // it sorts by another of its values
		}
		f(row)
		return true, nil
	})
	return err
}

// missing adds the matches without a value, which are at the end.
func (w *walk) missing(ctx context.Context) error {
	if w.need {
		return nil
	}
	q := w.q
	top := &topRows{q: q}
	top.q.Limit = q.Limit - len(w.rows)
	if a := q.After; a != nil && !a.Sort[0].Missing {
		top.q.After = nil
	}
	inner := *w.x
	inner.entries, inner.told = true, nil
	var from []byte
	byID := len(q.Sort) == 1
	if a := top.q.After; byID && a != nil && a.Key.Type == w.p.typ {
		from = []byte(a.Key.ID)
	}
	first := search.Sort{Param: q.Sort[0].Param}
	want := q
	want.Limit = 0
	err := w.p.each(ctx, want, byID && q.Reverse, from, true, &inner, func(m *match) (bool, error) {
		if search.SortValue(m.found.entries, first).Missing {
			top.add(w.p.r.rowOf(m, q.Sort))
		}
		return !byID || len(top.rows) < top.q.Limit, nil
	})
	w.rows = append(w.rows, top.list()...)
	return err
}
