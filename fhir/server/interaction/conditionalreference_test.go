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

// TestConditionsPassOverTheFormOfAResponse holds that what clients add to every query does not change what a condition finds: HAPI's client writes _format
// into If-None-Exist.
func TestConditionsPassOverTheFormOfAResponse(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	const patient = `{"resourceType":"Patient","identifier":[{"system":"x","value":"1"}]}`
	first, err := s.Create(ctx, "Patient", resource(t, patient), "identifier=x|1&_format=json")
	if err != nil {
		t.Fatal(err)
	}
	for _, parameter := range []string{"_format=xml", "_pretty=true", "_summary=true", "_elements=id"} {
		again, err := s.Create(ctx, "Patient", resource(t, patient), "identifier=x|1&"+parameter)
		if err != nil || again.Record.Key != first.Record.Key {
			t.Errorf("%s: %v, %v", parameter, again.Record.Key, err)
		}
	}
	if _, err := s.Create(ctx, "Patient", resource(t, patient), "_format=json"); fhir.KindOf(err) != fhir.KindInvalid && fhir.KindOf(err) != fhir.KindPrecondition {
		t.Errorf("a condition of nothing else: %v", err)
	}
}

// TestConditionsTakeNoParametersThatShapeAResult writes conditions wherever they may stand. The resource that some would find is contained in another, and
// a condition that looks into resources is none that decides.
func TestConditionsTakeNoParametersThatShapeAResult(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	identified(t, s)
	put(t, s, `{"resourceType":"Observation","id":"holder","contained":[{"resourceType":"Patient","id":"p","identifier":[{"system":"x","value":"1"}]}],"subject":{"reference":"#p"}}`)
	const patient = `{"resourceType":"Patient","identifier":[{"system":"x","value":"1"}]}`
	for _, parameter := range []string{"_count=1", "_sort=_id", "_include=*", "_include:iterate=*", "_revinclude=*", "_total=none", "_contained=true", "_contained=both",
		"_containedType=contained"} {
		refused := func(where string, err error) {
			t.Helper()
			var e *fhir.Error
			if !errors.As(err, &e) || e.Kind != fhir.KindInvalid || e.Issues[0].ID != fhir.IDMisplacedParameter {
				t.Errorf("%s in %s: %v", parameter, where, err)
			}
		}
		condition := "identifier=x|1&" + parameter
		_, err := s.Create(ctx, "Patient", resource(t, patient), condition)
		refused("If-None-Exist", err)
		_, err = s.Create(ctx, "Observation", resource(t, `{"resourceType":"Observation","subject":{"reference":"Patient?%s"}}`, condition), "")
		refused("a conditional reference", err)
		_, err = s.UpdateConditional(ctx, "Patient", resource(t, patient), condition, Conditions{})
		refused("a conditional update", err)
		_, err = s.DeleteConditional(ctx, "Patient", condition, Conditions{})
		refused("a conditional delete", err)
		_, err = s.PatchConditional(ctx, "Patient", nil, condition, Conditions{})
		refused("a conditional patch", err)
		_, err = send(t, s, "transaction", "minimal", `{"request":{"method":"POST","url":"Patient","ifNoneExist":"`+condition+`"},"resource":`+patient+`}`)
		refused("ifNoneExist", err)
		_, err = send(t, s, "transaction", "minimal", request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"Patient?`+condition+`"}}`))
		refused("a conditional reference of a transaction", err)
	}
	if _, err := s.Create(ctx, "Patient", resource(t, patient), "_type=Patient&identifier=x|1"); err != nil {
		t.Error(err)
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

// TestReferencesByURNOutsideOfTransactions fixes our reading: they are stored as they are, and found.
func TestReferencesByURNOutsideOfTransactions(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	const urn, oid = "urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11", "urn:oid:1.2.40.0.34"
	observation := func(reference string) string {
		return `{"resourceType":"Observation","id":"o","subject":{"reference":"` + reference + `"}}`
	}
	put(t, s, "%s", observation(urn))
	if _, err := s.Create(ctx, "Observation", resource(t, "%s", observation(oid)), ""); err != nil {
		t.Fatal(err)
	}
	b, err := send(t, s, "batch", "", request("POST", "Observation", "", observation(oid)))
	if err != nil || b.Entry[0].Response.Status != "201 Created" {
		t.Fatalf("%+v, %v", b, err)
	}
	for reference, want := range map[string]int{urn: 1, oid: 2, "urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f12": 0} {
		if got := find(t, s, "Observation?subject="+reference).names(); len(got) != want {
			t.Errorf("%s finds %v", reference, got)
		}
	}
	if got := body(t, s, key("Observation/o")); !strings.Contains(got, urn) {
		t.Errorf("%s", got)
	}
	_, err = transact(t, s, request("POST", "Observation", "", observation(urn)))
	check(t, err, fhir.KindInvalid, "unresolved-reference")
}

// TestPatchesInTransactionsNameEntries has the resource of a patch refer to another entry, and to what a search finds.
func TestPatchesInTransactionsNameEntries(t *testing.T) {
	s := open(t, Options{patch: func(document fhir.Resource) (Patch, error) {
		subject := string(document.Get("parameter").First().Get("valueReference").Raw())
		return func(fhir.Resource) ([]byte, error) {
			return []byte(`{"resourceType":"Observation","id":"o","subject":` + subject + `}`), nil
		}, nil
	}})
	identified(t, s)
	put(t, s, `{"resourceType":"Observation","id":"o"}`)
	patch := func(reference string) string {
		return request("PATCH", "Observation/o", "", `{"resourceType":"Parameters","parameter":[{"name":"x","valueReference":{"reference":"`+reference+`"}}]}`)
	}
	b := must(t, s, patch("urn:uuid:p"), request("POST", "Patient", "urn:uuid:p", `{"resourceType":"Patient"}`))
	if got := body(t, s, key("Observation/o")); !strings.Contains(got, `"reference":"`+b.location(1).String()+`"`) {
		t.Errorf("%s", got)
	}
	must(t, s, patch("Patient?identifier=s|k1"))
	if got := body(t, s, key("Observation/o")); !strings.Contains(got, `"reference":"Patient/one"`) {
		t.Errorf("%s", got)
	}
	_, err := transact(t, s, patch("urn:uuid:other"))
	check(t, err, fhir.KindInvalid, "unresolved-reference")
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
