package search

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// TestParametersThatCanNeverMatchAreRefused gives each type of search expressions that yield what it can't compare, and ones that it can.
func TestParametersThatCanNeverMatchAreRefused(t *testing.T) {
	p := NewParameters(definition.R4(), Options{})
	for _, c := range []struct {
		bases, kind, expression string
		never                   bool
	}{
		{`"Observation"`, "string", "Patient.name", true},
		{`"Patient","Observation"`, "string", "Patient.name", true},
		{`"Patient"`, "date", "Patient.name", true},
		{`"Patient"`, "quantity", "Patient.name.family", true},
		{`"Patient"`, "reference", "Patient.name", true},
		{`"Patient"`, "token", "Patient.name", true},
		{`"Patient"`, "number", "Patient.birthDate", true},
		{`"Patient"`, "uri", "Patient.name", true},
		{`"Patient"`, "string", "Patient.deceased.ofType(string)", true},
		{`"Patient"`, "date", "Patient.deceased as Quantity", true},
		{`"Patient"`, "string", "Patient.identifier", true},
		{`"Patient"`, "string", "Observation.code.text | Patient.name", false},
		{`"Patient"`, "date", "Patient.extension('http://x').value", false},
		{`"Patient"`, "date", "Patient.extension('http://x').value.ofType(string)", false},
		{`"Patient"`, "token", "Patient.name.exists()", false},
		{`"Patient"`, "token", "Patient.active", false},
		{`"Patient"`, "string", "Patient.birthDate", false},
		{`"Patient"`, "reference", "Patient.generalPractitioner", false},
		{`"DomainResource"`, "string", "Patient.name", false},
		{`"DomainResource"`, "token", "DomainResource.extension('http://x').value", false},
		{`"Resource"`, "date", "Resource.meta.lastUpdated", false},
		{`"Resource"`, "date", "Resource.meta.tag", true},
		{`"Bundle"`, "reference", "Bundle.entry[0].resource", false},
		{`"Observation"`, "quantity", "Observation.value", false},
		{`"Observation"`, "quantity", "Observation.value.ofType(SampledData)", false},
		{`"Observation"`, "number", "Observation.value.ofType(integer)", false},
	} {
		r, err := fhir.ParseResource(fmt.Appendf(nil, `{"resourceType":"SearchParameter","url":"http://example.org/x","status":"active","code":"x-x","base":[%s],"type":"%s","expression":"%s"}`,
			c.bases, c.kind, c.expression), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Check(r)
		var e *fhir.Error
		if never := errors.As(err, &e) && e.Kind == fhir.KindUnprocessable && e.Issues[0].ID == fhir.IDParameterNeverMatches; never != c.never || !c.never && err != nil {
			t.Errorf("%s by %s on %s: %v", c.expression, c.kind, c.bases, err)
		}
	}
	// R4's own parameters, under another code, can all match.
	for _, def := range definition.R4().AllSearchParameters() {
		own := newParameter(def, p.registry, true)
		if _, no := own.Unsupported(); no || def.Type == "special" || def.Type == "composite" || def.Expression == "" {
			continue
		}
		for _, base := range def.Base {
			some := false
			for _, typ := range p.registry.ResourceTypes() {
				if rt, _ := p.registry.Resource(typ); rt.Is(base) {
					if r, ok, err := newRule(own, p.registry, typ); err == nil && ok && r.matches(p.registry) {
						some = true
					}
				}
			}
			if !some {
				t.Errorf("%s can't match on %s: %s by %s", def.URL, base, def.Expression, def.Type)
			}
		}
	}
}
