package interaction

import (
	"fmt"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

const benchObservation = `{"resourceType":"Observation","id":"%s","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"effectiveDateTime":"2011-09-25T14:26:50-04:00","issued":"2011-09-25T14:26:50.123-04:00","valueQuantity":{"value":%d,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}`

// BenchmarkWrite creates and updates an Observation, from the parsed body to the durable version; the store is in memory.
func BenchmarkWrite(b *testing.B) {
	s := open(b, Options{})
	n := 0
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			r, _ := fhir.ParseResource(fmt.Appendf(nil, benchObservation, "x", n), fhir.Limits{})
			if _, err := s.Create(b.Context(), "Observation", r, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			r, _ := fhir.ParseResource(fmt.Appendf(nil, benchObservation, "a", n), fhir.Limits{})
			if _, err := s.Update(b.Context(), r.Key(), r, Conditions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Read(b.Context(), key("Observation/a")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWrote is what follows from a write that is stored: without other gateways, and with one that has changed nothing.
func BenchmarkWrote(b *testing.B) {
	for name, opt := range map[string]Options{"alone": {}, "shared": apart} {
		b.Run(name, func(b *testing.B) {
			s := open(b, opt)
			r, err := fhir.ParseResource(fmt.Appendf(nil, benchObservation, "a", 1), fhir.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			res, err := s.Update(b.Context(), r.Key(), r, Conditions{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.wrote(b.Context(), res)
			}
		})
	}
}
