package fhirpath

import (
	"context"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// nothingStored is a Resolver that finds nothing.
type nothingStored struct{}

func (nothingStored) Resolve(context.Context, fhir.Resource, string) (fhir.Resource, bool, error) {
	return fhir.Resource{}, false, nil
}

func TestTextsResolveInTheBundleTheyStandIn(t *testing.T) {
	r := parsed(t, `{"resourceType":"Bundle","type":"collection","signature":{"who":{"reference":"http://h/fhir/Patient/1"},"onBehalfOf":{"reference":"Patient/1"}},"entry":[
		{"fullUrl":"http://h/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","meta":{"versionId":"2"},"name":[{"family":"Doe"}]}},
		{"fullUrl":"http://h/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","meta":{"versionId":"1"},"name":[{"family":"Roe"}]}},
		{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Group","id":"2","active":true}},
		{"fullUrl":"http://h/fhir/Observation/3","resource":{"resourceType":"Observation","id":"3","subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p","name":[{"family":"Inner"}]}],
			"focus":[{"reference":"Patient/1/_history/1"},{"reference":"http://h/fhir/Patient/1/_history/2"},{"reference":"Patient/1/_history/9"},{"reference":"http://x/q"}]}},
		{"fullUrl":"urn:uuid:4","resource":{"resourceType":"Questionnaire","id":"4","url":"http://x/q","version":"1","title":"First"}},
		{"fullUrl":"urn:uuid:5","resource":{"resourceType":"Questionnaire","id":"5","url":"http://x/q","version":"2","title":"Second"}},
		{"fullUrl":"urn:uuid:6","resource":{"resourceType":"QuestionnaireResponse","id":"6","questionnaire":"http://x/q|2"}}]}`)
	env := &Env{Resolver: nothingStored{}}
	for _, c := range []struct{ expr, want string }{
		{"entry[2].fullUrl.resolve().active", "true"}, {"entry.fullUrl.resolve().id", "1; 1; 2; 3; 4; 5; 6"}, {"'urn:uuid:2'.resolve().active", "true"},
		{"'http://h/fhir/Observation/3'.resolve().id", "3"}, {"'http://h/fhir/Observation/none'.resolve()", ""}, {"entry[3].resource.select('urn:uuid:2'.resolve().id)", "2"},
		{"signature.who.resolve().id", "1"}, {"signature.onBehalfOf.resolve().id", ""}, {"'Patient/1'.resolve()", ""}, {"'|'.resolve()", ""},
		{"entry[3].resource.focus[0].resolve().name.family", "Roe"}, {"entry[3].resource.focus[1].resolve().name.family", "Doe"}, {"entry[3].resource.focus[2].resolve()", ""},
		{"'http://h/fhir/Patient/1/_history/1'.resolve().name.family", "Roe"}, {"'http://h/fhir/Patient/1/_history/3'.resolve()", ""},
		{"entry[6].resource.questionnaire.resolve().title", "Second"}, {"'http://x/q'.resolve().title", "First"}, {"'http://x/q|3'.resolve()", ""}, {"entry[3].resource.focus[3].resolve()", ""},
	} {
		if got, err := evaluate(t, r, c.expr, env); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
	observation, err := fhir.AsResource(r.Get("entry").First().Next().Next().Next().Get("resource"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ expr, want string }{
		{"'#p'.resolve().name.family", "Inner"}, {"'#'.resolve().id", "3"}, {"'#q'.resolve()", ""}, {"subject.reference.resolve().name.family", "Inner"}, {"'urn:uuid:2'.resolve().id", "2"}, {"'Patient/1'.resolve().name.family", "Doe"},
	} {
		if got, err := evaluate(t, observation, c.expr, env); err != nil || got != c.want {
			t.Errorf("%s in an entry: got %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
}
