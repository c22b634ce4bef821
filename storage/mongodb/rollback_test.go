package mongodb_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// TestAnUpdateThatIsBrokenOffHoldsNothing ends requests whose command a busy server reads only when it has been told to forget the transaction.
func TestAnUpdateThatIsBrokenOffHoldsNothing(t *testing.T) {
	c := mongotest.Start(t, 1)
	if err := c.SetParameter("transactionLifetimeLimitSeconds", 3600); err != nil { // so that nobody but the store ends one
		t.Fatal(err)
	}
	r, uri := newRelay(t, c, "fhir")
	var cut atomic.Pointer[func()] // what is done before a commit is sent
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if f := cut.Load(); f != nil && e.CommandName == "commitTransaction" {
			(*f)()
		}
	}}
	s, err := mongodb.OpenMonitored(t.Context(), mongodb.Options{URI: uri, Timeout: patience}, monitor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := put(t.Context(), s, "first", 0); err != nil {
		t.Fatal(err)
	}
	basics := search.Query{Types: []string{"Basic"}, Where: eq("code", "", "a"), Limit: 5}
	free := func(t *testing.T) {
		t.Helper()
		c.AwaitNoTransaction(t)
		if err := s.Update(t.Context(), func(tx storage.Tx) error { return tx.Guard(t.Context(), "g") }); err != nil {
			t.Error(err)
		}
	}
	guard := func(ctx context.Context, tx storage.Tx) error { return tx.Guard(ctx, "g") }
	for name, w := range map[string]struct {
		held string // what the command has that is held
		f    func(ctx context.Context, tx storage.Tx) error
		part bool // it is not the whole request that ends
	}{
		"by its first read": {held: "startTransaction", f: func(ctx context.Context, tx storage.Tx) error {
			if _, err := tx.Meta(ctx, "x"); !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			return nil
		}},
		"by its search":                {held: "startTransaction", f: func(ctx context.Context, tx storage.Tx) error { _, err := tx.Find(ctx, basics); return err }},
		"by its guard":                 {held: "startTransaction", f: guard},
		"by its first write":           {held: "startTransaction", f: func(ctx context.Context, tx storage.Tx) error { return putIn(ctx, tx, "first", 1) }},
		"by a part that has less time": {held: "startTransaction", f: guard, part: true},
		"by its commit":                {held: "commitTransaction", f: guard},
	} {
		t.Run(name, func(t *testing.T) {
			held := r.hold(w.held)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			whole := ctx
			if w.part {
				whole = t.Context()
			}
			done := make(chan error, 1)
			go func() { done <- s.Update(whole, func(tx storage.Tx) error { return w.f(ctx, tx) }) }()
			release := <-held
			cancel()
			if err := <-done; err == nil {
				t.Error("it is stored")
			}
			release()
			free(t)
		})
	}
	t.Run("before its commit is sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		end := func() { cancel() }
		cut.Store(&end)
		err := s.Update(ctx, func(tx storage.Tx) error { return guard(ctx, tx) })
		cut.Store(nil)
		if !storage.IsUnknown(err) {
			t.Errorf("%v", err)
		}
		free(t)
	})
}
