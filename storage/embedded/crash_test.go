package embedded

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// crashes is how many crashes TestCrashes makes.
var crashes = flag.Int("embedded.crashes", 20, "how many crashes TestCrashLosesNothingAcknowledged makes")

// TestCrashLosesNothingAcknowledged writes from several goroutines on a file system that loses what was not synced, takes copies of it at
// random moments as a crash would leave it, and opens them: every acknowledged version is there, every Update is whole or not there, and
// each row of every table follows from the records.
func TestCrashLosesNothingAcknowledged(t *testing.T) {
	rounds := *crashes
	if testing.Short() {
		rounds = min(rounds, 5)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewCrashableMem()
	s, err := Open("data", small(fs))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acked := map[fhir.Key]int64{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)+2))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// Each Update writes a pair that must always have the same version.
				id := fmt.Sprintf("w%d-%d", w, r.IntN(20))
				a, b := fhir.Key{Type: "Patient", ID: id}, fhir.Key{Type: "Observation", ID: id}
				var version int64
				if err := s.Update(context.Background(), func(tx storage.Tx) error {
					cur, err := tx.Get(context.Background(), a)
					if err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrDeleted) {
						return err
					}
					version = cur.Version + 1
					gone := version > 1 && r.IntN(5) == 0 && !cur.Deleted
					for _, k := range []fhir.Key{a, b} {
						rec := storage.Record{Key: k, Version: version, Updated: tx.Now(), Method: "PUT", Deleted: gone}
						if !gone {
							rec.Body = fmt.Appendf(nil, `{"v":%d}`, version)
							rec.Entries = []search.Entry{tok("code", "s", fmt.Sprint(version%7)), tok("status", "", "x"), date("date", time.Unix(version*100000, 0), time.Hour), ref("patient", "Patient", id)}
						}
						if err := tx.Put(context.Background(), rec, cur.Version); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[a], acked[b] = version, version
				mu.Unlock()
				if i%50 == 0 && w == 0 {
					s.db.Flush()
				}
			}
		})
	}
	for range rounds {
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
		mu.Lock()
		want := make(map[fhir.Key]int64, len(acked))
		for k, v := range acked {
			want[k] = v
		}
		mu.Unlock()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rand.New(rand.NewPCG(rnd.Uint64(), 3))})
		checkCrashed(t, crashed, want)
	}
	close(stop)
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// checkCrashed opens what a crash left.
func checkCrashed(t *testing.T, fs vfs.FS, want map[fhir.Key]int64) {
	t.Helper()
	s, err := Open("data", small(fs))
	if err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.View(ctx, func(r storage.Reader) error {
		for k, v := range want {
			rec, err := r.Get(ctx, k)
			if err != nil && !errors.Is(err, storage.ErrDeleted) {
				return fmt.Errorf("%s: %w", k, err)
			}
			if rec.Version < v {
				t.Errorf("%s is at version %d, %d was acknowledged", k, rec.Version, v)
			}
			other, err := r.Get(ctx, fhir.Key{Type: "Patient", ID: k.ID})
			if err != nil && !errors.Is(err, storage.ErrDeleted) || other.Version != rec.Version {
				t.Errorf("half of an Update: %s at %d, Patient at %d", k, rec.Version, other.Version)
			}
			h, err := r.History(ctx, storage.HistoryQuery{Key: k})
			if err != nil || int64(len(h)) != rec.Version {
				t.Errorf("%s has %d versions in its history, %d in number (%v)", k, len(h), rec.Version, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	checkRows(t, s)
}

// checkRows checks that the rows of the index tables and the counters are those that the entries of the current versions make, no more and
// no less.
func checkRows(t *testing.T, s *Store) {
	t.Helper()
	want := map[string]bool{}
	counts := map[string]int64{}
	for _, typ := range s.dict.types() {
		num, _ := s.dict.find(typ, "")
		it, err := s.db.NewIter(within(typeKey(nil, tableEntries, num, "")))
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			v, _ := it.ValueAndErr()
			id := string(it.Key()[1+numberSize:])
			var f found
			if err := s.dict.decodeEntries(v, &f); err != nil {
				t.Fatal(err)
			}
			var set keySet
			if err := s.dict.collect(&set, typ, id, f.entries); err != nil {
				t.Fatal(err)
			}
			counts[string(appendNumber(nil, num))]++
			for _, num := range set.has {
				counts[presence(num)]++
			}
			sample, sparse := sampled(id)
			for _, k := range set.keys {
				want[string(tableIndex)+string(k)] = true
				if sample {
					want[string(tableSample)+string(k)] = true
				}
				if sparse {
					want[string(tableSparse)+string(k)] = true
				}
				if c := counterOf(nil, k); c != nil {
					counts[string(c)]++
				}
			}
		}
		it.Close()
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tableIndex}, UpperBound: []byte{tableSparse + 1}})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for ok := it.First(); ok; ok = it.Next() {
		rows++
		if !want[string(it.Key())] {
			t.Errorf("a row of the index belongs to no entry: %q", it.Key())
		}
	}
	it.Close()
	if rows != len(want) {
		t.Errorf("%d rows of the index, %d follow from the entries", rows, len(want))
	}
	if it, err = s.db.NewIter(within([]byte{tableCount})); err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, _ := it.ValueAndErr()
		k := string(it.Key()[1:])
		if countOf(v) != counts[k] {
			t.Errorf("counter %q is %d, not %d", k, countOf(v), counts[k])
		}
		delete(counts, k)
	}
	it.Close()
	if len(counts) > 0 {
		t.Errorf("%d counters are missing", len(counts))
	}
}
