package job

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/storage"
)

// Kind is a sort of jobs, and what does them.
type Kind struct {
	// Name is that of Job.Kind.
	Name string
	// Run does a job. It returns nil when the job is done, and soon after ctx ends, with any error.
	Run func(ctx context.Context, run *Run) error
	// Clean, where not nil, takes away what an ended job has left behind, before its record goes. It may be called more than once. A job that is
	// amended meanwhile stays.
	Clean func(ctx context.Context, j Job) error
	// Workers is how many jobs of the kind one gateway runs at the same time; 0 means one.
	Workers int
	// Keep is how long an ended job can be seen; 0 means a day. With Forget it goes with its end.
	Keep time.Duration
	// Forget removes jobs that are done with their end, and those that were cancelled.
	Forget bool
	// Needed refuses Cancel: the server's own data would stay behind what was acknowledged.
	Needed bool
}

// Options set how jobs are run.
type Options struct {
	// Shared says that other gateways run jobs of the same store.
	Shared bool
	// Logger is told of work that fails; nil for nowhere.
	Logger *slog.Logger
	// Poll is how often a shared store is looked at for jobs that others have left or given; 0 means two seconds.
	Poll time.Duration
	// Lease is how long a gateway that does not answer keeps its jobs; 0 means 15 seconds.
	Lease time.Duration
	// Retry is the first pause after work that failed, which doubles up to a minute; 0 means five seconds.
	Retry time.Duration
}

const (
	defaultPoll  = 2 * time.Second
	defaultLease = 15 * time.Second
	defaultRetry = 5 * time.Second
	maxRetry     = time.Minute
	defaultKeep  = 24 * time.Hour
	sweepEvery   = 10 * time.Minute
)

// Jobs are the jobs of a store, and one gateway's part in running them. All methods may be called at the same time.
type Jobs struct {
	store   storage.Store
	opt     Options
	gateway string

	taking sync.Mutex // held while a job is taken up

	mu      sync.Mutex
	kinds   map[string]*kind
	runs    map[string]*Run // those of this gateway, by id
	started bool

	ctx  context.Context // of what runs in the background
	stop context.CancelFunc
	all  sync.WaitGroup
}

// kind is a Kind with what wakes its workers.
type kind struct {
	Kind
	wake chan struct{}
}

// New returns the jobs of a store. Handle says what does them, and Start begins.
func New(store storage.Store, opt Options) *Jobs {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Poll == 0 {
		opt.Poll = defaultPoll
	}
	if opt.Lease == 0 {
		opt.Lease = defaultLease
	}
	if opt.Retry == 0 {
		opt.Retry = defaultRetry
	}
	j := &Jobs{store: store, opt: opt, gateway: rand.Text(), kinds: make(map[string]*kind), runs: make(map[string]*Run)}
	j.ctx, j.stop = context.WithCancel(context.Background())
	return j
}

// Handle says what does the jobs of a kind. Where Start has been called, it begins.
func (j *Jobs) Handle(k Kind) {
	if k.Workers == 0 {
		k.Workers = 1
	}
	if k.Keep == 0 {
		k.Keep = defaultKeep
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	own := &kind{Kind: k, wake: make(chan struct{}, 1)}
	j.kinds[k.Name] = own
	if j.started {
		j.begin(own)
	}
}

// Start runs jobs in the background, those that an earlier process left included, until Close.
func (j *Jobs) Start() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.started = true
	for _, k := range j.kinds {
		j.begin(k)
	}
	j.all.Go(func() { j.sweep(j.ctx) })
}

// begin starts the workers of a kind.
func (j *Jobs) begin(k *kind) {
	for range k.Workers {
		j.all.Go(func() { j.work(j.ctx, k) })
	}
}

// kind returns the kind of a name.
func (j *Jobs) kind(name string) (*kind, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k, ok := j.kinds[name]
	return k, ok
}

// Close ends what runs and waits for it. Its jobs are left for the next process, from their last Position.
func (j *Jobs) Close() {
	j.stop()
	j.all.Wait()
}

