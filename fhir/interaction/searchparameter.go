package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// parameterType is the resource type that adds search parameters (R4 search, 3.1.1.3; http://hl7.org/fhir/R4/searchparameter.html).
	parameterType = "SearchParameter"
	// reindexName names the list of unfinished indexing in the store's Meta.
	reindexName = "reindexing"
	// revisedName names a mark that is another one after each write of a SearchParameter.
	revisedName = "search-parameters-revised"
)

// customParameters are the SearchParameters that clients have stored, and the work of indexing what was stored before them.
type customParameters struct {
	service *Service
	// inFlight is held for reading by every write from before its entries are extracted for the last time until it is stored, and for
	// writing, for a moment, by the indexing: what it does not see afterwards was extracted with the new parameters.
	inFlight sync.RWMutex

	// generation counts the changes of the set of parameters.
	generation atomic.Uint64

	mu   sync.Mutex
	urls map[string]string // id of the resource to the URL that is active
	jobs []*job
	// revised is the mark of the last change that was seen.
	revised string
	// unread are the SearchParameters that have changed and could not be read since.
	unread []fhir.Key

	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}
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

// openCustomParameters activates the stored SearchParameters and takes up unfinished indexing.
func (s *Service) openCustomParameters(ctx context.Context) (*customParameters, error) {
	c := &customParameters{service: s, urls: make(map[string]string), wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.custom = c
	if err := s.store.View(ctx, func(r storage.Reader) error { return c.load(ctx, r) }); err != nil {
		return nil, err
	}
	var background context.Context
	background, c.stop = context.WithCancel(context.Background())
	go c.run(background)
	c.poke()
	return c, nil
}

// load activates all stored SearchParameters, takes away what is stored no more, and reads the unfinished indexing.
func (c *customParameters) load(ctx context.Context, r storage.Reader) error {
	rows, err := r.Find(ctx, search.Query{Types: []string{parameterType}})
	if err != nil {
		return err
	}
	keys := make([]fhir.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	records, err := r.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	stored, err := storedJobs(ctx, r)
	if err != nil {
		return err
	}
	revised, err := r.Meta(ctx, revisedName)
	if err != nil && !isNotFound(err) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.urls {
		if !slices.ContainsFunc(keys, func(k fhir.Key) bool { return k.ID == id }) {
			c.activate(storage.Record{Key: fhir.Key{Type: parameterType, ID: id}})
		}
	}
	// A composite is refused until its components are there: go on while that brings something.
	faults := make([]error, len(records))
	for more := true; more; {
		before := len(c.urls)
		for i := range records {
			faults[i] = c.activate(records[i])
		}
		more = len(c.urls) > before
	}
	for i, err := range faults {
		if err != nil {
			c.service.opt.Logger.Warn("a stored search parameter is not served", "resource", records[i].Key.String(), "error", err.Error())
		}
	}
	c.adopt(stored)
	c.revised = string(revised)
	return nil
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

// activate makes the parameter that rec defines the one that is in force for it. One that can't be served, or is not active, takes the
// earlier one away; the error says why it can't be served. Its caller holds mu, or has c alone.
func (c *customParameters) activate(rec storage.Record) error {
	url := ""
	var fault error
	if exists(rec) {
		r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err == nil && isActive(r) {
			if _, err = c.service.parameters.Add(r); err == nil {
				url = r.Get("url").Text()
			}
		}
		fault = err
	}
	if old := c.urls[rec.Key.ID]; old != "" && old != url {
		c.service.parameters.Remove(old)
	}
	if url == "" {
		delete(c.urls, rec.Key.ID)
	} else {
		c.urls[rec.Key.ID] = url
	}
	c.generation.Add(1)
	return fault
}

// isActive reports whether a SearchParameter is to be served: all but retired ones.
func isActive(r fhir.Resource) bool { return r.Get("status").Text() != "retired" }

// checkParameter refuses a SearchParameter that can't be served, and one whose url another stored one has.
func (s *Service) checkParameter(r fhir.Resource) error {
	if r.Type() != parameterType || !isActive(r) {
		return nil
	}
	if err := s.parameters.Check(r); err != nil {
		return err
	}
	s.custom.mu.Lock()
	defer s.custom.mu.Unlock()
	for id, url := range s.custom.urls {
		if url == r.Get("url").Text() && id != r.ID() {
			return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueDuplicate, ID: "parameter-conflict",
				Text: "another stored search parameter has this url", Expression: parameterType + ".url"}}}
		}
	}
	return nil
}

