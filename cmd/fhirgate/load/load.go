package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say what to load, where to, and how. The zero value of a field means its default.
type Options struct {
	// Server is the FHIR base; default http://127.0.0.1:8080/fhir.
	Server string
	// Files are files, folders, patterns, or "-" for standard input.
	Files []string
	// Sample loads the embedded sample in place of Files.
	Sample bool
	// Jobs is how many requests are in flight at once; default 4.
	Jobs int
	// Stop ends the run at the first failure; without it everything is tried. A server that refuses connections ends it in any case.
	Stop bool
	// Resume goes on from a run of the same files to the same server that ended early or with failures: what it loaded is not sent again.
	Resume bool
	// Journals is the folder that keeps what was loaded, for Resume; "" keeps nothing.
	Journals string
	// Retries is how many times a request is retried; default 8, negative for never.
	Retries int
	// Timeout is how long a response may take to begin; default 10 minutes.
	Timeout time.Duration
	// Header is sent with every request, for example an access token.
	Header http.Header
	// Abort, where it is closed after the context is done, cuts off the requests in flight. Without it they have a minute to end.
	Abort <-chan struct{}

	Stdin io.Reader
	// Progress receives the display, as a bar where Terminal is set and as a line every Interval (default 5 s) where it is not.
	Progress io.Writer
	Terminal bool
	Interval time.Duration

	// pause replaces the waiting between tries in tests.
	pause func(context.Context, time.Duration) error
}

// DefaultServer is the base of a server that was started without flags.
const DefaultServer = "http://127.0.0.1:8080/fhir"

// drainTime is how long the requests in flight may take after an interrupt.
const drainTime = time.Minute

// defaults fills in what was left zero.
func (o *Options) defaults() {
	if o.Server == "" {
		o.Server = DefaultServer
	}
	o.Server = strings.TrimRight(o.Server, "/")
	if o.Jobs <= 0 {
		o.Jobs = 4
	}
	if o.Retries == 0 {
		o.Retries = 8
	}
	o.Retries = max(o.Retries, 0)
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
}

// errStopped ends the reading after a failure where the run is not to go on.
var errStopped = errors.New("stopped after a failure")

// ErrInterrupted is returned where the context ended before the run.
var ErrInterrupted = errors.New("interrupted")

// inputs returns the files that the options name: those to load first, and the others.
func (o *Options) inputs() (first, rest []*input, err error) {
	var a, b []file
	if o.Sample {
		b = []file{sample()}
	} else if a, b, err = findFiles(o.Files); err != nil {
		return nil, nil, err
	}
	for _, f := range a {
		first = append(first, &input{file: f})
	}
	for _, f := range b {
		rest = append(rest, &input{file: f})
	}
	return first, rest, nil
}

// Run loads what the options say and returns what it did, also where it failed. The error is nil only if everything was loaded; it is a
// *Failure for the first thing that was not, and another error where the run could not begin or was interrupted. When ctx ends, nothing more is
// sent, and the responses to what was sent are awaited.
func Run(ctx context.Context, o Options) (*Summary, error) {
	o.defaults()
	first, rest, err := o.inputs()
	if err != nil {
		return newTally().summary(0), err
	}
	l := &loader{o: &o, tally: newTally(), client: newClient(&o)}
	if o.pause != nil {
		l.client.pause = o.pause
	}
	if err := l.client.reach(ctx); err != nil {
		if ctx.Err() != nil {
			err = ErrInterrupted
		}
		return newTally().summary(0), err
	}
	if l.journal, err = openJournal(o.Journals, o.Server, o.Files, o.Resume); err != nil {
		return newTally().summary(0), err
	}
	finished := false
	defer func() { _ = l.journal.close(finished) }()
	all := append(append([]*input{}, first...), rest...)
	l.progress = startProgress(&o, l.tally, all)
	l.client.waiting = l.waiting
	if l.journal.unfinished {
		l.progress.note("an earlier load of these files did not finish; this run sends all of them again (--resume would send only what is missing)")
	}
	sending, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() { l.drain(sending, abort) })()
	l.sending = sending
	start := time.Now()
	for _, inputs := range [][]*input{first, rest} {
		if err = l.phase(ctx, inputs); err != nil {
			break
		}
	}
	l.progress.end()
	if l.failure != nil && (err == nil || errors.Is(err, errStopped)) {
		err = l.failure
	}
	if err == nil && l.documents == 0 {
		err = fmt.Errorf("%s: there is no resource in it", strings.Join(o.Files, ", "))
	}
	if ctx.Err() != nil {
		err = ErrInterrupted
	}
	s := l.tally.summary(time.Since(start))
	s.Sample = o.Sample
	if finished = err == nil; !finished && s.Files > 0 {
		s.ByFile = filesOf(all)
		s.Journal = l.journal.close(false)
	}
	return s, err
}

