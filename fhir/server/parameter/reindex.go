package parameter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// reindexChunk is how many resources one Update indexes: writes that wait for it wait for milliseconds.
const reindexChunk = 200

// Reindex makes the entries of all current resources of types again from their content, chunk by chunk, each in an Update of its own. progress is
// told how many are done.
func (s *Set) Reindex(ctx context.Context, types []string, progress func(done, total int64)) error {
	total, err := s.count(ctx, types)
	if err != nil {
		return err
	}
	progress(0, total)
	var done int64
	for _, typ := range types {
		n, err := s.through(ctx, typ, nil, fhir.Key{}, func(n int64, _ fhir.Key) error {
			progress(min(done+n, total), total)
			return nil
		})
		if done += n; err != nil {
			return err
		}
	}
	return nil
}

// count returns how many resources of types there are.
func (s *Set) count(ctx context.Context, types []string) (total int64, err error) {
	err = s.opt.Store.View(ctx, func(r storage.Reader) error {
		counts, err := r.Counts(ctx)
		for _, t := range types {
			total += counts[t]
		}
		return err
	})
	return total, err
}

// through makes the entries of the resources of a type that satisfy where again, those behind after, in the order of their ids. done is told, after
// each chunk, how many are finished and which is the last.
func (s *Set) through(ctx context.Context, typ string, where search.Expr, after fhir.Key, done func(n int64, last fhir.Key) error) (n int64, err error) {
	q := search.Query{Types: []string{typ}, Where: where, Limit: reindexChunk}
	if after != (fhir.Key{}) {
		q.After = &search.Position{Key: after}
	}
	for {
		var records []storage.Record
		err := s.opt.Store.View(ctx, func(r storage.Reader) error {
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
		if err != nil || len(records) == 0 {
			return n, err
		}
		if err := s.reindexRecords(ctx, records); err != nil {
			return n, err
		}
		n += int64(len(records))
		if err := done(n, q.After.Key); err != nil {
			return n, err
		}
	}
}

// errAgain ends an Update whose entries were made with other parameters than it sees.
var errAgain = errors.New("parameter: make the entries again")

// reindexRecords replaces the entries of records that are still current when it gets to them, by those of the SearchParameters that its Update
// sees: the entries of later ones, of whichever gateway, are written by Updates that it conflicts with or that follow it.
func (s *Set) reindexRecords(ctx context.Context, records []storage.Record) error {
	for {
		generation := s.generation.Load()
		entries := make([][]search.Entry, len(records))
		faults := make([]error, len(records))
		parallel(len(records), func(i int) {
			if records[i].Version > 0 {
				entries[i], faults[i] = s.opt.Entries(records[i])
			}
		})
		for i, err := range faults {
			if err != nil {
				return fmt.Errorf("%s: %w", records[i].Key, err)
			}
		}
		before := func(rec storage.Record) bool { return s.Outdated(rec.Key.Type, generation) }
		err := s.opt.Store.Update(ctx, func(tx storage.Tx) error {
			if s.opt.Shared {
				if err := s.Follow(ctx, tx); err != nil {
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

// parallel calls f for 0 to n-1 on all cores, and returns when all are done. A panic of f is that of the caller.
func parallel(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var all sync.WaitGroup
	panics := make(chan any, workers)
	for w := range workers {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	all.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}
