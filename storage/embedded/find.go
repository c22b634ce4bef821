package embedded

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Find returns the rows of q in its order.
func (r *reader) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	return r.find(ctx, q, &explainer{stats: &stats{}, documents: r.tx == nil})
}

// find runs q and tells x how.
func (r *reader) find(ctx context.Context, q search.Query, x *explainer) ([]search.Row, error) {
	if len(q.Types) == 0 {
		return nil, errors.New("embedded: a query without types")
	}
	if len(q.Sort) > 0 {
		var all []search.Row
		for _, typ := range q.Types {
			rows, err := r.findType(ctx, typ, q, x)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
		if len(q.Types) > 1 {
			slices.SortFunc(all, func(a, b search.Row) int {
				c := a.Position.Compare(b.Position, q.Sort)
				if q.Reverse {
					return -c
				}
				return c
			})
		}
		return limited(all, q.Limit), nil
	}
	var all []search.Row
	types := q.Types
	if q.Reverse {
		types = slices.Clone(types)
		slices.Reverse(types)
	}
	for _, typ := range types {
		one := q
		if q.After != nil && q.After.Key.Type != typ {
			if (typ < q.After.Key.Type) != q.Reverse {
				continue
			}
			one.After = nil
		}
		if q.Limit > 0 {
			one.Limit = q.Limit - len(all)
		}
		rows, err := r.findType(ctx, typ, one, x)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if q.Limit > 0 && len(all) >= q.Limit {
			break
		}
	}
	return all, nil
}

// limited cuts rows to a limit; 0 for none.
func limited(rows []search.Row, limit int) []search.Row {
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	return rows
}

// findType runs q on one type.
func (r *reader) findType(ctx context.Context, typ string, q search.Query, x *explainer) ([]search.Row, error) {
	num, ok := r.s.dict.find(typ, "")
	if !ok {
		return nil, nil
	}
	if x.told == nil && r.unheard(typ, q.Where) {
		return nil, nil
	}
	p, err := r.newPlanner(ctx, typ, num, q.Where)
	if err != nil || p.total == 0 {
		return nil, err
	}
	p.documents = x.documents && q.Limit > 0 && q.Limit <= maxKept
	if p.documents {
		if err := r.several(q.Limit); err != nil {
			return nil, err
		}
	}
	ordered := len(q.Sort) > 0 && !(len(q.Sort) == 1 && q.Sort[0].Chain == nil && q.Sort[0].Param == search.SortByID)
	if ordered {
		w, err := p.decided(q)
		if err != nil {
			return nil, err
		}
		if w != nil {
			return w.run(ctx, x)
		}
	}
	if ordered || !p.obvious() {
		if err := p.addSources(ctx, q.Limit); err != nil {
			return nil, err
		}
	}
	if ordered {
		return p.sorted(ctx, q, x)
	}
	reverse := q.Reverse
	if len(q.Sort) == 1 && q.Sort[0].Desc {
		reverse = !reverse
	}
	var from []byte
	inclusive := false
	if q.After != nil {
		from = []byte(q.After.Key.ID)
		if len(q.Sort) == 1 {
			from, inclusive = afterID(typ, q)
		}
	}
	rows := make([]search.Row, 0, min(q.Limit, 64))
	err = p.each(ctx, q, reverse, from, inclusive, x, func(m *match) (bool, error) {
		pos := search.Position{Key: m.key}
		if len(q.Sort) == 1 {
			pos.Sort = []search.SortKey{{Value: m.key.ID}}
		}
		rows = append(rows, search.Row{Position: pos, Version: m.found.version, Updated: m.found.updated})
		return q.Limit == 0 || len(rows) < q.Limit, nil
	})
	return rows, err
}

// unheard reports whether a condition is one on parameters that no resource of the type ever had a value of, which needs no plan.
func (r *reader) unheard(typ string, e search.Expr) bool {
	switch e := e.(type) {
	case search.Some:
		_, ok := r.s.dict.find(typ, e.Param)
		return !ok
	case search.Or:
		return !slices.ContainsFunc(e, func(c search.Expr) bool { return !r.unheard(typ, c) })
	}
	return false
}

// afterID returns where a type's rows continue in an order by _id: the type decides between rows of the same id.
func afterID(typ string, q search.Query) (from []byte, inclusive bool) {
	a := q.After
	id := a.Key.ID
	if len(a.Sort) == 1 {
		id = a.Sort[0].Value
	}
	behind := fhir.Key{Type: typ, ID: id}.Compare(a.Key) > 0
	if q.Reverse {
		behind = fhir.Key{Type: typ, ID: id}.Compare(a.Key) < 0
	}
	return []byte(id), behind
}

// match is a resource that satisfies a query; valid until each's function returns.
type match struct {
	key   fhir.Key
	found *found // entries are there only where they were asked for
	row   []byte // the row of entries, where the stream is on it
}

// each calls f for every resource that satisfies the conditions, in the order of ids from behind from (at it where inclusive), until f
// returns false.
func (p *planner) each(ctx context.Context, q search.Query, reverse bool, from []byte, inclusive bool, x *explainer, f func(*match) (bool, error)) error {
	chosen := p.choose(q.Limit)
	cond := prepare(search.And(p.conj))
	defer cond.close()
	x.stats.want = q.Limit
	p.exist = existing(chosen)
	in, err := p.stream(ctx, chosen, reverse, x, x.chosen(p, chosen, cond))
	if err != nil {
		return err
	}
	defer in.close()
	return p.try(ctx, in, cond, p.covers(chosen), from, inclusive, x, f)
}

// existing reports whether all ids that sources give together are those of resources that exist.
func existing(chosen []*source) bool {
	return len(chosen) == 0 || slices.ContainsFunc(chosen, func(s *source) bool { return !s.loose })
}

// try asks the resources of a stream one by one. covered tells that those the stream is sure of need not be asked.
func (p *planner) try(ctx context.Context, in ids, cond *condition, covered bool, from []byte, inclusive bool, x *explainer, f func(*match) (bool, error)) error {
	var fd found
	var err error
	m := match{found: &fd}
	entries, all := in.(*allIDs)
	var names texts
	ok := false
	if from == nil {
		ok = in.next()
	} else {
		if ok = in.seek(from); ok && !inclusive && string(in.at()) == string(from) {
			ok = in.next()
		}
	}
	for n := 1; ok; n++ {
		if n&255 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if all {
			if m.row, err = entries.row(); err != nil {
				return err
			}
		}
		key := fhir.Key{Type: p.typ, ID: names.text(in.at())}
		more, err := p.tryOne(ctx, cond, &m, key, covered && in.sure(), x, f)
		if err != nil || !more {
			return err
		}
		ok = in.next()
	}
	return in.err()
}

// texts makes strings of bytes, several of one allocation: most of the resources that are tried do not match, and leave nothing but their ids.
type texts struct{ b strings.Builder }

func (t *texts) text(b []byte) string {
	start := t.b.Len()
	if start+len(b) > t.b.Cap() {
		size := min(2*t.b.Cap(), maxTexts)
		t.b.Reset()
		t.b.Grow(max(size, len(b)))
		start = 0
	}
	t.b.Write(b)
	return t.b.String()[start:]
}

// maxTexts is how many bytes one string that is kept may hold of others.
const maxTexts = 1 << 10

// tryOne reads one resource's entries and calls f if it satisfies the conditions.
func (p *planner) tryOne(ctx context.Context, cond *condition, m *match, key fhir.Key, sure bool, x *explainer, f func(*match) (bool, error)) (more bool, err error) {
	m.key = key
	if sure && x.keys && p.exist {
		return f(m)
	}
	x.stats.fetched++
	if sure && !x.entries && p.documents && p.r.kept.room() {
		rec, err := p.r.read(key, p.num)
		if errors.Is(err, storage.ErrNotFound) || rec.Deleted {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		p.r.kept.add(rec)
		m.found.updated, m.found.version = rec.Updated, rec.Version
		return f(m)
	}
	v := m.row
	if v == nil {
		if v, err = p.r.entriesOf(p.num, key.ID, m.found); err != nil || v == nil {
			return err == nil, err
		}
	}
	if sure && !x.entries {
		d := decoder{b: v}
		micros, version := d.header()
		if d.bad {
			return false, errDamaged
		}
		m.found.updated, m.found.version = time.UnixMicro(micros).UTC(), version
		return f(m)
	}
	if x.entries {
		err = p.r.s.dict.decodeEntries(v, m.found)
	} else {
		err = p.r.s.dict.decodeNeeded(v, m.found, cond.needs(p.r.s.dict, p.typ))
	}
	if err != nil {
		return false, err
	}
	if !sure {
		ok, err := p.r.holds(ctx, cond, key, m.found.entries, x.stats)
		if err != nil || !ok {
			return err == nil, err
		}
	}
	return f(m)
}

// sortedList sorts ids and drops duplicates.
func sortedList(l []string) []string {
	slices.Sort(l)
	return slices.Compact(l)
}
