package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/validation"
)

// admission returns a message of one of R4's events, in a Bundle of an id, with a header of an id, that carries resources.
func admission(envelope, header string, entries ...string) string {
	all := append([]string{`{"fullUrl":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f1","resource":{"resourceType":"MessageHeader","id":"` + header +
		`","eventCoding":{"system":"http://terminology.hl7.org/CodeSystem/message-events","code":"admin-notify"},"source":{"endpoint":"http://hospital.example.org/fhir"}}}`}, entries...)
	return `{"resourceType":"Bundle","id":"` + envelope + `","type":"message","timestamp":"2024-05-01T10:00:00Z","entry":[` + strings.Join(all, ",") + `]}`
}

func carried(fullURL, resource string) string {
	return `{"fullUrl":"` + fullURL + `","resource":` + resource + `}`
}

// sent is what tests read of a response message.
type sent struct {
	ID, Type string
	Entry    []struct {
		FullURL  string
		Resource struct {
			ResourceType string
			Response     struct {
				Identifier, Code string
				Details          struct{ Reference string }
			}
			EventCoding struct{ Code string }
			Destination []struct{ Endpoint string }
			Issue       []struct {
				Diagnostics string
				Expression  []string
				Details     struct{ Coding []struct{ Code string } }
			}
		}
	}
}

// process sends a message and returns its response, which must be one.
func (s *server) process(t testing.TB, message string) (sent, string) {
	t.Helper()
	a := s.do(t, "POST", "/fhir/$process-message", ct(jsonType), message)
	var m sent
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	if a.status != 200 || m.Type != "message" || len(m.Entry) == 0 || m.Entry[0].Resource.ResourceType != "MessageHeader" || m.Entry[0].Resource.Destination[0].Endpoint != "http://hospital.example.org/fhir" {
		t.Fatalf("%d %.500s", a.status, a.body)
	}
	return m, string(a.body)
}

func (m sent) code() string { return m.Entry[0].Resource.Response.Code }

