package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// parameterType is the resource type that adds search parameters (R4 search, 3.1.1.3; http://hl7.org/fhir/R4/searchparameter.html).
	parameterType = "SearchParameter"
	// reindexName names the list of unfinished indexing in the store's Meta.
	reindexName = "reindexing"
)

// customParameters are the SearchParameters that clients have stored, and the work of indexing what was stored before them.
type customParameters struct {
	service *Service
	// inFlight is held for reading by every write from before its entries are extracted for the last time until it is stored, and for
	// writing, for a moment, by the indexing: what it does not see afterwards was extracted with the new parameters.
	inFlight sync.RWMutex

	// generation counts the changes of the set of parameters: it is odd while the set changes.
	generation atomic.Uint64

	loading sync.Mutex // held while the set is compared with the store and changed
	stored  *inForce
	// revision is that of stored.
	revision atomic.Uint64

	mu sync.Mutex
	// changed is the generation that last changed the parameters of a resource type.
	changed map[string]uint64
	jobs    []*job
	// unchecked are versions of which it could not be found out whether they were extracted with the parameters of their time. behind is set
	// where the set could not be compared with the store after it was changed.
	unchecked []extracted
	behind    bool
	// drafts are what the Updates that are running and write SearchParameters make of the set.
	drafts map[storage.Reader]*inForce

	turns *turns
	wake  chan struct{}
	stop  context.CancelFunc
	done  chan struct{}
}

// job is the indexing of one parameter. It is stored in Meta until it is done, so that it survives a restart.
type job struct {
	ID    string    `json:"id"` // of the SearchParameter resource
	URL   string    `json:"url"`
	Code  string    `json:"code"`
	Types []string  `json:"types"` // those that the parameter is for, and those that it was for before
	Since time.Time `json:"since"`
	// Removed is set where the parameter is no longer served and its entries are taken away.
	Removed bool `json:"removed,omitempty"`
	// Done is how many resources were looked at, Total how many there were.
	done, total int64
}

// Progress tells how far the indexing of a stored SearchParameter has come.
type Progress struct {
	// URL and Code are the parameter's, Types the resource types that it is indexed for.
	URL, Code string
	Types     []string
	// Since is when it became active; Done of Total resources are indexed. Both are 0 where it waits for others.
	Since       time.Time
	Done, Total int64
	// Removed is set where the parameter is gone and what it left in the indexes is taken away.
	Removed bool
}

// Reindexing returns what is being indexed or waits for it, oldest first.
func (s *Service) Reindexing() []Progress {
	c := s.custom
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Progress, len(c.jobs))
	for i, j := range c.jobs {
		out[i] = Progress{URL: j.URL, Code: j.Code, Types: slices.Clone(j.Types), Since: j.Since, Done: j.done, Total: j.total, Removed: j.Removed}
	}
	return out
}

// openCustomParameters activates the stored SearchParameters and takes up unfinished indexing, in the background from here on.
func (s *Service) openCustomParameters(ctx context.Context) error {
	c := &customParameters{service: s, stored: newInForce(s.parameters), changed: make(map[string]uint64), drafts: make(map[storage.Reader]*inForce),
		turns: newTurns(s), wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.custom = c
	err := s.own.View(ctx, func(r storage.Reader) error {
		revision, err := revisionOf(ctx, r)
		if err != nil {
			return err
		}
		return c.load(ctx, r, revision)
	})
	if err != nil {
		return err
	}
	var background context.Context
	background, c.stop = context.WithCancel(context.Background())
	go c.run(background)
	c.poke()
	return nil
}

// load brings the SearchParameters of the state that r shows into force, which is of a revision, and reads the unfinished indexing. Its caller
// holds loading, or has c alone.
func (c *customParameters) load(ctx context.Context, r storage.Reader, revision uint64) error {
	if revision < c.stored.revision {
		clear(c.stored.versions) // what is stored has been replaced, and its versions may be others of the same number
	}
	d, err := c.stored.compare(ctx, r)
	if err != nil {
		return err
	}
	jobs, err := storedJobs(ctx, r)
	if err != nil {
		return err
	}
	if !d.empty() {
		generation := c.generation.Add(1) + 1
		types, faults := c.stored.apply(d)
		c.mu.Lock()
		for _, typ := range types {
			c.changed[typ] = generation
		}
		c.mu.Unlock()
		c.generation.Store(generation)
		for key, err := range faults {
			c.service.opt.Logger.Warn("a stored search parameter is not served", "resource", key.String(), "error", err.Error())
		}
	}
	c.mu.Lock()
	c.adopt(jobs)
	c.mu.Unlock()
	c.stored.revision = revision
	c.revision.Store(revision)
	return nil
}

// follow brings into force what r shows, unless something later is in force already. An Update that has itself written SearchParameters, which
// may never be stored, changes nothing.
func (c *customParameters) follow(ctx context.Context, r storage.Reader) error {
	if c.draftOf(r) != nil {
		return nil
	}
	revision, err := revisionOf(ctx, r)
	if err != nil || revision <= c.revision.Load() {
		return err
	}
	c.loading.Lock()
	defer c.loading.Unlock()
	if revision <= c.stored.revision {
		return nil
	}
	defer c.poke()
	return c.load(ctx, r, revision)
}

// extractedBefore reports whether entries of a resource of type typ that were made at a generation may differ from those made at this one.
func (c *customParameters) extractedBefore(typ string, generation uint64) bool {
	if generation == c.generation.Load() && generation%2 == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return generation%2 == 1 || generation < c.changed[typ] || c.generation.Load()%2 == 1
}

// adopt takes up the jobs that are not known yet. Its caller holds mu.
func (c *customParameters) adopt(stored []*job) {
	for _, j := range stored {
		if !slices.ContainsFunc(c.jobs, j.same) {
			c.jobs = append(c.jobs, j)
		}
	}
}

func (c *customParameters) close() {
	c.stop()
	<-c.done
}

// poke wakes the background work.
func (c *customParameters) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// isActive reports whether a SearchParameter is to be served: all but retired ones.
func isActive(r fhir.Resource) bool { return r.Get("status").Text() != "retired" }

// checkParameter refuses a SearchParameter that can't be served whatever else is stored.
func (s *Service) checkParameter(r fhir.Resource) error {
	if r.Type() != parameterType || !isActive(r) {
		return nil
	}
	err := s.parameters.Check(r)
	var e *fhir.Error
	if errors.As(err, &e) && !slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool {
		return i.ID != fhir.IDParameterConflict && i.Expression != parameterType+".component"
	}) {
		return nil // which the Update is to say that stores it: it sees the others
	}
	return err
}

