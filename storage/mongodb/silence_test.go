//go:build unix

package mongodb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// everyWay are the ways through a store that may meet a server which does not answer.
func everyWay(ctx context.Context, s storage.Store, i int) map[string]func() error {
	view := func(f func(r storage.Reader) error) func() error {
		return func() error { return s.View(ctx, f) }
	}
	basics := search.Query{Types: []string{"Basic"}, Where: eq("code", "", "a"), Limit: 5}
	return map[string]func() error{
		"read":   view(func(r storage.Reader) error { _, err := r.Get(ctx, fhir.Key{Type: "Basic", ID: "first"}); return err }),
		"moment": view(func(r storage.Reader) error { r.Moment(); _, err := r.Meta(ctx, "x"); return err }),
		"search": view(func(r storage.Reader) error { r.Moment(); _, err := r.Find(ctx, basics); return err }),
		"find":   view(func(r storage.Reader) error { _, err := r.Find(ctx, basics); return err }),
		"several reads": view(func(r storage.Reader) error {
			var err error
			for range 10 { // as they follow where one error is taken for the absence of a thing
				_, err = r.Get(ctx, fhir.Key{Type: "Basic", ID: "first"})
			}
			return err
		}),
		"history": view(func(r storage.Reader) error {
			r.Moment()
			_, err := r.History(ctx, storage.HistoryQuery{Limit: 5})
			return err
		}),
		"count":  view(func(r storage.Reader) error { _, err := r.Count(ctx, basics); return err }),
		"create": func() error { return put(ctx, s, fmt.Sprint("new", i), 0) },
		"update": func() error { return put(ctx, s, "first", 1) },
		"pair": func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				if err := putIn(ctx, tx, fmt.Sprint("a", i), 0); err != nil {
					return err
				}
				return putIn(ctx, tx, fmt.Sprint("b", i), 0)
			})
		},
		"conditional": func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				if err := tx.Guard(ctx, "g"); err != nil {
					return err
				}
				if _, err := tx.Find(ctx, basics); err != nil {
					return err
				}
				return putIn(ctx, tx, fmt.Sprint("c", i), 0)
			})
		},
	}
}

// silent runs everything at once, several times, and reports what does not end with unavailable in time. The bound is many times what one wait
// takes, and less than many of them.
func silent(t *testing.T, s storage.Store, bound time.Duration) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 8 {
		for name, f := range everyWay(t.Context(), s, i) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				begun := time.Now()
				err := f()
				if took := time.Since(begun); fhir.KindOf(err) != fhir.KindUnavailable || took > bound {
					t.Errorf("%s: %v after %v", name, err, took)
				}
			}()
		}
	}
	wg.Wait()
}

func TestAServerThatIsGoneIsWaitedForOnce(t *testing.T) {
	c := mongotest.Start(t, 1)
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: c.URI("fhir") + "&serverSelectionTimeoutMS=500", Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for end := time.Now().Add(patience); put(t.Context(), s, "first", 0) != nil && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	c.Kill(0)
	silent(t, s, 10*time.Second)
	silent(t, s, 10*time.Second)
}

func TestAServerThatStandsStillIsGivenUp(t *testing.T) {
	c := mongotest.Start(t, 1)
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: c.URI("fhir") + "&serverSelectionTimeoutMS=1000&connectTimeoutMS=2000&heartbeatFrequencyMS=1000", Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for end := time.Now().Add(patience); put(t.Context(), s, "first", 0) != nil && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	c.Freeze(t, 0)
	silent(t, s, 30*time.Second)
	c.Thaw(t, 0)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := put(t.Context(), s, "after", 0)
		if err == nil {
			break
		}
		if fhir.KindOf(err) != fhir.KindUnavailable || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestASetThatWasNeverInitiatedIsToldWithTheCommand(t *testing.T) {
	addr := mongotest.StartUninitiated(t)
	for _, uri := range []string{"mongodb://" + addr + "/fhir?replicaSet=fhirgate", "mongodb://" + addr + "/fhir"} {
		s, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri + map[bool]string{true: "&", false: "?"}[strings.Contains(uri, "?")] + "serverSelectionTimeoutMS=500", Timeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var told error
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			if told = s.Ready(t.Context()); told != nil && strings.Contains(told.Error(), "rs.initiate()") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", uri, told)
			}
		}
	}
}
