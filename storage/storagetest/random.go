package storagetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// seedFlag runs one seed alone, firstFlag begins elsewhere than all runs do.
var (
	seedFlag  = flag.Uint64("storagetest.seed", 0, "run the random test of the conformance suite with this seed only")
	firstFlag = flag.Uint64("storagetest.first", 1, "the first seed of the random test of the conformance suite; 0 takes one from the clock")
)

// perSeed is how many queries a seed makes.
const perSeed = 500

// random drives the store with random work and compares all results with the model's.
func (su *suite) random(t *testing.T) {
	for _, seed := range seeds(su.queries) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			s := su.open(t)
			defer s.Close()
			drive(t, seed, min(perSeed, su.queries), s)
		})
	}
}

// RunPair drives two engines with the same random work; both must answer as the model does, and so alike.
func RunPair(t *testing.T, open func(t *testing.T) (a, b storage.Store), queries int) {
	for _, seed := range seeds(queries) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			a, b := open(t)
			defer a.Close()
			defer b.Close()
			drive(t, seed, min(perSeed, queries), a, b)
		})
	}
}

// seeds returns the seeds for a number of queries: the same at each run, so that a run that fails does so everywhere, unless others are asked for.
func seeds(queries int) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	first := *firstFlag
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	out := []uint64{first}
	for len(out)*perSeed < queries {
		out = append(out, first+uint64(len(out)))
	}
	return out
}

// drive does the work of one seed on stores and on a model.
func drive(t *testing.T, seed uint64, queries int, stores ...storage.Store) {
	d := &driver{t: t, w: newWorld(seed), m: NewModel(), seed: seed}
	for _, s := range stores {
		d.stores = append(d.stores, Checked(s))
	}
	for d.queries < queries && !t.Failed() {
		for range d.w.IntN(6) + 1 {
			d.write()
		}
		for range d.w.IntN(40) + 10 {
			d.ask()
		}
	}
}

// driver is the work of one seed.
type driver struct {
	t       *testing.T
	w       *world
	m       *Model
	stores  []storage.Store
	seed    uint64
	queries int
}

// fail reports a difference with the line that makes it again.
func (d *driver) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s\nagain: go test %s -storagetest.seed=%d", fmt.Sprintf(format, args...), "-run '"+d.t.Name()+"'", d.seed)
}

// op is one write of an Update.
type op struct {
	rec     storage.Record
	reindex bool
	erase   bool
}

// write makes one Update of some writes, with questions between them; one in eight is given up.
func (d *driver) write() {
	d.t.Helper()
	var ops []op
	seen := map[fhir.Key]bool{}
	for range []int{1, 1, 2, 5, 20}[d.w.IntN(5)] {
		k := d.w.key()
		cur := d.m.Current(k)
		if seen[k] {
			continue
		}
		seen[k] = true
		o := op{rec: storage.Record{Key: k, Version: cur.Version + 1, Method: "PUT"}}
		switch n := d.w.IntN(8); {
		case n == 0 && cur.Version > 0:
			o.rec.Deleted, o.rec.Method = true, "DELETE"
		case n == 2 && cur.Version > 0 && d.w.IntN(3) == 0:
			o.erase = true
		case n == 1 && cur.Version > 0 && !cur.Deleted:
			o.reindex = true
			o.rec.Version = cur.Version
			o.rec.Entries = d.w.entries()
		default:
			o.rec.Body, o.rec.Entries, o.rec.Revived = body(k, cur.Version+1), d.w.entries(), cur.Deleted
		}
		ops = append(ops, o)
	}
	var queries []search.Query
	for range d.w.IntN(3) {
		queries = append(queries, d.w.query())
	}
	abort := d.w.IntN(8) == 0
	var after *Model
	for i, s := range d.stores {
		err := s.Update(context.Background(), func(tx storage.Tx) error {
			for _, o := range ops {
				rec := o.rec
				rec.Updated = tx.Now()
				var err error
				if o.erase {
					var n int64
					if n, err = tx.Erase(context.Background(), []fhir.Key{rec.Key}); err == nil && n != rec.Version-1 {
						d.fail("Erase of %s removed %d versions of %d", rec.Key, n, rec.Version-1)
					}
				} else if o.reindex {
					err = tx.Reindex(context.Background(), rec.Key, rec.Version, rec.Entries)
				} else {
					err = tx.Put(context.Background(), rec, rec.Version-1)
				}
				if err != nil {
					return err
				}
			}
			if i == 0 { // from what was there before: this may run again, at another instant
				after = d.m.clone()
				for _, o := range ops {
					o.rec.Updated = tx.Now()
					if o.erase {
						after.Erase(o.rec.Key)
					} else if o.reindex {
						after.Reindex(o.rec.Key, o.rec.Entries)
					} else {
						after.Put(o.rec)
					}
				}
			}
			for _, q := range queries {
				d.compare(tx, after, q, len(d.stores) == 1)
			}
			if abort {
				return errAbort
			}
			return nil
		})
		if abort && errors.Is(err, errAbort) {
			err = nil
		}
		if err != nil {
			d.fail("Update: %v", err)
		}
	}
	if !abort {
		d.m = after
	}
}

