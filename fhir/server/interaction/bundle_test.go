package interaction

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/validation"
)

// validating opens a Service with base validation on a store in memory.
func validating(t testing.TB) *Service {
	t.Helper()
	reg := definition.R4()
	v, err := validation.New(reg, validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(openStore(t), reg, search.NewParameters(reg, search.Options{BaseURLs: []string{base}}), v, Options{Level: validation.Base})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestFaultsOfContentAreToldFromTheBundle(t *testing.T) {
	s := validating(t)
	good := request("POST", "Patient", "urn:uuid:a", `{"resourceType":"Patient"}`)
	bad := request("POST", "Patient", "", `{"resourceType":"Patient","contact":[{"gender":"male"},{"telecom":[{"system":"pigeon"}]}],"nonsense":1}`)
	_, err := transact(t, s, good, bad)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindUnprocessable {
		t.Fatal(err)
	}
	var where []string
	for _, is := range e.Issues {
		where = append(where, is.Expression)
	}
	got := strings.Join(where, " ")
	for _, want := range []string{"Bundle.entry[1].resource.contact[1].telecom[0].system", "Bundle.entry[1].resource"} {
		if !strings.Contains(got, want) {
			t.Errorf("issues at %s; want one at %s", got, want)
		}
	}
	b, err := send(t, s, "batch", "", good, bad)
	if err != nil || b.Entry[0].Response.Status != "201 Created" || b.Entry[1].Response.Status != "422 Unprocessable Entity" ||
		!strings.Contains(string(b.Entry[1].Response.Outcome), "Bundle.entry[1].resource.contact[1].telecom[0].system") {
		t.Errorf("%+v, %v", b, err)
	}
	_, err = s.Create(t.Context(), "Patient", resource(t, `{"resourceType":"Patient","gender":"x"}`), "")
	if fhir.KindOf(err) != fhir.KindUnprocessable {
		t.Error(err)
	}
}

func TestPatchInBundles(t *testing.T) {
	s := open(t, Options{patch: func(document fhir.Resource) (Patch, error) {
		return func(current fhir.Resource) ([]byte, error) {
			return bytes.Replace(bytes.Clone(current.Raw()), []byte(`"active":false`), []byte(`"active":true`), 1), nil
		}, nil
	}})
	for _, kind := range []string{"batch", "transaction"} {
		put(t, s, `{"resourceType":"Patient","id":"a","active":false,"identifier":[{"system":"http://x","value":"1"}]}`)
		put(t, s, `{"resourceType":"Patient","id":"b","active":false}`)
		b, err := send(t, s, kind, "representation",
			request("PATCH", "Patient?identifier=http://x|1", "", `{"resourceType":"Binary"}`),
			request("PATCH", "Patient/b", "", `{"resourceType":"Binary"}`))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if !strings.Contains(string(b.Entry[i].Resource), `"active":true`) {
				t.Errorf("%s: %+v", kind, b.Entry[i])
			}
		}
	}
	_, err := transact(t, s, request("PATCH", "Patient/none", "", `{"resourceType":"Binary"}`))
	check(t, err, fhir.KindInvalid, "not-found")
}

func TestBundleOfFiveThousandEntries(t *testing.T) {
	for _, kind := range []string{"transaction", "batch"} {
		s := open(t, Options{})
		var entries []string
		names := map[string]string{"transaction": "urn:uuid:%d", "batch": "http://example.org/fhir/Observation/%d"}[kind]
		for i := range 5000 {
			entries = append(entries, request("POST", "Observation", fmt.Sprintf(names, i),
				fmt.Sprintf(`{"resourceType":"Observation","hasMember":[{"reference":"`+names+`"}]}`, (i+1)%5000)))
		}
		b, err := send(t, s, kind, "", entries...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Entry {
			if b.Entry[i].Response.Status != "201 Created" {
				t.Fatalf("%s entry %d: %+v", kind, i, b.Entry[i])
			}
		}
		if kind == "transaction" && !strings.Contains(body(t, s, b.location(4999)), b.location(0).String()) {
			t.Error("the last entry does not refer to the first")
		}
	}
}

func TestBundleOfFiftyMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("it stores 50 MB")
	}
	s := open(t, Options{})
	data := strings.Repeat("QUJD", 5<<18)
	var entries []string
	for i := range 10 {
		entries = append(entries, request("POST", "Binary", fmt.Sprintf("urn:uuid:%d", i), `{"resourceType":"Binary","contentType":"text/plain","data":"`+data+`"}`))
	}
	b := must(t, s, entries...)
	if got := body(t, s, b.location(9)); len(got) < len(data) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestSearchesAndHistoriesInBundles(t *testing.T) {
	s := open(t, Options{})
	b := must(t, s, request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"a","gender":"male"}`),
		request("GET", "Patient?gender=male", "", ""), request("GET", "/Patient?gender=female&_total=accurate", "", ""), request("GET", base+"/Patient/_history", "", ""), request("GET", "_history?_count=1", "", ""))
	for i, want := range []int{1: 1, 2: 0, 3: 1, 4: 1} {
		if i == 0 {
			continue
		}
		if got := decodeBundle(b.Entry[i].Resource); len(got.Entry) != want {
			t.Errorf("entry %d: %s", i, b.Entry[i].Resource)
		}
	}
	// The links of a search in a transaction go on where it ended.
	var entries []string
	for i := range 5 {
		entries = append(entries, request("PUT", fmt.Sprintf("Group/%d", i), "", fmt.Sprintf(`{"resourceType":"Group","id":"%d"}`, i)))
	}
	b = must(t, s, append(entries, request("GET", "Group?_count=2", "", ""))...)
	next := find(t, s, "Group?"+decodeBundle(b.Entry[5].Resource).query("next"))
	if got := strings.Join(next.names(), " "); got != "Group/2 Group/3" {
		t.Errorf("%s", got)
	}
	_, err := transact(t, s, request("GET", "Patient?nonsense=1", "", ""))
	check(t, err, fhir.KindInvalid, "unknown-parameter")
}

// TestATransactionStoredAsAResourceSaysSo holds that it does however many entries are written together.
func TestATransactionStoredAsAResourceSaysSo(t *testing.T) {
	s := open(t, Options{})
	entry := request("POST", "Bundle", "", `{"resourceType":"Bundle","type":"transaction"}`)
	for _, kind := range []string{"batch", "transaction"} {
		b, err := send(t, s, kind, "", entry, entry, request("POST", "Basic", "", `{"resourceType":"Basic"}`))
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range b.Entry {
			if got := strings.Contains(string(e.Response.Outcome), "bundle-stored"); got != (i < 2) {
				t.Errorf("%s, entry %d: %s", kind, i, e.Response.Outcome)
			}
		}
	}
}
