package validation

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// bundleResources returns the resources of the entries of a bundle of the corpus.
func bundleResources(t testing.TB, path string) []fhir.Resource {
	t.Helper()
	tree, err := fhir.Parse(corpustest.Read(t, path), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var rs []fhir.Resource
	for e := range tree.Root().Get("entry").Children() {
		r, err := fhir.AsResource(e.Get("resource"))
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return rs
}
