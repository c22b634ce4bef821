package rest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// note is the document of tests: the Composition first, and one entry.
const note = `{"resourceType":"Bundle","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},"type":"document","timestamp":"2024-05-01T10:00:00.10Z","entry":[` +
	`{"fullUrl":"http://example.org/fhir/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"coding":[{"system":"http://loinc.org","code":"11488-4"}]},"subject":{"reference":"Patient/p"},"date":"2024-05-01","author":[{"reference":"http://example.org/fhir/Patient/p"}],"title":"Note","section":[{"title":"a"}]}},` +
	`{"fullUrl":"http://example.org/fhir/Patient/p","resource":{"resourceType":"Patient","id":"p","meta":{"versionId":"7","lastUpdated":"2020-01-01T00:00:00Z"},"name":[{"family":"Doe"}],"extension":[{"url":"http://example.org/x","valueDecimal":1.50}]}}]}`

// message is the message of tests.
const message = `{"resourceType":"Bundle","type":"message","timestamp":"2024-05-01T10:00:00Z","entry":[` +
	`{"fullUrl":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f1","resource":{"resourceType":"MessageHeader","id":"h","eventCoding":{"system":"http://example.org/events","code":"admit"},"source":{"endpoint":"http://example.org/source"},"focus":[{"reference":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f2"}]}},` +
	`{"fullUrl":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f2","resource":{"resourceType":"Patient","name":[{"family":"Doe"}]}}]}`

func TestDocumentsAndMessagesAreKeptWholeAndFound(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	for name, content := range map[string]string{"document": note, "message": message} {
		a := s.do(t, "POST", "/fhir/Bundle", ct(jsonType, "Prefer", "return=minimal"), content)
		if a.status != 201 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		got := string(s.do(t, "GET", strings.TrimPrefix(a.header.Get("Location"), s.url), nil, "").body)
		if rest := strings.TrimPrefix(content, `{"resourceType":"Bundle"`); !strings.HasSuffix(got, rest) {
			t.Errorf("%s is not kept as it was sent:\n%s", name, got)
		}
	}
	for query, want := range map[string]int{
		"composition.title=Note": 1, "composition.subject=Patient/p": 1, "composition.type=http://loinc.org|11488-4": 1, "composition.title=other": 0,
		"message.event=admit": 1, "message.event=http://example.org/events|discharge": 0, "message.source-uri=http://example.org/source": 1,
		"identifier=urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0": 1, "type=document": 1, "type=message": 1, "timestamp=2024-05-01": 2,
	} {
		if b, _ := s.page(t, "/fhir/Bundle?"+query); len(b.Entry) != want {
			t.Errorf("%s finds %d, want %d", query, len(b.Entry), want)
		}
	}
	for _, typ := range []string{"Patient", "Composition", "MessageHeader"} {
		if b, _ := s.page(t, "/fhir/"+typ); len(b.Entry) != 0 {
			t.Errorf("an entry is stored as a %s of its own", typ)
		}
	}
}