// loader is one run.
type loader struct {
	o        *Options
	client   *client
	tally    *tally
	progress *progress
	journal  *journal
	jobs     chan *job
	// sending is the context of the requests: it goes on when the run is interrupted, so that the responses to what was sent are met.
	sending context.Context

	// These are the reading goroutine's: the file that is read, how many documents the sources held, and the SearchParameters of all files.
	current    *input
	documents  int
	parameters parameters

	mu sync.Mutex
	// failure is the first failure; stop is closed where the run is not to go on.
	failure  *Failure
	stop     chan struct{}
	lastNote time.Time
}

// drain lets the requests in flight end after an interrupt, until a second one or for a minute.
func (l *loader) drain(sending context.Context, abort context.CancelFunc) {
	l.progress.note("interrupted: waiting for the responses to what was sent; interrupt again to give up on them")
	select {
	case <-sending.Done():
	case <-l.o.Abort:
		abort()
	case <-time.After(drainTime):
		abort()
	}
}

// phase loads some files to the end: what follows may rely on what is in them.
func (l *loader) phase(ctx context.Context, inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	l.jobs, l.stop = make(chan *job), make(chan struct{})
	var workers sync.WaitGroup
	for range l.o.Jobs {
		workers.Go(func() {
			for j := range l.jobs {
				l.work(ctx, j)
				j.body.remove()
			}
		})
	}
	err := l.read(ctx, inputs)
	close(l.jobs)
	workers.Wait()
	l.sendParameters(ctx)
	if err == nil && l.stopped() {
		err = errStopped
	}
	return err
}

// fault counts a failure. It returns errStopped where the run is to end with it.
func (l *loader) fault(place string, err error) error {
	return l.failed(place, err, nil, 0)
}

// failed counts a failure that n resources of an input have; nil stands for the file that is read, of which it is one.
func (l *loader) failed(place string, err error, in *input, n int64) error {
	if in == nil {
		if l.current != nil {
			l.current.failed.Add(1)
		}
	} else {
		in.waiting.Add(-n)
		in.failed.Add(n)
	}
	reason := err.Error()
	l.tally.fail(place, reason)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = &Failure{Place: place, Reason: reason}
	}
	if !l.o.Stop {
		return nil
	}
	l.ending()
	return errStopped
}

// end ends the run, whether it is to go on after failures or not: the server is gone, and waiting for it again at every file is of no use.
func (l *loader) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending()
}

// ending closes stop once. Its caller holds mu.
func (l *loader) ending() {
	if !l.stopped() {
		close(l.stop)
	}
}

// stopped reports whether the run is to end.
func (l *loader) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// waiting notes, at most once in five seconds, that the server is waited for.
func (l *loader) waiting(reason string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.lastNote) < 5*time.Second {
		return
	}
	l.lastNote = time.Now()
	l.progress.note(fmt.Sprintf("retrying in %s: %s", wait.Round(10*time.Millisecond), reason))
}
