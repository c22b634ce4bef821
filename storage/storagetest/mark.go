package storagetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// markedStatesAreShownAgain reads a state again by its mark after other commits: it is the same, or the store says that it is forgotten.
func markedStatesAreShownAgain(t *testing.T, b *bench) {
	for _, id := range []string{"a", "b", "c"} {
		b.put(key(id), 0, token("code", "x"))
	}
	type state struct {
		moment  time.Time
		found   []string
		history []storage.Record
	}
	look := func(r storage.Reader) (s state, err error) {
		s.moment = r.Moment()
		rows, err := r.Find(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "x")})
		if err != nil {
			return s, err
		}
		for _, row := range rows {
			s.found = append(s.found, row.Key.ID)
		}
		s.history, err = r.History(b.ctx, storage.HistoryQuery{})
		return s, err
	}
	var then state
	var mark storage.Mark
	b.view(func(r storage.Reader) (err error) {
		then, err = look(r)
		mark = r.Mark()
		return err
	})
	b.put(key("d"), 0, token("code", "x"))
	b.remove(key("a"), 1)
	b.put(key("b"), 1)
	err := b.s.ViewAt(b.ctx, mark, func(r storage.Reader) error {
		got, err := look(r)
		if err != nil {
			return err
		}
		same(t, "the marked state: moment", got.moment, then.moment)
		same(t, "the marked state: found", got.found, then.found)
		same(t, "the marked state: history", got.history, then.history)
		return nil
	})
	if err != nil || mark == "" {
		is(t, "ViewAt", err, storage.ErrForgotten)
	}
	for _, forged := range []storage.Mark{"", "\x00", "forged", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		err := b.s.ViewAt(b.ctx, forged, func(r storage.Reader) error {
			_, err := look(r)
			return err
		})
		if err != nil || forged == "" {
			is(t, "ViewAt a mark that was made up", err, storage.ErrForgotten)
		}
	}
	b.update(func(tx storage.Tx) error {
		_, err := look(tx)
		same(t, "the mark of a Tx", tx.Mark(), storage.Mark(""))
		return err
	})
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	err = b.s.ViewAt(ctx, mark, func(r storage.Reader) error { _, err := r.Counts(ctx); return err })
	if !errors.Is(err, context.Canceled) {
		is(t, "ViewAt with a cancelled context", err, storage.ErrForgotten)
	}
}

// buildingEnds waits until all indexes are there.
func buildingEnds(t *testing.T, b *bench) {
	b.put(key("a"), 0, token("code", "x"))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		building := b.s.Building()
		if !slices.IsSorted(building) {
			t.Fatalf("Building returned %v, which is not sorted", building)
		}
		if len(building) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the indexes of %v are under construction for %v", building, patience)
		}
	}
}
