package interaction

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestIDsOfSeveralResourcesAreRefusedWhereASearchOrWriteBegins(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"23"}`)
	for _, id := range []string{"a", "b"} {
		put(t, s, `{"resourceType":"Observation","id":"%s","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/23"}}`, id)
	}
	first := find(t, s, "Observation?subject=23&_count=1")
	observation := resource(t, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/23"}}`)
	one := resource(t, `{"resourceType":"Observation","id":"a","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/23"}}`)
	if res, err := s.UpdateConditional(t.Context(), "Observation", one, "subject=23&_id=a", Conditions{}); err != nil || res.Record.Version != 2 {
		t.Errorf("an id of one resource: %+v, %v", res, err)
	}
	put(t, s, `{"resourceType":"Group","id":"23","type":"person","actual":true}`)
	_, err := try(t, s, "Observation?subject=23")
	check(t, err, fhir.KindInvalid, fhir.IDAmbiguousReference)
	for _, query := range []string{"subject=23", "subject=23&code:in=http://hl7.org/fhir/ValueSet/observation-codes"} {
		_, err = s.UpdateConditional(t.Context(), "Observation", observation, query, Conditions{})
		check(t, err, fhir.KindInvalid, fhir.IDAmbiguousReference)
	}
	_, err = transact(t, s, request("POST", "Observation", "", string(observation.Node.Raw()), `"ifNoneExist":"subject=23"`))
	check(t, err, fhir.KindInvalid, fhir.IDAmbiguousReference)
	// A search that has begun goes on as it was understood.
	if next, err := try(t, s, "Observation?"+first.query("next")); err != nil || len(next.names()) != 1 {
		t.Errorf("next page: %v, %v", next.names(), err)
	}
}