func TestDocumentsAndMessagesThatAreNoneAreRefused(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	for name, c := range map[string]struct{ body, want string }{
		"no identifier":                 {strings.Replace(note, `"identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},`, "", 1), "bdl-9"},
		"an identifier without system":  {strings.Replace(note, `"system":"urn:ietf:rfc:3986",`, "", 1), "bdl-9"},
		"no timestamp":                  {strings.Replace(note, `"timestamp":"2024-05-01T10:00:00.10Z",`, "", 1), "bdl-10"},
		"no Composition":                {strings.Replace(note, `{"resourceType":"Composition"`, `{"resourceType":"List"`, 1), "bdl-11"},
		"no entry":                      {note[:strings.Index(note, `,"entry"`)] + "}", "bdl-11"},
		"a message without a header":    {strings.Replace(message, `{"resourceType":"MessageHeader"`, `{"resourceType":"Basic"`, 1), "bdl-12"},
		"a message that is empty":       {`{"resourceType":"Bundle","type":"message"}`, "bdl-12"},
		"an entry that is not valid R4": {strings.Replace(note, `"title":"Note"`, `"titel":"Note"`, 1), "titel"},
	} {
		a := s.do(t, "POST", "/fhir/Bundle", ct(jsonType), c.body)
		if a.status != 422 || !strings.Contains(string(a.body), c.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		b := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"resource":`+c.body+`,"request":{"method":"POST","url":"Bundle"}}]}`)
		if !strings.Contains(string(b.body), "422") {
			t.Errorf("%s in a batch: %s", name, b.body)
		}
	}
}

// chart stores a Composition and what it refers to.
func (s *server) chart(t *testing.T) {
	t.Helper()
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"O"}`)
	s.put(t, "Organization/part", `{"resourceType":"Organization","id":"part","name":"P","partOf":{"reference":"Organization/o"}}`)
	s.put(t, "Practitioner/d", `{"resourceType":"Practitioner","id":"d","name":[{"family":"D"}]}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"Organization/part"},"link":[{"other":{"reference":"Patient/gone"},"type":"seealso"}]}`)
	s.put(t, "Observation/a", `{"resourceType":"Observation","id":"a","status":"preliminary","code":{"text":"first"},"subject":{"reference":"Patient/p"}}`)
	s.put(t, "Observation/a", `{"resourceType":"Observation","id":"a","status":"final","code":{"text":"second"},"subject":{"reference":"Patient/p"},"performer":[{"reference":"Practitioner/d"}]}`)
	s.put(t, "Observation/unrelated", `{"resourceType":"Observation","id":"unrelated","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)
	s.put(t, "Encounter/e", `{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`)
	s.put(t, "Composition/older", `{"resourceType":"Composition","id":"older","status":"final","type":{"text":"x"},"date":"2023","title":"Older","author":[{"reference":"Practitioner/d"}]}`)
	s.put(t, "Composition/c", `{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2024","title":"C","subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},
		"contained":[{"resourceType":"Practitioner","id":"in","name":[{"family":"In"}]}],
		"author":[{"reference":"#in"},{"reference":"Practitioner/d"},{"identifier":{"value":"only an identifier"}}],"custodian":{"reference":"Organization/o"},"attester":[{"mode":"legal","party":{"reference":"Practitioner/d"}}],
		"relatesTo":[{"code":"replaces","targetReference":{"reference":"Composition/older"}}],
		"section":[{"title":"s","entry":[{"reference":"Observation/a/_history/1"}],"section":[{"title":"t","entry":[{"reference":"Observation/a"},{"reference":"Observation/a/_history/2"}]}]}]}`)
}

// documentEntries returns type, id and version of a document's entries, and checks what each document has.
func documentEntries(t *testing.T, base string, body []byte) (entries []string) {
	t.Helper()
	var b struct {
		Type, Timestamp string
		Identifier      struct{ System, Value string }
		Entry           []struct {
			FullURL  string
			Resource struct {
				ResourceType, ID string
				Meta             struct{ VersionID string }
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	if b.Type != "document" || b.Timestamp == "" || b.Identifier.System == "" || !strings.HasPrefix(b.Identifier.Value, "urn:uuid:") {
		t.Errorf("%.400s", body)
	}
	for _, e := range b.Entry {
		if want := base + "/" + e.Resource.ResourceType + "/" + e.Resource.ID; e.FullURL != want {
			t.Errorf("fullUrl %s, want %s", e.FullURL, want)
		}
		entries = append(entries, fmt.Sprintf("%s/%s/%s", e.Resource.ResourceType, e.Resource.ID, e.Resource.Meta.VersionID))
	}
	return entries
}

func TestDocumentHoldsTheCompositionAndWhatItNeeds(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.chart(t)
	want := []string{"Composition/c/1", "Encounter/e/1", "Observation/a/1", "Observation/a/2", "Organization/o/1", "Organization/part/1", "Patient/p/1", "Practitioner/d/1"}
	in := func(parameter string) string {
		return `{"resourceType":"Parameters","parameter":[` + parameter + `]}`
	}
	for name, c := range map[string]struct{ method, path, body string }{
		"GET":                     {"GET", "/fhir/Composition/c/$document", ""},
		"POST":                    {"POST", "/fhir/Composition/c/$document", in(`{"name":"persist","valueBoolean":false}`)},
		"POST without a body":     {"POST", "/fhir/Composition/c/$document", ""},
		"by id":                   {"GET", "/fhir/Composition/$document?id=c", ""},
		"by URL":                  {"GET", "/fhir/Composition/$document?id=" + s.url + "/fhir/Composition/c", ""},
		"by a relative reference": {"POST", "/fhir/Composition/$document", in(`{"name":"id","valueUri":"Composition/c"}`)},
		"by a version":            {"GET", "/fhir/Composition/$document?id=Composition/c/_history/1&persist=false", ""},
	} {
		var headers []string
		if c.body != "" {
			headers = ct(jsonType)
		}
		a := s.do(t, c.method, c.path, headers, c.body)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		got := documentEntries(t, s.url+"/fhir", a.body)
		if got[0] != want[0] {
			t.Errorf("%s: the document begins with %s", name, got[0])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
	if b, _ := s.page(t, "/fhir/Bundle"); len(b.Entry) != 0 {
		t.Error("a document was stored that nobody asked to")
	}
	a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Composition/c/$document"}},{"request":{"method":"GET","url":"Composition/c/$document?persist=true"}},{"resource":`+in(`{"name":"persist","valueBoolean":true}`)+`,"request":{"method":"POST","url":"Composition/c/$document"}}]}`)
	if n := strings.Count(string(a.body), `"type":"document"`); n != 2 || !strings.Contains(string(a.body), `"status":"201 Created","location":"`+s.url+`/fhir/Bundle/`) || !strings.Contains(string(a.body), "so needs a POST") {
		t.Errorf("in a batch: %d documents; %s", n, a.body)
	}
	a = s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","id":"a","status":"final","code":{"text":"third"}},"request":{"method":"PUT","url":"Observation/a"}},{"request":{"method":"GET","url":"Composition/c/$document"}}]}`)
	if !strings.Contains(string(a.body), `"text":"third"`) {
		t.Errorf("a document in a transaction shows what the transaction wrote: %s", a.body)
	}
	a = s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+in(`{"name":"persist","valueBoolean":true}`)+`,"request":{"method":"POST","url":"Composition/c/$document"}}]}`)
	if _, id := a.issue(t); id != "entry-operation" {
		t.Errorf("a write in a transaction: %d %s", a.status, a.body)
	}
}

