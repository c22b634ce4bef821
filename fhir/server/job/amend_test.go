package job_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// amend appends text to the payload of the one job of its kind.
func amend(ctx context.Context, store storage.Store, j *job.Jobs, text string) error {
	return store.Update(ctx, func(tx storage.Tx) error {
		return j.Amend(ctx, tx, "count", func(payload []byte) ([]byte, error) { return append(slices.Clone(payload), text...), nil })
	})
}

// TestAmendmentThatARunHasNotReadIsDoneByAnother amends the job after the run has read it, and has the run end in all ways but those that try again.
func TestAmendmentThatARunHasNotReadIsDoneByAnother(t *testing.T) {
	for name, end := range map[string]func(context.Context, *job.Run) error{
		"done":               func(context.Context, *job.Run) error { return nil },
		"done after a Save":  func(ctx context.Context, run *job.Run) error { return run.Save(ctx, "here") },
		"failed":             func(context.Context, *job.Run) error { return job.Permanent(errors.New("never")) },
		"ended with a panic": func(context.Context, *job.Run) error { panic("secret") },
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, store storage.Store) {
				var j *job.Jobs
				seen := make(chan string, 10)
				j = start(t, store, quick, job.Kind{Run: func(ctx context.Context, run *job.Run) error {
					work := string(run.Job().Payload)
					seen <- work
					if work != "1" {
						return nil
					}
					if err := amend(ctx, store, j, "2"); err != nil {
						t.Error(err)
					}
					return end(ctx, run)
				}})
				if err := amend(t.Context(), store, j, "1"); err != nil {
					t.Fatal(err)
				}
				j.Wake("count")
				await(t, "the job ends", func() bool { return get(t, j, "count").State.Ended() })
				if out := get(t, j, "count"); out.State != job.Done {
					t.Errorf("the job ended as %+v", out)
				}
				close(seen)
				var all []string
				for work := range seen {
					all = append(all, work)
				}
				if !slices.Equal(all, []string{"1", "12"}) {
					t.Errorf("the runs have seen %q", all)
				}
			})
		})
	}
}

// heldBack is a store whose Updates by heartbeats return when they are let go, while it is armed.
type heldBack struct {
	storage.Store
	armed         atomic.Bool
	stored, letGo chan struct{}
}

func (h *heldBack) Update(ctx context.Context, f func(storage.Tx) error) error {
	err := h.Store.Update(ctx, f)
	if h.armed.Load() && ctx.Value(ofTheRun{}) == nil {
		h.stored <- struct{}{}
		<-h.letGo
	}
	return err
}

// ofTheRun is the key of a value in the context of Updates that are not held back.
type ofTheRun struct{}

// TestHeartbeatThatReturnsLateHidesNoUpdate has a run store its position between a heartbeat's Update and the return of that.
func TestHeartbeatThatReturnsLateHidesNoUpdate(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		h := &heldBack{Store: store, stored: make(chan struct{}, 1000), letGo: make(chan struct{})}
		beating := quick
		beating.Lease = 300 * time.Millisecond
		position := make(chan string, 1)
		ours := context.WithValue(t.Context(), ofTheRun{}, true)
		j := start(t, h, beating, job.Kind{Run: func(_ context.Context, run *job.Run) error {
			h.armed.Store(true)
			<-h.stored
			if err := run.Save(ours, "here"); err != nil {
				t.Error(err)
			}
			h.letGo <- struct{}{}
			for start := time.Now(); time.Since(start) < beating.Lease/6; time.Sleep(time.Millisecond) { // the next heartbeat is later
				if p := string(run.Job().Position); p != `"here"` {
					position <- p
					break
				}
			}
			h.armed.Store(false)
			close(h.letGo)
			return nil
		}})
		ends(t, j, submit(t, j, 1).ID, job.Done)
		select {
		case p := <-position:
			t.Errorf("the run sees the position %q", p)
		default:
		}
	})
}
