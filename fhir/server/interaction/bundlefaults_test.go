package interaction

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

const unknownURN = `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:0"},"focus":[{"reference":"urn:uuid:1"}]}`

func TestTransactionsTellAllFaultsAtOnce(t *testing.T) {
	const observation = `{"resourceType":"Observation","status":"final","code":{"text":"x"},`
	for _, c := range []struct {
		name    string
		kind    fhir.Kind
		entries []string
		want    string
	}{
		{"contents, references and conditions", fhir.KindInvalid, []string{
			request("POST", "Patient", "", `{"resourceType":"Patient","foo":1}`),
			request("POST", "Observation", "", unknownURN),
			request("POST", "Patient", "", `{"resourceType":"Patient","gender":"x"}`, `"ifNoneExist":"foo=1"`),
			request("PUT", "Patient?foo=1", "", `{"resourceType":"Patient","active":1}`),
		}, `unknown-element Bundle.entry[0].resource.foo, unresolved-reference Bundle.entry[1].resource.subject.reference, unresolved-reference Bundle.entry[1].resource.focus[0].reference, ` +
			`unknown-parameter Bundle.entry[2].request.ifNoneExist, code-enum Bundle.entry[2].resource.gender, unknown-parameter Bundle.entry[3].request.url, element-type Bundle.entry[3].resource.active`},
		{"structure and contents", fhir.KindInvalid, []string{
			request("LINK", "Patient", "", `{"resourceType":"Patient","foo":1}`), `{"resource":{"resourceType":"Patient","foo":1}}`,
			request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"2","foo":1}`), request("POST", "Patient", "", `{"resourceType":"Patient","foo":1}`), request("DELETE", "Nothing/1", "", ""),
		}, `entry-method Bundle.entry[0].request.method, unknown-element Bundle.entry[0].resource.foo, entry-request Bundle.entry[1], unknown-element Bundle.entry[1].resource.foo, ` +
			`id-mismatch Bundle.entry[2].resource.id, unknown-element Bundle.entry[2].resource.foo, unknown-element Bundle.entry[3].resource.foo, unknown-type Bundle.entry[4].request.url`},
		{"contents alone", fhir.KindUnprocessable, []string{
			request("POST", "Patient", "", `{"resourceType":"Patient","foo":1}`), request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1","foo":1}`),
		}, `unknown-element Bundle.entry[0].resource.foo, unknown-element Bundle.entry[1].resource.foo`},
		{"what conditions find", fhir.KindUnprocessable, []string{
			request("POST", "Patient", "", `{"resourceType":"Patient"}`, `"ifNoneExist":"identifier=s|k2"`), request("PATCH", "Patient?identifier=s|k2", "", `{"resourceType":"Parameters"}`),
			request("DELETE", "Patient?identifier=s|k2", "", ""),
			request("POST", "Observation", "", observation+`"subject":{"reference":"Patient?identifier=s|none"},"focus":[{"reference":"Patient?identifier=s|k2"},{"reference":"Patient?identifier=s|none"}]}`),
			request("POST", "Observation", "", observation+`"subject":{"reference":"Patient?identifier=s|none"},"foo":1}`),
		}, `multiple-matches Bundle.entry[0], multiple-matches Bundle.entry[1], multiple-matches Bundle.entry[2], ` +
			`conditional-reference Bundle.entry[3].resource.subject.reference, conditional-reference Bundle.entry[3].resource.focus[0].reference, conditional-reference Bundle.entry[3].resource.focus[1].reference, ` +
			`conditional-reference Bundle.entry[4].resource.subject.reference, unknown-element Bundle.entry[4].resource.foo`},
		{"several matches alone", fhir.KindPrecondition, []string{
			request("POST", "Patient", "", `{"resourceType":"Patient"}`, `"ifNoneExist":"identifier=s|k2"`), request("PUT", "Patient?identifier=s|k2", "", `{"resourceType":"Patient"}`),
		}, `multiple-matches Bundle.entry[0], multiple-matches Bundle.entry[1]`},
		{"conditional references that can't be asked", fhir.KindInvalid, []string{
			request("POST", "Observation", "", observation+`"subject":{"reference":"Patient?foo=1"},"focus":[{"reference":"Nothing?foo=1"}]}`),
			request("POST", "Observation", "", observation+`"subject":{"reference":"Patient?foo=1"}}`),
		}, `unknown-parameter Bundle.entry[0].resource.subject.reference, unknown-type Bundle.entry[0].resource.focus[0].reference, unknown-parameter Bundle.entry[1].resource.subject.reference`},
		{"two writes to one resource, and contents", fhir.KindInvalid, []string{
			request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1"}`), request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1","foo":1}`), request("DELETE", "Patient/1", "", ""),
		}, `duplicate-entry Bundle.entry[1], unknown-element Bundle.entry[1].resource.foo, duplicate-entry Bundle.entry[2]`},
		{"a reference to an entry of the wrong type", fhir.KindUnprocessable, []string{
			request("POST", "Practitioner", "urn:uuid:2", `{"resourceType":"Practitioner","foo":1}`), request("POST", "Encounter", "", `{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"},"subject":{"reference":"urn:uuid:2"}}`),
		}, `unknown-element Bundle.entry[0].resource.foo, reference-target Bundle.entry[1].resource.subject`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := validating(t)
			s.opt.patch = func(fhir.Resource) (Patch, error) { return nil, nil }
			s.Serve(Served{})
			identified(t, s)
			_, err := transact(t, s, c.entries...)
			if got := told(err); got != c.want || fhir.KindOf(err) != c.kind {
				t.Errorf("kind %d: %s\nwant %d: %s", fhir.KindOf(err), got, c.kind, c.want)
			}
			b, err := s.History(t.Context(), HistoryRequest{Base: base, Type: "Observation"})
			if err != nil || len(decode(t, b).Entry) > 0 {
				t.Errorf("something is stored: %s, %v", b.Body, err)
			}
		})
	}
}