func TestMessageIsStoredLikeATransactionAndOnce(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.put(t, "Patient/known", `{"resourceType":"Patient","id":"known","identifier":[{"system":"http://hospital.example.org/mrn","value":"7"}],"name":[{"family":"Before"}]}`)
	message := admission("b1", "h1",
		carried("http://hospital.example.org/fhir/Patient/p9", `{"resourceType":"Patient","id":"p9","identifier":[{"system":"http://hospital.example.org/mrn","value":"7"}],"name":[{"family":"After"}],"managingOrganization":{"reference":"Organization/not-here"}}`),
		carried("http://hospital.example.org/fhir/Observation/o9", `{"resourceType":"Observation","id":"o9","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p9"},"encounter":{"reference":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3"}}`),
		carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"}}`),
		carried(s.url+"/fhir/Practitioner/ours", `{"resourceType":"Practitioner","id":"ours","name":[{"family":"Ours"}]}`))
	m, first := s.process(t, message)
	header := m.Entry[0].Resource
	if header.Response.Identifier != "h1" || header.Response.Code != "ok" || header.EventCoding.Code != "admin-notify" {
		t.Fatalf("%s", first)
	}
	patient := string(s.do(t, "GET", "/fhir/Patient/known", nil, "").body)
	if !strings.Contains(patient, "After") || !strings.Contains(patient, `"reference":"http://hospital.example.org/fhir/Organization/not-here"`) {
		t.Errorf("%s", patient)
	}
	observation := string(s.do(t, "GET", "/fhir/Observation?subject=Patient/known", nil, "").body)
	if !strings.Contains(observation, `"encounter":{"reference":"Encounter/`) || strings.Contains(observation, `"id":"o9"`) {
		t.Errorf("%s", observation)
	}
	if a := s.do(t, "GET", "/fhir/Practitioner/ours", nil, ""); a.status != 200 {
		t.Errorf("a resource of this server: %d", a.status)
	}
	if a := s.do(t, "GET", "/fhir/Patient/p9", nil, ""); a.status != 404 {
		t.Errorf("the id of another server is taken: %d", a.status)
	}
	for range 2 {
		if _, again := s.process(t, message); again != first {
			t.Errorf("the response to a repeated message is another:\n%s\n%s", again, first)
		}
	}
	if b, _ := s.page(t, "/fhir/Encounter"); len(b.Entry) != 1 {
		t.Errorf("%d Encounters are stored", len(b.Entry))
	}
	if b, _ := s.page(t, "/fhir/Bundle?message.event=admin-notify"); len(b.Entry) != 1 {
		t.Errorf("%d responses are found", len(b.Entry))
	}
	// Whoever deletes the response does not make the message a new one.
	s.do(t, "DELETE", "/fhir/Bundle/"+m.ID, nil, "")
	if _, again := s.process(t, message); again != first {
		t.Errorf("after a deletion: %s", again)
	}
	for name, reused := range map[string]string{"the header's id in another Bundle": admission("b2", "h1"), "the Bundle's id with another header": admission("b1", "h2")} {
		if name == "the Bundle's id with another header" {
			s.process(t, admission("b5", "h5"))
			reused = admission("b5", "h6")
		}
		a := s.do(t, "POST", "/fhir/$process-message", ct(jsonType), reused)
		if _, id := a.issue(t); a.status != 409 || id != "message-reused" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.do(t, "POST", "/fhir/$process-message?_format=xml", ct(jsonType), message); a.status != 200 || !strings.Contains(string(a.body), `<code value="ok"/>`) {
		t.Errorf("XML: %d %s", a.status, a.body)
	}
}

func TestMessageThatCannotBeProcessedHasAFatalErrorThatIsKept(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	other := strings.Replace(admission("b7", "h7"), `"system":"http://terminology.hl7.org/CodeSystem/message-events","code":"admin-notify"`, `"system":"http://example.org/events","code":"admit"`, 1)
	for name, c := range map[string]struct{ message, id, where string }{
		"a resource that is not valid": {admission("b1", "h1", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Encounter","class":{"code":"AMB"}}`), carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f4", `{"resourceType":"Basic","code":{"text":"x"}}`)), "element-required", "Bundle.entry[1].resource"},
		"a reference to nothing":       {admission("b2", "h2", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f9"}}`)), "unresolved-reference", "Bundle.entry[1].resource.subject.reference"},
		"no resource":                  {admission("b3", "h3", `{"fullUrl":"urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3"}`), "resource-type", "Bundle.entry[1]"},
		"an event of R4 that asks":     {strings.Replace(admission("b4", "h4"), "admin-notify", "valueset-expand", 1), "message-event", "Bundle.entry[0].resource.event"},
		"an event nobody knows":        {other, "message-event", "Bundle.entry[0].resource.event"},
		"a header that is not valid":   {strings.Replace(admission("b6", "h6"), `"source":{`, `"sauce":1,"source":{`, 1), "element-unknown", "Bundle.entry[0].resource"},
	} {
		m, first := s.process(t, c.message)
		if m.code() != "fatal-error" || len(m.Entry) != 2 || m.Entry[0].Resource.Response.Details.Reference != m.Entry[1].FullURL {
			t.Errorf("%s: %s", name, first)
			continue
		}
		issue := m.Entry[1].Resource.Issue[0]
		if c.id != "element-unknown" && issue.Details.Coding[0].Code != c.id || !strings.HasPrefix(issue.Expression[0], c.where) {
			t.Errorf("%s: %s", name, first)
		}
		if _, again := s.process(t, c.message); again != first {
			t.Errorf("%s: the second response is another: %s", name, again)
		}
	}
	if b, _ := s.page(t, "/fhir/Basic"); len(b.Entry) != 0 {
		t.Errorf("%d resources of refused messages are stored", len(b.Entry))
	}
	// With a definition of the event the next message of it is processed.
	s.put(t, "MessageDefinition/admit", `{"resourceType":"MessageDefinition","id":"admit","status":"active","date":"2024-01-01","eventCoding":{"system":"http://example.org/events","code":"admit"},"focus":[{"code":"Patient","min":1,"max":"1"}]}`)
	next := strings.Replace(strings.Replace(other, `"b7"`, `"b8"`, 1), `"h7"`, `"h8"`, 1)
	if m, body := s.process(t, next); m.code() != "fatal-error" || !strings.Contains(body, "carries 1 to 1 resources of type Patient, and this one carries 0") {
		t.Errorf("%s", body)
	}
	next = strings.Replace(admission("b9", "h9", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Patient"}`)), `"system":"http://terminology.hl7.org/CodeSystem/message-events","code":"admin-notify"`, `"system":"http://example.org/events","code":"admit"`, 1)
	if m, body := s.process(t, next); m.code() != "ok" {
		t.Errorf("%s", body)
	}
}

func TestMessageWithoutWhatAResponseNeedsIsAnError(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"no body":                 {"", "", 400, "body-missing"},
		"Parameters":              {"", `{"resourceType":"Parameters"}`, 400, "message-header"},
		"a document":              {"", note, 400, "message-header"},
		"no header":               {"", `{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"Patient"}}]}`, 400, "message-header"},
		"no entry":                {"", `{"resourceType":"Bundle","type":"message"}`, 400, "message-header"},
		"no id":                   {"", strings.Replace(admission("b", "h"), `"id":"h",`, "", 1), 400, "has an id"},
		"no source":               {"", strings.Replace(admission("b", "h"), `"endpoint":"http://hospital.example.org/fhir"`, "", 1), 400, "endpoint"},
		"a response":              {"", strings.Replace(admission("b", "h"), `"source":`, `"response":{"identifier":"x","code":"ok"},"source":`, 1), 400, "this is a response"},
		"an unknown parameter":    {"?x=1", admission("b", "h"), 400, "operation-parameter"},
		"response-url alone":      {"?response-url=http://a.example.org", admission("b", "h"), 400, "response-url is for async"},
		"async without endpoints": {"?async=true", admission("b", "h"), 501, "message-endpoint"},
		"async that is no truth":  {"?async=perhaps", admission("b", "h"), 400, "true or false"},
	} {
		var headers []string
		if c.body != "" {
			headers = ct(jsonType)
		}
		if a := s.do(t, "POST", "/fhir/$process-message"+c.path, headers, c.body); a.status != c.status || !strings.Contains(string(a.body), c.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.do(t, "GET", "/fhir/$process-message", nil, ""); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
	batch := `{"resourceType":"Bundle","type":"%s","entry":[{"resource":` + admission("b", "h", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Basic","code":{"text":"x"}}`)) + `,"request":{"method":"POST","url":"$process-message"}}]}`
	if a := s.do(t, "POST", "/fhir", ct(jsonType), fmt.Sprintf(batch, "transaction")); a.status == 200 || !strings.Contains(string(a.body), "entry-operation") {
		t.Errorf("in a transaction: %d %s", a.status, a.body)
	}
	if a := s.do(t, "POST", "/fhir", ct(jsonType), fmt.Sprintf(batch, "batch")); !strings.Contains(string(a.body), `"code":"ok"`) {
		t.Errorf("in a batch: %s", a.body)
	}
}

// gateways returns two servers of one store.
func gateways(t *testing.T, endpoints ...string) (a, b *server) {
	t.Helper()
	store := openStore(t, nil)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	reg := definition.R4()
	validator, err := validation.New(reg, validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	open := func() *server {
		parameters := search.NewParameters(reg, search.Options{})
		service, err := interaction.New(store, reg, parameters, validator, interaction.Options{Level: validation.Base, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(service.Close)
		return newServerOf(t, rest.Config{Service: service, Registry: reg, Search: parameters, Operations: operation.Table(service, reg, operation.Options{Endpoints: endpoints})},
			func(c *rest.Config) { c.BaseURL = "http://one.example.org/fhir" })
	}
	return open(), open()
}

func TestMessageThatComesToTwoGatewaysAtOnceIsProcessedOnce(t *testing.T) {
	a, b := gateways(t)
	for round := range 5 {
		message := admission(fmt.Sprintf("b%d", round), fmt.Sprintf("h%d", round), carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", fmt.Sprintf(`{"resourceType":"Basic","code":{"text":"%d"}}`, round)))
		bodies := make([]string, 8)
		var all sync.WaitGroup
		for i := range bodies {
			all.Go(func() {
				s := a
				if i%2 == 1 {
					s = b
				}
				bodies[i] = string(s.do(t, "POST", "/fhir/$process-message", ct(jsonType), message).body)
			})
		}
		all.Wait()
		for _, body := range bodies {
			if body != bodies[0] || !strings.Contains(body, `"code":"ok"`) {
				t.Fatalf("round %d: the responses differ:\n%s\n%s", round, body, bodies[0])
			}
		}
	}
	if page, _ := a.page(t, "/fhir/Basic?_count=100"); len(page.Entry) != 5 {
		t.Errorf("%d resources are stored, want 5", len(page.Entry))
	}
}

// mailbox is a server that takes messages.
type mailbox struct {
	*httptest.Server
	got    chan string
	status func(n int) int
}

func newMailbox(t *testing.T, status func(n int) int) *mailbox {
	m := &mailbox{got: make(chan string, 100), status: status}
	var mu sync.Mutex
	n := 0
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		status := m.status(n)
		mu.Unlock()
		w.WriteHeader(status)
		if status == 200 {
			m.got <- r.URL.String() + " " + string(body)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// receive waits for a message.
func (m *mailbox) receive(t *testing.T) string {
	t.Helper()
	select {
	case got := <-m.got:
		return got
	case <-time.After(patience):
		t.Fatal("no message came")
		return ""
	}
}

func TestMessageIsProcessedAsynchronously(t *testing.T) {
	box := newMailbox(t, func(int) int { return 200 })
	s, _ := gateways(t, box.URL+"/in", "http://hospital.example.org/other")
	message := admission("b1", "h1", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Basic","code":{"text":"x"}}`))
	send := func(message, query string) answer {
		t.Helper()
		return s.do(t, "POST", "/fhir/$process-message?async=true"+query, ct(jsonType), message)
	}
	a := send(message, "&response-url="+box.URL+"/in/box?x=1")
	if a.status != 200 || !strings.Contains(string(a.body), `"resourceType":"OperationOutcome"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := box.receive(t)
	if !strings.HasPrefix(got, "/in/box?async=true&x=1 {") || !strings.Contains(got, `"identifier":"h1","code":"ok"`) {
		t.Errorf("%s", got)
	}
	if b, _ := s.page(t, "/fhir/Basic"); len(b.Entry) != 1 {
		t.Errorf("%d are stored", len(b.Entry))
	}
	send(message, "&response-url="+box.URL+"/in/box?x=1")
	if again := box.receive(t); again != got {
		t.Errorf("a repeated message: %s", again)
	}
	source := strings.Replace(strings.Replace(strings.Replace(message, `"b1"`, `"b2"`, 1), `"h1"`, `"h2"`, 1), "http://hospital.example.org/fhir", box.URL+"/in", 1)
	if a := send(strings.Replace(source, `"code":{"text":"x"}`, `"koad":1`, 1), ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := box.receive(t); !strings.HasPrefix(got, "/in/$process-message?async=true {") || !strings.Contains(got, `"code":"fatal-error"`) {
		t.Errorf("to the source: %s", got)
	}
	for name, url := range map[string]string{
		"another path": box.URL + "/out", "a path that begins alike": box.URL + "/inside", "a way out": box.URL + "/in/../out", "another host": "http://127.0.0.1:1/in", "a user": strings.Replace(box.URL, "//", "//u@", 1) + "/in",
		"another scheme": strings.Replace(box.URL, "http:", "https:", 1) + "/in", "no URL": "in", "an escaped way out": box.URL + "/in/%2e%2e/out", "the source alone": "",
	} {
		query := ""
		if url != "" {
			query = "&response-url=" + strings.ReplaceAll(url, "%", "%25")
		}
		a := send(admission("b3", "h3", carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Basic","code":{"text":"never"}}`)), query)
		if _, id := a.issue(t); a.status != 422 || id != "message-endpoint" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if b, _ := s.page(t, "/fhir/Basic"); len(b.Entry) != 1 {
		t.Errorf("a message whose response has nowhere to go was processed")
	}
}

func TestMessageResponseIsSentAgainUntilItIsTaken(t *testing.T) {
	box := newMailbox(t, func(n int) int {
		if n == 1 {
			return 503
		}
		return 200
	})
	s, _ := gateways(t, box.URL)
	if a := s.do(t, "POST", "/fhir/$process-message?async=true&response-url="+box.URL+"/box", ct(jsonType), admission("b", "h")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := box.receive(t); !strings.Contains(got, `"code":"ok"`) {
		t.Errorf("%s", got)
	}
}
