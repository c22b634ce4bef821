package embedded

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// benchMillion also runs the benchmarks of Find over 1,000,000 resources; benchDir keeps the populations between runs.
var (
	benchMillion = flag.Bool("embedded.million", false, "benchmark Find over 1,000,000 resources too")
	benchDir     = flag.String("embedded.dir", "", "keep the populations of the benchmarks in this folder")
)

// shapeQuery is a query of a common shape.
type shapeQuery struct {
	name string
	make func(p *population) search.Query
}

func eq(param, system, code string) search.Expr {
	w := []search.Comparison{{Field: search.Code, Op: search.Eq, Value: code}}
	if system != "" {
		w = append(w, search.Comparison{Field: search.System, Op: search.Eq, Value: system})
	}
	return search.Some{Param: param, Where: w}
}

func to(param, typ, id string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: typ}, {Field: search.ID, Op: search.Eq, Value: id}}}
}

// from and until are ge and lt of a date, as search makes them.
func from(param, v string) search.Expr {
	return search.Or{search.Some{Param: param, Where: []search.Comparison{{Field: search.Lo, Op: search.Ge, Value: v}}},
		search.Some{Param: param, Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: v + "000001"}}}}
}

func until(param, v string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Lo, Op: search.Lt, Value: v}}}
}

func prefixOf(param, v string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Folded, Op: search.Prefix, Value: v}}}
}

// code0 is the most common code, hot a common one.
const (
	code0 = "1000-0"
	hot   = "1020-0"
)

// shapes are the shapes of queries that clients ask for, each for a first page of 20.
func queryShapes() []shapeQuery {
	obs := func(where ...search.Expr) search.Query {
		return search.Query{Types: []string{"Observation"}, Where: search.And(where), Limit: 20}
	}
	newest := func(q search.Query) search.Query {
		q.Sort = []search.Sort{{Param: "date", Desc: true}}
		return q
	}
	patient := func(p *population) search.Expr { return to("patient", "Patient", p.ID("patient", 3)) }
	return []shapeQuery{
		{"token", func(p *population) search.Query { return obs(eq("code", loinc, hot)) }},
		{"token without system", func(p *population) search.Query { return obs(eq("code", "", hot)) }},
		{"identifier", func(p *population) search.Query {
			return search.Query{Types: []string{"Patient"}, Where: eq("identifier", "http://hospital/mrn", "m300"), Limit: 20}
		}},
		{"date range, a month", func(p *population) search.Query { return obs(from("date", "20150301"), until("date", "20150401")) }},
		{"date range, a day", func(p *population) search.Query { return obs(from("date", "20150301"), until("date", "20150302")) }},
		{"date from", func(p *population) search.Query { return obs(from("date", "20150301")) }},
		{"code and date range, a year", func(p *population) search.Query {
			return obs(eq("code", loinc, hot), from("date", "20150101"), until("date", "20160101"))
		}},
		{"code and date range, a month", func(p *population) search.Query {
			return obs(eq("code", loinc, hot), from("date", "20150301"), until("date", "20150401"))
		}},
		{"code and value above", func(p *population) search.Query {
			return obs(eq("code", loinc, hot), search.Some{Param: "value-quantity", Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: "P5002140!"}}})
		}},
		{"composite above", func(p *population) search.Query {
			return obs(search.Some{Param: "code-value-quantity", Where: []search.Comparison{
				{Part: 1, Field: search.Code, Op: search.Eq, Value: hot}, {Part: 2, Field: search.Hi, Op: search.Gt, Value: "P5002140!"}}})
		}},
		{"patient and code", func(p *population) search.Query { return obs(patient(p), eq("code", loinc, code0)) }},
		{"patient, code and date range", func(p *population) search.Query {
			return obs(patient(p), eq("code", loinc, code0), from("date", "20120101"), until("date", "20200101"))
		}},
		{"patient, newest first", func(p *population) search.Query { return newest(obs(patient(p))) }},
		{"newest first of a common code", func(p *population) search.Query { return newest(obs(eq("code", loinc, code0))) }},
		{"newest first of a category", func(p *population) search.Query { return newest(obs(eq("category", "", "laboratory"))) }},
		{"newest first of all", func(p *population) search.Query { return newest(obs()) }},
		{"category and status", func(p *population) search.Query { return obs(eq("category", "", "survey"), eq("status", "", "final")) }},
		{"OR of 200 tokens", func(p *population) search.Query {
			var or search.Or
			for i := range 200 {
				or = append(or, eq("code", loinc, fmt.Sprintf("%d-%d", 1000+i, i%10)))
			}
			return obs(or)
		}},
		{"chain to family", func(p *population) search.Query {
			return obs(storagetest.Chain("patient", "Patient", prefixOf("family", "family500")))
		}},
		{"chain to gender", func(p *population) search.Query {
			return obs(storagetest.Chain("patient", "Patient", eq("gender", "", "female")))
		}},
		{"chain into contained resources", func(p *population) search.Query {
			return search.Query{Types: []string{"Encounter"}, Limit: 20, Where: storagetest.Chain("participant", "Practitioner", eq("gender", "", "female"))}
		}},
		{"_has by code", func(p *population) search.Query {
			return search.Query{Types: []string{"Patient"}, Limit: 20, Where: search.Referred{Source: "Observation", Param: "patient", Where: eq("code", loinc, hot)}}
		}},
		{"string prefix", func(p *population) search.Query {
			return search.Query{Types: []string{"Patient"}, Limit: 20, Where: prefixOf("family", "family50")}
		}},
		{"gender and birthdate", func(p *population) search.Query {
			return search.Query{Types: []string{"Patient"}, Limit: 20, Where: search.And{eq("gender", "", "female"), from("birthdate", "19750101"), until("birthdate", "19760101")}}
		}},
		{"sorted by family", func(p *population) search.Query {
			return search.Query{Types: []string{"Patient"}, Limit: 20, Sort: []search.Sort{{Param: "family"}}}
		}},
		{"page 1,000 of a code", func(p *population) search.Query {
			q := obs(eq("code", loinc, code0))
			q.After = &search.Position{Key: fhir.Key{Type: "Observation", ID: "80000000"}}
			return q
		}},
		{"updated lately", func(p *population) search.Query {
			return obs(from("_lastUpdated", time.Now().UTC().Add(-time.Hour).Format("20060102150405")))
		}},
		{"all", func(p *population) search.Query { return obs() }},
	}
}

