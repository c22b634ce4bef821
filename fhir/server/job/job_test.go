package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// engines runs a test on an empty store of each engine.
func engines(t *testing.T, f func(*testing.T, storage.Store)) {
	t.Run("embedded", func(t *testing.T) {
		store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		f(t, store)
	})
	t.Run("mongodb", func(t *testing.T) {
		store, err := mongodb.Open(t.Context(), mongodb.Options{URI: mongotest.URI(t), Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		f(t, store)
	})
}

const patience = 20 * time.Second

// await waits until something is so, and fails the test where it never is.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never comes that %s", what)
		}
	}
}

var quick = job.Options{Poll: 5 * time.Millisecond, Retry: time.Millisecond}

// start runs the jobs of a store by one function.
func start(t *testing.T, store storage.Store, opt job.Options, k job.Kind) *job.Jobs {
	t.Helper()
	j := job.New(store, opt)
	k.Name = "count"
	j.Handle(k)
	j.Start()
	t.Cleanup(j.Close)
	return j
}

func submit(t *testing.T, j *job.Jobs, payload any) job.Job {
	t.Helper()
	out, err := j.Submit(t.Context(), job.Job{Kind: "count", Owner: "somebody", Payload: job.Payload(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func get(t *testing.T, j *job.Jobs, id string) job.Job {
	t.Helper()
	out, err := j.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ends(t *testing.T, j *job.Jobs, id string, want job.State) job.Job {
	t.Helper()
	await(t, "the job ends", func() bool { return get(t, j, id).State.Ended() })
	out := get(t, j, id)
	if out.State != want || out.Ended.IsZero() || out.Runner != "" {
		t.Fatalf("the job ended as %+v, want %s", out, want)
	}
	return out
}

// count is a job that writes the numbers up to its payload into the store, each in one Update with its position. step is called before each.
func count(step func(ctx context.Context, n int) error) func(context.Context, *job.Run) error {
	return func(ctx context.Context, run *job.Run) error {
		var to, n int
		if err := json.Unmarshal(run.Job().Payload, &to); err != nil {
			return job.Permanent(err)
		}
		if p := run.Job().Position; p != nil {
			if err := json.Unmarshal(p, &n); err != nil {
				return job.Permanent(err)
			}
		}
		for n < to {
			if err := step(ctx, n); err != nil {
				return err
			}
			n++
			run.Progress(int64(n), int64(to))
			err := run.Update(ctx, func(tx storage.Tx, j *job.Job) error {
				raw, err := tx.Meta(ctx, "numbers")
				if err != nil && !errors.Is(err, storage.ErrNotFound) {
					return err
				}
				j.Position = job.Payload(n)
				return tx.SetMeta(ctx, "numbers", append(slices.Clone(raw), fmt.Sprint(n, " ")...))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func numbers(t *testing.T, store storage.Store) string {
	t.Helper()
	var raw []byte
	err := store.View(t.Context(), func(r storage.Reader) (err error) {
		raw, err = r.Meta(t.Context(), "numbers")
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func always(context.Context, int) error { return nil }

func TestJobIsDoneAndSeen(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		j := start(t, store, quick, job.Kind{Run: count(always)})
		a := submit(t, j, 3)
		if a.State != job.Waiting || a.Owner != "somebody" || a.Total != job.Unknown || a.Created.IsZero() {
			t.Errorf("%+v", a)
		}
		if end := ends(t, j, a.ID, job.Done); end.Done != 3 || end.Total != 3 || end.Owner != "somebody" {
			t.Errorf("%+v", end)
		}
		if got := numbers(t, store); got != "1 2 3" {
			t.Errorf("%s", got)
		}
		list, err := j.List(t.Context(), "count")
		if err != nil || len(list) != 1 || list[0].ID != a.ID {
			t.Errorf("%+v, %v", list, err)
		}
		if err := j.Remove(t.Context(), a.ID); err != nil {
			t.Error(err)
		}
		if _, err := j.Get(t.Context(), a.ID); !errors.Is(err, job.ErrNoJob) {
			t.Errorf("a job that was removed: %v", err)
		}
		if _, err := j.Submit(t.Context(), job.Job{Kind: "unheard"}); err == nil {
			t.Error("a job of a kind that nobody does is taken")
		}
	})
}

func TestJobGoesOnFromItsPositionAfterARestart(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		reached := make(chan struct{})
		first := start(t, store, quick, job.Kind{Run: count(func(ctx context.Context, n int) error {
			if n < 2 {
				return nil
			}
			close(reached)
			<-ctx.Done()
			return ctx.Err()
		})})
		a := submit(t, first, 5)
		<-reached
		if now := get(t, first, a.ID); now.State != job.Running || now.Done != 2 || now.Total != 5 {
			t.Errorf("%+v", now)
		}
		first.Close()
		second := start(t, store, quick, job.Kind{Run: count(always)})
		ends(t, second, a.ID, job.Done)
		if got := numbers(t, store); got != "1 2 3 4 5" {
			t.Errorf("%s", got)
		}
	})
}

// killed is a store whose Updates fail from a moment on, as those of a process that was killed.
type killed struct {
	storage.Store
	dead atomic.Bool
}

func (k *killed) Update(ctx context.Context, f func(storage.Tx) error) error {
	if k.dead.Load() {
		return errors.New("killed")
	}
	return k.Store.Update(ctx, f)
}

func TestAnotherGatewayTakesUpWhatAKilledOneLeft(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		shared := quick
		shared.Shared, shared.Lease = true, 500*time.Millisecond
		dying := &killed{Store: store}
		reached := make(chan struct{})
		first := start(t, dying, shared, job.Kind{Run: count(func(ctx context.Context, n int) error {
			if n == 2 {
				dying.dead.Store(true)
				close(reached)
			}
			return nil
		})})
		a := submit(t, first, 5)
		<-reached
		second := start(t, store, shared, job.Kind{Run: count(always)})
		ends(t, second, a.ID, job.Done)
		if got := numbers(t, store); got != "1 2 3 4 5" {
			t.Errorf("%s", got)
		}
	})
}

func TestARunThatLostItsLeaseWritesNothing(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		shared := quick
		shared.Shared, shared.Lease = true, time.Hour // no heartbeat comes in between
		reached, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		slow := count(func(_ context.Context, n int) error {
			if n == 1 {
				close(reached)
				<-goOn
			}
			return nil
		})
		first := start(t, store, shared, job.Kind{Run: func(ctx context.Context, run *job.Run) error {
			err := slow(ctx, run)
			ended <- err
			return err
		}})
		a := submit(t, first, 3)
		<-reached
		err := store.Update(t.Context(), func(tx storage.Tx) error { // the lease is over
			j, err := job.Read(t.Context(), tx, a.ID)
			if err != nil {
				return err
			}
			j.Until = tx.Now().Add(-time.Second)
			return tx.SetMeta(t.Context(), "job "+a.ID, job.Payload(j))
		})
		if err != nil {
			t.Fatal(err)
		}
		second := start(t, store, shared, job.Kind{Run: count(always)})
		ends(t, second, a.ID, job.Done)
		close(goOn)
		if err := <-ended; !errors.Is(err, job.ErrLost) {
			t.Errorf("the first gateway goes on: %v", err)
		}
		if got := numbers(t, store); got != "1 2 3" {
			t.Errorf("%s", got)
		}
		if end := get(t, second, a.ID); end.State != job.Done {
			t.Errorf("%+v", end)
		}
	})
}

func TestTwoGatewaysDoEachJobOnce(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		shared := quick
		shared.Shared = true
		var runs atomic.Int64
		k := job.Kind{Workers: 2, Run: func(ctx context.Context, run *job.Run) error {
			runs.Add(1)
			return count(always)(ctx, run)
		}}
		gateways := []*job.Jobs{start(t, store, shared, k), start(t, store, shared, k)}
		var ids []string
		for i := range 8 {
			ids = append(ids, submit(t, gateways[i%2], 1).ID)
		}
		for _, id := range ids {
			ends(t, gateways[0], id, job.Done)
		}
		if got := numbers(t, store); got != strings.TrimSpace(strings.Repeat("1 ", len(ids))) {
			t.Errorf("%s", got)
		}
		if n := runs.Load(); n != int64(len(ids)) {
			t.Errorf("%d jobs were run %d times", len(ids), n)
		}
	})
}

func TestCancel(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		shared := quick
		shared.Shared, shared.Lease = true, 60*time.Millisecond
		reached := make(chan struct{}, 2)
		k := job.Kind{Run: count(func(ctx context.Context, n int) error {
			if n == 1 {
				reached <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})}
		runner := start(t, store, shared, k)
		other := job.New(store, shared) // which runs nothing
		other.Handle(job.Kind{Name: "count"})
		for _, by := range []*job.Jobs{runner, other} {
			a := submit(t, runner, 5)
			<-reached
			waiting := submit(t, runner, 5)
			if c, err := by.Cancel(t.Context(), waiting.ID); err != nil || c.State != job.Cancelled {
				t.Errorf("a job that waits: %+v, %v", c, err)
			}
			if _, err := by.Cancel(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
			if end := ends(t, runner, a.ID, job.Cancelled); end.Done != 1 {
				t.Errorf("%+v", end)
			}
			if c, err := by.Cancel(t.Context(), a.ID); err != nil || c.State != job.Cancelled {
				t.Errorf("once more: %+v, %v", c, err)
			}
		}
		if _, err := runner.Cancel(t.Context(), "none"); !errors.Is(err, job.ErrNoJob) {
			t.Error(err)
		}
		if got := numbers(t, store); got != "1 1" {
			t.Errorf("%s", got)
		}
	})
}

func TestFaultsOfTheWork(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		var tries atomic.Int64
		j := start(t, store, quick, job.Kind{Run: count(func(_ context.Context, n int) error {
			switch {
			case n == 1 && tries.Add(1) < 3:
				return errors.New("not this time")
			case n == 3:
				return job.Permanent(errors.New("never"))
			case n == 2 && tries.Load() > 100:
				panic("secret")
			}
			return nil
		})})
		ends(t, j, submit(t, j, 2).ID, job.Done)
		if end := ends(t, j, submit(t, j, 9).ID, job.Failed); end.Error != "never" || end.Done != 3 {
			t.Errorf("%+v", end)
		}
		tries.Store(1000)
		if end := ends(t, j, submit(t, j, 9).ID, job.Failed); end.Error == "" || strings.Contains(end.Error, "secret") {
			t.Errorf("%+v", end)
		}
		if end := ends(t, j, submit(t, j, "no number").ID, job.Failed); end.Done != 0 {
			t.Errorf("%+v", end)
		}
	})
}

func TestAmendedJobIsNotDoneBeforeARunHasSeenIt(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		reached, goOn := make(chan struct{}), make(chan struct{})
		seen := make(chan string, 10)
		beating := quick
		beating.Lease = 300 * time.Millisecond
		j := start(t, store, beating, job.Kind{Forget: true, Needed: true, Run: func(_ context.Context, run *job.Run) error {
			work := string(run.Job().Payload)
			if work == "1" {
				close(reached)
				<-goOn
			}
			seen <- work
			return nil
		}})
		amend := func(digit string) {
			t.Helper()
			err := store.Update(t.Context(), func(tx storage.Tx) error {
				return j.Amend(t.Context(), tx, "count", func(payload []byte) ([]byte, error) {
					return append(slices.Clone(payload), digit...), nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			j.Wake("count")
		}
		forgotten := func() {
			t.Helper()
			await(t, "the job is done and forgotten", func() bool {
				_, err := j.Get(t.Context(), "count")
				return errors.Is(err, job.ErrNoJob)
			})
		}
		amend("1")
		<-reached
		amend("2")
		if _, err := j.Cancel(t.Context(), "count"); !errors.Is(err, job.ErrNeeded) {
			t.Errorf("cancelled: %v", err)
		}
		time.Sleep(beating.Lease) // heartbeats see it, and the run does not
		close(goOn)
		forgotten()
		amend("3")
		forgotten()
		close(seen)
		var all []string
		for work := range seen {
			all = append(all, work)
		}
		if !slices.Equal(all, []string{"1", "12", "3"}) {
			t.Errorf("the runs have seen %q", all)
		}
	})
}
