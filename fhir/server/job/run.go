package job

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/storage"
)

// ErrLost says that a run no longer holds its job: its lease was over, and another gateway may have taken it up. The run ends with it.
var ErrLost = errors.New("job: another gateway has taken the job up")

// errStopped is the cause of the context of a run whose job was cancelled.
var errStopped = errors.New("job: the job was cancelled")

// permanent is an error that another try won't mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error of a run as one that another try won't mend: the job fails with its text, which its owner sees.
func Permanent(err error) error { return permanent{err} }

// Run is one run of a job, by the gateway that holds it.
type Run struct {
	jobs   *Jobs
	ctx    context.Context // ends with the lease, with Close and with Cancel
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	job   Job
	seen  int64 // of Job.Amended, by whoever does the job
	done  int64
	total int64
}

// Job returns the job as it was read last: when the run began, at an Update or at a heartbeat. What others have amended by then counts as seen, so
// whoever calls it looks at the Payload of what it returns.
func (r *Run) Job() Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = r.job.Amended
	return r.job
}

// Progress tells how far the run is; total may be Unknown. It costs nothing: the record follows with the next heartbeat.
func (r *Run) Progress(done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.total = done, total
}

func (r *Run) progress() (done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done, r.total
}

// Update changes the job's Payload or Position together with what f writes into tx, renews the lease and stores the progress. f sees the record as
// it is, with what others have amended, and may run more than once: an amendment that it saw last counts as seen. The error is ErrLost where the run
// no longer holds the job.
func (r *Run) Update(ctx context.Context, f func(tx storage.Tx, job *Job) error) error {
	return r.update(ctx, true, f)
}

// update is Update; where sees is set, what others have amended counts as seen.
func (r *Run) update(ctx context.Context, sees bool, f func(tx storage.Tx, job *Job) error) error {
	var now Job
	err := r.jobs.store.Update(ctx, func(tx storage.Tx) (err error) {
		if now, err = r.jobs.held(ctx, tx, r.id()); err != nil {
			return err
		}
		if err := f(tx, &now); err != nil {
			return err
		}
		now.Done, now.Total = r.progress()
		now.Until, now.Tries, now.Error = tx.Now().Add(r.jobs.opt.Lease), 0, ""
		return write(ctx, tx, now)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Until.Before(r.job.Until) { // a heartbeat may have been stored later, and have come here before
		r.job = now
	}
	if sees {
		r.seen = now.Amended
	}
	return nil
}

// Save stores how far the work is. It does not look at what others have amended.
func (r *Run) Save(ctx context.Context, position any) error {
	raw := Payload(position)
	return r.update(ctx, false, func(_ storage.Tx, job *Job) error {
		job.Position = raw
		return nil
	})
}

// lastSeen returns the count of amendments that whoever does the job has seen.
func (r *Run) lastSeen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func (r *Run) id() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job.ID
}

// held reads a job that this gateway holds, and guards it; ErrLost where it does not.
func (j *Jobs) held(ctx context.Context, tx storage.Tx, id string) (Job, error) {
	if err := tx.Guard(ctx, recordName(id)); err != nil {
		return Job{}, err
	}
	job, err := Read(ctx, tx, id)
	if errors.Is(err, ErrNoJob) || err == nil && (job.State != Running || job.Runner != j.gateway) {
		return Job{}, ErrLost
	}
	return job, err
}

// heartbeat renews the lease until ctx ends, or ends the run where the lease is lost or the job cancelled. What fails is tried again.
func (r *Run) heartbeat(ctx context.Context) {
	tick := time.NewTicker(r.jobs.opt.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stopping := false
		err := r.beat(func(_ storage.Tx, job *Job) error {
			stopping = job.Stopping
			return nil
		})
		switch {
		case errors.Is(err, ErrLost):
			r.cancel(ErrLost)
		case stopping:
			r.cancel(errStopped)
		}
	}
}

// beat is update with a context of its own, because an Update that is broken off may hold its names for as long as the engine keeps its transaction.
// Amendments do not count as seen.
func (r *Run) beat(f func(tx storage.Tx, job *Job) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.jobs.opt.Lease)
	defer cancel()
	return r.update(ctx, false, f)
}

// work takes up jobs of a kind until ctx ends.
func (j *Jobs) work(ctx context.Context, k *kind) {
	for ctx.Err() == nil {
		run, later, err := j.take(ctx, k.Name)
		if run != nil {
			j.Wake(k.Name) // there may be more for other workers
			j.run(ctx, k, run)
			continue
		}
		var timer <-chan time.Time
		switch {
		case err != nil, later:
			timer = time.After(j.opt.Retry)
		case j.opt.Shared:
			timer = time.After(j.opt.Poll)
		}
		if later && j.opt.Shared {
			timer = time.After(min(j.opt.Poll, j.opt.Retry))
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-timer:
		}
	}
}

