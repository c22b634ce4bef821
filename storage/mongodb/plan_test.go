package mongodb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/search/searchtest"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
)

// Of the world of these tests a few observations alone have what is asked for, and they stand at the end of each order: who walks it reads
// everything.
const (
	worldSize = 3_000
	worldRare = 6 // of them have what is rare
)

// unlikely returns the i-th observation of that world.
func unlikely(i int) storage.Record {
	at := newPopulation(1).From.AddDate(0, 0, i)
	e := []search.Entry{
		tok("code", loinc, "8480-6"), tok("status", "", "final"), ref("subject", "Patient", fmt.Sprint("p", i%50)), ref("patient", "Patient", fmt.Sprint("p", i%50)),
		date("date", at, 1), quantity("value-quantity", 100+i%50), str("comment", fmt.Sprintf("word%d", i%400)), tok("rank", "", fmt.Sprintf("r%06d", i)),
	}
	if i%50 == 0 { // of two dates
		e = append(e, date("date", at.AddDate(0, 0, 1), 1))
	}
	if i >= worldSize-worldRare {
		e[1] = tok("method", "", "none") // and no status
		e[5] = quantity("value-quantity", 900)
		e = append(e, ref("focus", "Patient", fmt.Sprint("q", i%50)), str("comment", "seldom said"), tok("flag", "urn:f", "rare"), ref("focus", "Device", "d1"),
			search.Entry{Param: "_profile", URI: "http://example.org/rare/one"}, date("issued", at, 1),
			search.Entry{Param: "code-value-quantity", Parts: []search.Entry{tok("", loinc, "8480-6"), quantity("", 900)}})
	} else {
		e = append(e, search.Entry{Param: "_profile", URI: "http://example.org/common"},
			search.Entry{Param: "code-value-quantity", Parts: []search.Entry{tok("", loinc, "8480-6"), quantity("", 100+i%50)}})
	}
	k := fhir.Key{Type: "Observation", ID: fmt.Sprintf("o%06d", i)}
	return storage.Record{Key: k, Version: 1, Method: "PUT", Body: fmt.Appendf(nil, `{"resourceType":"Observation","id":%q}`, k.ID), Entries: e}
}

func TestTextsThatAreLongerThanPatterns(t *testing.T) {
	s := open(t)
	long := strings.Repeat("long ", 20_000)
	k := fhir.Key{Type: "Basic", ID: "a"}
	putAll(t, s, []storage.Record{{Key: k, Version: 1, Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"a"}`), Entries: []search.Entry{str("text", "a "+long+"text")}},
		{Key: fhir.Key{Type: "Basic", ID: "b"}, Version: 1, Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"b"}`), Entries: []search.Entry{str("text", "b")}}})
	for _, c := range []struct {
		op    search.Op
		value string
		found int
	}{{search.Prefix, "a " + long, 1}, {search.Prefix, long, 0}, {search.Contains, long, 1}, {search.Contains, long + "text", 1}, {search.Contains, long + long, 0}} {
		for _, sorts := range [][]search.Sort{nil, {{Param: "_lastUpdated"}}} {
			where := some("text", search.Comparison{Field: search.Folded, Op: c.op, Value: c.value})
			if err := s.View(t.Context(), func(r storage.Reader) error {
				rows, err := r.Find(t.Context(), search.Query{Types: []string{"Basic"}, Where: where, Sort: sorts, Limit: 5})
				if len(rows) != c.found {
					t.Errorf("%d of %d bytes: %d rows", c.op, len(c.value), len(rows))
				}
				return err
			}); err != nil {
				t.Errorf("%d of %d bytes: %.200v", c.op, len(c.value), err)
			}
		}
	}
}

// some is a condition on one entry.
func some(param string, where ...search.Comparison) search.Expr {
	return search.Some{Param: param, Where: where}
}

