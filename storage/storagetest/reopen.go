package storagetest

import (
	"context"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// reopenedStoresHaveEverything writes, closes, opens again, and compares; several times.
func (su *suite) reopenedStoresHaveEverything(t *testing.T) {
	s := su.open(t)
	d := &driver{t: t, w: newWorld(11), m: NewModel(), seed: 11, stores: []storage.Store{s}}
	var last time.Time
	for range 4 {
		for range 10 {
			d.write()
		}
		if err := s.View(context.Background(), func(r storage.Reader) error { last = r.Moment(); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(context.Background(), func(tx storage.Tx) error { return tx.SetMeta(context.Background(), "m", []byte("kept")) }); err != nil {
			t.Fatal(err)
		}
		s = su.reopen(t, s)
		d.stores = []storage.Store{s}
		for range 30 {
			d.ask()
		}
		if err := s.View(context.Background(), func(r storage.Reader) error {
			if r.Moment().Before(last) {
				t.Errorf("Moment %v fell behind %v", r.Moment(), last)
			}
			got, err := r.History(context.Background(), storage.HistoryQuery{})
			is(t, "History", err, nil)
			same(t, "History", got, d.m.History(storage.HistoryQuery{}))
			n, err := r.Counts(context.Background())
			is(t, "Counts", err, nil)
			same(t, "Counts", n, d.m.Counts())
			v, err := r.Meta(context.Background(), "m")
			is(t, "Meta", err, nil)
			same(t, "Meta", string(v), "kept")
			d.compare(r, d.m, search.Query{Types: d.w.types}, true)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
