package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// lived is a store in which resources were updated, deleted and brought back.
func lived(t *testing.T, dir string, opt Options) *Store {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	newPopulation(300).Put(t, s, 0, 300)
	for v := range int64(4) {
		if err := s.Update(t.Context(), func(tx storage.Tx) error {
			for i := range 20 {
				rec := storage.Record{Key: fhir.Key{Type: "Basic", ID: fmt.Sprint("secret", i)}, Version: v + 1, Updated: tx.Now(), Method: "PUT",
					Body: []byte("{}"), Entries: []search.Entry{{Param: "code", Code: fmt.Sprint(v)}}}
				if v == 2 && i%3 == 0 {
					rec.Deleted, rec.Method, rec.Body, rec.Entries = true, "DELETE", nil, nil
				}
				rec.Revived = v == 3 && i%3 == 0
				if err := tx.Put(t.Context(), rec, v); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	set := func(key, value []byte) func(*Store) error {
		return func(s *Store) error { return s.db.Set(key, value, pebble.Sync) }
	}
	// rowOf returns a key of a table that has some text in it.
	rowOf := func(s *Store, table byte, text string) []byte {
		it, err := s.db.NewIter(within([]byte{table}))
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			if bytes.Contains(it.Key(), []byte(text)) {
				return bytes.Clone(it.Key())
			}
		}
		t.Fatalf("no row of table %x has %q", table, text)
		return nil
	}
	remove := func(table byte, text string) func(*Store) error {
		return func(s *Store) error { return s.db.Delete(rowOf(s, table, text), pebble.Sync) }
	}
	for name, c := range map[string]struct {
		spoil func(*Store) error
		want  []string
	}{
		"nothing":           {func(*Store) error { return nil }, nil},
		"a version":         {remove(tableOld, "secret3"), []string{"Basic: 1 times versions are missing before one", "Basic: the history is not that of the versions"}},
		"a resource":        {remove(tableDocument, "secret3"), []string{"Basic: 1 resources are indexed and not there", "Basic: 3 versions are of no resource", "Basic: the history is not that of the versions", "counters are wrong", "search index by code"}},
		"entries":           {remove(tableEntries, "secret3"), []string{"Basic: 1 resources lack their entries", "counters are wrong", "search index by code"}},
		"a row of history":  {remove(tableHistory, "secret3"), []string{"Basic: the history is not that of the versions"}},
		"a row of an index": {remove(tableIndex, "secret3"), []string{"1 counters are wrong", "Basic: the search index by code has 19 rows, and not the 20 that follow from the resources"}},
		"a counter":         {remove(tableCount, ""), []string{"1 counters are wrong"}},
		"a counter of none": {set([]byte("\x06none"), countValue(3)), []string{"counters, and not"}},
		"a row of no resource": {func(s *Store) error {
			return s.db.Set(append(rowOf(s, tableIndex, "secret3"), 'x'), nil, pebble.Sync)
		}, []string{"counters are wrong", "Basic: the search index by code has 21 rows, and not the 20"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := lived(t, t.TempDir(), Options{})
			defer s.Close()
			if err := c.spoil(s); err != nil {
				t.Fatal(err)
			}
			found, err := s.Check(t.Context(), CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(found.Faults, "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not told in\n%s", want, all)
				}
			}
			if len(c.want) == 0 && all != "" || strings.Contains(all, "secret") {
				t.Errorf("told of\n%s", all)
			}
			if name == "nothing" && (found.Resources != 320 || found.Versions != 380) {
				t.Errorf("%d resources and %d versions were read", found.Resources, found.Versions)
			}
		})
	}
}

// failingFS is a file system whose files can't be read while fails is set.
type failingFS struct {
	vfs.FS
	fails *atomic.Bool
}

func (f failingFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	return failingFile{file, f.fails, name}, err
}

type failingFile struct {
	vfs.File
	fails *atomic.Bool
	name  string
}

func (f failingFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fails.Load() {
		return 0, &os.PathError{Op: "read", Path: f.name, Err: syscall.EIO}
	}
	return f.File.ReadAt(p, off)
}

// TestACheckThatAnErrorEndsTellsWhatItFound lets a disk fail in the midst of a check that has found something.
func TestACheckThatAnErrorEndsTellsWhatItFound(t *testing.T) {
	fs := failingFS{vfs.NewMem(), new(atomic.Bool)}
	const dir = "secret"
	s := lived(t, dir, Options{FS: fs, bare: true})
	err := s.db.Delete(oldKey(mustFind(t, s, "Basic"), "secret3", 3), pebble.Sync)
	if err == nil {
		newPopulation(3000).Put(t, s, 300, 3000)
		err = s.Compact(t.Context())
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{FS: fs, Cache: 1, bare: true}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Check(t.Context(), CheckOptions{Entries: func(rec storage.Record) ([]search.Entry, error) {
		fs.fails.CompareAndSwap(false, rec.Key.Type == "Basic")
		return nil, nil
	}})
	fs.fails.Store(false)
	if !errors.Is(err, syscall.EIO) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the check ends with %v", err)
	}
	if all := strings.Join(found.Faults, "\n"); !strings.Contains(all, "Basic: 1 times versions are missing before one") || strings.Contains(all, "secret") {
		t.Errorf("told of %q", all)
	}
}

// mustFind returns the number of a type.
func mustFind(t *testing.T, s *Store, typ string) uint32 {
	t.Helper()
	num, ok := s.dict.find(typ, "")
	if !ok {
		t.Fatalf("there is no %s", typ)
	}
	return num
}

func TestCheckComparesEntriesWithTheContent(t *testing.T) {
	s := lived(t, t.TempDir(), Options{})
	defer s.Close()
	found, err := s.Check(t.Context(), CheckOptions{Entries: func(rec storage.Record) ([]search.Entry, error) {
		switch {
		case rec.Key.Type != "Basic":
			return nil, errors.New("can't be read")
		case rec.Key.ID == "secret1":
			return []search.Entry{{Param: "code", Code: "other"}}, nil
		}
		return []search.Entry{{Param: "code", Code: "3"}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(found.Faults, "\n")
	if !found.Stale || !strings.Contains(all, "Basic: 1 resources are found by something else than their content") || !strings.Contains(all, "Patient: ") {
		t.Errorf("told of\n%s", all)
	}
}

// TestDamagedTableIsToldInWords flips bytes all over the tables of a store: what is not in them is read, what is fails in words, and nothing ends.
func TestDamagedTableIsToldInWords(t *testing.T) {
	dir := t.TempDir()
	s := lived(t, dir, Options{})
	want := map[fhir.Key]storage.Record{}
	if err := s.View(t.Context(), func(r storage.Reader) error {
		recs, err := r.History(t.Context(), storage.HistoryQuery{})
		for _, rec := range recs {
			if want[rec.Key].Version < rec.Version {
				want[rec.Key] = rec
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	whole, refused := 0, 0
	for _, table := range tables {
		info, err := os.Stat(table)
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(100); at < info.Size(); at += info.Size() / 12 {
			flip(t, table, at)
			var log bytes.Buffer
			s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), bare: true, exit: func(int) { panic("the process ends") }})
			if err != nil {
				if !strings.Contains(err.Error(), "is damaged") || strings.Contains(err.Error(), "secret") {
					t.Errorf("opened with %v", err)
				}
				refused++
				flip(t, table, at)
				continue
			}
			failed := 0
			_ = s.View(t.Context(), func(r storage.Reader) error {
				for key, rec := range want {
					got, err := r.Get(t.Context(), key)
					switch {
					case err == nil || errors.Is(err, storage.ErrDeleted):
						if got.Version != rec.Version || !bytes.Equal(got.Body, rec.Body) {
							t.Errorf("%s is read as version %d, not %d", key, got.Version, rec.Version)
						}
					default:
						failed++
						toldInWords(t, err)
					}
				}
				for _, q := range []search.Query{{Types: []string{"Basic"}}, {Types: []string{"Observation", "Patient"}}} {
					if _, err := r.Find(t.Context(), q); err != nil {
						failed++
						toldInWords(t, err)
					}
				}
				if _, err := r.History(t.Context(), storage.HistoryQuery{}); err != nil {
					failed++
					toldInWords(t, err)
				}
				return nil
			})
			// A walk of few keys, or none, ends although the damaged file reaches past them.
			narrow := &checker{s: s, ctx: t.Context(), faults: map[string]int64{}}
			for b := range 256 {
				if err := narrow.walk([]byte{byte(b)}, []byte{byte(b), 0}, func(_, _ []byte) error { return nil }); err != nil {
					t.Errorf("walk: %v", err)
				}
			}
			found, err := s.Check(t.Context(), CheckOptions{})
			if err != nil {
				t.Errorf("Check: %v", err)
			}
			all := strings.Join(found.Faults, "\n")
			if failed > 0 && !strings.Contains(all, "the file "+filepath.Base(table)+" is damaged") {
				t.Errorf("%d reads failed, and Check tells of %q", failed, all)
			}
			if len(found.Faults) > 0 {
				err = s.Update(t.Context(), func(tx storage.Tx) error { return tx.SetMeta(context.Background(), "m", []byte("x")) })
				toldInWords(t, err)
				toldInWords(t, s.Ready(t.Context()))
				if !strings.Contains(log.String(), filepath.Base(table)) {
					t.Errorf("the log does not name the file: %s", log.String())
				}
			} else {
				whole++ // the byte is of no block: of the padding, or of what nothing reads
			}
			if strings.Contains(log.String()+all, "secret") {
				t.Errorf("ids are told:\n%s\n%s", log.String(), all)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			flip(t, table, at)
		}
	}
	t.Logf("%d tables; %d flips refused at start, %d without effect", len(tables), refused, whole)
}

// toldInWords fails the test where err does not say that a file is damaged, or says more than it may.
func toldInWords(t *testing.T, err error) {
	t.Helper()
	var e *fhir.Error
	if !errors.As(err, &e) || len(e.Issues) != 1 || e.Issues[0].ID != fhir.IDStorageDamaged || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// TestCompactionOfADamagedTableGoesNowhere compacts what is damaged: it fails in words, once, and is not begun again.
func TestCompactionOfADamagedTableGoesNowhere(t *testing.T) {
	dir := t.TempDir()
	s := lived(t, dir, Options{bare: true})
	err := s.db.Flush()
	if err == nil {
		newPopulation(400).Put(t, s, 300, 400)
		err = s.db.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		info, err := os.Stat(table)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, table, info.Size()/2)
	}
	var log bytes.Buffer
	s, err = Open(dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), exit: func(int) { panic("the process ends") }})
	if err != nil {
		t.Fatal(err)
	}
	toldInWords(t, s.Compact(t.Context()))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "\n"); n == 0 || n > len(tables) || strings.Contains(log.String(), "secret") {
		t.Errorf("the log has %d lines:\n%s", n, log.String())
	}
}

func TestLogThatEndsEarlyIsTold(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, log string){
		"cut at its tail": func(t *testing.T, log string) {
			info, err := os.Stat(log)
			if err == nil {
				err = os.Truncate(log, info.Size()-60)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"removed": func(t *testing.T, log string) {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := lived(t, dir, Options{})
			var last storage.Record
			if err := s.Update(t.Context(), func(tx storage.Tx) error {
				last = storage.Record{Key: fhir.Key{Type: "Basic", ID: "last"}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: []byte("{}")}
				return tx.Put(t.Context(), last, 0)
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			var quiet bytes.Buffer
			s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&quiet, nil)), bare: true})
			if err != nil {
				t.Fatal(err)
			}
			if s.lost != nil || quiet.Len() > 0 {
				t.Errorf("a whole log is told to end early: %s", quiet.String())
			}
			if err := s.Update(t.Context(), func(tx storage.Tx) error {
				rec := storage.Record{Key: last.Key, Version: 2, Updated: tx.Now(), Method: "PUT", Body: []byte("{}")}
				last = rec
				return tx.Put(t.Context(), rec, 1)
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
			if err != nil || len(logs) == 0 {
				t.Fatal(logs, err)
			}
			spoil(t, logs[len(logs)-1])
			var told bytes.Buffer
			if s, err = Open(dir, Options{Log: slog.New(slog.NewTextHandler(&told, nil))}); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !strings.Contains(told.String(), "the log of the data folder ends early") {
				t.Errorf("the log tells: %s", told.String())
			}
			found, err := s.Check(t.Context(), CheckOptions{})
			if err != nil || len(found.Faults) != 1 || !strings.Contains(found.Faults[0], "the log ends early") {
				t.Errorf("Check tells of %v, %v", found.Faults, err)
			}
			if err := s.Update(t.Context(), func(tx storage.Tx) error {
				if !tx.Now().After(last.Updated) {
					t.Errorf("%v is given again: it was %v that was lost", tx.Now(), last.Updated)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
