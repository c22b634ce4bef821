package search_test

import (
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/search/searchtest"
)

func newParameters() *search.Parameters {
	return search.NewParameters(definition.R4(), search.Options{BaseURLs: []string{"http://example.org/fhir"}})
}

func TestScriptsAgainstMatch(t *testing.T) {
	o := searchtest.NewOracle(newParameters())
	o.Now = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	searchtest.Run(t, searchtest.Files(t), o)
}
