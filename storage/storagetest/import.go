package storagetest

import (
	"context"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// importedStoresHaveEverything imports what random work has made into another store, in random order and several calls, and compares the two.
func (su *suite) importedStoresHaveEverything(t *testing.T) {
	ctx := context.Background()
	from := su.open(t)
	defer from.Close()
	d := &driver{t: t, w: newWorld(12), m: NewModel(), seed: 12, stores: []storage.Store{Checked(from)}}
	for range 25 {
		d.write()
	}
	var versions []storage.Version
	for _, rec := range d.m.History(storage.HistoryQuery{}) {
		v := storage.Version{Record: rec, Current: d.m.Current(rec.Key).Version == rec.Version}
		if v.Current && d.w.IntN(2) == 0 { // what is imported without entries is indexed again
			v.Entries = d.m.Current(rec.Key).Entries
		}
		versions = append(versions, v)
	}
	d.w.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
	to := Checked(su.open(t))
	defer to.Close()
	for len(versions) > 0 {
		n := min(len(versions), 1+d.w.IntN(20))
		if err := to.Import(ctx, versions[:n]); err != nil {
			t.Fatalf("Import: %v", err)
		}
		versions = versions[n:]
	}
	if err := to.Update(ctx, func(tx storage.Tx) error {
		for key := range d.m.versions {
			if rec := d.m.Current(key); !rec.Deleted {
				if err := tx.Reindex(ctx, key, rec.Version, rec.Entries); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatalf("Update: %v", err)
	}
	d.stores = []storage.Store{to}
	for range 100 {
		d.ask()
	}
	if err := to.View(ctx, func(r storage.Reader) error {
		got, err := r.History(ctx, storage.HistoryQuery{})
		is(t, "History", err, nil)
		same(t, "History", got, d.m.History(storage.HistoryQuery{}))
		n, err := r.Counts(ctx)
		is(t, "Counts", err, nil)
		same(t, "Counts", n, d.m.Counts())
		d.compare(r, d.m, search.Query{Types: d.w.types}, true)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 5 { // versions go on from the imported ones
		d.write()
	}
	for range 20 {
		d.ask()
	}
}
