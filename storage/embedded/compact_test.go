package embedded

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// layers stores the same resources again and again, with a flush after each time, so that they lie in several layers.
func layers(t *testing.T, s *Store, times int) {
	t.Helper()
	for v := range int64(times) {
		err := s.Update(context.Background(), func(tx storage.Tx) error {
			for i := range 50 {
				key := fhir.Key{Type: "Patient", ID: fmt.Sprintf("p%03d", i)}
				rec := storage.Record{Key: key, Version: v + 1, Updated: tx.Now(), Method: "PUT",
					Body:    fmt.Appendf(nil, `{"resourceType":"Patient","id":%q,"meta":{"versionId":"%d"}}`, key.ID, v+1),
					Entries: []search.Entry{{Param: "identifier", Code: fmt.Sprint(v)}}}
				if err := tx.Put(context.Background(), rec, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQuietStoreIsCompacted opens a store that was left in several layers, waits until it has one though nothing is written, and looks for what was stored. The
// layers are made before that open: a layer that is flushed after the last look at them would wait for the next write.
func TestQuietStoreIsCompacted(t *testing.T) {
	opt := small(vfs.NewMem())
	opt.compact = time.Hour
	s, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	layers(t, s, 3)
	if n := s.Metrics().ReadAmplification; n < 2 {
		t.Errorf("there is nothing to compact: a read looks into %d layers", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opt.compact = time.Millisecond
	if s, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
		if m := s.Metrics(); m.ReadAmplification == 1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("a read looks into %d layers", m.ReadAmplification)
		}
	}
	err = s.View(context.Background(), func(r storage.Reader) error {
		rows, err := r.Find(context.Background(), search.Query{Types: []string{"Patient"}, Where: eq("identifier", "", "2")})
		if len(rows) != 50 {
			t.Errorf("%d rows", len(rows))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCompactionPieceByPiece compacts with pieces of one file each, which together are all of the store.
func TestCompactionPieceByPiece(t *testing.T) {
	opt := small(vfs.NewMem())
	opt.compact = time.Hour
	s, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	layers(t, s, 2)
	newPopulation(3000).Fill(t, s)
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.layered() {
		t.Error("a compacted store is not one layer")
	}
	err = s.Update(context.Background(), func(tx storage.Tx) error {
		return tx.Put(context.Background(), storage.Record{Key: fhir.Key{Type: "Patient", ID: "last"}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: []byte(`{}`)}, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if s.Metrics().ReadAmplification < 2 {
		t.Fatal("there is nothing to compact")
	}
	if s.layered() {
		t.Error("one resource is enough to write the store anew")
	}
	ends, err := s.pieces(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ends[1:] {
		if bytes.Compare(ends[i], ends[i+1]) >= 0 {
			t.Errorf("piece %d ends at %x, the next at %x", i, ends[i], ends[i+1])
		}
	}
	if len(ends) < 2 {
		t.Errorf("%d pieces", len(ends))
	}
	if err := s.compactPieces(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if n := s.Metrics().ReadAmplification; n != 1 {
		t.Errorf("a read looks into %d layers", n)
	}
}

// TestAFailedCompactionIsToldWithoutKeys gives the log an error of Pebble's that names keys.
func TestAFailedCompactionIsToldWithoutKeys(t *testing.T) {
	var log bytes.Buffer
	opt := small(vfs.NewMem())
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := typeKey(nil, tableDocument, 1, "secret")
	err = s.db.Compact(t.Context(), key, key, false)
	if err == nil || !strings.Contains(err.Error(), "secret") {
		t.Fatalf("the error names no key: %v", err)
	}
	s.notCompacted(err)
	if told := log.String(); strings.Contains(told, "secret") || !strings.Contains(told, "is not less than end") {
		t.Errorf("the log tells: %s", told)
	}
	if err := s.fail(err); strings.Contains(err.Error()+log.String(), "secret") {
		t.Errorf("a failed write tells %v, the log\n%s", err, log.String())
	}
}

// TestErasedRowsLeaveTheTables erases resources, and waits until the tables are written anew without them.
func TestErasedRowsLeaveTheTables(t *testing.T) {
	opt := small(vfs.NewMem())
	opt.compact = time.Hour
	s, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	layers(t, s, 3)
	var keys []fhir.Key
	for i := range 50 {
		keys = append(keys, fhir.Key{Type: "Patient", ID: fmt.Sprintf("p%03d", i)})
	}
	if err := s.Update(t.Context(), func(tx storage.Tx) error {
		n, err := tx.Erase(t.Context(), keys)
		if n != 150 {
			t.Errorf("%d versions are erased, want 150", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !s.compactor.erased.Load() {
		t.Error("the compactor does not know that resources were erased")
	}
	if err := s.expunge(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := s.db.Metrics()
	if n := m.Keys.TombstoneCount; n != 0 {
		t.Errorf("%d deletions are still in the tables, and with them what they delete", n)
	}
	it, err := s.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		switch it.Key()[0] {
		case tableDocument, tableEntries, tableOld, tableHistory, tableIndex, tableSample, tableSparse, tableCount:
			t.Errorf("the row %x is left over", it.Key())
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
