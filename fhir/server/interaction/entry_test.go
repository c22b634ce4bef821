package interaction

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// told returns the issues of an error as "id expression", parted by commas.
func told(err error) string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, is := range e.Issues {
		out = append(out, string(is.ID)+" "+is.Expression)
	}
	return strings.Join(out, ", ")
}

// TestMisspeltMembersOfEntriesAreRefused holds that nothing of a request is ignored, without validation of contents as well: a condition
// that nobody reads loses an update, or makes a duplicate.
func TestMisspeltMembersOfEntriesAreRefused(t *testing.T) {
	const patient = `{"resourceType":"Patient","id":"a","active":true}`
	for _, c := range []struct{ name, entry, want, text string }{
		{"IfMatch", request("PUT", "Patient/a", "", patient, `"IfMatch":"W/\"77\""`), "unknown-element .request.IfMatch", "did you mean ifMatch?"},
		{"ifNoneExists", request("POST", "Patient", "", patient, `"ifNoneExists":"_id=a"`), "unknown-element .request.ifNoneExists", "did you mean ifNoneExist?"},
		{"fullURL", `{"fullURL":"urn:uuid:1","resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "unknown-element .fullURL", "did you mean fullUrl?"},
		{"an unknown member", `{"foo":1,"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "unknown-element .foo", ""},
		{"Resource", `{"Resource":1,"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "unknown-element .Resource", "did you mean resource?"},
		{"link", `{"link":"x","resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "element-array .link", ""},
		{"search", `{"search":[],"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "element-array .search", ""},
		{"response", `{"response":5,"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}`, "element-type .response", ""},
		{"ifMatch of a number", request("PUT", "Patient/a", "", patient, `"ifMatch":5`), "element-type .request.ifMatch", ""},
		{"ifNoneMatch of a number", request("PUT", "Patient/a", "", patient, `"ifNoneMatch":5`), "element-type .request.ifNoneMatch", ""},
		{"ifNoneMatch of a read", request("GET", "Patient/a", "", "", `"ifNoneMatch":5`), "element-type .request.ifNoneMatch", ""},
		{"ifNoneExist of a number", request("POST", "Patient", "", patient, `"ifNoneExist":5`), "element-type .request.ifNoneExist", ""},
		{"a modifier extension", request("PUT", "Patient/a", "", patient, `"modifierExtension":[{"url":"http://x","valueBoolean":true}]`), "modifier-extension .request.modifierExtension", ""},
		{"no method", `{"resource":` + patient + `,"request":{"url":"Patient"}}`, "entry-method .request.method", "request.method is missing"},
		{"no URL", `{"resource":` + patient + `,"request":{"method":"POST"}}`, "entry-url .request.url", "request.url is missing"},
		{"a URL of a number", `{"resource":` + patient + `,"request":{"method":"POST","url":5}}`, "entry-url .request.url", ""},
		{"a request of text", `{"request":"POST Patient"}`, "entry-request .request", ""},
		{"a search with a resource", `{"resource":` + patient + `,"request":{"method":"POST","url":"Patient/_search"}}`, "entry-request .resource", "parameters in request.url"},
		{"no object", `null`, "entry-request ", ""},
		{"two faults", request("PUT", "Patient/a", "a b", patient, `"ifMatsch":"W/\"1\""`), "entry-fullurl .fullUrl, unknown-element .request.ifMatsch", ""},
	} {
		s := open(t, Options{})
		put(t, s, `{"resourceType":"Patient","id":"a"}`)
		good := request("POST", "Group", "", `{"resourceType":"Group"}`)
		_, err := transact(t, s, good, c.entry)
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, " .", " Bundle.entry[1]."), "entry-request ", "entry-request Bundle.entry[1]")
		want = strings.Replace(want, "[1]Bundle.entry[1]", "[1]", 1)
		if got := told(err); fhir.KindOf(err) != fhir.KindInvalid || got != want || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: transaction: %v, %s; want %s", c.name, err, got, want)
		}
		b, err := send(t, s, "batch", "", good, c.entry)
		if err != nil {
			t.Fatal(err)
		}
		if r := b.Entry[1].Response; b.Entry[0].Response.Status != "201 Created" || r.Status != "400 Bad Request" || !strings.Contains(string(r.Outcome), c.text) {
			t.Errorf("%s: batch: %+v", c.name, b.Entry)
		}
		if got := body(t, s, key("Patient/a")); strings.Contains(got, "active") {
			t.Errorf("%s: it was written: %s", c.name, got)
		}
	}
}

func TestMisspeltMembersOfTheBundleAreRefused(t *testing.T) {
	s := open(t, Options{})
	entry := request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"a"}`)
	for _, kind := range []string{"batch", "transaction"} {
		for _, c := range []struct{ bundle, want string }{
			{`"type":"` + kind + `","foo":1,"entry":[` + entry + `]`, "unknown-element Bundle.foo"},
			{`"type":"` + kind + `","entries":[` + entry + `]`, "unknown-element Bundle.entries"},
			{`"type":"` + kind + `","entry":` + entry, "bundle-entry Bundle.entry"},
			{`"type":"` + kind + `","total":"x","timestamp":"now","signature":1,"link":{},"identifier":"x","entry":[` + entry + `,{"fullUrl":"urn:uuid:1"}]`,
				"element-type Bundle.total, primitive-format Bundle.timestamp, element-type Bundle.signature, element-array Bundle.link, element-type Bundle.identifier, entry-request Bundle.entry[1]"},
			{`"type":"collection","Entry":[]`, "bundle-type Bundle.type, unknown-element Bundle.Entry"},
		} {
			_, err := s.Bundle(t.Context(), BundleRequest{Base: base, Bundle: resource(t, "%s", `{"resourceType":"Bundle",`+c.bundle+`}`)})
			if got := told(err); fhir.KindOf(err) != fhir.KindInvalid || got != c.want {
				t.Errorf("%s: %v, %s; want %s", c.bundle, err, got, c.want)
			}
		}
	}
	_, err := s.Read(t.Context(), key("Patient/a"))
	check(t, err, fhir.KindNotFound, "not-found")
}

func TestConditionsThatTheMethodDoesNotHaveAreRefused(t *testing.T) {
	const patient = `{"resourceType":"Patient","id":"a"}`
	s := open(t, Options{})
	for _, c := range []struct{ method, url, resource, condition string }{
		{"POST", "Patient", patient, `"ifMatch":"W/\"1\""`}, {"POST", "Patient", patient, `"ifNoneMatch":"*"`}, {"POST", "Patient", patient, `"ifModifiedSince":"2020-01-01T00:00:00Z"`},
		{"PUT", "Patient/a", patient, `"ifNoneExist":"_id=a"`}, {"PUT", "Patient/a", patient, `"ifModifiedSince":"2020-01-01T00:00:00Z"`},
		{"DELETE", "Patient/a", "", `"ifNoneExist":"_id=a"`}, {"GET", "Patient?_id=a", "", `"ifMatch":"W/\"1\""`}, {"GET", "Patient?_id=a", "", `"ifNoneExist":"_id=a"`},
	} {
		_, err := transact(t, s, request(c.method, c.url, "", c.resource, c.condition))
		name, _, _ := strings.Cut(strings.Trim(c.condition, `"`), `"`)
		if got := told(err); fhir.KindOf(err) != fhir.KindInvalid || got != "misplaced-condition Bundle.entry[0].request."+name {
			t.Errorf("%s with %s: %v, %s", c.method, c.condition, err, got)
		}
	}
}

// TestFullURLsOfATypeAndAnID are those of HAPI's BundleBuilder, which R4 wants absolute.
func TestFullURLsOfATypeAndAnID(t *testing.T) {
	for _, kind := range []string{"transaction", "batch"} {
		s := open(t, Options{})
		b, err := send(t, s, kind, "", request("PUT", "Patient/77", "Patient/77", `{"resourceType":"Patient","id":"77","active":true}`))
		if err != nil || b.Entry[0].Response.Status != "201 Created" || b.location(0) != key("Patient/77") {
			t.Fatalf("%s: %+v, %v", kind, b, err)
		}
	}
	s := open(t, Options{})
	about := func(method, url, id, fullURL string) string {
		return request(method, url, fullURL, `{"resourceType":"Observation",`+id+`"subject":{"reference":"Patient/77"},"focus":[{"reference":"`+base+`/Patient/77"}]}`)
	}
	for _, fullURL := range []string{"Patient/77", base + "/Patient/77"} {
		b := must(t, s, about("POST", "Observation", "", ""), request("POST", "Patient", fullURL, `{"resourceType":"Patient","id":"77"}`), about("POST", "Observation", "", "urn:uuid:0"),
			about("PUT", "Observation/o", `"id":"o",`, "Observation/o"), about("POST", "Observation", "", base+"/Observation/1"), about("POST", "Observation", "", "http://other.org/fhir/Observation/1"))
		patient := `"reference":"` + b.location(1).String() + `"`
		for i, want := range []int{2, 0, 2, 2, 2, 1} {
			if got := body(t, s, b.location(i)); strings.Count(got, patient) != want {
				t.Errorf("fullUrl %s: entry %d is %s; want %d references to %s", fullURL, i, got, want, patient)
			}
		}
	}
	twice := request("PUT", "Patient/1", "Patient/1", `{"resourceType":"Patient","id":"1"}`)
	_, err := transact(t, s, twice, strings.Replace(twice, `"fullUrl":"`, `"fullUrl":"`+base+"/", 1))
	if got := told(err); got != "duplicate-fullurl Bundle.entry[1].fullUrl" {
		t.Errorf("%v, %s", err, got)
	}
}

func TestNamesOfEntriesStayWhereNoURLCanStand(t *testing.T) {
	s := validating(t)
	const urn, oid = "urn:uuid:c0ffee00-0000-4000-8000-000000000001", "urn:oid:1.2.3.4"
	content := `"extension":[{"url":"http://x","valueUuid":"` + urn + `"},{"url":"http://x","valueOid":"` + oid + `"},{"url":"http://x","valueCanonical":"` + urn + `"}]`
	b := must(t, s, request("POST", "Patient", urn, `{"resourceType":"Patient"}`), request("POST", "Patient", oid, `{"resourceType":"Patient"}`),
		request("POST", "Basic", "", `{"resourceType":"Basic","code":{"text":"x"},`+content+`}`))
	if got := body(t, s, b.location(2)); !strings.Contains(got, content) {
		t.Errorf("%s", got)
	}
}

func TestCompartmentsAreSearchedInBundles(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"p"}`)
	put(t, s, `{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p"},"status":"final"}`)
	put(t, s, `{"resourceType":"Observation","id":"other"}`)
	for _, kind := range []string{"batch", "transaction"} {
		b, err := send(t, s, kind, "", request("GET", "Patient/p/Observation?status=final", "", ""), request("GET", "Patient/p/*", "", ""), request("GET", base+"/Patient/p/Observation?status=amended", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"Observation/o", "Observation/o Patient/p", ""} {
			got := decodeBundle(b.Entry[i].Resource)
			if names := strings.Join(got.names(), " "); names != want {
				t.Errorf("%s, entry %d: %s; want %s", kind, i, names, want)
			}
		}
	}
	b, err := send(t, s, "batch", "", request("GET", "Patient/p/Nothing", "", ""), request("GET", "Patient/p/Medication", "", ""))
	if err != nil || b.Entry[0].Response.Status != "404 Not Found" || b.Entry[1].Response.Status != "404 Not Found" {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestExampleBundlesOfTheSpecification holds that the envelopes of R4's own batches and transactions are taken: what is refused of them is what
// they ask for.
func TestExampleBundlesOfTheSpecification(t *testing.T) {
	n := 0
	for _, name := range corpustest.Files(t, "r4-examples/Bundle-*.json") {
		r := resource(t, "%s", corpustest.Read(t, name))
		if kind := r.Get("type").Text(); kind != "batch" && kind != "transaction" {
			continue
		}
		n++
		s := open(t, Options{})
		if err := s.readEnvelope(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		entries, err := s.readEntries(t.Context(), BundleRequest{Base: base, Bundle: r})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, e := range entries {
			// One asks for an operation, and all of another are about another server.
			if got := told(at(e.index, e.err)); e.err != nil && !strings.HasPrefix(got, "unknown-operation ") && !strings.HasPrefix(got, "entry-url ") || strings.Contains(got, ",") {
				t.Errorf("%s: %v, %s", name, e.err, got)
			}
		}
	}
	if n == 0 {
		t.Error("there is no batch or transaction among the examples")
	}
}