// A page whose rows are few and far is not looked for in its order: what an index finds for one condition is sorted. It is the same page, and so
// are those behind it; what is common is read in the order still.
func TestFewRowsFarDownAnOrder(t *testing.T) {
	s := open(t)
	var all []storage.Record
	for i := range worldSize {
		all = append(all, unlikely(i))
	}
	var people []storage.Record
	for i := range 50 {
		k := fhir.Key{Type: "Patient", ID: fmt.Sprint("p", i)}
		people = append(people, storage.Record{Key: k, Version: 1, Method: "PUT", Body: fmt.Appendf(nil, `{"resourceType":"Patient","id":%q}`, k.ID),
			Entries: []search.Entry{str("family", fmt.Sprint("family", i))}})
	}
	for i := range 300 { // of whom nearly nothing is known
		k := fhir.Key{Type: "Patient", ID: fmt.Sprint("q", i)}
		people = append(people, storage.Record{Key: k, Version: 1, Method: "PUT", Body: fmt.Appendf(nil, `{"resourceType":"Patient","id":%q}`, k.ID),
			Entries: []search.Entry{str("family", fmt.Sprint("away", i))}})
	}
	oracle := searchtest.NewOracle(nil)
	putAll(t, s, people)
	for chunk := range slices.Chunk(all, 1000) {
		putAll(t, s, chunk)
	}
	for _, rec := range people {
		oracle.Set(rec.Key, rec.Entries)
	}
	for i, rec := range all { // those of one Update have one instant
		oracle.Set(rec.Key, append(rec.Entries, search.LastUpdated(time.Unix(int64(i/1000), 0))))
	}
	code := eq("code", loinc, "8480-6")
	above := some("value-quantity", search.Comparison{Field: search.Hi, Op: search.Gt, Value: "P5002800"})
	conditions := []struct {
		name  string
		where search.Expr
	}{
		{"quantity", above},
		{"quantity of a unit", some("value-quantity", search.Comparison{Field: search.Code, Op: search.Eq, Value: "mm[Hg]"}, search.Comparison{Field: search.Lo, Op: search.Ge, Value: "P5002800"})},
		{"one of two quantities", search.Or{above, some("value-quantity", search.Comparison{Field: search.Hi, Op: search.Lt, Value: "P5002"})}},
		{"date", from("issued", "20000101")},
		{"token", eq("flag", "urn:f", "rare")},
		{"tokens of a system", some("flag", search.Comparison{Field: search.System, Op: search.Eq, Value: "urn:f"})},
		{"reference", to("focus", "Device", "d1")},
		{"string", prefix("comment", "seldom")},
		{"exact string", some("comment", search.Comparison{Field: search.Exact, Op: search.Eq, Value: "seldom said"})},
		{"uri", some("_profile", search.Comparison{Field: search.URI, Op: search.Eq, Value: "http://example.org/rare/one"})},
		{"uri below", some("_profile", search.Comparison{Field: search.URI, Op: search.Prefix, Value: "http://example.org/rare/"})},
		{"chain", search.Refers{Param: "focus", Target: "Patient", Where: prefix("family", "away")}},
		{"composite", some("code-value-quantity", search.Comparison{Part: 1, Field: search.Code, Op: search.Eq, Value: "8480-6"}, search.Comparison{Part: 2, Field: search.Lo, Op: search.Ge, Value: "P5002800"})},
	}
	orders := []struct {
		name string
		sort []search.Sort
	}{
		{"by date", []search.Sort{{Param: "date"}}},
		{"newest first", []search.Sort{{Param: "date", Desc: true}}},
		{"by update", []search.Sort{{Param: "_lastUpdated"}}},
		{"by value", []search.Sort{{Param: "value-quantity"}}},
		{"by date and rank", []search.Sort{{Param: "date"}, {Param: "rank", Desc: true}}},
		{"by a chain", []search.Sort{{Param: "family", Chain: &search.SortChain{Param: "patient", Target: "Patient"}}}},
		{"by id", nil},
	}
	// A chain is told for ten times as many rows as are few on its far side before more are read there.
	chains := map[string]int{"chain": 10_000}
	// Each page is at most so many keys and documents, whatever the conditions: the pages of these rows cost no more than to find out how few they
	// are, and to sort them.
	const bound = 600
	for _, c := range conditions {
		for _, with := range []search.Expr{nil, code} {
			for _, o := range orders {
				name := c.name + " " + o.name
				where := c.where
				if with != nil {
					name, where = c.name+" and code "+o.name, search.And{with, c.where}
				}
				t.Run(name, func(t *testing.T) {
					mongodb.Forget(s)
					q := search.Query{Types: []string{"Observation"}, Where: where, Sort: o.sort, Limit: 4}
					var got []string
					for page := 0; page < 5; page++ {
						var rows []search.Row
						var plan search.Plan
						if err := s.View(t.Context(), func(r storage.Reader) (err error) { rows, plan, err = r.Explain(t.Context(), q); return err }); err != nil {
							t.Fatal(err)
						}
						t.Logf("page %d: %d rows, %d keys, %d documents", page, len(rows), plan.Examined, plan.Fetched)
						if bound := max(bound, chains[c.name]); plan.Examined > bound || plan.Fetched > bound/2 {
							t.Errorf("page %d examines %d keys and %d documents: %v", page, plan.Examined, plan.Fetched, plan.Steps)
						}
						for _, row := range rows {
							got = append(got, row.Key.ID)
						}
						if len(rows) < q.Limit {
							break
						}
						q.After = &rows[len(rows)-1].Position
					}
					var want []string
					for _, row := range oracle.Find(search.Query{Types: q.Types, Where: where, Sort: o.sort}) {
						want = append(want, row.Key.ID)
					}
					if !slices.Equal(got, want) || len(got) != worldRare {
						t.Errorf("%v, not %v", got, want)
					}
				})
			}
		}
	}
	for _, c := range []struct {
		name  string
		where search.Expr
	}{
		{":contains", some("comment", search.Comparison{Field: search.Folded, Op: search.Contains, Value: "ldom s"})},
		{":missing=true", search.And{search.Not{Expr: search.Some{Param: "status"}}, search.Not{Expr: search.Some{Param: "status:text"}}, search.Not{Expr: search.Some{Param: "status:present"}}}},
	} {
		for _, o := range orders {
			t.Run(c.name+" "+o.name, func(t *testing.T) {
				q := search.Query{Types: []string{"Observation"}, Where: c.where, Sort: o.sort, Limit: 4}
				var want []string
				for _, row := range oracle.Find(search.Query{Types: q.Types, Where: c.where, Sort: o.sort}) {
					want = append(want, row.Key.ID)
				}
				// The first search that reads much for it makes the order of the parameter, and those after that are served by it.
				for until := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
					mongodb.Forget(s)
					var rows []search.Row
					var plan search.Plan
					if err := s.View(t.Context(), func(r storage.Reader) (err error) { rows, plan, err = r.Explain(t.Context(), q); return err }); err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, row := range rows {
						got = append(got, row.Key.ID)
					}
					if !slices.Equal(got, want[:4]) {
						t.Fatalf("%v, not %v", got, want)
					}
					if plan.Fetched <= 600 {
						break
					}
					if time.Now().After(until) {
						t.Fatalf("reads %d documents: %v", plan.Fetched, plan.Steps)
					}
				}
			})
		}
	}
	t.Run("what is not rare", func(t *testing.T) {
		mongodb.Forget(s)
		q := search.Query{Types: []string{"Observation"}, Where: search.And{code, some("value-quantity", search.Comparison{Field: search.Hi, Op: search.Gt, Value: "P5002148"})},
			Sort: []search.Sort{{Param: "date"}}, Limit: 20}
		if err := s.View(t.Context(), func(r storage.Reader) error {
			rows, plan, err := r.Explain(t.Context(), q) // one in fifty
			t.Logf("%d keys, %d documents", plan.Examined, plan.Fetched)
			if len(rows) != 20 || plan.Examined > 1_400 {
				t.Errorf("%d rows, %d keys: %v", len(rows), plan.Examined, plan.Steps)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what is common", func(t *testing.T) {
		mongodb.Forget(s)
		q := search.Query{Types: []string{"Observation"}, Where: search.And{code, some("value-quantity", search.Comparison{Field: search.Hi, Op: search.Gt, Value: "P5002110"})},
			Sort: []search.Sort{{Param: "date"}}, Limit: 20}
		if err := s.View(t.Context(), func(r storage.Reader) error {
			rows, plan, err := r.Explain(t.Context(), q)
			if len(rows) != 20 || plan.Examined > 4*20+2 || len(plan.Steps) != 1 || !strings.HasPrefix(plan.Steps[0].Index, "Observation: pairs") {
				t.Errorf("%d rows: %+v", len(rows), plan)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}