// draft returns what is in force in tx, the SearchParameters included that tx itself has written. Of two Updates that ask for it one conflicts.
func (c *customParameters) draft(ctx context.Context, tx storage.Tx) (*inForce, error) {
	if f := c.draftOf(tx); f != nil {
		return f, nil
	}
	if err := tx.Guard(ctx, revisedName); err != nil {
		return nil, err
	}
	revision, err := revisionOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	c.loading.Lock()
	f := c.stored.clone()
	c.loading.Unlock()
	if f.revision != revision {
		d, err := f.compare(ctx, tx)
		if err != nil {
			return nil, err
		}
		f.apply(d)
	}
	if err := tx.SetMeta(ctx, revisedName, strconv.AppendUint(nil, revision+1, 10)); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drafts[tx] = f
	return f, nil
}

// draftOf returns the draft of the Update that r belongs to, nil where it has none.
func (c *customParameters) draftOf(r storage.Reader) *inForce {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drafts[r]
}

// forget ends the draft of tx.
func (c *customParameters) forget(tx storage.Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.drafts, tx)
}

func (j *job) same(o *job) bool { return j.ID == o.ID && j.Since.Equal(o.Since) }

// storedJobs reads the unfinished indexing.
func storedJobs(ctx context.Context, r storage.Reader) ([]*job, error) {
	raw, err := r.Meta(ctx, reindexName)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var jobs []*job
	return jobs, json.Unmarshal(raw, &jobs)
}

// storeJobs writes the unfinished indexing.
func storeJobs(ctx context.Context, tx storage.Tx, jobs []*job) error {
	if len(jobs) == 0 {
		return tx.SetMeta(ctx, reindexName, nil)
	}
	raw, err := json.Marshal(jobs)
	if err != nil {
		return err
	}
	return tx.SetMeta(ctx, reindexName, raw)
}

// planIndexing notes in tx, which is about to put a version of a SearchParameter, that what is stored has to be indexed for it, and for other
// gateways that parameters have changed. What the version before was for is indexed too, so that nothing of it stays behind. r is not valid
// where the version is a deletion. One that can't be served beside those that tx sees is refused. All is stored or nothing.
func (s *Service) planIndexing(ctx context.Context, tx storage.Tx, key fhir.Key, r fhir.Resource) error {
	if key.Type != parameterType {
		return nil
	}
	inForce, err := s.custom.draft(ctx, tx)
	if err != nil {
		return err
	}
	now := s.indexingOf(r)
	var before *job
	cur, err := current(ctx, tx, key)
	if err != nil {
		return err
	}
	if exists(cur) {
		old, err := fhir.ParseResource(cur.Body, fhir.Limits{})
		if err != nil {
			return err
		}
		before = s.indexingOf(old)
	}
	if before != nil && (now == nil || now.URL != before.URL) {
		if err := inForce.inUse(before.URL); err != nil {
			return err
		}
	}
	if err := inForce.accept(key.ID, r); err != nil {
		return err
	}
	if now == nil && before == nil {
		return nil
	}
	if err := tx.Guard(ctx, reindexName); err != nil {
		return err
	}
	jobs, err := storedJobs(ctx, tx)
	if err != nil {
		return err
	}
	j := now
	if j == nil {
		j = before
		j.Removed = true
	} else if before != nil {
		j.Types = append(j.Types, before.Types...)
	}
	jobs = slices.DeleteFunc(jobs, func(o *job) bool {
		if o.ID == key.ID {
			j.Types = append(j.Types, o.Types...) // it has not been there yet
		}
		return o.ID == key.ID
	})
	j.ID, j.Since, j.Types = key.ID, tx.Now(), searchedTypes(j.Types)
	return storeJobs(ctx, tx, append(jobs, j))
}

// indexingOf returns what a SearchParameter is to be indexed for; nil where it has no entries of its own: it is not valid, not active, or one
// of R4's, which stays in force.
func (s *Service) indexingOf(r fhir.Resource) *job {
	if !r.Valid() || !isActive(r) {
		return nil
	}
	url := r.Get("url").Text()
	if _, published := s.registry.SearchParameterByURL(url); published {
		return nil
	}
	return &job{URL: url, Code: r.Get("code").Text(), Types: s.concrete(r.Get("base"))}
}

// concrete returns the resource types that a SearchParameter's bases stand for.
func (s *Service) concrete(bases fhir.Node) []string {
	var out []string
	for _, name := range s.registry.ResourceTypes() {
		t, _ := s.registry.Resource(name)
		for base := range bases.Children() {
			if t.Is(base.Text()) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}