// Wake tells the workers of a kind that there may be something to do; after an Update that added or amended a job.
func (j *Jobs) Wake(kind string) {
	if k, ok := j.kind(kind); ok {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// Submit adds a job, and wakes whoever does it.
func (j *Jobs) Submit(ctx context.Context, job Job) (out Job, err error) {
	err = j.store.Update(ctx, func(tx storage.Tx) (err error) {
		out, err = j.Add(ctx, tx, job)
		return err
	})
	if err == nil {
		j.Wake(job.Kind)
	}
	return out, err
}

// Add adds a job in an Update of the caller, who calls Wake once that is stored. Of job only Kind, Owner and Payload matter.
func (j *Jobs) Add(ctx context.Context, tx storage.Tx, job Job) (Job, error) {
	if _, ok := j.kind(job.Kind); !ok {
		return Job{}, fmt.Errorf("job: there are no jobs of the kind %q", job.Kind)
	}
	job = Job{ID: rand.Text(), Kind: job.Kind, Owner: job.Owner, Payload: job.Payload, State: Waiting, Created: tx.Now(), Total: Unknown}
	if err := list(ctx, tx, job); err != nil {
		return Job{}, err
	}
	return job, write(ctx, tx, job)
}

// Amend changes the payload of the one job of a kind that has only one, whose id is the kind's name, in an Update of the caller, who calls Wake
// once that is stored. change is given the payload, also that of the last job where this has ended; nil where there is none. A run that has begun
// is told by Run.Job, and the job is not done before a run has ended that has seen the change.
func (j *Jobs) Amend(ctx context.Context, tx storage.Tx, kind string, change func(payload []byte) ([]byte, error)) error {
	if err := tx.Guard(ctx, recordName(kind)); err != nil {
		return err
	}
	job, err := Read(ctx, tx, kind)
	if err != nil && !errors.Is(err, ErrNoJob) {
		return err
	}
	if err != nil || job.State.Ended() {
		job = Job{ID: kind, Kind: kind, State: Waiting, Created: tx.Now(), Total: Unknown, Amended: job.Amended, Payload: job.Payload}
		if err := list(ctx, tx, job); err != nil {
			return err
		}
	}
	if job.Payload, err = change(job.Payload); err != nil {
		return err
	}
	job.Amended++
	job.NotBefore, job.Tries = time.Time{}, 0
	return write(ctx, tx, job)
}

// Get returns a job; ErrNoJob.
func (j *Jobs) Get(ctx context.Context, id string) (job Job, err error) {
	err = j.store.View(ctx, func(r storage.Reader) (err error) {
		job, err = Read(ctx, r, id)
		return err
	})
	return j.live(job), err
}

// List returns the jobs of a kind, oldest first; of all kinds for "".
func (j *Jobs) List(ctx context.Context, kind string) (out []Job, err error) {
	err = j.store.View(ctx, func(r storage.Reader) (err error) {
		out, err = jobsOf(ctx, r, kind)
		return err
	})
	for i := range out {
		out[i] = j.live(out[i])
	}
	return out, err
}

// jobsOf reads the jobs of a kind, oldest first; of all kinds for "".
func jobsOf(ctx context.Context, r storage.Reader, kind string) (out []Job, err error) {
	all, err := readList(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if kind != "" && l.Kind != kind {
			continue
		}
		job, err := Read(ctx, r, l.ID)
		if errors.Is(err, ErrNoJob) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, job)
	}
	return out, nil
}

// live adds how far a run of this gateway is, which the record has at its last heartbeat.
func (j *Jobs) live(job Job) Job {
	if run := j.running(job.ID); run != nil && job.State == Running {
		job.Done, job.Total = run.progress()
	}
	return job
}

func (j *Jobs) running(id string) *Run {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.runs[id]
}

// ErrNeeded says that a job can't be cancelled.
var ErrNeeded = errors.New("job: the server needs this job to be done")

// Cancel ends a job: at once where no gateway runs it, soon where one does. One that has ended is left as it is. ErrNoJob, ErrNeeded.
func (j *Jobs) Cancel(ctx context.Context, id string) (job Job, err error) {
	err = j.store.Update(ctx, func(tx storage.Tx) (err error) {
		if err := tx.Guard(ctx, recordName(id)); err != nil {
			return err
		}
		if job, err = Read(ctx, tx, id); err != nil || job.State.Ended() {
			return err
		}
		if k, ok := j.kind(job.Kind); ok && k.Needed {
			return ErrNeeded
		}
		if job.State == Running {
			job.Stopping = true
			return write(ctx, tx, job)
		}
		return j.end(ctx, tx, &job, Cancelled, "")
	})
	if run := j.running(id); run != nil && err == nil && job.Stopping {
		run.cancel(errStopped)
	}
	return job, err
}

// errNotEnded says that a job can't be removed.
var errNotEnded = errors.New("job: a job that has not ended can't be removed; cancel it first")

// Remove takes an ended job away, with what it left behind. ErrNoJob; a job that has not ended, or is amended meanwhile, is left as it is, and the
// error says so.
func (j *Jobs) Remove(ctx context.Context, id string) error {
	job, err := j.Get(ctx, id)
	if err != nil {
		return err
	}
	if !job.State.Ended() {
		return errNotEnded
	}
	if k, ok := j.kind(job.Kind); ok && k.Clean != nil {
		if err := k.Clean(ctx, job); err != nil {
			return err
		}
	}
	return j.store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, recordName(id)); err != nil {
			return err
		}
		now, err := Read(ctx, tx, id)
		switch {
		case errors.Is(err, ErrNoJob): // another gateway was faster
			return nil
		case err != nil:
			return err
		case !now.State.Ended() || now.Amended != job.Amended || !now.Created.Equal(job.Created):
			return errNotEnded // the kind's one job may also have been removed by another gateway, and come again
		}
		return erase(ctx, tx, id)
	})
}

