package fhirpath

import (
	"context"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestRepeatComparesEachItemOnce(t *testing.T) {
	p, err := Compile("1.repeat(iif($this < 20000, $this + 1, {})).count()", WithLimits(Limits{Steps: 1_000_000}))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Eval(Item{}, nil); err != nil || len(c) != 1 || c[0].Text() != "19999" {
		t.Errorf("%v, %v: a chain of items costs a fixed number of steps for each", c.Lines(), err)
	}
}

func TestDatesAreDistinctWithoutComparingAllPairs(t *testing.T) {
	for _, c := range []struct{ first, last string }{{"@2000-01-01", "@2030-01-01"}, {"@2000-01-01T10:00:00Z", "@2030-01-01T10:00:00Z"}} {
		p, err := Compile("("+c.first+").repeat(iif($this < "+c.last+", $this + 1 day, {})).distinct().count()", WithLimits(Limits{Steps: 1_000_000}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Eval(Item{}, nil); err != nil || len(got) != 1 || got[0].Text() != "10958" {
			t.Errorf("%s: %v, %v", c.first, got.Lines(), err)
		}
	}
}

func TestWhatCostsMoreCountsMore(t *testing.T) {
	for _, expr := range []string{
		"1.00000001.power(1000000000)", "'" + strings.Repeat("x", 10_000) + "'.substring(9000, 1)", "'" + strings.Repeat("x", 10_000) + "'.substring(20000)",
	} {
		cheap, err := Compile(expr, WithLimits(Limits{Steps: 100}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cheap.Eval(Item{}, nil); issueOf(err).ID != fhir.IDFHIRPathLimit {
			t.Errorf("%.40s: %v", expr, err)
		}
	}
}

func TestEvaluationsShareTheirSteps(t *testing.T) {
	p, err := Compile("(1 | 2 | 3).where($this > 1).count()", WithLimits(Limits{Steps: 1_000}))
	if err != nil {
		t.Fatal(err)
	}
	spent := 0
	env := &Env{Spent: &spent}
	if _, err := p.Eval(Item{}, env); err != nil || spent == 0 {
		t.Fatalf("%v, %d steps", err, spent)
	}
	once := spent
	for range 1_000 / once {
		_, err = p.Eval(Item{}, env)
	}
	if issueOf(err).ID != fhir.IDFHIRPathLimit {
		t.Errorf("%d steps of 1,000 were taken: %v", spent, err)
	}
	if err := p.Each(Item{}, env, func(Item) bool { return true }); issueOf(err).ID != fhir.IDFHIRPathLimit {
		t.Errorf("what was spent is spent for Each: %v", err)
	}
	if _, _, err := p.True(Item{}, env); issueOf(err).ID != fhir.IDFHIRPathLimit {
		t.Errorf("what was spent is spent for True: %v", err)
	}
	if _, err := p.Eval(Item{}, &Env{Context: context.Background()}); err != nil {
		t.Errorf("another environment: %v", err)
	}
}
