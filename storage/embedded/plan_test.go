package embedded

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestCommonShapesLeaveNothingUnindexed explains every common shape: an index serves each of its conditions.
func TestCommonShapesLeaveNothingUnindexed(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	p := newPopulation(10_000)
	p.Fill(t, s)
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
				read := 0
				for _, st := range plan.Steps {
					if st.Kind != "probe" && !strings.HasSuffix(st.Detail, "order are kept") {
						read += st.Rows
					}
				}
				if read == 0 && len(rows) > 0 {
					t.Errorf("%d rows are found, and no step read any", len(rows))
				}
				if read > plan.Examined {
					t.Errorf("the steps read %d rows, the plan %d", read, plan.Examined)
				}
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

// TestExplainTellsWhatWasRead counts the rows of a plan's steps by hand.
func TestExplainTellsWhatWasRead(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	at := func(day int) search.Entry {
		return date("date", time.Date(2024, 5, day, 9, 0, 0, 0, time.UTC), time.Second)
	}
	wide := search.Entry{Param: "date", Lo: "20230101", Hi: "20240601"}
	var recs []storage.Record
	for i := range 40 {
		if i >= 20 {
			recs = append(recs, storage.Record{Key: fhir.Key{Type: "Observation", ID: fmt.Sprint("other", i)}, Version: 1, Method: "PUT", Body: []byte("{}"),
				Entries: []search.Entry{tok("code", loinc, "other"), tok("status", "", "final")}})
			continue
		}
		e := []search.Entry{tok("code", loinc, code0), at(1 + i), tok("status", "", []string{"final", "amended"}[i%2])}
		if i == 7 {
			e[1] = wide
		}
		recs = append(recs, storage.Record{Key: fhir.Key{Type: "Observation", ID: fmt.Sprint("o", i)}, Version: 1, Method: "PUT", Body: []byte("{}"), Entries: e})
	}
	putAll(t, s, recs)
	above := search.Some{Param: "date", Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: "20240503"}}}
	for _, c := range []struct {
		name  string
		query search.Query
		walk  bool
		steps string
	}{
		{"a token", search.Query{Where: eq("code", loinc, code0), Limit: 5}, false, "merge 5"},
		{"all", search.Query{Limit: 5}, false, "scan 5"},
		{"a token, and one that is tried", search.Query{Where: search.And{eq("code", loinc, code0), search.Not{Expr: eq("status", "", "final")}}, Limit: 5}, false, "merge 10, probe 10"},
		{"in order", search.Query{Where: eq("code", loinc, code0), Limit: 5, Sort: []search.Sort{{Param: "date"}}}, true, "sort 5, probe 5"},
		{"in order, of a range that a wide one reaches into", search.Query{Where: above, Limit: 5, Sort: []search.Sort{{Param: "date"}}}, true, "sort 5, range 1"},
		{"collected", search.Query{Where: eq("code", loinc, code0), Limit: 5, Sort: []search.Sort{{Param: "status", Chain: &search.SortChain{Param: "subject", Target: "Patient"}}}}, false, "merge 20, sort 20"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.tune.walk = c.walk
			c.query.Types = []string{"Observation"}
			if err := s.View(context.Background(), func(r storage.Reader) error {
				_, plan, err := r.Explain(context.Background(), c.query)
				var steps []string
				for _, st := range plan.Steps {
					steps = append(steps, fmt.Sprint(st.Kind, " ", st.Rows))
				}
				if got := strings.Join(steps, ", "); got != c.steps {
					t.Errorf("the steps are %s, want %s: %+v", got, c.steps, plan)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
	for name, c := range map[string]struct {
		where search.Expr
		steps string
	}{
		"by a counter": {eq("code", loinc, code0), "[{count Observation: code counters know it 1}]"},
		"by a range":   {above, ""},
	} {
		if err := s.View(context.Background(), func(r storage.Reader) error {
			_, plan, err := r.ExplainCount(context.Background(), search.Query{Types: []string{"Observation"}, Where: c.where})
			if got := fmt.Sprint(plan.Steps); c.steps != "" && got != c.steps || len(plan.Steps) == 0 || plan.Steps[0].Rows == 0 {
				t.Errorf("counted %s: %s", name, got)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
