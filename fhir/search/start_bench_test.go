package search_test

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// BenchmarkStart is what a cold start pays: making the parameters, and the first extraction and the first search of a type.
func BenchmarkStart(b *testing.B) {
	reg := definition.R4()
	r := resource(b, vital)
	b.Run("NewParameters", func(b *testing.B) {
		for b.Loop() {
			search.NewParameters(reg, search.Options{})
		}
	})
	b.Run("FirstExtract", func(b *testing.B) {
		for b.Loop() {
			if _, err := search.NewParameters(reg, search.Options{}).Extract(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FirstSearch", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := parse(b, search.NewParameters(reg, search.Options{}), "Observation?patient=1&code=x&date=2014", search.ParseOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
