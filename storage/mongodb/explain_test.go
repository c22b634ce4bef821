package mongodb_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Every common shape is served by an index: no collection is scanned, nothing is sorted (resources with several dates would be, where the newest come first: there are none), and keys and documents examined are within twice
// the rows (and a few keys more: one behind the page, and one of each stream that is merged), but for the exceptions with their reason.
func TestCommonShapesAreServedByIndexes(t *testing.T) {
	s := open(t)
	p := newPopulation(10_000)
	p.Fill(t, s)
	for _, sh := range shapes(p) {
		t.Run(sh.name, func(t *testing.T) {
			var plan search.Plan
			var rows []search.Row
			if err := s.View(context.Background(), func(r storage.Reader) (err error) {
				rows, plan, err = r.Explain(context.Background(), sh.query)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d rows, %d keys, %d documents, %v", len(rows), plan.Examined, plan.Fetched, plan.Steps)
			if len(rows) == 0 {
				t.Error("finds nothing")
			}
			for _, step := range plan.Steps {
				if strings.Contains(step.Detail, "COLLSCAN") {
					t.Errorf("scans a collection: %s", step.Detail)
				}
				if sh.except == "" && strings.Contains(step.Detail, "SORT ") && step.Rows > 0 {
					t.Errorf("sorts: %s %s", step.Index, step.Detail)
				}
			}
			const few = 12
			if bound := 2*len(rows) + few; sh.except == "" && (plan.Examined > bound || plan.Fetched > bound) {
				t.Errorf("%d keys and %d documents for %d rows", plan.Examined, plan.Fetched, len(rows))
			}
		})
	}
}

// A count is told with the index that the server read, and is the count.
func TestCountsAreExplained(t *testing.T) {
	s := open(t)
	p := newPopulation(1_000)
	p.Fill(t, s)
	for _, c := range []struct {
		name  string
		where search.Expr
		index string
		docs  int // that are read besides keys
	}{
		{"all", nil, "terms", 0},
		{"a token", eq("code", loinc, common), "terms", 0},
		{"a token and a date", search.And{eq("code", loinc, common), from("date", "20150101")}, "terms", 1},
		{"a chain", search.Refers{Param: "patient", Target: "Patient", Where: eq("gender", "", "female")}, "terms", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := s.View(t.Context(), func(r storage.Reader) error {
				q := search.Query{Types: []string{"Observation"}, Where: c.where}
				want, err := r.Count(t.Context(), q)
				if err != nil {
					return err
				}
				n, plan, err := r.ExplainCount(t.Context(), q)
				if n != want || plan.Returned != int(want) || want == 0 {
					t.Errorf("ExplainCount is %d, Count %d, the plan tells of %d", n, want, plan.Returned)
				}
				if len(plan.Steps) == 0 || !strings.Contains(plan.Steps[len(plan.Steps)-1].Index, c.index) || plan.Examined == 0 {
					t.Errorf("%+v", plan)
				}
				if c.docs == 0 && plan.Fetched > 0 && c.name != "a chain" {
					t.Errorf("%d documents are read to count keys", plan.Fetched)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
