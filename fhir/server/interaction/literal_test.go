package interaction

import (
	"errors"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/validation"
)

// TestReferencesThatCanNotBeAnyAreRefused writes them in all ways, at each level of validation.
func TestReferencesThatCanNotBeAnyAreRefused(t *testing.T) {
	v, err := validation.New(definition.R4(), validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]*Service{"off": open(t, Options{}), "off, integrity": open(t, Options{ReferentialIntegrity: true})}
	for name, level := range map[string]validation.Level{"validator, off": validation.Off, "base": validation.Base} {
		s := open(t, Options{Level: level})
		s.validator = v
		services[name] = s
	}
	const observation = `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"%s"}}`
	for level, s := range services {
		for _, reference := range []string{"Patiant/1", "nd1", "Patient/", "patient/x", "Patient/nd1/", "/Patient/x", "Patient", "http://", "Patient/a#b", "urn:uuid:"} {
			r := resource(t, observation, reference)
			told := func(what string, err error) {
				t.Helper()
				var e *fhir.Error
				if !errors.As(err, &e) || e.Kind != fhir.KindUnprocessable || e.Issues[0].ID != fhir.IDReferenceFormat {
					t.Fatalf("%s: %s with %s: %v", level, what, reference, err)
				}
			}
			_, err := s.Create(t.Context(), "Observation", r, "")
			told("create", err)
			_, err = s.Update(t.Context(), r.Key(), r, Conditions{})
			told("update", err)
			_, err = transact(t, s, request("PUT", "Observation/o", "", string(r.Raw())))
			told("transaction", err)
			put(t, s, `{"resourceType":"Observation","id":"p","status":"final","code":{"text":"x"}}`)
			_, err = s.Patch(t.Context(), key("Observation/p"), func(fhir.Resource) ([]byte, error) {
				return resource(t, `{"resourceType":"Observation","id":"p","status":"final","code":{"text":"x"},"subject":{"reference":"%s"}}`, reference).Raw(), nil
			}, Conditions{})
			told("patch", err)
		}
	}
	// An element of that name that is no Reference's is left alone, and so is a Bundle's own.
	s := services["off"]
	put(t, s, `{"resourceType":"Bundle","id":"b","type":"collection","entry":[{"fullUrl":"http://example.org/nd1","resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"nd1"}}}]}`)
}