// take takes up a job of a kind: this gateway holds it then. run is nil where there is none; later tells whether there will be one without
// anybody's word.
func (j *Jobs) take(ctx context.Context, kind string) (run *Run, later bool, err error) {
	j.taking.Lock()
	defer j.taking.Unlock()
	var id string
	err = j.store.View(ctx, func(r storage.Reader) error {
		jobs, err := jobsOf(ctx, r, kind)
		// A moment may be that of the last commit, and the clock of the machine is not that of a commit: the Update decides.
		now := time.Now()
		if m := r.Moment(); m.After(now) {
			now = m
		}
		id, later = j.next(jobs, now)
		return err
	})
	if err != nil || id == "" {
		return nil, later, err
	}
	var job Job
	err = j.store.Update(ctx, func(tx storage.Tx) (err error) {
		if err := tx.Guard(ctx, recordName(id)); err != nil {
			return err
		}
		if job, err = Read(ctx, tx, id); err != nil {
			return err
		}
		if !j.free(job, tx.Now()) {
			return ErrLost
		}
		if job.Stopping {
			return j.end(ctx, tx, &job, Cancelled, "")
		}
		job.State, job.Runner, job.Until = Running, j.gateway, tx.Now().Add(j.opt.Lease)
		return write(ctx, tx, job)
	})
	switch {
	case errors.Is(err, ErrLost), errors.Is(err, ErrNoJob):
		return nil, true, nil
	case err != nil:
		return nil, false, err
	case job.State != Running:
		j.Wake(kind)
		return nil, false, nil
	}
	run = &Run{jobs: j, job: job, seen: job.Amended, done: job.Done, total: job.Total}
	run.ctx, run.cancel = context.WithCancelCause(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs[id] = run
	return run, false, nil
}

// run does a job and writes how it ended.
func (j *Jobs) run(ctx context.Context, k *kind, run *Run) {
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.runs, run.id())
	}()
	defer run.cancel(nil)
	beats, stop := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() { run.heartbeat(beats) })
	err := perform(run.ctx, k, run)
	stop()
	beating.Wait()

	cause := context.Cause(run.ctx)
	if errors.Is(cause, ErrLost) || errors.Is(err, ErrLost) {
		return
	}
	if err != nil && ctx.Err() == nil && !errors.Is(cause, errStopped) {
		j.opt.Logger.Warn("a job failed", "kind", k.Name, "job", run.id(), "error", err.Error())
	}
	// Where this gateway is closing, the job is given back: the next one need not wait for the lease.
	last, release := context.WithTimeout(context.WithoutCancel(ctx), j.opt.Lease)
	defer release()
	written := j.store.Update(last, func(tx storage.Tx) error {
		job, err2 := j.held(last, tx, run.id())
		if err2 != nil {
			return err2
		}
		job.Done, job.Total = run.progress()
		var final permanent
		switch {
		case err != nil && (errors.Is(cause, errStopped) || job.Stopping):
			return j.end(last, tx, &job, Cancelled, "")
		case ctx.Err() != nil && err != nil:
			job.State, job.Runner, job.Until = Waiting, "", time.Time{}
		case errors.As(err, &final) && run.lastSeen() == job.Amended:
			return j.end(last, tx, &job, Failed, final.Error())
		case err != nil:
			job.State, job.Runner, job.Until, job.Error = Waiting, "", time.Time{}, err.Error()
			job.NotBefore = tx.Now().Add(min(j.opt.Retry<<min(job.Tries, 16), maxRetry))
			job.Tries++
		case run.lastSeen() != job.Amended:
			job.State, job.Runner, job.Until = Waiting, "", time.Time{}
		default:
			return j.end(last, tx, &job, Done, "")
		}
		return write(last, tx, job)
	})
	if written != nil && !errors.Is(written, ErrLost) && ctx.Err() == nil {
		j.opt.Logger.Warn("the end of a job can't be stored; it is done again", "kind", k.Name, "error", written.Error())
		select {
		case <-ctx.Done():
		case <-time.After(j.opt.Retry):
		}
	}
}

// perform calls the function of the kind. A panic is a permanent error that repeats nothing of it.
func perform(ctx context.Context, k *kind, run *Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			run.jobs.opt.Logger.Error("a job panicked", "kind", k.Name, "job", run.id(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = Permanent(errors.New("the work ended with an internal error"))
		}
	}()
	return k.Run(ctx, run)
}
