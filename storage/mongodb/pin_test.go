package mongodb_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// moment asks for the moment of a view, and reads in it.
func moment(ctx context.Context, s storage.Store) error {
	return s.View(ctx, func(r storage.Reader) error {
		r.Moment()
		_, err := r.Get(ctx, fhir.Key{Type: "Basic", ID: "first"})
		return err
	})
}

func TestAMomentThatCannotBeHad(t *testing.T) {
	c := mongotest.StartFailing(t)
	var finds atomic.Int64
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "find" {
			finds.Add(1)
		}
	}}
	s, err := mongodb.OpenMonitored(t.Context(), mongodb.Options{URI: c.URI("fhir"), Timeout: patience, Logger: slog.New(slog.DiscardHandler)}, monitor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := put(t.Context(), s, "first", 0); err != nil {
		t.Fatal(err)
	}
	t.Run("is not asked for again where the server refuses it", func(t *testing.T) {
		c.Fail(t, "find", -1, bson.E{Key: "namespace", Value: "fhir.fhirgate_meta"}, bson.E{Key: "errorCode", Value: 13})
		defer c.Fail(t, "find", 0)
		before := finds.Load()
		if err := moment(t.Context(), s); fhir.KindOf(err) != fhir.KindInternal {
			t.Errorf("%v", err)
		}
		if n := finds.Load() - before; n > 2 {
			t.Errorf("it was asked for %d times", n)
		}
	})
	t.Run("because the server has no snapshot yet holds up no write", func(t *testing.T) {
		// The server itself finds in others for a write.
		c.Fail(t, "find", -1, bson.E{Key: "errorCode", Value: 246}, bson.E{Key: "namespace", Value: "fhir.fhirgate_meta"})
		defer c.Fail(t, "find", 0)
		before := finds.Load()
		done := make(chan error, 1)
		go func() { done <- moment(t.Context(), s) }()
		for finds.Load() < before+3 {
			time.Sleep(time.Millisecond)
		}
		before = finds.Load()
		if err := put(t.Context(), s, "meanwhile", 0); err != nil {
			t.Error(err)
		}
		if n := finds.Load() - before; n > 200 {
			t.Errorf("the write has waited for %d tries of the view", n)
		}
		select {
		case err := <-done:
			t.Errorf("the view has ended: %v", err)
		default:
		}
		c.Fail(t, "find", 0)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("fails no other that waits meanwhile", func(t *testing.T) {
		// The driver sends a read twice, so two failures are one of a view. Each takes its time, so that others wait.
		c.Fail(t, "find", 2, bson.E{Key: "namespace", Value: "fhir.fhirgate_meta"}, bson.E{Key: "errorCode", Value: 11600}, bson.E{Key: "errorLabels", Value: bson.A{}}, bson.E{Key: "blockConnection", Value: true}, bson.E{Key: "blockTimeMS", Value: 300})
		defer c.Fail(t, "find", 0)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := moment(t.Context(), s); err != nil {
					t.Errorf("a view: %v", err)
				}
			})
			wg.Go(func() {
				if err := put(t.Context(), s, fmt.Sprint("beside", i), 0); err != nil {
					t.Errorf("a write: %v", err)
				}
			})
		}
		wg.Wait()
	})
}
