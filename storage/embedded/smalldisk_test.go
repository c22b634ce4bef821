package embedded

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// smallDisk is a folder on a file system of some 100 MB that TestARealDiskFills may fill: "mount -t tmpfs -o size=96m tmpfs DIR".
var smallDisk = flag.String("embedded.smalldisk", "", "a folder on a small file system for TestARealDiskFills")

func TestARealDiskFills(t *testing.T) {
	if *smallDisk == "" {
		t.Skip("no -embedded.smalldisk")
	}
	dir := filepath.Join(*smallDisk, "data")
	filler := filepath.Join(*smallDisk, "filler")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPopulation(1 << 20)
	stored := 0
	write := func() error {
		err := s.Update(context.Background(), func(tx storage.Tx) error {
			for i := range 50 {
				rec := p.record(stored + i)
				rec.Updated = tx.Now()
				if err := tx.Put(context.Background(), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			stored += 50
		}
		return err
	}
	for err = write(); err == nil; err = write() {
	}
	if fhir.KindOf(err) != fhir.KindFull {
		t.Fatalf("the write that the disk has no place for returned %v", err)
	}
	check := func(s *Store) {
		t.Helper()
		if err := s.View(context.Background(), func(r storage.Reader) error {
			n, err := r.Count(context.Background(), search.Query{Types: []string{"Encounter", "Observation", "Patient"}})
			if n != int64(stored) {
				t.Errorf("%d resources are visible, %d were acknowledged", n, stored)
			}
			for i := 0; i < stored; i += 97 {
				if _, err := r.Get(context.Background(), p.record(i).Key); err != nil {
					t.Fatalf("resource %d: %v", i, err)
				}
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d resources until the reserve", stored)
	check(s)
	// Another program takes the rest of the disk.
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<16)
	for {
		if _, err := f.Write(chunk); err != nil {
			break
		}
	}
	f.Close()
	if err := write(); fhir.KindOf(err) != fhir.KindFull {
		t.Errorf("a write to the full disk returned %v", err)
	}
	time.Sleep(2 * time.Second) // background work meets the full disk
	check(s)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.opt.Reserve = 1 << 20
	for range 10 {
		if err := write(); err != nil {
			t.Fatalf("a write after there was space returned %v", err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{Reserve: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	check(s)
	checkRows(t, s)
	s.Close()
}
