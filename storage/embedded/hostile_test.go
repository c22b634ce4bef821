package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestHostileQueriesEnd asks what nobody would ask: each answer comes within seconds, or when its context ends. What grows with the product of its parts would take
// hours, which no run of the tests has.
func TestHostileQueriesEnd(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	p := newPopulation(5000)
	p.Fill(t, s)
	var or, names search.Or
	for i := range 10_000 {
		or = append(or, eq("code", loinc, fmt.Sprintf("%d-%d", i, i%10)))
		names = append(names, prefixOf("family", fmt.Sprint("family", i)))
	}
	chain := search.Expr(eq("gender", "", "female"))
	for range 20 {
		chain = search.Refers{Param: "patient", Target: "Patient", Where: search.Or{chain, search.Not{Expr: chain}}}
		if len(fmt.Sprint(chain)) > 1<<16 {
			break
		}
	}
	deep := search.Expr(eq("gender", "", "female"))
	for range 20 {
		deep = search.Referred{Source: "Observation", Param: "patient", Where: search.Refers{Param: "patient", Target: "Patient", Where: deep}}
	}
	for name, q := range map[string]search.Query{
		"10,000 tokens":   {Types: []string{"Observation"}, Where: or, Limit: 20},
		"10,000 prefixes": {Types: []string{"Patient"}, Where: names, Limit: 20},
		"a wide chain":    {Types: []string{"Observation"}, Where: chain, Limit: 20},
		"a deep _has":     {Types: []string{"Patient"}, Where: deep, Limit: 20},
		"no tokens":       {Types: []string{"Observation"}, Where: search.Not{Expr: or}, Limit: 20},
	} {
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := s.View(ctx, func(r storage.Reader) error { _, err := r.Find(ctx, q); return err })
		cancel()
		t.Logf("%s: %v, error %v", name, time.Since(start), err)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v", name, err)
		}
		ctx, cancel = context.WithCancel(context.Background())
		err = s.View(ctx, func(r storage.Reader) error { cancel(); _, err := r.Find(ctx, q); return err })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s without time returned %v", name, err)
		}
	}
}
