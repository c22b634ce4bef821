package search_test

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// arrivals returns what makes a client's parameter of a base come and go, and after each an Observation and a Patient extracted.
func arrivals(t testing.TB, base string) func() {
	s := newParameters()
	observation, patient := resource(t, vital), resource(t, `{"resourceType":"Patient","id":"1","gender":"male","birthDate":"2000-01-01","name":[{"family":"x"}]}`)
	eye := resource(t, strings.ReplaceAll(eyeColour, `Patient`, base))
	extract := func() {
		for _, r := range []fhir.Resource{observation, patient} {
			if _, err := s.Extract(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	extract()
	return func() {
		if _, err := s.Add(eye); err != nil {
			t.Fatal(err)
		}
		extract()
		s.Remove("http://example.org/eye")
		extract()
	}
}

func BenchmarkArrival(b *testing.B) {
	for _, base := range []string{"Patient", "DomainResource"} {
		b.Run(base, func(b *testing.B) {
			arrive := arrivals(b, base)
			b.ReportAllocs()
			for b.Loop() {
				arrive()
			}
		})
	}
}

// TestAParameterThatComesCompilesNoOther counts what it costs by what a set of parameters costs that extracts for the first time.
func TestAParameterThatComesCompilesNoOther(t *testing.T) {
	arrive := arrivals(t, "DomainResource")
	arrive()
	each := testing.AllocsPerRun(3, arrive)
	added := testing.AllocsPerRun(3, func() {
		s := newParameters()
		if _, err := s.Add(resource(t, strings.ReplaceAll(eyeColour, "Patient", "DomainResource"))); err != nil {
			t.Fatal(err)
		}
	}) - testing.AllocsPerRun(3, func() { newParameters() })
	t.Logf("%v allocations, %v of them to add it", each, added)
	if each > added+1000 {
		t.Errorf("%v allocations, where to add the parameter takes %v", each, added)
	}
}
