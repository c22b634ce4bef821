package mongodb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// The storage engine tells a transaction for which its cache has no room by the code of a conflict. Tried again for ever it would never be stored:
// it is refused as what it is, and what fits is stored after it.
func TestATransactionThatDoesNotFitInTheCacheIsRefusedAsThat(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a cache; runs without -short")
	}
	s := openURI(t, mongotest.StartSmall(t).URI("fhir"))
	update := func(name string, n int) error {
		return s.Update(t.Context(), func(tx storage.Tx) error {
			for i := range n {
				rec := unlikely(i)
				rec.Key.ID = fmt.Sprint(name, i)
				rec.Updated = tx.Now()
				for j := range 30 {
					rec.Entries = append(rec.Entries, str("comment", fmt.Sprintf("%x %d %d", i*7919, j, i)), tok("code", fmt.Sprint("s", j), fmt.Sprint(i*31%100000)))
				}
				if err := tx.Put(t.Context(), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var e *fhir.Error
	if err := update("large", 800); !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDTransactionLimit || !strings.Contains(e.Issues[0].Text, "Split it") {
		t.Errorf("%v", err)
	}
	if err := update("small", 20); err != nil {
		t.Error(err)
	}
	if err := s.View(t.Context(), func(r storage.Reader) error {
		n, err := r.Count(t.Context(), search.Query{Types: []string{"Observation"}})
		if n != 20 {
			t.Errorf("%d resources are stored", n)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
