package parameter

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// resourceType is the resource type that adds search parameters (R4 search, 3.1.1.5.3; http://hl7.org/fhir/R4/searchparameter.html).
const resourceType = "SearchParameter"

// Options say what a Set works on.
type Options struct {
	// Store is the server's own way to the store, which hides nothing.
	Store storage.Store
	// Parameters are those of R4, to which the Set adds those of clients.
	Parameters *search.Parameters
	// Jobs does the indexing. Open gives it the kind; the caller starts it.
	Jobs *job.Jobs
	// Entries returns what a version is found by, with the parameters in force.
	Entries func(storage.Record) ([]search.Entry, error)
	// Shared says that other gateways serve the same store.
	Shared bool
	// Logger is told of stored parameters that can't be served; nil for nowhere.
	Logger *slog.Logger
	// Poll is how often a gateway looks whether another one has changed the parameters; 0 means two seconds.
	Poll time.Duration
	// Retry is the pause after the store could not be read; 0 means five seconds.
	Retry time.Duration
}

const (
	defaultPoll  = 2 * time.Second
	defaultRetry = 5 * time.Second
)

// Set are the SearchParameters of clients that are in force, and the indexing of what was stored before them. All methods may be called at the
// same time.
type Set struct {
	opt      Options
	registry *definition.Registry
	writes   flights

	// generation counts the changes of the set: it is odd while the set changes.
	generation atomic.Uint64

	loading sync.Mutex // held while the set is compared with the store and changed
	stored  *inForce
	// revision is that of stored.
	revision atomic.Uint64

	mu sync.Mutex
	// changed is the generation that last changed the parameters of a resource type.
	changed map[string]uint64
	work    worklist
	changes chan struct{} // closed when work changes
	vain    time.Time     // when a wait for it last ended without what was waited for
	// done of total resources are looked at by the run that indexes; total is job.Unknown before they are counted.
	done, total int64
	// unchecked are versions of which it could not be found out whether they were extracted with the parameters of their time. behind is set
	// where the set could not be compared with the store after it was changed.
	unchecked []Version
	behind    bool

	wake chan struct{}
	stop context.CancelFunc
	all  sync.WaitGroup
}

// Open brings the stored SearchParameters into force. Close ends what runs in the background.
func Open(ctx context.Context, opt Options) (*Set, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Poll == 0 {
		opt.Poll = defaultPoll
	}
	if opt.Retry == 0 {
		opt.Retry = defaultRetry
	}
	s := &Set{opt: opt, registry: opt.Parameters.Registry(), stored: newInForce(opt.Parameters), changed: make(map[string]uint64),
		total: job.Unknown, changes: make(chan struct{}), wake: make(chan struct{}, 1)}
	if err := s.takeOver(ctx); err != nil {
		return nil, err
	}
	err := opt.Store.View(ctx, func(r storage.Reader) error {
		revision, err := revisionOf(ctx, r)
		if err != nil {
			return err
		}
		return s.load(ctx, r, revision)
	})
	if err != nil {
		return nil, err
	}
	opt.Jobs.Handle(job.Kind{Name: jobKind, Run: s.index, Needed: true, Keep: forever})
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.all.Go(func() { s.follow(background) })
	return s, nil
}

// Close ends what runs in the background, and waits for it. The indexing ends with the Jobs.
func (s *Set) Close() {
	s.stop()
	s.all.Wait()
}

// load brings the SearchParameters of the state that r shows into force, which is of a revision, and reads the unfinished indexing. Its caller
// holds loading, or has s alone.
func (s *Set) load(ctx context.Context, r storage.Reader, revision uint64) error {
	if revision < s.stored.revision {
		clear(s.stored.versions) // what is stored has been replaced, and its versions may be others of the same number
	}
	d, err := s.stored.compare(ctx, r)
	if err != nil {
		return err
	}
	work, err := readWork(ctx, r)
	if err != nil {
		return err
	}
	s.adopt(work)
	if !d.empty() {
		generation := s.generation.Add(1) + 1
		types, faults := s.stored.apply(d)
		s.mu.Lock()
		for _, typ := range types {
			s.changed[typ] = generation
		}
		s.mu.Unlock()
		s.generation.Store(generation)
		for key, err := range faults {
			s.opt.Logger.Warn("a stored search parameter is not served", "resource", key.String(), "error", err.Error())
		}
	}
	s.stored.revision = revision
	s.revision.Store(revision)
	return nil
}

