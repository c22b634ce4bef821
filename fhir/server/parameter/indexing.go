package parameter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// jobKind is the kind, and the id, of the one job that indexes.
	jobKind = "search-parameter-indexing"
	// forever is how long its record is kept: its worklist counts on.
	forever = time.Duration(1<<63 - 1)
)

// worklist is the payload of the job: what is to be indexed.
type worklist struct {
	// Count is that of the changes of the list, which tells the later one of two.
	Count int64  `json:"count"`
	Items []item `json:"items,omitempty"`
	// Failed are, by type, the resources that the last pass over the type could not index.
	Failed map[string]Failures `json:"failed,omitempty"`
}

// item is the indexing of one parameter.
type item struct {
	ID   string `json:"id"` // of the SearchParameter resource
	URL  string `json:"url"`
	Code string `json:"code"`
	// Types are those that the parameter is for, and those that it was for before; Left those whose resources have not been looked at.
	Types []string  `json:"types"`
	Left  []string  `json:"left"`
	Since time.Time `json:"since"`
	// Removed is set where the parameter is no longer served and its entries are taken away.
	Removed bool `json:"removed,omitempty"`
}

func (i item) same(o item) bool { return i.ID == o.ID && i.Since.Equal(o.Since) }

// Progress tells how far the indexing of a stored SearchParameter has come.
type Progress struct {
	// URL and Code are the parameter's, Types the resource types that it is indexed for.
	URL, Code string
	Types     []string
	// Since is when it became active.
	Since time.Time
	// Done of Total resources are looked at, of all that are to be; Counted is false before they are counted.
	Done, Total int64
	Counted     bool
	// Removed is set where the parameter is gone and what it left in the indexes is taken away.
	Removed bool
}

// Indexing returns what is being indexed or waits for it, oldest first.
func (s *Set) Indexing() []Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.work.Items) == 0 {
		return nil
	}
	out := make([]Progress, len(s.work.Items))
	for i, it := range s.work.Items {
		out[i] = Progress{URL: it.URL, Code: it.Code, Types: slices.Clone(it.Types), Since: it.Since, Removed: it.Removed}
		if s.total > 0 {
			out[i].Done, out[i].Total, out[i].Counted = s.done, s.total, true
		}
	}
	return out
}

// Idle reports whether nothing is being indexed or waits for it.
func (s *Set) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.work.Items) == 0
}

// readWork reads the worklist.
func readWork(ctx context.Context, r storage.Reader) (w worklist, err error) {
	j, err := job.Read(ctx, r, jobKind)
	if errors.Is(err, job.ErrNoJob) {
		return worklist{}, nil
	}
	if err != nil {
		return worklist{}, err
	}
	return decode(j.Payload)
}

func decode(payload []byte) (w worklist, err error) {
	if len(payload) > 0 {
		err = json.Unmarshal(payload, &w)
	}
	return w, err
}

// adopt takes over a worklist that was read, unless a later one is known.
func (s *Set) adopt(w worklist) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.Count > s.work.Count {
		s.work = w
		close(s.changes)
		s.changes = make(chan struct{})
	}
}

// watch takes over how far the gateway that indexes has come.
func (s *Set) watch(ctx context.Context, r storage.Reader) error {
	s.mu.Lock()
	idle := len(s.work.Items) == 0
	s.mu.Unlock()
	if idle {
		return nil
	}
	j, err := job.Read(ctx, r, jobKind)
	if err != nil {
		return err
	}
	w, err := decode(j.Payload)
	if err != nil {
		return err
	}
	s.adopt(w)
	s.progress(j.Done, j.Total)
	return nil
}

func (s *Set) progress(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.total = done, total
}

// addWork adds an item to the worklist, in place of an earlier one of the same resource.
func (s *Set) addWork(ctx context.Context, tx storage.Tx, it item) error {
	return s.opt.Jobs.Amend(ctx, tx, jobKind, func(payload []byte) ([]byte, error) {
		w, err := decode(payload)
		if err != nil {
			return nil, err
		}
		w.Items = slices.DeleteFunc(w.Items, func(o item) bool {
			if o.ID == it.ID {
				it.Types = append(it.Types, o.Types...) // it has not been there yet
			}
			return o.ID == it.ID
		})
		it.Types = sorted(it.Types)
		it.Left = it.Types
		w.Items = append(w.Items, it)
		w.Count++
		return job.Payload(w), nil
	})
}

