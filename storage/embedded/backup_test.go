package embedded

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

func TestCheckpointIsAStoreOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "data"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := newPopulation(200)
	p.Put(t, s, 0, 100)
	copied := filepath.Join(dir, "copy")
	if err := s.Checkpoint(context.Background(), copied); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(context.Background(), copied); err == nil {
		t.Error("a backup is made over another")
	}
	p.Put(t, s, 100, 200)
	c, err := Open(copied, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for st, want := range map[*Store]int64{s: 200, c: 100} {
		if err := st.View(context.Background(), func(r storage.Reader) error {
			n, err := r.Count(context.Background(), search.Query{Types: []string{"Encounter", "Observation", "Patient"}})
			if n != want {
				t.Errorf("%d resources, not %d", n, want)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		checkRows(t, st)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Error(err)
	}
	if m := s.Metrics(); m.DiskBytes == 0 || m.Flushes == 0 || m.Broken {
		t.Errorf("metrics %+v", m)
	}
}
