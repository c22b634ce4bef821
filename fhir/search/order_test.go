package search_test

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func TestSearchWithoutSortIsAnsweredInTheOrderOfItsRange(t *testing.T) {
	params := search.NewParameters(definition.R4(), search.Options{})
	for _, c := range []struct{ typ, query, order string }{
		{"Observation", "code=http://loinc.org|1-8&date=ge2010&date=lt2012", "date"},
		{"Observation", "code=1-8,2-8&value-quantity=gt5", "value-quantity"},
		{"Observation", "subject=Patient/1&code=1-8&date=ge2010", "date"},
		{"Observation", "date=ge2010", "date"},
		{"Observation", "date=ge2010&date=lt2011", "date"},
		{"Observation", "_lastUpdated=ge2010", "_lastUpdated"},
		{"Observation", "status=final&date=ge2010", ""},
		{"Observation", "code=1-8", ""},
		{"Observation", "code:not=1-8&date=ge2010", ""},
		{"Patient", "family=x", ""},
	} {
		pairs, err := search.ReadQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		req, _, err := params.Parse([]string{c.typ}, pairs, search.ParseOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		got := ""
		if order := search.NaturalOrder(req.Types, req.Where); len(order) > 0 {
			got = order[0].Param
		}
		if got != c.order {
			t.Errorf("%s?%s is ordered by %q, want %q (%#v)", c.typ, c.query, got, c.order, req.Where)
		}
	}
}
