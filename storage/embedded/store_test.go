package embedded

import (
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
