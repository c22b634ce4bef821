package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// erasedResourcesNeverExisted erases resources with one version, with many, deleted ones and revived ones, among others that stay.
func erasedResourcesNeverExisted(t *testing.T, b *bench) {
	gone, stays, deleted, revived := key("gone"), key("stays"), key("deleted"), key("revived")
	b.put(gone, 0, token("code", "a"), token("status", "x"))
	b.put(gone, 1, token("code", "b"))
	b.put(gone, 2, token("code", "b"))
	b.put(stays, 0, token("code", "b"))
	b.put(stays, 1, token("code", "b"))
	b.put(deleted, 0, token("code", "b"))
	b.remove(deleted, 1)
	b.put(revived, 0, token("code", "b"))
	b.remove(revived, 1)
	b.update(func(tx storage.Tx) error {
		rec := record(tx, revived, 2, token("code", "b"))
		rec.Revived = true
		return tx.Put(b.ctx, rec, 2)
	})
	erased := []fhir.Key{gone, deleted, revived}
	check := func(r storage.Reader) error {
		for _, k := range erased {
			for version := int64(1); version <= 3; version++ {
				_, err := r.GetVersion(b.ctx, k, version)
				is(t, fmt.Sprint("version ", version, " of ", k), err, storage.ErrNotFound)
			}
			_, err := r.Get(b.ctx, k)
			is(t, "Get", err, storage.ErrNotFound)
			of, err := r.History(b.ctx, storage.HistoryQuery{Key: k})
			same(t, "the history of what is erased", len(of), 0)
			is(t, "History", err, nil)
		}
		same(t, "what is found", find(b.ctx, t, r, has("code", "b")), []string{"stays"})
		same(t, "what an erased value finds", len(find(b.ctx, t, r, has("status", "x"))), 0)
		all, err := r.History(b.ctx, storage.HistoryQuery{Types: []string{gone.Type}})
		is(t, "History", err, nil)
		for _, rec := range all {
			same(t, "who has a history", rec.Key, stays)
		}
		same(t, "the versions in the history", len(all), 2)
		counts, err := r.Counts(b.ctx)
		is(t, "Counts", err, nil)
		same(t, "the number of resources", counts[gone.Type], int64(1))
		n, err := r.Count(b.ctx, search.Query{Types: []string{gone.Type}, Where: has("code", "b")})
		is(t, "Count", err, nil)
		same(t, "the number of matches", n, int64(1))
		return nil
	}
	err := b.s.Update(b.ctx, func(tx storage.Tx) error {
		if _, err := tx.Erase(b.ctx, erased); err != nil {
			return err
		}
		return errAbort
	})
	is(t, "an Update that is given up", err, errAbort)
	if rec, err := b.get(gone); err != nil || rec.Version != 3 {
		t.Fatalf("what an Update erased that was given up: version %d, %v", rec.Version, err)
	}
	b.update(func(tx storage.Tx) error {
		if _, err := tx.Get(b.ctx, gone); err != nil { // what was read before is not shown again
			return err
		}
		n, err := tx.Erase(b.ctx, append(erased, key("never")))
		if err != nil {
			return err
		}
		same(t, "the versions that are erased", n, int64(8))
		return check(tx)
	})
	b.view(check)
	b.put(gone, 0, token("code", "c"))
	b.view(func(r storage.Reader) error {
		same(t, "what is found of the next one", find(b.ctx, t, r, has("code", "c")), []string{"gone"})
		of, err := r.History(b.ctx, storage.HistoryQuery{Key: gone})
		same(t, "the history of the next one", len(of), 1)
		return err
	})
}

// eraseRefusesWhatIsPut holds that one Update does not put and erase a resource.
func eraseRefusesWhatIsPut(t *testing.T, b *bench) {
	b.put(key("a"), 0)
	for name, f := range map[string]func(tx storage.Tx) error{
		"erased after it was put": func(tx storage.Tx) error {
			if err := tx.Put(b.ctx, record(tx, key("a"), 1), 1); err != nil {
				return err
			}
			_, err := tx.Erase(b.ctx, []fhir.Key{key("a")})
			return err
		},
		"put after it was erased": func(tx storage.Tx) error {
			if _, err := tx.Erase(b.ctx, []fhir.Key{key("a")}); err != nil {
				return err
			}
			return tx.Put(b.ctx, record(tx, key("a"), 0), 0)
		},
	} {
		if err := b.s.Update(b.ctx, f); err == nil {
			t.Errorf("a resource is %s", name)
		}
	}
	if rec, err := b.get(key("a")); err != nil || rec.Version != 1 {
		t.Errorf("version %d, %v", rec.Version, err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	err := b.s.Update(b.ctx, func(tx storage.Tx) error {
		_, err := tx.Erase(ctx, []fhir.Key{key("a")})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Erase: %v", err)
	}
	// Others that change what is erased at the same time come before or after, and nothing of it is left over.
	done := make(chan error, 1)
	go func() {
		done <- b.s.Update(b.ctx, func(tx storage.Tx) error {
			_, err := tx.Erase(b.ctx, []fhir.Key{key("a")})
			return err
		})
	}()
	err = b.s.Update(b.ctx, func(tx storage.Tx) error {
		rec, err := tx.Get(b.ctx, key("a"))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		return tx.Put(b.ctx, record(tx, key("a"), rec.Version), rec.Version)
	})
	if first := <-done; first != nil {
		t.Fatalf("the Update that erases: %v", first)
	}
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("the Update beside it: %v", err)
	}
	_, err = b.get(key("a"))
	is(t, "Get after both", err, storage.ErrNotFound)
}