func TestDocumentIsStoredWherePersistIsTrue(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.chart(t)
	a := s.do(t, "POST", "/fhir/Composition/c/$document?persist=true", nil, "")
	location := strings.TrimPrefix(a.header.Get("Location"), s.url)
	if a.status != 201 || !strings.HasPrefix(location, "/fhir/Bundle/") {
		t.Fatalf("%d %s %s", a.status, location, a.body)
	}
	if stored := s.do(t, "GET", location, nil, "").body; string(stored) != string(a.body) {
		t.Errorf("the response is not what is stored:\n%s\n%s", a.body, stored)
	}
	if b, _ := s.page(t, "/fhir/Bundle?composition.title=C"); len(b.Entry) != 1 {
		t.Errorf("%d are found", len(b.Entry))
	}
	if a := s.do(t, "GET", "/fhir/Composition/c/$document?persist=true", nil, ""); a.status != 400 {
		t.Errorf("by GET: %d %s", a.status, a.body)
	}
}

func TestDocumentTellsWhatItCannotHold(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.chart(t)
	s.put(t, "Observation/deleted", `{"resourceType":"Observation","id":"deleted","status":"final","code":{"text":"x"}}`)
	s.do(t, "DELETE", "/fhir/Observation/deleted", nil, "")
	s.put(t, "Composition/bad", `{"resourceType":"Composition","id":"bad","status":"final","type":{"text":"x"},"date":"2024","title":"C","author":[{"reference":"Practitioner/nobody"}],
		"section":[{"title":"s","entry":[{"reference":"Observation/deleted"},{"reference":"http://elsewhere.example.org/fhir/Observation/1"},{"reference":"Observation/a/_history/9"},{"reference":"Observation/a"}]}]}`)
	a := s.do(t, "GET", "/fhir/Composition/bad/$document", nil, "")
	for _, want := range []string{"Composition.author[0].reference", "Composition.section[0].entry[0].reference", "Composition.section[0].entry[1].reference", "Composition.section[0].entry[2].reference", "missing-reference", "document-foreign"} {
		if a.status != 422 || !strings.Contains(string(a.body), want) {
			t.Errorf("%d without %s: %s", a.status, want, a.body)
		}
	}
	if strings.Contains(string(a.body), "entry[3]") {
		t.Errorf("what is there is told as missing: %s", a.body)
	}
	s.do(t, "DELETE", "/fhir/Composition/older", nil, "")
	run := func(name, method, path string, status int, want string) {
		t.Helper()
		if a := s.do(t, method, path, nil, ""); a.status != status || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	run("none", "GET", "/fhir/Composition/nobody/$document", 404, "not-found")
	run("deleted", "GET", "/fhir/Composition/older/$document", 410, "deleted")
	run("graph", "GET", "/fhir/Composition/c/$document?graph=http://example.org/g", 501, "graph is not served")
	run("id beside an id", "GET", "/fhir/Composition/c/$document?id=c", 400, "operation-parameter")
	run("no id", "GET", "/fhir/Composition/$document", 400, "id is missing")
	run("of another type", "GET", "/fhir/Composition/$document?id=Patient/p", 400, "operation-parameter")
	run("of another server", "GET", "/fhir/Composition/$document?id=http://elsewhere.example.org/Composition/c", 400, "other servers")
	run("an unknown version", "GET", "/fhir/Composition/$document?id=Composition/c/_history/3", 404, "no version")
	run("an unknown parameter", "GET", "/fhir/Composition/c/$document?x=1", 400, "operation-parameter")
	run("persist", "POST", "/fhir/Composition/c/$document?persist=maybe", 400, "true or false")
	run("of a Patient", "GET", "/fhir/Patient/p/$document", 404, "unknown-operation")
}

func TestDocumentIsBounded(t *testing.T) {
	s := newServer(t)
	var entries []string
	for i := range 5_001 {
		entries = append(entries, fmt.Sprintf(`{"reference":"Observation/o%d"}`, i))
	}
	s.put(t, "Composition/large", `{"resourceType":"Composition","id":"large","status":"final","type":{"text":"x"},"date":"2024","title":"C","author":[{"display":"x"}],"section":[{"title":"s","entry":[`+strings.Join(entries, ",")+`]}]}`)
	a := s.do(t, "GET", "/fhir/Composition/large/$document", nil, "")
	if _, id := a.issue(t); a.status != 422 || id != "document-limit" {
		t.Errorf("%d %.300s", a.status, a.body)
	}
}

func TestADocumentHoldsADefinitionThatItsCompositionRefersTo(t *testing.T) {
	s := newServer(t)
	s.put(t, "Practitioner/d", `{"resourceType":"Practitioner","id":"d"}`)
	s.put(t, "Composition/c", `{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2024-05-01","author":[{"reference":"Practitioner/d"}],"title":"x",`+
		`"section":[{"title":"a","entry":[{"reference":"ValueSet/administrative-gender"},{"reference":"ValueSet/administrative-gender/_history/1"}]}]}`)
	a := s.do(t, "GET", "/fhir/Composition/c/$document", nil, "")
	if n := strings.Count(string(a.body), `"resource":{"resourceType":"ValueSet","id":"administrative-gender"`); a.status != 200 || n != 1 {
		t.Errorf("%d, %d times in %.500s", a.status, n, a.body)
	}
}
