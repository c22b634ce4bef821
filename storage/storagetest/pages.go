package storagetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// pages returns the rows of all pages of a query, each of so many rows. It gives up where there are more rows than most.
func (b *bench) pages(r storage.Reader, q search.Query, size, most int) []search.Row {
	b.t.Helper()
	var all []search.Row
	for q.Limit = size; ; {
		rows, err := r.Find(b.ctx, q)
		is(b.t, "Find", err, nil)
		all = append(all, rows...)
		if len(rows) < size {
			return all
		}
		if len(all) > most {
			b.t.Fatalf("the pages of %v have more than the %d rows there are", q.Where, most)
		}
		q.After = &rows[len(rows)-1].Position
	}
}

func manyResourcesPageByPage(t *testing.T, b *bench) {
	const n = 500
	b.update(func(tx storage.Tx) error {
		for i := range n {
			rec := record(tx, key(fmt.Sprintf("p%03d", i*7%n)), 0, token("code", fmt.Sprint(i%2)), search.Entry{Param: "date", Lo: fmt.Sprint(1000 + i%40), Hi: fmt.Sprint(1000+i%40, "!")}, search.LastUpdated(tx.Now()))
			if err := tx.Put(b.ctx, rec, 0); err != nil {
				return err
			}
		}
		return nil
	})
	for _, q := range []search.Query{
		{}, {Where: has("code", "1")}, {Sort: []search.Sort{{Param: "date"}}}, {Sort: []search.Sort{{Param: "date", Desc: true}}},
		{Where: has("code", "0"), Sort: []search.Sort{{Param: "date", Desc: true}}}, {Sort: []search.Sort{{Param: "code", Desc: true}, {Param: "date"}}},
		{Sort: []search.Sort{{Param: "_lastUpdated"}, {Param: "date", Desc: true}}},
		{Sort: []search.Sort{{Param: "none"}}}, {Sort: []search.Sort{{Param: search.SortByID, Desc: true}}},
	} {
		q.Types = []string{types()[0]}
		for _, reverse := range []bool{false, true} {
			q.Reverse = reverse
			b.view(func(r storage.Reader) error {
				whole, err := r.Find(b.ctx, q)
				is(t, "Find", err, nil)
				for _, size := range []int{7, 37} {
					same(t, fmt.Sprintf("pages of %d of %v where %v, reverse %v", size, q.Sort, q.Where, reverse), b.pages(r, q, size, n), whole)
				}
				return nil
			})
		}
	}
}

// typesPageByPage asks for each type by itself behind a position that is mostly another type's, as a search does whose condition differs from
// type to type: the union of the results is that of all types.
func typesPageByPage(t *testing.T, b *bench) {
	const n = 12
	var m *Model
	b.update(func(tx storage.Tx) error {
		m = NewModel()
		for i := range n {
			for j, typ := range types() {
				if (i+j)%4 == 0 { // most ids are those of several types
					continue
				}
				rec := record(tx, fhir.Key{Type: typ, ID: fmt.Sprintf("t%02d", i)}, 0, token("code", fmt.Sprint((i+j)%2)), search.LastUpdated(tx.Now()))
				if i%5 > 0 {
					rec.Entries = append(rec.Entries, search.Entry{Param: "date", Lo: fmt.Sprint(1000 + i%3), Hi: fmt.Sprint(1000+i%3, "!")})
				}
				if err := tx.Put(b.ctx, rec, 0); err != nil {
					return err
				}
				m.Put(rec)
			}
		}
		return nil
	})
	up, down := search.Sort{Param: search.SortByID}, search.Sort{Param: search.SortByID, Desc: true}
	date, latest, code := search.Sort{Param: "date"}, search.Sort{Param: "date", Desc: true}, search.Sort{Param: "code"}
	for _, sort := range [][]search.Sort{nil, {up}, {down}, {date}, {date, up}, {date, down}, {latest, up}, {latest, down}, {code, latest, up}, {code, date, down}, {up, date}, {down, code}} {
		for _, where := range []search.Expr{nil, has("code", "1")} {
			for _, reverse := range []bool{false, true} {
				q := search.Query{Types: types(), Where: where, Sort: sort, Reverse: reverse, Limit: 2}
				b.view(func(r storage.Reader) error {
					for {
						want := m.Find(q)
						same(t, fmt.Sprintf("rows behind %v where %v by %v, reverse %v", q.After, where, sort, reverse), positions(b.merged(r, q)), positions(want))
						if len(want) < q.Limit {
							return nil
						}
						q.After = &want[len(want)-1].Position
					}
				})
			}
		}
	}
}

