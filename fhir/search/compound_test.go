package search_test

import (
	"fmt"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func TestCompoundsFollowFromRoles(t *testing.T) {
	for _, c := range []struct{ typ, want string }{
		{"Observation", "[{[code date]} {[code value-quantity]} {[patient code date]} {[patient date]} {[subject code date]} {[subject date]}]"},
		{"Patient", "[]"},
	} {
		if got := fmt.Sprint(search.Compounds(c.typ)); got != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got, c.want)
		}
	}
	for _, typ := range definition.R4().ResourceTypes() {
		for _, c := range search.Compounds(typ) {
			if len(c.Params) < 2 {
				t.Errorf("%s: %v", typ, c.Params)
			}
			for _, p := range c.Params {
				if _, ok := definition.R4().SearchParameter(typ, p); !ok {
					t.Errorf("%s has no parameter %s", typ, p)
				}
			}
		}
	}
}
