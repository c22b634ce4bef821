package specification_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/specification"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// openStore opens an empty store: an embedded one in memory, or with FHIRGATE_TEST_ENGINE=mongodb a database of its own.
func openStore(t testing.TB) storage.Store {
	t.Helper()
	var store storage.Store
	var err error
	if os.Getenv("FHIRGATE_TEST_ENGINE") == "mongodb" {
		store, err = mongodb.Open(context.Background(), mongodb.Options{URI: mongotest.URI(t), Timeout: 5 * time.Minute})
	} else {
		store, err = embedded.Open("data", embedded.Options{FS: vfs.NewMem(), Cache: 64 << 20})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return storagetest.Checked(store)
}

var parameters = sync.OnceValue(func() *search.Parameters {
	return search.NewParameters(definition.R4(), search.Options{})
})

// entries is what records are found by.
func entries(rec storage.Record) ([]search.Entry, error) {
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	out, err := parameters().Extract(r)
	return append(out, search.LastUpdated(rec.Updated)), err
}

// open returns the Specification of parameters that do not change.
func open() *specification.Specification {
	return specification.New(specification.Options{Registry: definition.R4(), Entries: entries, Generation: func() uint64 { return 2 },
		Outdated: func(string, uint64) bool { return false }})
}

func update(t testing.TB, store storage.Store, f func(context.Context, storage.Tx) error) {
	t.Helper()
	if err := store.Update(t.Context(), func(tx storage.Tx) error { return f(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// put stores a resource as the version that follows before.
func put(t testing.TB, store storage.Store, before int64, src string, args ...any) fhir.Key {
	t.Helper()
	r, err := fhir.ParseResource(fmt.Appendf(nil, src, args...), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	update(t, store, func(ctx context.Context, tx storage.Tx) (err error) {
		rec := storage.Record{Key: r.Key(), Version: before + 1, Updated: tx.Now(), Method: "PUT", Body: r.Stamp(r.ID(), before+1, tx.Now())}
		if rec.Entries, err = entries(rec); err != nil {
			return err
		}
		return tx.Put(ctx, rec, before)
	})
	return r.Key()
}

func remove(t testing.TB, store storage.Store, key fhir.Key, before int64) {
	t.Helper()
	update(t, store, func(ctx context.Context, tx storage.Tx) error {
		return tx.Put(ctx, storage.Record{Key: key, Version: before + 1, Updated: tx.Now(), Method: "DELETE", Deleted: true}, before)
	})
}

// view runs f on a view of the site and on the same with the definitions.
func view(t testing.TB, store storage.Store, s *specification.Specification, f func(ctx context.Context, site, beside storage.Reader)) {
	t.Helper()
	err := store.View(t.Context(), func(r storage.Reader) error {
		f(t.Context(), r, s.Joined(r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// site stores what a site has of its own: resources of the definitions' types, one that replaces a definition, and one that did and is deleted.
func site(t testing.TB, store storage.Store) (replaced, deleted fhir.Key) {
	t.Helper()
	for i := range 12 {
		put(t, store, 0, `{"resourceType":"StructureDefinition","id":"own-%d","url":"http://example.org/own-%d","name":"Own%d","status":"draft","kind":"resource","abstract":false,"type":"Patient","date":"2019-1%d","derivation":"constraint","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient"}`, i, i, i%5, i%3)
		put(t, store, 0, `{"resourceType":"ValueSet","id":"a%d","url":"http://example.org/vs-%d","name":"Abc%d","status":"active"}`, i, i, i%4)
		put(t, store, 0, `{"resourceType":"List","id":"l%d","status":"current","mode":"working","title":"list %d","entry":[{"item":{"reference":"ValueSet/a%d"}},{"item":{"reference":"StructureDefinition/%s"}},{"item":{"reference":"ValueSet/administrative-gender"}}]}`,
			i, i, i, []string{"Patient", "Observation", "own-1", "Encounter"}[i%4])
		put(t, store, 0, `{"resourceType":"SearchParameter","id":"sp%d","url":"http://example.org/sp-%d","name":"eye","status":"draft","description":"d","code":"eye","base":["Patient"],"type":"token","expression":"Patient.language"}`, i, i)
	}
	replaced = put(t, store, 0, `{"resourceType":"ValueSet","id":"administrative-gender","url":"http://hl7.org/fhir/ValueSet/administrative-gender","name":"Replaced","status":"draft"}`)
	deleted = put(t, store, 0, `{"resourceType":"StructureDefinition","id":"Patient","url":"http://hl7.org/fhir/StructureDefinition/Patient","name":"Other","status":"draft","kind":"resource","abstract":false,"type":"Patient"}`)
	remove(t, store, deleted, 1)
	return replaced, deleted
}

// TestDefinitionsAreFoundAsIfTheyWereStored compares random searches, in pages of random sizes in both directions, with a store that holds the
// definitions and the site's resources.
func TestDefinitionsAreFoundAsIfTheyWereStored(t *testing.T) {
	s, own, both := open(), openStore(t), openStore(t)
	replaced, deleted := site(t, own)
	var versions []storage.Version
	for key := range definition.R4().Keys() {
		if !slices.Contains(s.Types(), key.Type) || key == replaced || key == deleted {
			continue
		}
		view(t, own, s, func(ctx context.Context, _, beside storage.Reader) {
			rec, err := beside.Get(ctx, key)
			if err != nil {
				t.Fatal(key, err)
			}
			if rec.Entries, err = entries(rec); err != nil {
				t.Fatal(key, err)
			}
			versions = append(versions, storage.Version{Record: rec, Current: true})
		})
	}
	for chunk := range slices.Chunk(versions, 200) {
		if err := both.Import(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	site(t, both)

	seed := uint64(time.Now().UnixNano())
	t.Logf("%d definitions, seed %d", len(versions), seed)
	lot := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...string) string { return of[lot.IntN(len(of))] }
	conditions := map[string][]string{
		"": {"_id=Patient", "_id=administrative-gender,own-3,a1,Observation,status", "_lastUpdated=lt2020", "_lastUpdated=gt2019-10-31T22:29:24Z", "_tag=urn:fhirgate:tag|definition",
			"_tag:not=definition", "_source=http://hl7.org/fhir/R4", "url:below=http://hl7.org/fhir/ValueSet", "url=http://example.org/vs-3", "name=a", "name:contains=obs", "name:exact=Patient",
			"status=draft", "status=active", "status:not=draft", "_filter=name sw \"p\" or name eq \"own1\"", "_id:not=Patient", "description:contains=patient", "description:missing=true"},
		"List": {"item:StructureDefinition.name=Patient", "item:StructureDefinition.kind=resource", "item:ValueSet.name=abc1,replaced", "item:StructureDefinition._id=Observation", "item:StructureDefinition.status:not=draft"},
		"StructureDefinition": {"_has:List:item:title=list", "_has:List:item:_id=l1,l2,l3", "kind=resource", "kind=complex-type,primitive-type", "type=Observation", "derivation=constraint", "abstract=true", "base=http://hl7.org/fhir/StructureDefinition/Extension",
			"path=Patient.name", "date=2019-10", "date=ge2018", "experimental=true", "ext-context=Patient"},
		"SearchParameter": {"base=Patient", "base=Observation,Encounter", "code=patient", "type=reference", "target=Patient", "derived-from:missing=false"},
		"ValueSet":        {"_has:List:item:status=current", "reference:below=http://terminology.hl7.org", "version=4.0.1", "publisher:contains=hl7", "identifier:missing=false", "date=lt2019", "code=A"},
		"CodeSystem":      {"code=male", "content-mode=complete", "system:below=http://hl7.org", "language:missing=true"},
	}
	sorts := []string{"", "name", "-name", "_id", "-_id", "url", "-_lastUpdated", "status,-name", "-date", "date,name", "publisher"}
	ran := 0
	for range 250 {
		typ := pick(append(s.Types(), "List", "List", "StructureDefinition", "ValueSet", "SearchParameter", "CodeSystem")...)
		query := ""
		for range 1 + lot.IntN(2) {
			query += "&" + pick(append(conditions[""], slices.Concat(conditions[typ], conditions[typ])...)...)
		}
		q := search.Query{Types: []string{typ}}
		if lot.IntN(5) == 0 {
			q.Types = []string{"Patient", "StructureDefinition", "ValueSet"}
		}
		if sort := pick(sorts...); sort != "" {
			query += "&_sort=" + sort
		}
		pairs, err := search.ReadQuery(query[1:])
		if err != nil {
			t.Fatal(err)
		}
		req, _, err := parameters().Parse(q.Types, pairs, search.ParseOptions{})
		if err != nil {
			continue // a parameter that not all of the types have
		}
		ran++
		q.Where, q.Sort, q.Reverse = req.Where, req.Sort, lot.IntN(3) == 0
		if q.Sort == nil {
			q.Sort = search.NaturalOrder(q.Types, q.Where)
		}
		var want []search.Row
		view(t, both, s, func(ctx context.Context, r, _ storage.Reader) {
			if want, err = r.Find(ctx, q); err != nil {
				t.Fatal(err)
			}
		})
		var got []search.Row
		view(t, own, s, func(ctx context.Context, _, r storage.Reader) {
			size := 1 + lot.IntN(1+len(want))
			for page := q; ; {
				page.Limit = size
				rows, err := r.Find(ctx, page)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, rows...)
				if len(rows) < size {
					break
				}
				page.After = &rows[len(rows)-1].Position
				size = 1 + lot.IntN(200)
			}
			if n, err := r.Count(ctx, q); err != nil || n != int64(len(want)) {
				t.Errorf("%v?%s: %d are counted (%v), want %d", q.Types, query, n, err, len(want))
			}
			if n, _, err := r.ExplainCount(ctx, q); err != nil || n != int64(len(want)) {
				t.Errorf("%v?%s: %d are counted and explained (%v), want %d", q.Types, query, n, err, len(want))
			}
			if rows, plan, err := r.Explain(ctx, q); err != nil || plan.Returned != len(want) || !slices.EqualFunc(rows, want, sameRow) {
				t.Errorf("%v?%s: an explained search finds %d (%v), want %d", q.Types, query, len(rows), err, len(want))
			}
		})
		if !slices.EqualFunc(got, want, sameRow) {
			t.Errorf("%v?%s finds %d, want %d", q.Types, query, len(got), len(want))
			for i := range min(len(got), len(want)) {
				if !sameRow(got[i], want[i]) {
					t.Errorf("the %dth is %v, want %v", i, got[i], want[i])
					break
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	if ran < 150 {
		t.Errorf("only %d searches ran", ran)
	}
}

// sameRow compares rows, but for the moments at which each store has put what is the site's.
func sameRow(a, b search.Row) bool {
	moments := a.Updated.Year() > 2020 && b.Updated.Year() > 2020
	return a.Key == b.Key && a.Version == b.Version && (moments || slices.Equal(a.Sort, b.Sort) && a.Updated.Equal(b.Updated))
}

// TestADefinitionIsAVersionOfTheServersOwn reads one in every way, and holds that what the site stores in its place is what is read.
func TestADefinitionIsAVersionOfTheServersOwn(t *testing.T) {
	s, store := open(), openStore(t)
	key := fhir.Key{Type: "CodeSystem", ID: "administrative-gender"}
	reads := func(want string) {
		t.Helper()
		view(t, store, s, func(ctx context.Context, site, r storage.Reader) {
			rec, err := r.Get(ctx, key)
			first, fault := r.GetVersion(ctx, key, 1)
			if err != nil || fault != nil {
				t.Fatal(err, fault)
			}
			many, err := r.GetMany(ctx, []fhir.Key{{Type: "Patient", ID: "none"}, key, {Type: "ValueSet", ID: "none"}})
			if err != nil || many[0].Version != 0 || many[1].Version != rec.Version || many[2].Version != 0 {
				t.Fatal(err, many)
			}
			history, err := r.History(ctx, storage.HistoryQuery{Key: key})
			if err != nil || len(history) != int(rec.Version) || string(history[0].Body) != string(rec.Body) || string(history[len(history)-1].Body) != string(first.Body) {
				t.Fatal(err, history)
			}
			var body struct {
				Meta struct {
					VersionID, LastUpdated, Source string
					Profile                        []string
					Tag                            []struct{ System, Code string }
				}
			}
			if err := json.Unmarshal(rec.Body, &body); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %s %v", rec.Version, rec.Updated.Format(time.RFC3339), body.Meta); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if all, err := r.History(ctx, storage.HistoryQuery{Types: []string{key.Type}}); err != nil || len(all) != int(rec.Version)*btoi(rec.Updated.Year() > 2020) {
				t.Errorf("the type's history has %d versions (%v)", len(all), err)
			}
			if counts, err := r.Counts(ctx); err != nil || counts[key.Type] != int64(btoi(rec.Updated.Year() > 2020)) {
				t.Errorf("%v are counted (%v)", counts, err)
			}
		})
	}
	reads("1 2019-10-31T22:29:23Z {1 2019-10-31T22:29:23.356000Z http://hl7.org/fhir/R4 [] [{urn:fhirgate:tag definition}]}")
	view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
		if _, err := r.GetVersion(ctx, key, 2); err != storage.ErrNotFound {
			t.Error("it has a second version:", err)
		}
		at := time.Date(2019, 10, 31, 22, 29, 23, 356_000_000, time.UTC)
		for _, c := range []struct {
			q    storage.HistoryQuery
			want int
		}{{storage.HistoryQuery{Key: key, Since: at, Until: at}, 1}, {storage.HistoryQuery{Key: key, Since: at.Add(time.Microsecond)}, 0},
			{storage.HistoryQuery{Key: key, Until: at.Add(-time.Microsecond)}, 0}, {storage.HistoryQuery{Key: key, After: &storage.HistoryPosition{Updated: at, Key: key, Version: 1}}, 0}} {
			if got, err := r.History(ctx, c.q); err != nil || len(got) != c.want {
				t.Errorf("%+v has %d versions (%v)", c.q, len(got), err)
			}
		}
	})
	put(t, store, 0, `{"resourceType":"CodeSystem","id":"administrative-gender","url":"http://example.org","status":"draft","content":"complete"}`)
	view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
		rec, err := r.Get(ctx, key)
		if err != nil || rec.Updated.Year() < 2020 {
			t.Error("the site's resource does not replace the definition:", err)
		}
	})
	remove(t, store, key, 1)
	view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
		if _, err := r.Get(ctx, key); err != storage.ErrDeleted {
			t.Error("a deleted resource is read as", err)
		}
		if many, err := r.GetMany(ctx, []fhir.Key{key}); err != nil || many[0].Version != 0 {
			t.Error("a deleted resource is read among many:", err)
		}
		if history, err := r.History(ctx, storage.HistoryQuery{Key: key}); err != nil || len(history) != 2 {
			t.Error(len(history), err)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestChainsLeadBetweenTheSiteAndDefinitions holds that they do where a Reader is joined, and are bounded.
func TestChainsLeadBetweenTheSiteAndDefinitions(t *testing.T) {
	s, store := open(), openStore(t)
	site(t, store)
	for _, c := range []struct{ typ, query, joined, beside string }{
		{"List", "item:StructureDefinition.name=Observation", "[l1 l5 l9]", "[]"},
		{"List", "item:StructureDefinition.name=own1", "[l10 l2 l6]", "[l10 l2 l6]"},
		{"List", "item:StructureDefinition.name=patient", "[]", "[]"}, // the site has deleted its own
		{"List", "item:StructureDefinition.url=http://hl7.org/fhir/StructureDefinition/Encounter&_id=l3,l4", "[l3]", "[]"},
		{"List", "item:ValueSet.name=replaced&_id=l3,l4", "[l3 l4]", "[l3 l4]"},
		{"List", "item:ValueSet.name:missing=false", "search-too-costly", "[l0 l1 l10 l11 l2 l3 l4 l5 l6 l7 l8 l9]"},
		{"StructureDefinition", "_has:List:item:_id=l1,l2,l3", "[Encounter Observation own-1]", "[own-1]"},
		{"StructureDefinition", "_has:List:item:_id=l1&name=own1", "[]", "[]"},
		{"ValueSet", "_has:List:item:_id=l3", "[a3 administrative-gender]", "[a3 administrative-gender]"},
	} {
		pairs, err := search.ReadQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		req, _, err := parameters().Parse([]string{c.typ}, pairs, search.ParseOptions{})
		if err != nil {
			t.Fatal(c.query, err)
		}
		find := func(ctx context.Context, r storage.Reader) string {
			rows, err := r.Find(ctx, search.Query{Types: req.Types, Where: req.Where})
			var refused *fhir.Error
			if errors.As(err, &refused) {
				return string(refused.Issues[0].ID)
			}
			ids := []string{}
			for _, row := range rows {
				ids = append(ids, row.Key.ID)
			}
			return fmt.Sprint(ids)
		}
		err = store.View(t.Context(), func(r storage.Reader) error {
			if got := find(t.Context(), s.Joined(r)); got != c.joined {
				t.Errorf("%s?%s joined finds %s, want %s", c.typ, c.query, got, c.joined)
			}
			if got := find(t.Context(), s.Beside(r)); got != c.beside {
				t.Errorf("%s?%s finds %s, want %s", c.typ, c.query, got, c.beside)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDefinitionsReferToNothingByTypeAndID holds what following chains relies on.
func TestDefinitionsReferToNothingByTypeAndID(t *testing.T) {
	s, store := open(), openStore(t)
	view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
		for key := range definition.R4().Keys() {
			rec, err := r.Get(ctx, key)
			if !slices.Contains(s.Types(), key.Type) {
				continue
			}
			if err != nil {
				t.Fatal(key, err)
			}
			found, err := entries(rec)
			if err != nil {
				t.Fatal(key, err)
			}
			for _, e := range found {
				if e.Type != "" && e.Inner == nil {
					t.Errorf("%v refers by %s to %s/%s", key, e.Param, e.Type, e.ID)
				}
			}
		}
	})
}

// TestEveryDefinitionIsReadByItsKey holds that each has a body of its type and id, with its mark.
func TestEveryDefinitionIsReadByItsKey(t *testing.T) {
	s, store := open(), openStore(t)
	n := map[string]int{}
	view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
		for key := range definition.R4().Keys() {
			if !slices.Contains(s.Types(), key.Type) {
				continue
			}
			n[key.Type]++
			rec, err := r.Get(ctx, key)
			if err != nil {
				t.Fatal(key, err)
			}
			body, err := fhir.ParseResource(rec.Body, fhir.Limits{})
			if err != nil || body.Key() != key || body.Get("meta").Get("source").Text() != specification.Source || body.Get("meta").Get("versionId").Text() != "1" {
				t.Errorf("%v is %.200s (%v)", key, rec.Body, err)
			}
		}
	})
	if got := fmt.Sprint(n); got != "map[CodeSystem:1062 CompartmentDefinition:5 ConceptMap:19 OperationDefinition:46 SearchParameter:1375 StructureDefinition:649 ValueSet:1316]" {
		t.Error(got)
	}
}

// TestAShelfIsFilledOnceAndAgainForOtherParameters searches from many goroutines, and after the parameters have changed.
func TestAShelfIsFilledOnceAndAgainForOtherParameters(t *testing.T) {
	store := openStore(t)
	var extracted atomic.Int64
	var generation atomic.Uint64
	s := specification.New(specification.Options{Registry: definition.R4(), Generation: generation.Load,
		Entries:  func(rec storage.Record) ([]search.Entry, error) { extracted.Add(1); return entries(rec) },
		Outdated: func(_ string, made uint64) bool { return made != generation.Load() }})
	q := search.Query{Types: []string{"OperationDefinition"}, Where: search.And{}}
	for round := range int64(2) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				view(t, store, s, func(ctx context.Context, _, r storage.Reader) {
					if rows, err := r.Find(ctx, q); err != nil || len(rows) != 46 {
						t.Error(len(rows), err)
					}
				})
			})
		}
		all.Wait()
		if n := extracted.Load(); n != 46*(round+1) {
			t.Errorf("%d were indexed", n)
		}
		generation.Add(1)
	}
}

// BenchmarkFirstSearch measures the first search of a type: its time, and the memory that stays.
func BenchmarkFirstSearch(b *testing.B) {
	store := openStore(b)
	parameters()
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	b.Run("keys", func(b *testing.B) {
		for b.Loop() {
			open().Has(fhir.Key{Type: "ValueSet", ID: "x"})
		}
	})
	for _, typ := range open().Types() {
		b.Run(typ, func(b *testing.B) {
			var kept float64
			for b.Loop() {
				b.StopTimer()
				s := open()
				s.Has(fhir.Key{Type: "ValueSet", ID: "x"})
				before := heap()
				b.StartTimer()
				view(b, store, s, func(ctx context.Context, _, r storage.Reader) {
					if _, err := r.Find(ctx, search.Query{Types: []string{typ}, Where: search.And{}, Limit: 1}); err != nil {
						b.Fatal(err)
					}
				})
				b.StopTimer()
				kept = heap() - before
				runtime.KeepAlive(s)
				b.StartTimer()
			}
			b.ReportMetric(kept/(1<<20), "MB")
		})
	}
}

// BenchmarkSearch measures a search of definitions that are found already, and what searches of other types pay for passing here.
func BenchmarkSearch(b *testing.B) {
	store, s := openStore(b), open()
	put(b, store, 0, `{"resourceType":"Patient","id":"p","active":true}`)
	for _, url := range []string{"StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient", "SearchParameter?base=Observation&_sort=name", "ValueSet?name:contains=status", "Patient?active=true"} {
		typ, query, _ := strings.Cut(url, "?")
		pairs, _ := search.ReadQuery(query)
		req, _, err := parameters().Parse([]string{typ}, pairs, search.ParseOptions{})
		if err != nil {
			b.Fatal(err)
		}
		q := search.Query{Types: []string{typ}, Where: req.Where, Sort: req.Sort, Limit: 21}
		for _, beside := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/%v", typ, beside), func(b *testing.B) {
				view(b, store, s, func(ctx context.Context, r, with storage.Reader) {
					if beside {
						r = with
					}
					if _, err := r.Find(ctx, q); err != nil { // the first one fills the shelf
						b.Fatal(err)
					}
					for b.Loop() {
						if _, err := r.Find(ctx, q); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}
