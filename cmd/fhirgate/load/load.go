package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// Options say what to load, where to, and how. The zero value of a field means its default.
type Options struct {
	// Server is the FHIR base; default http://127.0.0.1:8080/fhir.
	Server string
	// Files are files, folders, patterns, or "-" for standard input.
	Files []string
	// Sample loads the embedded sample in place of Files.
	Sample bool
	// Jobs is how many requests are under way at once; default 4.
	Jobs int
	// Continue goes on after a failure; without it the first one ends the run. A server that refuses connections ends it in any case.
	Continue bool
	// Retries is how often a request is sent again; default 8, negative for never.
	Retries int
	// Timeout is how long an answer may take to begin; default 10 minutes.
	Timeout time.Duration
	// Header is sent with every request, as for an access token.
	Header http.Header

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

// Run loads what the options say and returns what it did, also where it failed. The error is nil only if everything was loaded; it is a
// *Failure for the first thing that was not, and another error where the run could not begin or was cancelled.
func Run(ctx context.Context, o Options) (*Summary, error) {
	o.defaults()
	var first, rest []file
	var err error
	if o.Sample {
		rest = []file{sample()}
	} else if first, rest, err = findFiles(o.Files); err != nil {
		return newTally().summary(0), err
	}
	l := &loader{o: &o, tally: newTally(), client: newClient(&o)}
	if o.pause != nil {
		l.client.pause = o.pause
	}
	l.progress = startProgress(&o, l.tally, append(append([]file{}, first...), rest...))
	l.client.waiting = l.waiting
	start := time.Now()
	for _, files := range [][]file{first, rest} {
		if err = l.phase(ctx, files); err != nil {
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
		err = errors.New("interrupted")
	}
	return l.tally.summary(time.Since(start)), err
}

// loader is one run.
type loader struct {
	o        *Options
	client   *client
	tally    *tally
	progress *progress
	jobs     chan *job
	// documents counts what the sources held. It is the reading goroutine's.
	documents int

	mu sync.Mutex
	// failure is the first failure; stop is closed where the run is not to go on.
	failure  *Failure
	stop     chan struct{}
	lastNote time.Time
}

// phase loads some files to the end: what follows may rely on what is in them.
func (l *loader) phase(ctx context.Context, files []file) error {
	if len(files) == 0 {
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
	err := l.read(ctx, files)
	close(l.jobs)
	workers.Wait()
	if err == nil && l.stopped() {
		err = errStopped
	}
	return err
}

// read reads the files and hands the workers what is in them.
func (l *loader) read(ctx context.Context, files []file) error {
	o := opening{stdin: l.o.Stdin, read: &l.tally.read, each: func(src *source) error { return l.source(ctx, src) }}
	for _, f := range files {
		err := o.file(f)
		l.tally.files.Add(1)
		if errors.Is(err, errStopped) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			if err := l.fault(f.name(), err); err != nil {
				return err
			}
		}
	}
	return nil
}

// source reads the documents of one source.
func (l *loader) source(ctx context.Context, src *source) error {
	g := &group{source: src.name, send: func(j *job) error { return l.send(ctx, j) }, b: &batch{kind: "batch"}}
	g.fault = func(place string, err error) error {
		if !l.o.Continue { // what stands before the fault is sent before the run ends
			if err := g.flush(); err != nil {
				return err
			}
		}
		return l.fault(place, err)
	}
	for {
		d, err := src.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			broken := src.scan.err != nil && src.scan.err != io.EOF
			if err := g.fault(src.name, err); err != nil {
				return err
			}
			if broken || !src.scan.lines {
				break
			}
			src.scan.discardLine()
			continue
		}
		if err := l.document(ctx, src, d, g); err != nil {
			return err
		}
		// A first document of one line with another on the next one is NDJSON, whatever the file's name.
		if src.documents == 1 && d.end == d.line && src.more() && src.scan.line() > d.line {
			src.scan.lines = true
		}
	}
	if src.documents == 0 && !src.scan.lines {
		if err := l.fault(src.name, errors.New("there is no JSON in it")); err != nil {
			return err
		}
	}
	l.documents += src.documents
	return g.flush()
}

// document sends what one document holds.
func (l *loader) document(ctx context.Context, src *source, d *document, g *group) error {
	send := func(j *job) error { return l.send(ctx, j) }
	if d.resourceType != "Bundle" {
		if src.sequence() && (src.documents > 1 || src.more()) && d.body.open == nil {
			return g.add(d)
		}
		if d.resourceType == "" {
			d.body.remove()
			return g.fault(d.place, errors.New("no FHIR resource: it has no resourceType"))
		}
		return send(jobOf(d))
	}
	switch d.kind {
	case "transaction", "batch", "document", "message":
		return send(jobOf(d))
	case "collection", "searchset", "history":
		defer d.body.remove()
		err := collect(d, send, l.fault)
		if err == nil || errors.Is(err, errStopped) || ctx.Err() != nil {
			return err
		}
		return l.fault(d.place, err)
	}
	d.body.remove()
	return g.fault(d.place, fmt.Errorf("a Bundle of type %q can't be loaded", d.kind))
}

// group collects the resources of a sequence into batches.
type group struct {
	source string
	send   func(*job) error
	fault  func(place string, err error) error
	b      *batch
}

// add adds a resource that is held in memory.
func (g *group) add(d *document) error {
	r, err := fhir.ParseResource(d.body.held, fhir.Limits{})
	if err != nil {
		return g.fault(d.place, err)
	}
	g.b.add(place{line: d.line}, "", r, r.Raw())
	d.body.remove()
	if g.b.full() {
		return g.flush()
	}
	return nil
}

// flush sends what was collected.
func (g *group) flush() error {
	if len(g.b.ends) == 0 {
		return nil
	}
	b := g.b
	g.b = &batch{kind: "batch"}
	return g.send(b.job(g.source))
}

// send hands a job to a worker; errStopped where the run is to end.
func (l *loader) send(ctx context.Context, j *job) error {
	select {
	case <-l.stop:
		j.body.remove()
		return errStopped
	default:
	}
	select {
	case l.jobs <- j:
		return nil
	case <-l.stop:
		j.body.remove()
		return errStopped
	case <-ctx.Done():
		j.body.remove()
		return ctx.Err()
	}
}

// work sends one job and counts what became of it. Entries of a batch that the server had no room for are sent again.
func (l *loader) work(ctx context.Context, j *job) {
	for try := 0; ; try++ {
		a, err := l.client.send(ctx, j)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			_ = l.fault(j.place, unreachable(l.o.Server, err))
			if errors.Is(err, syscall.ECONNREFUSED) {
				l.end()
			}
			return
		}
		later := l.count(j, a, try < l.client.retries)
		if len(later) == 0 {
			return
		}
		j = j.items.pick(later).job(j.place)
		wait := backoff(try)
		l.waiting(fmt.Sprintf("the server put off %s of a batch", plural(len(later), "entry")), wait)
		if l.client.pause(ctx, wait) != nil {
			return
		}
	}
}

