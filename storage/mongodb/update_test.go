package mongodb

import (
	"context"
	"fmt"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// A gateway that dies between the two writes of an update leaves the current version among the superseded ones: it is shown once, and the next
// update goes on from there.
func TestUpdateThatEndedBetweenItsTwoWrites(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Options{URI: mongotest.URI(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := fhir.Key{Type: "Basic", ID: "a"}
	var first storage.Record
	put := func(expect int64) {
		t.Helper()
		if err := s.Update(ctx, func(tx storage.Tx) error {
			rec := storage.Record{Key: k, Version: expect + 1, Updated: tx.Now(), Method: "PUT", Body: fmt.Appendf(nil, `{"resourceType":"Basic","n":%d}`, expect)}
			if expect == 0 {
				first = rec
			}
			return tx.Put(ctx, rec, expect)
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	doc, err := importedDocument(versionID("a", 1), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.superseded("Basic").InsertOne(ctx, doc); err != nil {
		t.Fatal(err)
	}
	versions := func(want int) {
		t.Helper()
		for _, limit := range []int{0, 1, 2, 3} {
			for _, q := range []storage.HistoryQuery{{Key: k, Limit: limit}, {Limit: limit}} {
				if err := s.View(ctx, func(r storage.Reader) error {
					recs, err := r.History(ctx, q)
					if limit == 0 && len(recs) != want || limit > 0 && len(recs) != min(limit, want) {
						t.Errorf("%d versions for limit %d, want %d", len(recs), limit, want)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	versions(1)
	put(1)
	versions(2)
	// The same, followed by a transaction.
	if err := s.Update(ctx, func(tx storage.Tx) error {
		rec, err := tx.Get(ctx, k)
		if err != nil {
			return err
		}
		doc, err := importedDocument(versionID("a", 2), rec)
		if err != nil {
			return err
		}
		_, err = s.superseded("Basic").InsertOne(context.Background(), doc)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	versions(2)
	if err := s.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, "g"); err != nil {
			return err
		}
		return tx.Put(ctx, storage.Record{Key: k, Version: 3, Updated: tx.Now(), Method: "DELETE", Deleted: true}, 2)
	}); err != nil {
		t.Fatal(err)
	}
	versions(3)
}
