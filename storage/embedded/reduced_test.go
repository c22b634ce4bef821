package embedded

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestPresenceIsCountedWhereOneParameterTellsIt asks what :missing=false asks, before and after a resource has a value without an entry.
func TestPresenceIsCountedWhereOneParameterTellsIt(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	rec := func(id string, entries ...search.Entry) storage.Record {
		return storage.Record{Key: fhir.Key{Type: "Patient", ID: id}, Version: 1, Method: "PUT", Body: []byte("{}"), Entries: entries}
	}
	where := search.Or{search.Some{Param: "birthdate"}, search.Some{Param: "birthdate:present"}}
	q := search.Query{Types: []string{"Patient"}, Where: where}
	check := func(cheap bool, want ...string) {
		t.Helper()
		if err := s.View(t.Context(), func(r storage.Reader) error {
			n, ok, err := r.CountCheap(t.Context(), q)
			if err != nil {
				return err
			}
			if ok != cheap || ok && n != int64(len(want)) {
				t.Errorf("counted %d, cheaply %v", n, ok)
			}
			rows, err := r.Find(t.Context(), q)
			var ids []string
			for _, row := range rows {
				ids = append(ids, row.Key.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("found %v, want %v", ids, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	check(true)
	var recs []storage.Record
	for i := range 3 {
		recs = append(recs, rec(fmt.Sprint("born", i), search.Entry{Param: "birthdate", Lo: "1970", Hi: "1971"}))
	}
	putAll(t, s, append(recs, rec("unborn")))
	check(true, "born0", "born1", "born2")
	putAll(t, s, []storage.Record{rec("odd", search.Entry{Param: "birthdate:present"})})
	check(false, "born0", "born1", "born2", "odd")
	if err := s.Update(t.Context(), func(tx storage.Tx) error {
		deletion := storage.Record{Key: fhir.Key{Type: "Patient", ID: "odd"}, Version: 2, Deleted: true, Method: "DELETE", Updated: tx.Now()}
		return tx.Put(t.Context(), deletion, 1)
	}); err != nil {
		t.Fatal(err)
	}
	check(true, "born0", "born1", "born2")
}