// end writes the final state of a job, or takes its record away.
func (j *Jobs) end(ctx context.Context, tx storage.Tx, job *Job, state State, text string) error {
	job.State, job.Error, job.Ended, job.Runner, job.Until, job.Stopping = state, text, tx.Now(), "", time.Time{}, false
	if k, ok := j.kind(job.Kind); ok && k.Forget && state != Failed {
		return erase(ctx, tx, job.ID)
	}
	return write(ctx, tx, *job)
}

// sweep removes jobs that ended long ago.
func (j *Jobs) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		j.sweepOnce(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (j *Jobs) sweepOnce(ctx context.Context, now time.Time) {
	all, err := j.List(ctx, "")
	for _, job := range all {
		if k, ok := j.kind(job.Kind); ok && job.State.Ended() && now.Sub(job.Ended) > k.Keep {
			fault := j.Remove(ctx, job.ID)
			if errors.Is(fault, ErrNoJob) || errors.Is(fault, errNotEnded) {
				continue // others have removed or amended it since it was read
			}
			err = errors.Join(err, fault)
		}
	}
	if err != nil && ctx.Err() == nil {
		j.opt.Logger.Warn("old jobs can't be removed; that is tried again", "error", err.Error())
	}
}

// Payload returns a value as the payload or position of a job.
func Payload(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("job: a payload is plain data: " + err.Error())
	}
	return raw
}

// next returns the first of jobs that this gateway may take up at an instant; later is set where one is not free yet.
func (j *Jobs) next(jobs []Job, now time.Time) (id string, later bool) {
	i := slices.IndexFunc(jobs, func(job Job) bool {
		free := j.free(job, now)
		later = later || !free && !job.State.Ended()
		return free
	})
	if i < 0 {
		return "", later
	}
	return jobs[i].ID, false
}

// free reports whether this gateway may take up a job at an instant.
func (j *Jobs) free(job Job, now time.Time) bool {
	switch {
	case j.running(job.ID) != nil:
		return false
	case job.State == Waiting:
		return !now.Before(job.NotBefore)
	case job.State == Running: // of a gateway that has ended, or lost the job
		return !j.opt.Shared || job.Runner == j.gateway || !now.Before(job.Until)
	}
	return false
}
