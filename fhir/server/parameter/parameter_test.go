package parameter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// engines runs a test on an empty store of each engine.
func engines(t *testing.T, f func(*testing.T, storage.Store)) {
	t.Run("embedded", func(t *testing.T) {
		store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		f(t, store)
	})
	t.Run("mongodb", func(t *testing.T) {
		store, err := mongodb.Open(t.Context(), mongodb.Options{URI: mongotest.URI(t), Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		f(t, store)
	})
}

// gateway is a Set with what it works on.
type gateway struct {
	*Set
	t          *testing.T
	store      storage.Store
	parameters *search.Parameters
	jobs       *job.Jobs
	extracted  atomic.Int64 // how often the indexing made entries
	// onEntries, where not nil, is told before it makes those of a version.
	onEntries func(storage.Record)
	// bad, where not nil, is the error of those of a version.
	bad func(storage.Record) error
	log bytes.Buffer
}

func open(t *testing.T, store storage.Store) *gateway {
	t.Helper()
	g := &gateway{t: t, store: store, parameters: search.NewParameters(definition.R4(), search.Options{})}
	log := slog.New(slog.NewTextHandler(&g.log, nil)) // which writes under a lock
	g.jobs = job.New(store, job.Options{Retry: time.Millisecond, Logger: log})
	var err error
	g.Set, err = Open(t.Context(), Options{Store: store, Logger: log, Parameters: g.parameters, Jobs: g.jobs, Retry: time.Millisecond, Entries: func(rec storage.Record) ([]search.Entry, error) {
		g.extracted.Add(1)
		if g.onEntries != nil {
			g.onEntries(rec)
		}
		if g.bad != nil {
			if err := g.bad(rec); err != nil {
				return nil, err
			}
		}
		r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return nil, err
		}
		return g.parameters.Extract(r)
	}})
	if err != nil {
		t.Fatal(err)
	}
	g.jobs.Start()
	t.Cleanup(g.close)
	return g
}

func (g *gateway) close() {
	g.jobs.Close()
	g.Close()
}

// put stores resources in one Update, as the interactions do.
func (g *gateway) put(resources ...string) error {
	defer g.Begin()()
	var versions []Version
	parameters := false
	err := g.store.Update(g.t.Context(), func(raw storage.Tx) error {
		tx := &Tx{Tx: raw}
		versions = nil
		for _, src := range resources {
			r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
			if err != nil {
				return err
			}
			generation := g.Generation()
			entries, err := g.parameters.Extract(r)
			if err != nil {
				return err
			}
			before, err := tx.Get(g.t.Context(), r.Key())
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if err := g.Plan(g.t.Context(), tx, r.Key(), before, r); err != nil {
				return err
			}
			parameters = parameters || r.Type() == resourceType
			rec := storage.Record{Key: r.Key(), Version: before.Version + 1, Updated: tx.Now(), Method: "PUT", Body: r.Stamp(r.ID(), before.Version+1, tx.Now()), Entries: entries}
			if err := tx.Put(g.t.Context(), rec, before.Version); err != nil {
				return err
			}
			versions = append(versions, Version{Key: r.Key(), Generation: generation})
		}
		return nil
	})
	if err == nil {
		g.Written(g.t.Context(), parameters, versions)
	}
	return err
}

func (g *gateway) must(resources ...string) {
	g.t.Helper()
	if err := g.put(resources...); err != nil {
		g.t.Fatal(err)
	}
}

// found returns how many resources of a type have entries of a parameter.
func (g *gateway) found(typ, code string) (n int64) {
	g.t.Helper()
	err := g.store.View(g.t.Context(), func(r storage.Reader) (err error) {
		n, err = r.Count(g.t.Context(), search.Query{Types: []string{typ}, Where: search.Some{Param: code}})
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

func (g *gateway) indexed() {
	g.t.Helper()
	for end := time.Now().Add(2 * time.Minute); len(g.Indexing()) > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("it never comes that all is indexed: %+v", g.Indexing())
		}
	}
}

// resources are n resources of a type with an extension.
func resources(typ string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`{"resourceType":"%s","id":"%d","extension":[{"url":"http://example.org/x","valueString":"v"}]}`, typ, i)
	}
	return out
}

