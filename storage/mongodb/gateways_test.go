package mongodb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// Two stores on one database are two gateways: what one acknowledged the other reads, versions are contiguous, and guards conflict.

func TestTwoGatewaysReadEachOthersWrites(t *testing.T) {
	uri := mongotest.URI(t)
	a, b := openURI(t, uri), openURI(t, uri)
	ctx := t.Context()
	for i := range 20 {
		w, r := a, b
		if i%2 == 1 {
			w, r = b, a
		}
		id := fmt.Sprint("r", i)
		if err := put(ctx, w, id, 0, search.Entry{Param: "code", Code: id}); err != nil {
			t.Fatal(err)
		}
		if err := r.View(ctx, func(r storage.Reader) error {
			if _, err := r.Get(ctx, fhir.Key{Type: "Basic", ID: id}); err != nil {
				t.Errorf("Get %s: %v", id, err)
			}
			rows, err := r.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("code", "", id)})
			if len(rows) != 1 {
				t.Errorf("%d rows", len(rows))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Update(ctx, func(tx storage.Tx) error { return tx.SetMeta(ctx, "parameters", []byte("x")) }); err != nil {
		t.Fatal(err)
	}
	if err := b.View(ctx, func(r storage.Reader) error {
		v, err := r.Meta(ctx, "parameters")
		if !bytes.Equal(v, []byte("x")) {
			t.Errorf("Meta is %q", v)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestTypesOfAnotherGatewayAreInTheHistoryOfAll(t *testing.T) {
	uri := mongotest.URI(t)
	a, b := openURI(t, uri), openURI(t, uri)
	if err := put(t.Context(), a, "x", 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var n int
		var counts map[string]int64
		if err := b.View(t.Context(), func(r storage.Reader) error {
			recs, err := r.History(t.Context(), storage.HistoryQuery{})
			n = len(recs)
			if err != nil {
				return err
			}
			counts, err = r.Counts(t.Context())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n == 1 && counts["Basic"] == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d versions, counts %v", n, counts)
		}
	}
}

func TestSixtyFourWritersOverTwoGateways(t *testing.T) {
	uri := mongotest.URI(t)
	stores := []storage.Store{openURI(t, uri), openURI(t, uri)}
	ctx := t.Context()
	if err := put(ctx, stores[0], "one", 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	for w := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 2 {
				err := stores[w%2].Update(ctx, func(tx storage.Tx) error {
					rec, err := tx.Get(ctx, fhir.Key{Type: "Basic", ID: "one"})
					if err != nil {
						return err
					}
					return putIn(ctx, tx, "one", rec.Version)
				})
				switch {
				case err == nil:
					mu.Lock()
					acknowledged++
					mu.Unlock()
				case !errors.Is(err, storage.ErrConflict):
					t.Errorf("Update: %v", err)
				}
			}
		}()
	}
	wg.Wait()
	if err := stores[0].View(ctx, func(r storage.Reader) error {
		recs, err := r.History(ctx, storage.HistoryQuery{Key: fhir.Key{Type: "Basic", ID: "one"}})
		if len(recs) != acknowledged+1 {
			t.Errorf("%d versions, %d updates acknowledged", len(recs), acknowledged)
		}
		for i, rec := range recs {
			if rec.Version != int64(len(recs)-i) {
				t.Errorf("version %d at place %d of %d", rec.Version, i, len(recs))
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	t.Logf("%d of 128 acknowledged", acknowledged)
}

func TestSixtyFourConditionalCreatesOverTwoGatewaysMakeOne(t *testing.T) {
	uri := mongotest.URI(t)
	stores := []storage.Store{openURI(t, uri), openURI(t, uri)}
	ctx := context.Background()
	if err := put(ctx, stores[0], "other", 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := storage.ErrConflict
			for errors.Is(err, storage.ErrConflict) { // on a slow machine the others may take longer than an Update tries
				err = stores[w%2].Update(ctx, func(tx storage.Tx) error {
					if err := tx.Guard(ctx, "Basic?code=x"); err != nil {
						return err
					}
					rows, err := tx.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("code", "", "x")})
					if err != nil || len(rows) > 0 {
						return err
					}
					return putIn(ctx, tx, fmt.Sprint("c", w), 0, search.Entry{Param: "code", Code: "x"})
				})
			}
			if err != nil {
				t.Errorf("Update: %v", err)
			}
		}()
	}
	wg.Wait()
	if err := stores[1].View(ctx, func(r storage.Reader) error {
		n, err := r.Count(ctx, search.Query{Types: []string{"Basic"}, Where: eq("code", "", "x")})
		if n != 1 {
			t.Errorf("%d were created", n)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestMissingIndexesAreMadeAtStart(t *testing.T) {
	uri := mongotest.URI(t)
	a := openURI(t, uri)
	ctx := t.Context()
	if err := put(ctx, a, "x", 0, search.Entry{Param: "code", Code: "y"}); err != nil {
		t.Fatal(err)
	}
	if err := mongodb.DropIndexes(a, "Basic"); err != nil {
		t.Fatal(err)
	}
	b := openURI(t, uri)
	find := func() {
		t.Helper()
		if err := b.View(ctx, func(r storage.Reader) error {
			rows, err := r.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("code", "", "y")})
			if len(rows) != 1 {
				t.Errorf("%d rows", len(rows))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	find() // with the index or without it
	for end := time.Now().Add(patience); len(b.Building()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still building %v", b.Building())
		}
	}
	names, err := mongodb.IndexNames(b, "Basic")
	if err != nil || len(names) < 5 {
		t.Errorf("indexes %v, %v", names, err)
	}
	find()
}

// A view that has begun finds nothing in a type that is stored for the first time, whatever the server has made of its collections so far, through
// this gateway or another.
func TestViewsWhileTypesAreStoredForTheFirstTime(t *testing.T) {
	uri := mongotest.URI(t)
	s, other := openURI(t, uri), openURI(t, uri)
	ctx := t.Context()
	for i, typ := range []string{"Account", "Basic", "Claim", "Device", "Endpoint", "Flag", "Goal", "Group"} {
		k := fhir.Key{Type: typ, ID: "a"}
		writer := []storage.Store{s, other}[i%2]
		stored := make(chan error, 1)
		if err := s.View(ctx, func(r storage.Reader) error {
			r.Moment()
			go func() {
				stored <- writer.Update(ctx, func(tx storage.Tx) error {
					return tx.Put(ctx, storage.Record{Key: k, Version: 1, Updated: tx.Now(), Method: "PUT", Body: fmt.Appendf(nil, `{"resourceType":%q,"id":"a"}`, typ)}, 0)
				})
			}()
			for over := false; !over; {
				var err error
				select {
				case err = <-stored:
					over = true // and once more
				default:
				}
				if err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				if _, err := r.Get(ctx, k); !errors.Is(err, storage.ErrNotFound) {
					return fmt.Errorf("Get: %w", err)
				}
				if rows, err := r.Find(ctx, search.Query{Types: []string{typ}}); err != nil || len(rows) > 0 {
					return fmt.Errorf("%d rows: %w", len(rows), err)
				}
				if recs, err := r.History(ctx, storage.HistoryQuery{Types: []string{typ}}); err != nil || len(recs) > 0 {
					return fmt.Errorf("%d versions: %w", len(recs), err)
				}
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
	}
}