// begin reads the worklist of a run, and how far the run before had come.
func (s *Set) begin(ctx context.Context, run *job.Run) (w worklist, from position, err error) {
	err = run.Update(ctx, func(_ storage.Tx, j *job.Job) (err error) {
		if w, err = decode(j.Payload); err != nil {
			return err
		}
		from = position{}
		if j.Position == nil {
			return nil
		}
		if err := json.Unmarshal(j.Position, &from); err != nil {
			return job.Permanent(err)
		}
		return nil
	})
	if err == nil {
		s.adopt(w)
	}
	return w, from, err
}

// change changes the worklist of a run.
func (s *Set) change(ctx context.Context, run *job.Run, f func(w *worklist)) (w worklist, err error) {
	err = run.Update(ctx, func(_ storage.Tx, j *job.Job) (err error) {
		if w, err = decode(j.Payload); err != nil {
			return err
		}
		f(&w)
		w.Count++
		j.Payload, j.Position = job.Payload(w), nil
		return nil
	})
	if err == nil {
		s.adopt(w)
	}
	return w, err
}

// position is how far a pass over one type has come.
type position struct {
	Type  string   `json:"type"`
	After fhir.Key `json:"after"`
	// Count is that of the worklist when the pass began.
	Count int64 `json:"count"`
	// Failed are the resources that it could not index.
	Failed Failures `json:"failed,omitzero"`
}

