package interaction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// reindexChunk is how many resources one Update indexes: writes that wait for it wait for milliseconds.
	reindexChunk = 200
	// reindexRetry is how long the background work waits after the engine has failed.
	reindexRetry = 5 * time.Second
)

// run indexes what waits for it until ctx ends.
func (c *customParameters) run(ctx context.Context) {
	defer close(c.done)
	var poll <-chan time.Time
	if c.service.opt.Shared {
		ticker := time.NewTicker(c.service.opt.poll)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-poll:
			c.compareAll(ctx)
		}
		for ctx.Err() == nil {
			err := c.settleAgain(ctx)
			if err == nil {
				c.mu.Lock()
				jobs := slices.Clone(c.jobs)
				c.mu.Unlock()
				if len(jobs) == 0 {
					c.turns.pass(ctx)
					break
				}
				if err = c.turns.take(ctx, 0, 0); err == nil {
					err = c.index(ctx, together(jobs))
				}
			}
			if errors.Is(err, errNotOurTurn) {
				err = c.watch(ctx)
			}
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(c.service.opt.retry):
				}
			}
		}
	}
}

// together returns the jobs to do next: those of the fewest types, so that a parameter of one type does not wait for one of all, and with
// them all others of the same types.
func together(jobs []*job) []*job {
	few := slices.MinFunc(jobs, func(a, b *job) int { return len(a.Types) - len(b.Types) })
	return slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return !slices.Equal(j.Types, few.Types) })
}

// index indexes all types of jobs once and strikes the jobs off.
func (c *customParameters) index(ctx context.Context, jobs []*job) error {
	// Writes that were extracted with the parameters before are stored when the lock is had.
	c.inFlight.Lock()
	c.inFlight.Unlock() //nolint:staticcheck // a barrier: nothing is to be done under it
	var types []string
	for _, j := range jobs {
		types = append(types, j.Types...)
	}
	ours, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	keep := func(done, total int64) {
		if err := c.turns.keep(ctx, done, total); errors.Is(err, errNotOurTurn) {
			lose(err)
		}
	}
	var all int64
	err := c.service.reindex(ours, searchedTypes(types), nil, func(done, total int64) {
		keep(done, total)
		all = total
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, j := range jobs {
			j.done, j.total = done, total
		}
	})
	if err == nil && c.service.opt.Shared {
		err = c.indexWrittenElsewhere(ours, types, jobs, func(int64, int64) { keep(all, all) })
	}
	if cause := context.Cause(ours); errors.Is(cause, errNotOurTurn) {
		err = cause
	}
	if err != nil {
		return err
	}
	finished := func(j *job) bool { return slices.ContainsFunc(jobs, j.same) }
	err = c.service.own.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, reindexName); err != nil {
			return err
		}
		stored, err := storedJobs(ctx, tx)
		if err != nil {
			return err
		}
		return storeJobs(ctx, tx, slices.DeleteFunc(stored, finished))
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs = slices.DeleteFunc(c.jobs, finished)
	return nil
}

// sharedPoll is how often a gateway looks whether another one has changed the search parameters.
const sharedPoll = 2 * time.Second

// compareAll takes over what other gateways have changed, which requests do where it concerns them; and what a restored backup has brought. What
// fails is tried again at the next poll.
func (c *customParameters) compareAll(ctx context.Context) {
	c.loading.Lock()
	defer c.loading.Unlock()
	_ = c.service.own.View(ctx, func(r storage.Reader) error {
		revision, err := revisionOf(ctx, r)
		if err != nil || revision == c.stored.revision {
			return err
		}
		return c.load(ctx, r, revision)
	})
}

// indexWrittenElsewhere indexes once more what was written since the parameters came: by gateways that had not heard of them and ended before
// they could make the entries again.
func (c *customParameters) indexWrittenElsewhere(ctx context.Context, types []string, jobs []*job, progress func(done, total int64)) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * c.service.opt.poll):
	}
	since := jobs[0].Since
	for _, j := range jobs {
		if j.Since.Before(since) {
			since = j.Since
		}
	}
	last := search.LastUpdated(since)
	written := search.Some{Param: last.Param, Where: []search.Comparison{{Field: search.Lo, Op: search.Ge, Value: last.Lo}}}
	return c.service.reindex(ctx, searchedTypes(types), written, progress)
}

// ReindexAll makes the entries of all current resources again from their content. progress, where not nil, is told how many are done.
func (s *Service) ReindexAll(ctx context.Context, progress func(done, total int64)) error {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	return failure("reindex", fhir.Key{}, s.reindex(ctx, s.registry.ResourceTypes(), nil, progress))
}

// reindex makes the entries of the current resources of types that satisfy where again, chunk by chunk, each chunk in an Update of its own.
func (s *Service) reindex(ctx context.Context, types []string, where search.Expr, progress func(done, total int64)) error {
	var total, done int64
	err := s.own.View(ctx, func(r storage.Reader) error {
		counts, err := r.Counts(ctx)
		for _, t := range types {
			total += counts[t]
		}
		return err
	})
	if err != nil {
		return err
	}
	progress(0, total)
	for _, typ := range types {
		q := search.Query{Types: []string{typ}, Where: where, Limit: reindexChunk}
		for {
			var records []storage.Record
			err := s.own.View(ctx, func(r storage.Reader) error {
				rows, err := r.Find(ctx, q)
				if err != nil || len(rows) == 0 {
					return err
				}
				q.After = &rows[len(rows)-1].Position
				keys := make([]fhir.Key, len(rows))
				for i := range rows {
					keys[i] = rows[i].Key
				}
				records, err = r.GetMany(ctx, keys)
				return err
			})
			if err != nil {
				return err
			}
			if len(records) == 0 {
				break
			}
			if err := s.reindexRecords(ctx, records); err != nil {
				return err
			}
			done += int64(len(records))
			progress(min(done, total), total)
		}
	}
	return nil
}

// reindexRecords replaces the entries of records that are still current when it gets to them, by those of the SearchParameters that its Update
// sees: the entries of later ones, of whichever gateway, are written by Updates that it conflicts with or that follow it.
func (s *Service) reindexRecords(ctx context.Context, records []storage.Record) error {
	for {
		generation := s.custom.generation.Load()
		entries := make([][]search.Entry, len(records))
		faults := make([]error, len(records))
		parallel(len(records), func(i int) {
			if records[i].Version > 0 {
				entries[i], faults[i] = s.entriesOf(records[i])
			}
		})
		for i, err := range faults {
			if err != nil {
				return fmt.Errorf("%s: %w", records[i].Key, err)
			}
		}
		before := func(rec storage.Record) bool { return s.custom.extractedBefore(rec.Key.Type, generation) }
		err := s.own.Update(ctx, func(tx storage.Tx) error {
			if s.opt.Shared {
				if err := s.custom.follow(ctx, tx); err != nil {
					return err
				}
			}
			if slices.ContainsFunc(records, before) {
				return errAgain
			}
			for i := range records {
				if records[i].Version == 0 {
					continue
				}
				if err := tx.Reindex(ctx, records[i].Key, records[i].Version, entries[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, errAgain) {
			return err
		}
	}
}
