package search_test

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// examples returns the official R4 examples.
func examples(t testing.TB) []fhir.Resource {
	t.Helper()
	var out []fhir.Resource
	for _, f := range corpustest.Files(t, "r4-examples/*.json") {
		if r, err := fhir.ParseResource(corpustest.Read(t, f), fhir.Limits{}); err == nil {
			out = append(out, r)
		}
	}
	return out
}
