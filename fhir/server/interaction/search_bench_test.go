package interaction

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// BenchmarkSearch asks what clients ask, of ten Synthea patients' records in memory: the page with all that is around it.
func BenchmarkSearch(b *testing.B) {
	s := open(b, Options{})
	for _, raw := range synthea(b, 10) {
		r, err := fhir.ParseResource(raw, fhir.Limits{})
		if err == nil {
			_, err = s.Bundle(b.Context(), BundleRequest{Base: base, Bundle: r})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	patient := find(b, s, "Patient?_count=1").names()[0]
	for _, c := range []struct{ name, query string }{
		{"code", "Observation?code=http://loinc.org%7C8302-2"},
		{"patient and code", "Observation?patient=" + patient + "&code=http://loinc.org%7C8302-2"},
		{"patient, newest first", "Observation?patient=" + patient + "&_sort=-date"},
		{"chain to family", "Observation?subject:Patient.gender=female"},
		{"two includes", "Observation?code=http://loinc.org%7C8302-2&_include=Observation:subject&_include=Observation:encounter"},
		{"revinclude", "Patient?_count=1&_revinclude=Encounter:subject"},
		{"patients", "Patient?gender=female&birthdate=ge1950"},
		{"has", "Patient?_has:Observation:patient:code=http://loinc.org%7C8302-2"},
		{"count", "Observation?code=http://loinc.org%7C8302-2&_summary=count"},
		{"elements", "Observation?code=http://loinc.org%7C8302-2&_elements=code,subject"},
		{"second page", "Observation?_count=20&code=http://loinc.org%7C8302-2"},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(c.query[len("Observation?"):])}
			if c.query[0] == 'P' {
				q.Path, q.Types, q.Parameters = "Patient", []string{"Patient"}, pairs(c.query[len("Patient?"):])
			}
			if c.name == "second page" {
				q.Parameters = pairs(find(b, s, c.query).query("next"))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Search(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