// wrote does what follows from writes that are stored: a SearchParameter among them is active, or gone, when wrote returns.
func (s *Service) wrote(ctx context.Context, results ...Result) {
	for i := range results {
		if key := results[i].Record.Key; key.Type == parameterType && results[i].Action != Unchanged {
			s.custom.refresh(ctx, key)
		}
	}
}

// refresh activates the current version of a SearchParameter. Where the store fails, which has just stored it, the background work tries
// again until it has been read.
func (c *customParameters) refresh(ctx context.Context, key fhir.Key) {
	if err := c.read(context.WithoutCancel(ctx), key); err != nil {
		c.mu.Lock()
		c.unread = append(c.unread, key)
		c.mu.Unlock()
	}
	c.poke()
}

// readAgain reads what could not be read.
func (c *customParameters) readAgain(ctx context.Context) error {
	c.mu.Lock()
	keys := slices.Clone(c.unread)
	c.mu.Unlock()
	for _, key := range keys {
		if err := c.read(ctx, key); err != nil {
			return err
		}
		c.mu.Lock()
		c.unread = slices.DeleteFunc(c.unread, func(k fhir.Key) bool { return k == key })
		c.mu.Unlock()
	}
	return nil
}

// read activates the current version of a SearchParameter. It reads it in a view of its own, so that of two writes at the same time the later
// one wins whichever comes here first.
func (c *customParameters) read(ctx context.Context, key fhir.Key) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.service.store.View(ctx, func(r storage.Reader) error {
		rec, err := current(ctx, r, key)
		if err != nil {
			return err
		}
		rec.Key = key
		if err := c.activate(rec); err != nil {
			c.service.opt.Logger.Warn("a search parameter that was written is not served", "resource", key.String(), "error", err.Error())
		}
		jobs, err := storedJobs(ctx, r)
		if err != nil {
			return err
		}
		c.adopt(jobs)
		return nil
	})
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
// where the version is a deletion. All is stored or nothing.
func (s *Service) planIndexing(ctx context.Context, tx storage.Tx, key fhir.Key, r fhir.Resource) error {
	if key.Type != parameterType {
		return nil
	}
	if err := tx.SetMeta(ctx, revisedName, []byte(s.ids.next())); err != nil {
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
		if err := s.inComposite(ctx, tx, before.URL); err != nil {
			return err
		}
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

// inComposite refuses that the parameter of a url goes while a composite is served of which it is a component.
func (s *Service) inComposite(ctx context.Context, tx storage.Tx, url string) error {
	s.custom.mu.Lock()
	ids := maps.Clone(s.custom.urls)
	s.custom.mu.Unlock()
	for id, composite := range ids {
		if composite == url {
			continue
		}
		cur, err := current(ctx, tx, fhir.Key{Type: parameterType, ID: id})
		if err != nil {
			return err
		}
		if !exists(cur) {
			continue // this Update has deleted it
		}
		r, err := fhir.ParseResource(cur.Body, fhir.Limits{})
		if err != nil {
			return err
		}
		for c := range r.Get("component").Children() {
			if c.Get("definition").Text() == url && isActive(r) {
				return fhir.NewError(fhir.KindConflict, fhir.IssueConflict, "parameter-in-use",
					"the search parameter is a component of "+cur.Key.String()+", which has to be deleted or retired first")
			}
		}
	}
	return nil
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
