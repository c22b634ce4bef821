package embedded

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

func TestWhatNoResourceEverHadIsNotFoundWithoutAPlan(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	putBodies(t, s, 3, 100)
	query := func(where search.Expr) search.Query {
		return search.Query{Types: []string{"Observation"}, Where: where, Limit: 10}
	}
	finds := func(r storage.Reader, where search.Expr) int {
		rows, err := r.Find(t.Context(), query(where))
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	status, other, code := eq("status", "", "final"), eq("intent", "", "order"), eq("code", loinc, hot)
	err := s.Update(t.Context(), func(tx storage.Tx) error {
		for _, c := range []struct {
			where search.Expr
			want  int
		}{
			{status, 0}, {search.Or{status, other}, 0}, {search.Or{}, 0}, {search.Or{status, code}, 3}, {search.Or{status, search.Or{other, code}}, 3},
			{search.Not{Expr: status}, 6}, {search.And{}, 6}, {search.And{status, code}, 0}, {code, 3},
		} {
			if got := finds(tx, c.where); got != c.want {
				t.Errorf("%v: %d found; want %d", c.where, got, c.want)
			}
		}
		if n := testing.AllocsPerRun(10, func() { finds(tx, status) }); n > 10 {
			t.Errorf("%v allocations", n)
		}
		// What this transaction writes has it.
		rec := storage.Record{Key: fhir.Key{Type: "Observation", ID: "s"}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: []byte(`{"resourceType":"Observation","id":"s"}`),
			Entries: []search.Entry{{Param: "status", Code: "final"}}}
		if err := tx.Put(t.Context(), rec, 0); err != nil {
			return err
		}
		if got := finds(tx, status); got != 1 {
			t.Errorf("after a write: %d found", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