func parameter(code, bases string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":"%s","url":"http://example.org/%[1]s","name":"x","status":"active","description":"d","code":"%[1]s","base":[%s],
		"type":"string","expression":"DomainResource.extension('http://example.org/x').value"}`, code, bases)
}

// TestManyParametersAreIndexedByOnePass stores a package of parameters in one Update, and another one while the first is being indexed.
func TestManyParametersAreIndexedByOnePass(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		g := open(t, store)
		const patients = 450
		g.must(append(resources("Patient", patients), resources("Basic", 3)...)...)
		var all []string
		for i := range 30 {
			all = append(all, parameter(fmt.Sprint("p", i), `"Patient"`), parameter(fmt.Sprint("b", i), `"Basic"`))
		}
		g.must(all...)
		g.indexed()
		for _, code := range []string{"p0", "p29"} {
			if n := g.found("Patient", code); n != patients {
				t.Errorf("%d of %d have entries of %s", n, patients, code)
			}
		}
		if n := g.extracted.Load(); n != patients+3 {
			t.Errorf("entries were made %d times for %d resources", n, patients+3)
		}
	})
}

func TestATypeOfFewIsIndexedFirst(t *testing.T) {
	all, one := item{ID: "all", Left: []string{"Group", "Patient"}}, item{ID: "one", Left: []string{"Patient"}}
	if typ := next([]item{all, one}); typ != "Patient" {
		t.Error(typ)
	}
	one.Left = nil
	if typ := next([]item{one, all}); typ != "Group" {
		t.Error(typ)
	}
	if typ := next([]item{one}); typ != "" {
		t.Error(typ)
	}
}

// broken is a store whose Reindex fails after some resources, until it is mended.
type broken struct {
	storage.Store
	left atomic.Int64
}

type brokenTx struct {
	storage.Tx
	left *atomic.Int64
}

func (b *broken) Update(ctx context.Context, f func(storage.Tx) error) error {
	return b.Store.Update(ctx, func(tx storage.Tx) error { return f(brokenTx{tx, &b.left}) })
}

func (tx brokenTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	if tx.left.Add(-1) < 0 {
		return errors.New("the disk is gone")
	}
	return tx.Tx.Reindex(ctx, key, version, entries)
}

// TestIndexingGoesOnAfterARestart ends the process while one type is indexed and another waits.
func TestIndexingGoesOnAfterARestart(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		b := &broken{Store: store}
		b.left.Store(3)
		first := open(t, b)
		first.must(append(resources("Patient", 3), resources("Person", 3)...)...)
		first.must(parameter("x", `"Patient","Person"`))
		for first.found("Patient", "x") < 3 || len(first.Indexing()[0].Types) != 2 {
			time.Sleep(time.Millisecond)
		}
		for {
			first.mu.Lock()
			left := slices.Clone(first.work.Items[0].Left)
			first.mu.Unlock()
			if slices.Equal(left, []string{"Person"}) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		first.close()
		second := open(t, store)
		second.indexed()
		if n := second.found("Person", "x"); n != 3 {
			t.Errorf("%d of 3 are indexed", n)
		}
		if n := second.extracted.Load(); n != 3 {
			t.Errorf("entries were made %d times, of the first type too", n)
		}
	})
}

// TestIndexingWaitsForWritesThatBeganBeforeAndHoldsUpNone has a write under way when a parameter comes.
func TestIndexingWaitsForWritesThatBeganBeforeAndHoldsUpNone(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		g := open(t, store)
		g.must(resources("Patient", 1)...)
		end := g.Begin()
		g.must(parameter("x", `"Patient"`))
		time.Sleep(20 * time.Millisecond)
		g.must(resources("Basic", 1)...) // does not wait
		if n := g.found("Patient", "x"); n != 0 || len(g.Indexing()) != 1 {
			t.Error("the indexing has not waited")
		}
		end()
		g.indexed()
		if n := g.found("Patient", "x"); n != 1 {
			t.Errorf("%d of 1 are indexed", n)
		}
	})
}

// TestIndexingThatAnEarlierReleaseLeftIsDone opens a store in which a list of unfinished indexing lies, as it was before there were jobs.
func TestIndexingThatAnEarlierReleaseLeftIsDone(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		first := open(t, store)
		first.must(parameter("x", `"Patient"`))
		first.indexed()
		first.must(resources("Patient", 2)...)
		first.close()
		err := store.Update(t.Context(), func(tx storage.Tx) error {
			for i := range 2 {
				if err := tx.Reindex(t.Context(), fhir.Key{Type: "Patient", ID: fmt.Sprint(i)}, 1, nil); err != nil {
					return err
				}
			}
			return tx.SetMeta(t.Context(), earlierName, []byte(`[{"id":"x","url":"http://example.org/x","code":"x","types":["Patient"],"since":"2026-11-23T09:00:00Z"}]`))
		})
		if err != nil || first.found("Patient", "x") != 0 {
			t.Fatal(err)
		}
		second := open(t, store)
		for end := time.Now().Add(2 * time.Minute); second.found("Patient", "x") != 2; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("what was left is not indexed")
			}
		}
	})
}

func TestSearchParametersOfOneUpdateSeeEachOther(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		g := open(t, store)
		err := g.put(parameter("x", `"Patient"`), `{"resourceType":"SearchParameter","id":"y","url":"http://example.org/y","name":"y","status":"active","description":"d","code":"x","base":["Patient"],
			"type":"string","expression":"Patient.name.family"}`)
		if fhir.KindOf(err) != fhir.KindUnprocessable || len(g.Indexing()) != 0 {
			t.Errorf("two parameters of one code: %v", err)
		}
		g.must(parameter("x", `"Patient"`), `{"resourceType":"SearchParameter","id":"xx","url":"http://example.org/xx","name":"xx","status":"active","description":"d","code":"x-x","base":["Patient"],
			"type":"composite","expression":"Patient","component":[{"definition":"http://example.org/x","expression":"extension.value"},{"definition":"http://example.org/x","expression":"extension.value"}]}`)
		if _, ok := g.parameters.Lookup("Patient", "x-x"); !ok {
			t.Error("a composite and its component are not both in force")
		}
	})
}

func TestFlights(t *testing.T) {
	var f flights
	if err := f.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := f.begin()
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.wait(given); err == nil {
		t.Fatal("did not wait")
	}
	b := f.begin()
	done := make(chan error)
	go func() { done <- f.wait(t.Context()) }()
	f.end(a)
	select {
	case <-done:
		t.Fatal("did not wait for the second")
	case <-time.After(20 * time.Millisecond):
	}
	c := f.begin()
	f.end(b)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.end(c)
	// Under load a wait ends when all that had begun has ended.
	var ended [8]atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range ended {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				e := f.begin()
				ended[i].Add(1) // odd while under way
				ended[i].Add(1)
				f.end(e)
			}
		})
	}
	for range 200 {
		var then [len(ended)]int64
		for i := range ended {
			then[i] = ended[i].Load()
		}
		if err := f.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range ended {
			if now := ended[i].Load(); then[i]%2 == 1 && now == then[i] {
				t.Fatal("a write that had begun is under way after the wait")
			}
		}
	}
	close(stop)
	all.Wait()
}
