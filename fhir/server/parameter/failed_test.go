package parameter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestResourceThatCannotBeIndexedHoldsUpNoOther has some whose entries can't be made, for an error and for a defect, and one that the engine refuses.
func TestResourceThatCannotBeIndexedHoldsUpNoOther(t *testing.T) {
	engines(t, func(t *testing.T, inner storage.Store) {
		store := &refusing{Store: inner}
		g := open(t, store)
		g.must(append(resources("Patient", 450), resources("Basic", 2)...)...)
		bad := map[string]error{"17": errors.New("Patient/17 is Mrs Miller"), "230": nil, "449": errors.New("Mrs Miller")}
		g.bad = func(rec storage.Record) error {
			err, is := bad[rec.Key.ID]
			if is && err == nil {
				panic("Mrs Miller")
			}
			return err
		}
		store.id.Store("301")
		g.must(parameter("x", `"Patient","Basic"`))
		g.indexed()
		want := []string{"17", "230", "301", "449"}
		noted := func() {
			t.Helper()
			g.indexed()
			failed := g.Failed()
			f := failed["Patient"]
			var ids []string
			for _, v := range f.Known {
				ids = append(ids, v.ID)
				if v.Version != 1 {
					t.Errorf("%+v", v)
				}
			}
			slices.Sort(ids)
			if f.Count != int64(len(want)) || !slices.Equal(ids, want) || len(failed) != 1 {
				t.Errorf("%+v", failed)
			}
		}
		noted()
		if n := g.found("Patient", "x") + g.found("Basic", "x"); n != 448 {
			t.Errorf("%d of 448 are found", n)
		}
		// The next pass tells of what fails in it, and a restart forgets nothing.
		delete(bad, "17")
		want = want[1:]
		g.must(parameter("y", `"Patient"`))
		noted()
		if n := g.found("Patient", "y"); n != 447 {
			t.Errorf("%d of 447 are found", n)
		}
		log := g.log.String()
		g.close()
		second := open(t, store)
		second.bad = g.bad
		g = second
		noted()
		// A pass over all can be asked for.
		store.id.Store("")
		want = []string{"230", "449"}
		if failed, err := g.Reindex(t.Context(), []string{"Basic", "Patient"}, func(int64, int64) {}); failed != 2 || err != nil {
			t.Errorf("%d, %v", failed, err)
		}
		for g.Failed()["Patient"].Count == 3 {
			g.indexed()
		}
		noted()
		bad = nil
		g.must(parameter("z", `"Patient"`))
		g.indexed()
		if failed := g.Failed(); len(failed) != 0 {
			t.Errorf("%+v", failed)
		}
		g.close()
		log += g.log.String()
		if !strings.Contains(log, "type=Patient count=4") || !strings.Contains(log, "type=Patient count=2") || strings.Contains(log, "Miller") || strings.Contains(log, "Patient/") {
			t.Errorf("the log says\n%s", log)
		}
	})
}

// refusing is a store that refuses the entries of a resource of an id as too large, as MongoDB does.
type refusing struct {
	storage.Store
	id atomic.Value
}

type refusingTx struct {
	storage.Tx
	id any
}

func (r *refusing) Update(ctx context.Context, f func(storage.Tx) error) error {
	return r.Store.Update(ctx, func(tx storage.Tx) error { return f(refusingTx{tx, r.id.Load()}) })
}

func (tx refusingTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	if key.ID == tx.id {
		return fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDStorageTooLarge, "too large")
	}
	return tx.Tx.Reindex(ctx, key, version, entries)
}

func TestFailuresOfTwoPassesAreCountedOnce(t *testing.T) {
	of := func(from, to int) (f Failures) {
		for i := from; i < to; i++ {
			f.add(&storage.Record{Key: fhir.Key{Type: "Patient", ID: fmt.Sprint(i)}, Version: 1})
		}
		return f
	}
	for _, c := range []struct {
		a, b         Failures
		count, known int
	}{
		{of(0, 3), of(2, 5), 5, 5},
		{of(0, 80), of(60, 110), 110, maxKnown},
		{of(0, 300), of(0, 20), 300, maxKnown}, // which may be the same
		{of(0, 20), of(0, 300), 300, maxKnown},
		{Failures{}, of(0, 1), 1, 1},
	} {
		before := fmt.Sprint(c.a)
		joined := c.a
		joined.join(c.b)
		if joined.Count != int64(c.count) || len(joined.Known) != c.known || fmt.Sprint(c.a) != before {
			t.Errorf("%d and %d: %d, %d known", c.a.Count, c.b.Count, joined.Count, len(joined.Known))
		}
	}
}
