package parameter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// reindexChunk is how many resources one Update indexes: writes that wait for it wait for milliseconds.
const reindexChunk = 200

// Reindex rebuilds the entries of all current resources of types from their content, chunk by chunk, each in an Update of its own. progress is told how
// many are done. Those that cannot be indexed are counted, and noted for Failed.
func (s *Set) Reindex(ctx context.Context, types []string, progress func(done, total int64)) (failed int64, err error) {
	total, err := s.count(ctx, types)
	if err != nil {
		return 0, err
	}
	progress(0, total)
	var done int64
	all := make(map[string]Failures, len(types))
	for _, typ := range types {
		var f Failures
		n, err := s.through(ctx, typ, nil, fhir.Key{}, &f, func(n int64, _ fhir.Key) error {
			progress(min(done+n, total), total)
			return nil
		})
		s.tell(typ, f)
		all[typ] = f
		done, failed = done+n, failed+f.Count
		if err != nil {
			return failed, err
		}
	}
	return failed, s.note(ctx, all)
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

// through rebuilds the entries of the resources of a type that satisfy where, those behind after, in the order of their ids. What cannot be indexed is
// added to failed. done is told, after each chunk, how many are finished and which is the last.
func (s *Set) through(ctx context.Context, typ string, where search.Expr, after fhir.Key, failed *Failures, done func(n int64, last fhir.Key) error) (n int64, err error) {
	q := search.Query{Types: []string{typ}, Where: where, Limit: reindexChunk}
	if after != (fhir.Key{}) {
		q.After = &search.Position{Key: after}
	}
	for {
		var rows []search.Row
		var records []storage.Record
		err := s.opt.Store.View(ctx, func(r storage.Reader) (err error) {
			if rows, err = r.Find(ctx, q); err != nil || len(rows) == 0 {
				return err
			}
			records, err = readable(ctx, r, rows, failed)
			return err
		})
		if err != nil || len(rows) == 0 {
			return n, err
		}
		q.After = &rows[len(rows)-1].Position
		if err := s.reindexRecords(ctx, records, failed); err != nil {
			return n, err
		}
		n += int64(len(rows))
		if err := done(n, q.After.Key); err != nil {
			return n, err
		}
	}
}

// readable reads the records of rows. Those whose bytes are damaged are added to failed.
func readable(ctx context.Context, r storage.Reader, rows []search.Row, failed *Failures) ([]storage.Record, error) {
	keys := make([]fhir.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	records, err := r.GetMany(ctx, keys)
	if !isDamage(err) {
		return records, err
	}
	records = records[:0:0]
	for i, key := range keys {
		one, err := r.GetMany(ctx, []fhir.Key{key})
		switch {
		case isDamage(err):
			failed.add(&storage.Record{Key: key, Version: rows[i].Version})
		case err != nil:
			return nil, err
		default:
			records = append(records, one...)
		}
	}
	return records, nil
}

// isDamage reports whether an engine says that what it has stored can't be read.
func isDamage(err error) bool {
	var e *fhir.Error
	return errors.As(err, &e) && len(e.Issues) > 0 && e.Issues[0].ID == fhir.IDStorageDamaged
}

// errAgain ends an Update whose entries were made with other parameters than it sees.
var errAgain = errors.New("parameter: make the entries again")

// reindexRecords replaces the entries of records that are still current when it gets to them, by those of the SearchParameters that its Update
// sees: the entries of later ones, of whichever gateway, are written by Updates that it conflicts with or that follow it. What can't be indexed is
// added to failed, and keeps its entries.
func (s *Set) reindexRecords(ctx context.Context, records []storage.Record, failed *Failures) error {
	for {
		generation := s.generation.Load()
		entries := make([][]search.Entry, len(records))
		faults := make([]error, len(records))
		parallel(len(records), func(i int) {
			if records[i].Version > 0 {
				entries[i], faults[i] = s.extract(records[i])
			}
		})
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
				if records[i].Version == 0 || faults[i] != nil {
					continue
				}
				if err := tx.Reindex(ctx, records[i].Key, records[i].Version, entries[i]); err != nil {
					return err
				}
			}
			return nil
		})
		switch {
		case errors.Is(err, errAgain):
			continue
		case fhir.KindOf(err) == fhir.KindTooLarge && len(records) > 1: // together, or one of them
			half := len(records) / 2
			if err := s.reindexRecords(ctx, records[:half], failed); err != nil {
				return err
			}
			return s.reindexRecords(ctx, records[half:], failed)
		case fhir.KindOf(err) == fhir.KindTooLarge:
			failed.add(&records[0])
			return nil
		case err != nil:
			return err
		}
		for i := range faults {
			if faults[i] != nil {
				failed.add(&records[i])
			}
		}
		return nil
	}
}

// errPanicked says that entries could not be made because of a defect.
var errPanicked = errors.New("parameter: the entries of a resource can't be made: internal error")

// extract returns what a version is found by. A panic is an error that repeats nothing of it.
func (s *Set) extract(rec storage.Record) (entries []search.Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.opt.Logger.Error("the entries of a resource can't be made", "type", rec.Key.Type, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return s.opt.Entries(rec)
}

// parallel calls f, which must not panic, for 0 to n-1 on all cores, and returns when all are done.
func parallel(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	all.Wait()
}