// populated opens a store with n resources.
func populated(b *testing.B, n int) (*Store, *population) {
	p := newPopulation(n)
	dir := *benchDir
	if dir == "" {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, fmt.Sprint(n))
	_, err := os.Stat(dir)
	s, oerr := Open(dir, Options{})
	if oerr != nil {
		b.Fatal(oerr)
	}
	if err != nil {
		p.Fill(b, s)
		if err := s.db.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	return s, p
}

// BenchmarkFind measures the shapes on two sizes of population; the time of a shape must not grow with the population by more than half.
func BenchmarkFind(b *testing.B) {
	sizes := []int{10_000}
	if *benchMillion {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		s, p := populated(b, n)
		for _, sh := range queryShapes() {
			q := sh.make(p)
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(sh.name, " ", "_"), n), func(b *testing.B) {
				var plan search.Plan
				if err := s.View(context.Background(), func(r storage.Reader) (err error) { _, plan, err = r.Explain(context.Background(), q); return err }); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := s.View(context.Background(), func(r storage.Reader) error { _, err := r.Find(context.Background(), q); return err }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(plan.Examined), "examined")
				b.ReportMetric(float64(plan.Fetched), "fetched")
				b.ReportMetric(float64(plan.Returned), "rows")
			})
		}
		s.Close()
	}
}

// BenchmarkGet reads records by key.
func BenchmarkGet(b *testing.B) {
	s, p := populated(b, 10_000)
	defer s.Close()
	keys := make([]fhir.Key, 1000)
	for i := range keys {
		keys[i] = p.Record(i * 10).Key
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := s.View(context.Background(), func(r storage.Reader) error {
			_, err := r.Get(context.Background(), keys[i%len(keys)])
			return err
		}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
