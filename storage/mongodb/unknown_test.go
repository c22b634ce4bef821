package mongodb_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// A write that is cut off while the server may be at it is unknown, and one that no server was sent is known not to be stored: whether the server
// is gone or the request has ended.
func TestAWriteThatIsCutOffIsUnknown(t *testing.T) {
	c := mongotest.Start(t, 1)
	pair := func(ctx context.Context, s storage.Store, id string) error {
		return s.Update(ctx, func(tx storage.Tx) error {
			if err := putIn(ctx, tx, id+"a", 0); err != nil {
				return err
			}
			return putIn(ctx, tx, id+"b", 0)
		})
	}
	one := func(ctx context.Context, s storage.Store, id string) error { return put(ctx, s, id, 0) }
	var at atomic.Pointer[string]
	var cut func()
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if name := at.Load(); name != nil && *name == e.CommandName && at.CompareAndSwap(name, nil) {
			cut()
		}
	}}
	s, err := mongodb.OpenMonitored(t.Context(), mongodb.Options{URI: c.URI("fhir") + "&serverSelectionTimeoutMS=1000", Timeout: patience, Logger: slog.New(slog.DiscardHandler)}, monitor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	mongodb.AskForCommits(s, time.Second)
	served := func() {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			err := s.View(t.Context(), func(r storage.Reader) error { _, err := r.Meta(t.Context(), "x"); return err })
			if err == nil || errors.Is(err, storage.ErrNotFound) {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	served()
	if err := one(t.Context(), s, "first"); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		command string
		write   func(context.Context, storage.Store, string) error
	}{{"insert", one}, {"commitTransaction", pair}} {
		t.Run(w.command+" of a request that ends", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cut = cancel
			at.Store(&w.command)
			if err := w.write(ctx, s, "ended-"+w.command); !storage.IsUnknown(err) {
				t.Errorf("%v", err)
			}
			if err := w.write(ctx, s, "never-"+w.command); err == nil || storage.IsUnknown(err) {
				t.Errorf("a request that has ended before: %v", err)
			}
		})
		t.Run(w.command+" to a server that ends", func(t *testing.T) {
			cut = func() { c.Kill(0) }
			at.Store(&w.command)
			if err := w.write(t.Context(), s, "killed-"+w.command); !storage.IsUnknown(err) || fhir.KindOf(err) != fhir.KindUnavailable {
				t.Errorf("%v", err)
			}
			if err := w.write(t.Context(), s, "gone-"+w.command); storage.IsUnknown(err) || fhir.KindOf(err) != fhir.KindUnavailable {
				t.Errorf("without a server: %v", err)
			}
			if err := c.Restart(0); err != nil {
				t.Fatal(err)
			}
			served()
		})
	}
}