// ask puts a query, its pages and its counts.
func (d *driver) ask() {
	q := d.w.query()
	d.queries++
	for _, s := range d.stores {
		if err := s.View(context.Background(), func(r storage.Reader) error {
			all := d.compare(r, d.m, q, len(d.stores) == 1)
			d.pages(r, q, all)
			d.others(r, q, len(all))
			return nil
		}); err != nil {
			d.fail("View: %v", err)
		}
	}
}

// compare checks one query; times are compared where the stores share a clock.
func (d *driver) compare(r storage.Reader, m *Model, q search.Query, times bool) []search.Row {
	d.t.Helper()
	got, err := r.Find(context.Background(), q)
	if err != nil {
		d.fail("Find: %v\n%s", err, show(q))
	}
	want := m.Find(q)
	if diff := cmp.Diff(rowsOf(want, times), rowsOf(got, times), cmpopts.EquateEmpty()); diff != "" {
		d.fail("Find differs from the oracle (-want +got):\n%s\n%s", diff, show(q))
	}
	return got
}

// rowsOf returns rows without what can't be compared.
func rowsOf(rows []search.Row, times bool) []search.Row {
	out := append([]search.Row(nil), rows...)
	for i := range out {
		if !times {
			out[i].Updated = time.Time{}
		}
		out[i].Updated = out[i].Updated.UTC()
	}
	return out
}

// pages checks that pages in both directions are what the whole result is, and that a page behind any position is.
func (d *driver) pages(r storage.Reader, q search.Query, all []search.Row) {
	d.t.Helper()
	q.Reverse = d.w.IntN(2) == 0
	q.Limit = []int{1, 2, 3, 10, 100}[d.w.IntN(5)]
	if len(all) > 0 && d.w.IntN(3) > 0 {
		p := all[d.w.IntN(len(all))].Position
		if d.w.IntN(4) == 0 {
			p.Key.ID = d.w.id()
		}
		q.After = &p
	}
	d.compare(r, d.m, q, len(d.stores) == 1)
}

// others checks counts and the plan of a query.
func (d *driver) others(r storage.Reader, q search.Query, n int) {
	d.t.Helper()
	ctx := context.Background()
	count, err := r.Count(ctx, q)
	if err != nil || count != int64(n) {
		d.fail("Count is %d (error %v), Find has %d rows\n%s", count, err, n, show(q))
	}
	if cheap, ok, err := r.CountCheap(ctx, q); err != nil || ok && cheap != int64(n) {
		d.fail("CountCheap is %d (error %v), Find has %d rows\n%s", cheap, err, n, show(q))
	}
	if est, err := r.Estimate(ctx, q); err != nil || est < 0 {
		d.fail("Estimate is %d (error %v)\n%s", est, err, show(q))
	}
	if d.w.IntN(8) > 0 {
		return
	}
	if count, _, err := r.ExplainCount(ctx, q); err != nil || count != int64(n) {
		d.fail("ExplainCount is %d (error %v), Find has %d rows\n%s", count, err, n, show(q))
	}
	rows, plan, err := r.Explain(ctx, q)
	if err != nil || len(rows) != n || plan.Returned != n {
		d.fail("Explain has %d rows, its plan %d (error %v), Find has %d\n%s", len(rows), plan.Returned, err, n, show(q))
	}
}

// show prints a query.
func show(q search.Query) string {
	after := "none"
	if q.After != nil {
		after = fmt.Sprintf("%+v", *q.After)
	}
	return fmt.Sprintf("query: types %v where %#v sort %+v reverse %v limit %d after %s", q.Types, q.Where, q.Sort, q.Reverse, q.Limit, after)
}
