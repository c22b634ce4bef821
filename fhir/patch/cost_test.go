package patch

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// manyParts is a FHIRPath Patch that adds a CodeableConcept of n parts.
func manyParts(n int) string {
	part := `,{"name":"coding","valueCoding":{"code":"x"}}`
	return ops([3]string{"add", "Patient", `{"name":"name","valueString":"maritalStatus"},{"name":"value","part":[{"name":"coding","valueCoding":{"code":"first"}}` +
		strings.Repeat(part, n-2) + `,{"name":"text","valueString":"t"}]}`})
}

func TestValueOfManyPartsCostsItsSize(t *testing.T) {
	cost := func(n int) uint64 {
		params, err := fhir.ParseResource([]byte(manyParts(n)), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseFHIRPath(definition.R4(), params, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		current, err := fhir.ParseResource([]byte(`{"resourceType":"Patient"}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return allocated(func() {
			out, err := p.Apply(current)
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, string(out)).Get("maritalStatus").Get("coding").Len(); got != n-1 {
				t.Fatalf("%d codings of %d", got, n-1)
			}
		})
	}
	cost(10)
	small, large := cost(500), cost(5_000)
	if large > 20*small {
		t.Errorf("500 parts allocate %d bytes, 5,000 parts %d: more than twenty times as much", small, large)
	}
}

func TestPartsShareTheStepsOfAllOperations(t *testing.T) {
	params, err := fhir.ParseResource([]byte(manyParts(1_000)), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseFHIRPath(definition.R4(), params, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	current, err := fhir.ParseResource([]byte(`{"resourceType":"Patient"}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p.steps = 1_000
	out, err := p.Apply(current)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDPatchCost || e.Issues[0].Expression != "Parameters.parameter[0]" {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
	p.steps = 10_000
	if _, err := p.Apply(current); err != nil {
		t.Errorf("within the steps: %v", err)
	}
}