func TestEntriesOfABatchTellAllTheirFaults(t *testing.T) {
	s := validating(t)
	b, err := send(t, s, "batch", "",
		request("PUT", "Patient/1", "x", `{"resourceType":"Patient","id":"2","foo":1}`, `"IfMatch":"x"`),
		request("POST", "Patient", "urn:uuid:0", `{"resourceType":"Patient"}`),
		request("POST", "Observation", "", strings.Replace(unknownURN, `"urn:uuid:1"`, `"urn:uuid:0"`, 1)),
		request("POST", "Observation", "", `{"resourceType":"Observation","foo":1,"subject":{"reference":"Patient?identifier=s|none"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"400", "entry-fullurl", "id-mismatch", "Bundle.entry[0].request.IfMatch", "Bundle.entry[0].resource.foo"}, {"201"},
		{"422", "Bundle.entry[2].resource.subject.reference", "Bundle.entry[2].resource.focus[0].reference"},
		{"422", "Bundle.entry[3].resource.subject.reference", "Bundle.entry[3].resource.foo", "Bundle.entry[3].resource.status"}} {
		for _, part := range want {
			if got := b.Entry[i].Response.Status + string(b.Entry[i].Response.Outcome); !strings.Contains(got, part) {
				t.Errorf("entry %d: %s; want %s in it", i, got, part)
			}
		}
	}
}

// TestFaultsOfManyEntriesAreBounded holds that neither the answer nor the work of a Bundle with a fault in each entry grows past a bound.
func TestFaultsOfManyEntriesAreBounded(t *testing.T) {
	s := validating(t)
	var entries []string
	for range 2000 {
		entries = append(entries, request("POST", "Patient", "", `{"resourceType":"Patient","foo":1,"link":[{"other":{"reference":"Patient?foo=1"}},{"other":{"reference":"urn:uuid:x"}}]}`, `"IfMatch":"x"`))
	}
	_, err := transact(t, s, entries...)
	if n := strings.Count(told(err), ",") + 1; fhir.KindOf(err) != fhir.KindInvalid || n < maxIssues || n > maxIssues+100 || !strings.HasSuffix(told(err), ", issues-truncated ") {
		t.Errorf("%d issues: %.300s", n, fmt.Sprint(err))
	}
}