// index is the job: it goes through the resources of one type after the other, once for all parameters that wait for that type, until nothing
// is left.
func (s *Set) index(ctx context.Context, run *job.Run) error {
	s.progress(0, job.Unknown)
	run.Progress(0, job.Unknown)
	w, from, err := s.begin(ctx, run)
	if err != nil {
		return err
	}
	var done int64
	for begun := []item(nil); len(w.Items) > 0; {
		if !within(w.Items, begun) {
			if err := s.ready(ctx); err != nil {
				return err
			}
		}
		begun = w.Items
		typ := next(w.Items)
		if typ == "" {
			if w, err = s.finish(ctx, run, w); err != nil {
				return err
			}
			continue
		}
		if from.Type != typ || from.Count != w.Count {
			from = position{Type: typ, Count: w.Count}
		}
		if done, err = s.pass(ctx, run, w, &from, done); err != nil {
			return err
		}
		s.tell(typ, from.Failed)
		if w, err = s.change(ctx, run, func(now *worklist) {
			now.fail(typ, from.Failed)
			for i := range now.Items {
				if slices.ContainsFunc(begun, now.Items[i].same) {
					now.Items[i].Left = slices.DeleteFunc(slices.Clone(now.Items[i].Left), func(t string) bool { return t == typ })
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// within reports whether all of items are among others.
func within(items, others []item) bool {
	return !slices.ContainsFunc(items, func(it item) bool { return !slices.ContainsFunc(others, it.same) })
}

// ready makes what is to be indexed begin: the parameters of a worklist that was read are in force when it returns, and writes that were extracted
// with those before are stored.
func (s *Set) ready(ctx context.Context) error {
	if err := s.followSoon(ctx); err != nil {
		return err
	}
	return s.writes.wait(ctx)
}

// next returns the type to go through next: one of the item with the fewest left, so that a parameter of one type does not wait for one of all.
// "" where all have been gone through.
func next(items []item) string {
	least := -1
	for i, it := range items {
		if len(it.Left) > 0 && (least < 0 || len(it.Left) < len(items[least].Left)) {
			least = i
		}
	}
	if least < 0 {
		return ""
	}
	return items[least].Left[0]
}

// pass goes through the resources of one type, and moves from on.
func (s *Set) pass(ctx context.Context, run *job.Run, w worklist, from *position, done int64) (int64, error) {
	types := []string{}
	for _, it := range w.Items {
		types = append(types, it.Left...)
	}
	left, err := s.count(ctx, sorted(types))
	if err != nil {
		return done, err
	}
	total := done + left
	tell := func(n int64) {
		s.progress(min(n, total), total)
		run.Progress(min(n, total), total)
	}
	tell(done)
	saved := time.Now()
	n, err := s.through(ctx, from.Type, nil, from.After, &from.Failed, func(n int64, last fhir.Key) error {
		tell(done + n)
		if time.Since(saved) < savePosition {
			return nil
		}
		saved = time.Now()
		from.After = last
		return run.Save(ctx, *from)
	})
	return done + n, err
}

// savePosition is how often a pass stores how far it has come.
const savePosition = 2 * time.Second

// finish strikes off the items of w, which all have been gone through. Where there are other gateways, what was written since the parameters came
// is first indexed once more: by gateways that had not heard of them and ended before they could make the entries again.
func (s *Set) finish(ctx context.Context, run *job.Run, w worklist) (worklist, error) {
	failed := make(map[string]Failures)
	if err := s.containers(ctx, w, failed); err != nil {
		return w, err
	}
	if s.opt.Shared {
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-time.After(3 * s.opt.Poll):
		}
		var types []string
		since := w.Items[0].Since
		for _, it := range w.Items {
			types = append(types, it.Types...)
			if it.Since.Before(since) {
				since = it.Since
			}
		}
		last := search.LastUpdated(since)
		written := search.Some{Param: last.Param, Where: []search.Comparison{{Field: search.Lo, Op: search.Ge, Value: last.Lo}}}
		for _, typ := range sorted(types) {
			if err := s.some(ctx, typ, written, failed); err != nil {
				return w, err
			}
		}
	}
	for typ, f := range failed {
		s.tell(typ, f)
	}
	finished := w.Items
	return s.change(ctx, run, func(now *worklist) {
		now.Items = slices.DeleteFunc(now.Items, func(it item) bool { return slices.ContainsFunc(finished, it.same) })
		for typ, f := range failed {
			all := now.Failed[typ]
			all.join(f)
			now.fail(typ, all)
		}
	})
}

// some is through for those of a type that satisfy where. What can't be indexed is added to failed.
func (s *Set) some(ctx context.Context, typ string, where search.Expr, failed map[string]Failures) error {
	var f Failures
	_, err := s.through(ctx, typ, where, fhir.Key{}, &f, func(int64, fhir.Key) error { return nil })
	if f.Count > 0 {
		failed[typ] = f
	}
	return err
}

// containers indexes what contains resources of the types of w's items, or has them in place: it is found by their parameters.
func (s *Set) containers(ctx context.Context, w worklist, failed map[string]Failures) error {
	var types []string
	for _, it := range w.Items {
		types = append(types, it.Types...)
	}
	types = sorted(types)
	for _, typ := range s.registry.ResourceTypes() {
		if slices.Contains(types, typ) { // all of them have been gone through
			continue
		}
		if err := s.some(ctx, typ, search.Holding(types), failed); err != nil {
			return err
		}
	}
	return nil
}

// Await waits until nothing that concerns the caller is being indexed or waits for it, for a while at most, and returns what is left. A wait that
// was in vain spares others the same for as long again.
func (s *Set) Await(ctx context.Context, limit time.Duration, concerns func(Progress) bool) []Progress {
	left := func() ([]Progress, <-chan struct{}) {
		s.mu.Lock()
		changes := s.changes
		s.mu.Unlock()
		return slices.DeleteFunc(s.Indexing(), func(p Progress) bool { return !concerns(p) }), changes
	}
	now, changes := left()
	s.mu.Lock()
	vain := time.Since(s.vain) < limit
	s.mu.Unlock()
	if len(now) == 0 || limit <= 0 || vain {
		return now
	}
	ended := time.After(limit)
	for len(now) > 0 {
		select {
		case <-changes:
			now, changes = left()
		case <-ended:
			s.mu.Lock()
			s.vain = time.Now()
			s.mu.Unlock()
			return now
		case <-ctx.Done():
			return now
		}
	}
	return nil
}

// earlierName names, in the store's Meta, the list of unfinished indexing of releases that had no jobs.
const earlierName = "reindexing"

// takeOver takes over the unfinished indexing that such a release has left.
func (s *Set) takeOver(ctx context.Context) error {
	err := s.opt.Store.View(ctx, func(r storage.Reader) error {
		_, err := r.Meta(ctx, earlierName)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.opt.Store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, earlierName); err != nil {
			return err
		}
		raw, err := tx.Meta(ctx, earlierName)
		if errors.Is(err, storage.ErrNotFound) {
			return nil // another gateway was faster
		}
		var items []item
		if err == nil {
			err = json.Unmarshal(raw, &items)
		}
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := s.addWork(ctx, tx, it); err != nil {
				return err
			}
		}
		if err := tx.SetMeta(ctx, "reindex-turn", nil); err != nil {
			return err
		}
		return tx.SetMeta(ctx, earlierName, nil)
	})
}
