package interaction

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
	"github.com/fhirgate/fhirgate/fhir/server/specification"
	"github.com/fhirgate/fhirgate/fhir/terminology"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/validation"
)

// Service performs the interactions on one store. All methods may be called at the same time.
type Service struct {
	// clients is the store as requests read and write it; whatever restricts what a client may do wraps this one.
	clients storage.Store
	// own is the store as the server reads and writes it for itself: its keys, the SearchParameters in force, indexing. No response to a client
	// is made from what it shows.
	own        storage.Store
	registry   *definition.Registry
	parameters *search.Parameters
	validator  *validation.Validator
	requests   *validation.Validator // of the envelopes of Bundles; never nil
	opt        Options
	ids        *ids
	sealer     *sealer
	sizes      bodySizes
	custom     *parameter.Set // the SearchParameters of clients
	jobs       *job.Jobs
	slot       atomic.Uint32 // see guardTargets
	// terminology is what searches' :in and :below ask, beside what is stored.
	terminology *terminology.Terminology
	// specification shows the definitions of R4 to clients that read and search.
	specification *specification.Specification
	served        atomic.Pointer[served]
}

// The defaults of Options.
const (
	defaultBundleEntries = 10_000
	defaultMaxPage       = 1000
	defaultPage          = 20
	defaultMaxDeletes    = 1000
)

// New returns the Service of a store that is ready. It reads what the server keeps in the store for itself: the key of the cursors and the
// SearchParameters that clients have stored, which it adds to parameters; indexing that an earlier process left unfinished goes on in the
// background. Close ends it.
func New(store storage.Store, registry *definition.Registry, parameters *search.Parameters, validator *validation.Validator, opt Options) (*Service, error) {
	if opt.MaxBundleEntries == 0 {
		opt.MaxBundleEntries = defaultBundleEntries
	}
	if opt.MaxPage == 0 {
		opt.MaxPage = defaultMaxPage
	}
	if opt.DefaultPage == 0 {
		opt.DefaultPage = defaultPage
	}
	if opt.MaxDeletes == 0 {
		opt.MaxDeletes = defaultMaxDeletes
	}
	if opt.maxChanged == 0 {
		opt.maxChanged = maxChanged
	}
	if opt.PageBytes == 0 {
		opt.PageBytes = defaultPageBytes
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{clients: store, own: store, registry: registry, parameters: parameters, validator: validator, opt: opt, ids: newIDs(),
		sizes: newBodySizes(registry.ResourceTypes()), requests: validator, terminology: terminology.New(registry)}
	if s.opt.patch == nil {
		s.opt.patch = s.readPatch
	}
	s.Serve(Served{})
	ctx := context.Background()
	var err error
	if s.requests == nil {
		if s.requests, err = validation.New(registry, validation.Options{}); err != nil {
			return nil, err
		}
	}
	if s.sealer, err = openSealer(ctx, store); err != nil {
		return nil, failure("open", fhir.Key{}, err)
	}
	s.jobs = job.New(store, job.Options{Shared: opt.Shared, Logger: opt.Logger, Poll: opt.poll, Retry: opt.retry})
	s.custom, err = parameter.Open(ctx, parameter.Options{Store: store, Parameters: parameters, Jobs: s.jobs, Entries: s.entriesOf,
		Shared: opt.Shared, Logger: opt.Logger, Poll: opt.poll, Retry: opt.retry})
	if err != nil {
		return nil, failure("open", fhir.Key{}, err)
	}
	s.jobs.Handle(job.Kind{Name: purgeKind, Run: s.runPurge})
	s.specification = specification.New(specification.Options{Registry: registry, Entries: s.entriesOf, Generation: s.custom.Generation, Outdated: s.custom.Outdated})
	s.jobs.Start()
	return s, nil
}

// Close ends what runs in the background and waits for it. It does not close the store.
func (s *Service) Close() {
	s.jobs.Close()
	s.custom.Close()
}

// Jobs returns the background work of the store, to which other packages add kinds.
func (s *Service) Jobs() *job.Jobs { return s.jobs }

// Reindexing returns which SearchParameters of clients are being indexed or wait for it, oldest first.
func (s *Service) Reindexing() []parameter.Progress { return s.custom.Indexing() }

// ReindexAll rebuilds the entries of all current resources from their content. progress, where not nil, is told how many are done. failed is how many
// cannot be indexed; Unindexed returns which they are.
func (s *Service) ReindexAll(ctx context.Context, progress func(done, total int64)) (failed int64, err error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	failed, err = s.custom.Reindex(ctx, s.registry.ResourceTypes(), progress)
	return failed, failure("reindex", fhir.Key{}, err)
}

// Ready returns nil when requests can be served, or says what is waited for.
func (s *Service) Ready(ctx context.Context) error { return s.own.Ready(ctx) }

// Building returns the resource types whose indexes the engine is making while it serves; searches of them may be slow.
func (s *Service) Building() []string { return s.own.Building() }

// conflictTries is how often an Update is begun again, after the engine's own tries, before a client is told of the conflict: many clients that
// write to one resource all get their turn.
const conflictTries = 8

// conflictFor is how long Updates are begun again.
const conflictFor = 15 * time.Second

// update runs f in an Update of the store, which the indexing of new search parameters waits for.
func (s *Service) update(ctx context.Context, f func(storage.Tx) error) error {
	defer s.custom.Begin()()
	begun := time.Now()
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		err := s.clients.Update(ctx, func(tx storage.Tx) error { return f(&parameter.Tx{Tx: tx}) })
		if !errors.Is(err, storage.ErrConflict) || wait >= 5*time.Millisecond<<conflictTries || time.Since(begun) > conflictFor {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}