// merged returns the rows of a query out of those of its types, each asked by itself.
func (b *bench) merged(r storage.Reader, q search.Query) []search.Row {
	b.t.Helper()
	var out []search.Row
	for _, typ := range q.Types {
		one := q
		one.Types = []string{typ}
		rows, err := r.Find(b.ctx, one)
		is(b.t, "Find", err, nil)
		out = append(out, rows...)
	}
	slices.SortFunc(out, func(x, y search.Row) int {
		if q.Reverse {
			x, y = y, x
		}
		return x.Position.Compare(y.Position, q.Sort)
	})
	return out[:min(len(out), q.Limit)]
}

// positions returns the places of rows.
func positions(rows []search.Row) []search.Position {
	var out []search.Position
	for _, row := range rows {
		out = append(out, row.Position)
	}
	return out
}

// chainsPageByPage asks through references where both sides are larger than what an engine looks at in one go.
func chainsPageByPage(t *testing.T, b *bench) {
	const near, far = 600, 260
	from, to := types()[0], types()[1]
	m := NewModel()
	for start := 0; start < near+far; start += 100 {
		before := m
		b.update(func(tx storage.Tx) error {
			m = before.clone()
			for i := start; i < min(start+100, near+far); i++ {
				rec := record(tx, fhir.Key{Type: to, ID: fmt.Sprintf("f%03d", i)}, 0, token("code", fmt.Sprint(i%2)), token("status", fmt.Sprint(i/200)))
				if i >= far {
					// The references of some rows lead nowhere, or to what no condition takes: in long runs and one by one.
					n := i - far
					rec = record(tx, key(fmt.Sprintf("n%03d", n)), 0, token("code", fmt.Sprint(n%3)),
						search.Entry{Param: "date", Lo: fmt.Sprint(1000 + n%40), Hi: fmt.Sprint(1000+n%40, "!")},
						search.Entry{Param: "link", Type: to, ID: fmt.Sprintf("f%03d", n*(1+n/300)%(far+20))})
				}
				if err := tx.Put(b.ctx, rec, 0); err != nil {
					return err
				}
				m.Put(rec)
			}
			return nil
		})
	}
	through := func(where search.Expr) search.Expr { return search.Refers{Param: "link", Target: to, Where: where} }
	for _, where := range []search.Expr{
		through(has("code", "1")), through(has("status", "0")), through(has("status", "1")), through(has("status", "none")),
		search.And{has("code", "1"), through(has("code", "0"))}, search.Or{has("code", "2"), through(has("code", "1"))},
		search.Not{Expr: through(has("code", "1"))}, through(search.Not{Expr: has("status", "0")}),
		through(search.Referred{Source: from, Param: "link", Where: has("code", "1")}),
	} {
		for _, sort := range [][]search.Sort{nil, {{Param: "date", Desc: true}}, {{Param: "code"}, {Param: "date"}}} {
			q := search.Query{Types: []string{from}, Where: where, Sort: sort}
			want := m.Find(q)
			b.view(func(r storage.Reader) error {
				same(t, fmt.Sprintf("pages of %v by %v", where, sort), keysOf(b.pages(r, q, 40, near)), keysOf(want))
				if sort == nil {
					total, err := r.Count(b.ctx, q)
					is(t, "Count", err, nil)
					same(t, fmt.Sprintf("Count of %v", where), total, int64(len(want)))
				}
				return nil
			})
		}
	}
}

func keysOf(rows []search.Row) []string {
	out := []string{}
	for _, row := range rows {
		out = append(out, row.Key.ID)
	}
	return out
}
