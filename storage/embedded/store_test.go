package embedded

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// small are options for tests: nothing on disk, little memory.
func small(fs vfs.FS) Options { return Options{FS: fs, Cache: 8 << 20} }

// openMemory opens an empty store in memory.
func openMemory(t testing.TB) *Store {
	t.Helper()
	s, err := Open("data", small(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store { return openMemory(t) },
		storagetest.WithReopen(func(t *testing.T, s storage.Store) storage.Store {
			old := s.(*Store)
			fs := old.opt.FS.(fullFS).FS
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := Open("data", small(fs))
			if err != nil {
				t.Fatal(err)
			}
			return again
		}))
}

// TestAnyPlanKeepsTheContract runs the suite with limits so small that every way through the planner is taken, and with plans drawn by lot.
func TestAnyPlanKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	lot := rand.New(rand.NewPCG(1, 2))
	n := func(k int) int {
		mu.Lock()
		defer mu.Unlock()
		return lot.IntN(k)
	}
	storagetest.Run(t, func(t *testing.T) storage.Store {
		s := openMemory(t)
		s.tune = tuning{pass: 3, streams: 2, inner: 2, walk: true, pick: func(p *planner) []*source {
			var out []*source
			for range n(4) {
				if len(p.all) > 0 {
					out = append(out, p.all[n(len(p.all))])
				}
			}
			return out
		}}
		return s
	}, storagetest.WithQueries(2000))
}
