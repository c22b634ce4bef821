package embedded

import (
	"context"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestCommonShapesLeaveNothingUnindexed explains every common shape: an index serves each of its conditions.
func TestCommonShapesLeaveNothingUnindexed(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	p := newPopulation(10_000)
	p.fill(t, s)
	for _, sh := range queryShapes() {
		t.Run(sh.name, func(t *testing.T) {
			if err := s.View(context.Background(), func(r storage.Reader) error {
				rows, plan, err := r.Explain(context.Background(), sh.make(p))
				if err != nil {
					return err
				}
				for _, st := range plan.Steps {
					t.Logf("%s %s: %s (%d)", st.Kind, st.Index, st.Detail, st.Rows)
				}
				t.Logf("examined %d, fetched %d, rows %d", plan.Examined, plan.Fetched, len(rows))
				if len(plan.Unindexed) > 0 {
					t.Errorf("no index for %v", plan.Unindexed)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
	contains := search.Some{Param: "family", Where: []search.Comparison{{Field: search.Folded, Op: search.Contains, Value: "amily7"}}}
	for name, q := range map[string]search.Query{
		"a negation":               {Types: []string{"Observation"}, Where: search.Not{Expr: eq("code", "", code0)}},
		"contains":                 {Types: []string{"Patient"}, Where: contains},
		"contains beside a gender": {Types: []string{"Patient"}, Where: search.And{contains, eq("gender", "", "female")}},
	} {
		if err := s.View(context.Background(), func(r storage.Reader) error {
			_, plan, err := r.Explain(context.Background(), q)
			if len(plan.Unindexed) != 1 {
				t.Errorf("%s is told to be unindexed as %v, steps %v", name, plan.Unindexed, plan.Steps)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