// Follow brings into force what r shows, unless something later is in force already. The set is read in a view of the server's own: r may hide
// some of it, and may be that of an Update that has itself written SearchParameters, which may never be stored.
func (s *Set) Follow(ctx context.Context, r storage.Reader) error {
	revision, err := revisionOf(ctx, r)
	if err != nil || revision <= s.revision.Load() {
		return err
	}
	return s.catchUp(ctx, revision)
}

// catchUp brings into force what is stored, where it is of a later revision than what is in force, which is none past that of the caller's view.
func (s *Set) catchUp(ctx context.Context, seen uint64) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	if seen <= s.stored.revision {
		return nil
	}
	return s.opt.Store.View(ctx, func(r storage.Reader) error {
		revision, err := revisionOf(ctx, r)
		if err != nil || revision <= s.stored.revision {
			return err
		}
		defer s.opt.Jobs.Wake(jobKind)
		return s.load(ctx, r, revision)
	})
}

// compare takes over what other gateways have changed, which requests do where it concerns them, and what a restored backup has brought.
func (s *Set) compare(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.opt.Store.View(ctx, func(r storage.Reader) error {
		revision, err := revisionOf(ctx, r)
		if err != nil {
			return err
		}
		if revision != s.stored.revision {
			return s.load(ctx, r, revision)
		}
		return s.watch(ctx, r)
	})
}

// follow does in the background what could not be done when it was due, and takes over what other gateways do.
func (s *Set) follow(ctx context.Context) {
	var poll <-chan time.Time
	if s.opt.Shared {
		ticker := time.NewTicker(s.opt.Poll)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		var again <-chan time.Time
		if err := s.checkAgain(ctx); err != nil {
			again = time.After(s.opt.Retry)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-again:
		case <-poll:
			_ = s.compare(ctx) // what fails is tried again at the next poll
		}
	}
}

// Generation names the state of the set, for Outdated and Certain.
func (s *Set) Generation() uint64 { return s.generation.Load() }

// Outdated reports whether entries of a resource of type typ that were made at a generation may differ from those made at this one.
func (s *Set) Outdated(typ string, generation uint64) bool {
	if generation == s.generation.Load() && generation%2 == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return generation%2 == 1 || generation < s.changed[typ] || s.generation.Load()%2 == 1
}

// Certain reports whether what a request was understood as at a generation holds in every view. It does not while the set is changing, nor, where
// there are other gateways, if it depends on the parameters of clients, which these may have changed. R4's own are the same in every set.
func (s *Set) Certain(generation uint64, depends bool) bool {
	return generation%2 == 0 && generation == s.generation.Load() && !(s.opt.Shared && depends)
}

// Holds reports whether what a request was understood as at a generation holds in the view r. Where it does not, it is to be read again: what r
// shows is in force by then.
func (s *Set) Holds(ctx context.Context, r storage.Reader, generation uint64, depends bool) (bool, error) {
	if s.Certain(generation, depends) {
		return true, nil
	}
	if err := s.Follow(ctx, r); err != nil {
		return false, err
	}
	return s.generation.Load() == generation, nil
}

// isActive reports whether a SearchParameter is to be served: all but retired ones.
func isActive(r fhir.Resource) bool { return r.Get("status").Text() != "retired" }

// Check refuses a SearchParameter that can't be served whatever else is stored. Resources of other types pass.
func (s *Set) Check(r fhir.Resource) error {
	if r.Type() != resourceType || !isActive(r) {
		return nil
	}
	err := s.opt.Parameters.Check(r)
	var e *fhir.Error
	if errors.As(err, &e) && !slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool {
		return i.ID != fhir.IDParameterConflict && i.Expression != resourceType+".component"
	}) {
		return nil // which the Update is to say that stores it: it sees the others
	}
	return err
}

// sorted returns types sorted and without duplicates.
func sorted(types []string) []string {
	out := slices.Clone(types)
	slices.Sort(out)
	return slices.Compact(out)
}