// count tells the tally what became of each resource of a job. With retry it returns those that are to be sent again.
func (l *loader) count(j *job, a *answer, retry bool) (later []int) {
	switch {
	case !a.ok():
		_ = l.fault(j.place, errors.New(a.reason()))
	case !j.bundle:
		l.tally.loaded(j.entries[0], a.status)
	case len(a.entries) != len(j.entries):
		_ = l.fault(j.place, fmt.Errorf("%d: the answer has %d entries for %d requests", a.status, len(a.entries), len(j.entries)))
	default:
		for i := range a.entries {
			e := &a.entries[i]
			switch {
			case e.ok() || e.status == http.StatusNotModified:
				l.tally.loaded(j.entries[i], e.status)
			case retry && j.items != nil && (e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable):
				later = append(later, i)
			default:
				_ = l.fault(j.entryPlace(i), errors.New(e.reason()))
			}
		}
	}
	return later
}

// fault counts a failure. It returns errStopped where the run is to end with it.
func (l *loader) fault(place string, err error) error {
	reason := err.Error()
	l.tally.fail(place, reason)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = &Failure{Place: place, Reason: reason}
	}
	if l.o.Continue {
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
	l.progress.note(fmt.Sprintf("waiting %s: %s", wait.Round(10*time.Millisecond), reason))
}
