package interaction

import (
	"errors"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// identified stores patients by identifier: k1 once, k2 twice.
func identified(t testing.TB, s *Service) {
	t.Helper()
	for id, value := range map[string]string{"one": "k1", "two": "k2", "three": "k2"} {
		put(t, s, `{"resourceType":"Patient","id":"%s","identifier":[{"system":"s","value":"%s"}]}`, id, value)
	}
}

func TestSingleWritesResolveConditionalReferences(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	identified(t, s)
	const id = `"id":"o",`
	observation := func(id, value string) fhir.Resource {
		return resource(t, `{"resourceType":"Observation",%s"subject":{"reference":"Patient?identifier=s|%s"}}`, id, value)
	}
	for name, write := range map[string]func(value string) (Result, error){
		"create": func(v string) (Result, error) { return s.Create(ctx, "Observation", observation("", v), "") },
		"update": func(v string) (Result, error) {
			return s.Update(ctx, key("Observation/o"), observation(id, v), Conditions{})
		},
		"conditional update": func(v string) (Result, error) {
			return s.UpdateConditional(ctx, "Observation", observation(id, v), "_id=o", Conditions{})
		},
	} {
		res, err := write("k1")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := string(res.Record.Body); !strings.Contains(got, `"reference":"Patient/one"`) {
			t.Errorf("%s: %s", name, got)
		}
		_, err = write("none")
		check(t, err, fhir.KindUnprocessable, "conditional-reference")
		_, err = write("k2")
		check(t, err, fhir.KindPrecondition, "conditional-reference")
	}
	_, err := s.Create(ctx, "Observation", resource(t, `{"resourceType":"Observation","subject":{"reference":"Patient?nonsense=1"}}`), "")
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindInvalid || e.Issues[0].Expression != "Observation.subject.reference" {
		t.Errorf("%v", err)
	}
}

func TestPatchesMakeNoConditionalReferences(t *testing.T) {
	s := open(t, Options{})
	identified(t, s)
	put(t, s, `{"resourceType":"Observation","id":"o"}`)
	_, err := s.Patch(t.Context(), key("Observation/o"), func(fhir.Resource) ([]byte, error) {
		return []byte(`{"resourceType":"Observation","id":"o","subject":{"reference":"Patient?identifier=s|k1"}}`), nil
	}, Conditions{})
	check(t, err, fhir.KindUnprocessable, "conditional-reference")
}

func TestReferencesInBatches(t *testing.T) {
	s := open(t, Options{})
	identified(t, s)
	observation := func(reference string) string {
		return request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"`+reference+`"}}`)
	}
	b, err := send(t, s, "batch", "representation",
		request("POST", "Patient", "urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11", `{"resourceType":"Patient"}`),
		observation("urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11"), observation("URN:UUID:0B6A2D6E-7C5F-4B39-93C1-6A7D4B0C2F11"),
		observation("Patient?identifier=s|k1"), observation("Patient?identifier=s|k2"), observation("Patient?identifier=s|none"), observation("Patient/one"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"201", "422 batch-reference", "422 batch-reference", "201 Patient/one", "412 conditional-reference", "422 conditional-reference", "201 Patient/one"} {
		status, text, _ := strings.Cut(want, " ")
		e := b.Entry[i]
		if !strings.HasPrefix(e.Response.Status, status) || !strings.Contains(string(e.Resource)+string(e.Response.Outcome), text) {
			t.Errorf("entry %d: %s %s %s; want %s", i, e.Response.Status, e.Resource, e.Response.Outcome, want)
		}
	}
}

func TestTransactionNamesOfEntriesInUpperCase(t *testing.T) {
	s := open(t, Options{})
	b := must(t, s, request("POST", "Patient", "urn:uuid:0B6A2D6E-7C5F-4B39-93C1-6A7D4B0C2F11", `{"resourceType":"Patient"}`),
		request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"URN:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11"}}`))
	if got := body(t, s, b.location(1)); !strings.Contains(got, `"reference":"`+b.location(0).String()+`"`) {
		t.Errorf("%s", got)
	}
	_, err := transact(t, s, request("POST", "Patient", "urn:uuid:0B6A2D6E-7C5F-4B39-93C1-6A7D4B0C2F11", `{"resourceType":"Patient"}`),
		request("POST", "Patient", "urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11", `{"resourceType":"Patient"}`))
	check(t, err, fhir.KindInvalid, "duplicate-fullurl")
}
