package embedded

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// A commit that fails in the log may be read from it when the store is opened again. What comes after it is not stored.
func TestACommitThatFailsInTheLogIsUnknown(t *testing.T) {
	var failing atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if failing.Load() && op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") {
			return errors.New("the disk fails")
		}
		return nil
	}))
	s, err := Open("data", small(fs))
	if err != nil {
		t.Fatal(err)
	}
	write := func(id string) error {
		return s.Update(t.Context(), func(tx storage.Tx) error {
			return tx.Put(t.Context(), storage.Record{Key: fhir.Key{Type: "Patient", ID: id}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: []byte(`{}`)}, 0)
		})
	}
	if err := write("a"); err != nil {
		t.Fatal(err)
	}
	failing.Store(true)
	if err := write("b"); !storage.IsUnknown(err) {
		t.Errorf("%v", err)
	}
	var e *fhir.Error
	if err := write("c"); storage.IsUnknown(err) || !errors.As(err, &e) || e.Issues[0].ID != fhir.IDStorageLog {
		t.Errorf("after that: %v", err)
	}
}
