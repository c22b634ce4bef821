package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// bothWays are requests that are sent by HTTP and as an entry of a batch, each to a server of its own that holds the same resources. Status, ids of
// issues and body must be the same. BASE stands for the base URL of the server.
var bothWays = []struct {
	name, method, url string
	// conditions are the headers by their names; the entry has them as its members.
	conditions map[string]string
	prefer     string
	body       string
	status     int
	issue      string
}{
	{"read", "GET", "Patient/jane", nil, "", "", 200, ""},
	{"read by HEAD", "HEAD", "Patient/jane", nil, "", "", 200, ""},
	{"read of nothing", "GET", "Patient/nobody", nil, "", "", 404, "not-found"},
	{"read of what is deleted", "GET", "Patient/gone", nil, "", "", 410, "deleted"},
	{"read of an id that cannot be", "GET", "Patient/a_b", nil, "", "", 400, "invalid-id"},
	{"read of an escaped id", "GET", "Patient/j%61ne", nil, "", "", 200, ""},
	{"read of an unknown type", "GET", "Patiant/jane", nil, "", "", 404, "unknown-type"},
	{"read of some elements, escaped", "GET", "Patient/jane?_elements=active%2cgender", nil, "", "", 200, ""},
	{"read of some elements, name escaped", "GET", "Patient/jane?%5felements=gender", nil, "", "", 200, ""},
	{"read of a summary", "GET", "Patient/jane?_summary=text", nil, "", "", 200, ""},
	{"read of an unknown summary", "GET", "Patient/jane?_summary=some", nil, "", "", 400, "invalid-parameter"},
	{"read with a bad escape", "GET", "Patient/jane?_elements=%zz", nil, "", "", 400, "bad-encoding"},
	{"read with an unknown parameter", "GET", "Patient/jane?nonsense=1", nil, "", "", 400, "unknown-parameter"},
	{"lenient read with an unknown parameter", "GET", "Patient/jane?nonsense=1", nil, "handling=lenient", "", 200, ""},
	{"read of a Binary with an unknown parameter", "GET", "Binary/doc?_filename=x&_format=json", nil, "", "", 200, ""},
	{"read of the version that the client has", "GET", "Patient/jane", map[string]string{"If-None-Match": `W/"2"`}, "", "", 304, ""},
	{"read of the version that the client has, without quotes", "GET", "Patient/jane", map[string]string{"If-None-Match": `2`}, "", "", 304, ""},
	{"read of another version than the client has", "GET", "Patient/jane", map[string]string{"If-None-Match": `W/"1"`}, "", "", 200, ""},
	{"read with any version", "GET", "Patient/jane", map[string]string{"If-None-Match": `*`}, "", "", 304, ""},
	{"read with an unreadable tag", "GET", "Patient/jane", map[string]string{"If-None-Match": `W/"1`}, "", "", 400, "etag"},
	{"read of the version that must be current", "GET", "Patient/jane", map[string]string{"If-Match": `W/"2"`}, "", "", 200, ""},
	{"read of a version that must be current", "GET", "Patient/jane", map[string]string{"If-Match": `W/"1"`}, "", "", 412, "if-match"},
	{"read with a condition of a create", "GET", "Patient/jane", map[string]string{"If-None-Exist": `_id=jane`}, "", "", 400, "misplaced-condition"},
	{"vread", "GET", "Patient/jane/_history/1", nil, "", "", 200, ""},
	{"vread of nothing", "GET", "Patient/jane/_history/9", nil, "", "", 404, "not-found"},
	{"vread of a version that cannot be", "GET", "Patient/jane/_history/a_b", nil, "", "", 400, "invalid-id"},
	{"vread of a deletion", "GET", "Patient/gone/_history/2", nil, "", "", 410, "deleted"},

	{"search", "GET", "Patient?family=doe&_sort=_id", nil, "", "", 200, ""},
	{"search by POST", "POST", "Patient/_search?family=doe", nil, "", "", 200, ""},
	{"search of the system", "GET", "?_type=Patient", nil, "", "", 200, ""},
	{"search of the system by POST", "POST", "_search?_type=Patient", nil, "", "", 200, ""},
	{"search of a compartment", "GET", "Patient/jane/Observation", nil, "", "", 200, ""},
	{"search of a compartment of all types", "GET", "Patient/jane/*", nil, "", "", 200, ""},
	{"search of what is no compartment", "GET", "Observation/o/Patient", nil, "", "", 404, "unknown-compartment"},
	{"search of what is not in a compartment", "GET", "Patient/jane/Medication", nil, "", "", 404, "not-in-compartment"},
	{"search with an unknown parameter", "GET", "Patient?nonsense=1", nil, "", "", 400, "unknown-parameter"},
	{"lenient search with an unknown parameter", "GET", "Patient?nonsense=1", nil, "handling=lenient", "", 200, ""},
	{"search with an empty parameter", "GET", "Patient?family=&_id=jane", nil, "", "", 200, ""},
	{"search by the client's name of the server", "GET", "Observation?subject=BASE/Patient/jane", nil, "", "", 200, ""},
	{"search with a bad escape", "GET", "Patient?family=%zz", nil, "", "", 400, "bad-encoding"},
	{"search with _format twice", "GET", "Patient?_format=json&_format=json", nil, "", "", 400, "repeated-parameter"},

	{"search with _format", "GET", "Patient?_format=json&_id=jane", nil, "", "", 200, ""},
	{"read with _format", "GET", "Patient/jane?_format=json", nil, "", "", 200, ""},
	{"read with an unknown _format", "GET", "Patient/jane?_format=yaml", nil, "", "", 406, "not-acceptable"},
	{"search with an unknown _format", "GET", "Patient?_format=text/turtle", nil, "", "", 406, "not-acceptable"},
	{"update with an unknown _format", "PUT", "Patient/jane?_format=yaml", nil, "", `{"resourceType":"Patient","id":"jane","gender":"other"}`, 406, "not-acceptable"},
	{"capabilities with an unknown _format", "GET", "metadata?_format=yaml", nil, "", "", 406, "not-acceptable"},

	{"history", "GET", "Patient/jane/_history", nil, "", "", 200, ""},
	{"history of a type", "GET", "Patient/_history?_count=1", nil, "", "", 200, ""},
	{"history of the system", "GET", "_history?_count=2", nil, "", "", 200, ""},
	{"history of nothing", "GET", "Patient/nobody/_history", nil, "", "", 404, "not-found"},
	{"history with an unknown parameter", "GET", "Patient/_history?nonsense=1", nil, "", "", 400, "unknown-parameter"},
	{"lenient history with an unknown parameter", "GET", "Patient/_history?nonsense=1", nil, "handling=lenient", "", 200, ""},
	{"history with a parameter twice", "GET", "Patient/_history?_count=1&_count=2", nil, "", "", 400, "repeated-parameter"},
	{"history since no instant", "GET", "Patient/_history?_since=yesterday", nil, "", "", 400, "invalid-parameter"},

	{"create", "POST", "Patient", nil, "return=representation", `{"resourceType":"Patient","gender":"male"}`, 201, ""},
	{"create with an id of any form", "POST", "Patient", nil, "return=representation", `{"resourceType":"Patient","id":"not an id!","gender":"male"}`, 201, ""},
	{"create with an unknown parameter", "POST", "Patient?nonsense=1", nil, "return=minimal", `{"resourceType":"Patient"}`, 201, ""},
	{"create with a search parameter", "POST", "Patient?identifier=1", nil, "", `{"resourceType":"Patient"}`, 400, "misplaced-parameter"},
	{"create of a transaction as a resource", "POST", "Bundle", nil, "return=OperationOutcome", `{"resourceType":"Bundle","type":"transaction"}`, 201, "bundle-stored"},
	{"create of a document as a resource", "POST", "Bundle", nil, "return=OperationOutcome", `{"resourceType":"Bundle","type":"document"}`, 201, "ok"},
	{"create of another type", "POST", "Patient", nil, "", `{"resourceType":"Basic"}`, 400, "resource-type"},
	{"create of an unknown type", "POST", "Patiant", nil, "", `{"resourceType":"Patiant"}`, 404, "unknown-type"},
	{"create of nothing", "POST", "Patient", nil, "", ``, 400, "body-missing"},
	{"create with an outcome", "POST", "Patient", nil, "return=OperationOutcome", `{"resourceType":"Patient"}`, 201, ""},
	{"conditional create that finds", "POST", "Patient", map[string]string{"If-None-Exist": "_id=jane"}, "return=representation", `{"resourceType":"Patient"}`, 200, ""},
	{"conditional create by the server's own URL", "POST", "Patient", map[string]string{"If-None-Exist": "BASE/Patient?_id=jane"}, "return=representation", `{"resourceType":"Patient"}`, 200, ""},
	{"conditional create by another server's URL", "POST", "Patient", map[string]string{"If-None-Exist": "http://elsewhere.example.org/fhir/Patient?_id=jane"}, "", `{"resourceType":"Patient"}`, 400, "if-none-exist"},
	{"conditional create without a condition", "POST", "Patient", map[string]string{"If-None-Exist": ""}, "", `{"resourceType":"Patient"}`, 400, "if-none-exist"},
	{"conditional create with a bad escape", "POST", "Patient", map[string]string{"If-None-Exist": "_id=%x"}, "", `{"resourceType":"Patient"}`, 400, "bad-encoding"},
	{"create with If-Match", "POST", "Patient", map[string]string{"If-Match": `W/"1"`}, "", `{"resourceType":"Patient"}`, 400, "misplaced-condition"},

	{"update", "PUT", "Patient/jane", nil, "return=representation", `{"resourceType":"Patient","id":"jane","gender":"other"}`, 200, ""},
	{"update that creates", "PUT", "Patient/new", nil, "return=minimal", `{"resourceType":"Patient","id":"new"}`, 201, ""},
	{"update of the current version", "PUT", "Patient/jane", map[string]string{"If-Match": `W/"2"`}, "return=representation", `{"resourceType":"Patient","id":"jane","gender":"other"}`, 200, ""},
	{"update of the current version, without quotes", "PUT", "Patient/jane", map[string]string{"If-Match": `2`}, "return=representation", `{"resourceType":"Patient","id":"jane","gender":"other"}`, 200, ""},
	{"update of an old version", "PUT", "Patient/jane", map[string]string{"If-Match": `W/"1"`}, "", `{"resourceType":"Patient","id":"jane"}`, 412, "if-match"},
	{"update with an unreadable tag", "PUT", "Patient/jane", map[string]string{"If-Match": `a b`}, "", `{"resourceType":"Patient","id":"jane"}`, 400, "etag"},
	{"update of what must not be", "PUT", "Patient/jane", map[string]string{"If-None-Match": `*`}, "", `{"resourceType":"Patient","id":"jane"}`, 412, "if-none-match"},
	{"update of what must not have a version", "PUT", "Patient/jane", map[string]string{"If-None-Match": `W/"1"`}, "", `{"resourceType":"Patient","id":"jane"}`, 400, "if-none-match"},
	{"update of another id", "PUT", "Patient/jane", nil, "", `{"resourceType":"Patient","id":"june"}`, 400, "id-mismatch"},
	{"update with an id that is a number", "PUT", "Patient/5", nil, "", `{"resourceType":"Patient","id":5}`, 400, "id-mismatch"},
	{"conditional update that finds nothing, with an id that is a number", "PUT", "Patient?identifier=nobodys", nil, "", `{"resourceType":"Patient","id":5}`, 400, "invalid-id"},
	{"conditional update that finds, with an id that is a number", "PUT", "Patient?_id=jane", nil, "", `{"resourceType":"Patient","id":5}`, 400, "invalid-id"},
	{"conditional update with an id that cannot be", "PUT", "Patient?identifier=nobodys", nil, "", `{"resourceType":"Patient","id":"a_b"}`, 400, "invalid-id"},
	{"update without an id", "PUT", "Patient/jane", nil, "", `{"resourceType":"Patient"}`, 400, "id-missing"},
	{"update of an id that cannot be", "PUT", "Patient/a_b", nil, "", `{"resourceType":"Patient","id":"a_b"}`, 400, "invalid-id"},
	{"update with an unknown parameter", "PUT", "Patient/jane?nonsense=1", nil, "return=minimal", `{"resourceType":"Patient","id":"jane","gender":"other"}`, 200, ""},
	{"update with a search parameter", "PUT", "Patient/jane?active=true", nil, "", `{"resourceType":"Patient","id":"jane"}`, 400, "misplaced-parameter"},
	{"conditional update", "PUT", "Patient?family=doe", nil, "return=representation", `{"resourceType":"Patient","gender":"other"}`, 200, ""},
	{"conditional update with _count", "PUT", "Patient?family=doe&_count=1", nil, "", `{"resourceType":"Patient"}`, 400, "misplaced-parameter"},
	{"conditional update with an empty parameter", "PUT", "Patient?family=", nil, "", `{"resourceType":"Patient"}`, 400, "empty-value"},
	{"conditional update without criteria", "PUT", "Patient", nil, "", `{"resourceType":"Patient"}`, 400, "empty-condition"},
	{"conditional update of several", "PUT", "Patient?_lastUpdated=gt2000", nil, "", `{"resourceType":"Patient"}`, 412, "multiple-matches"},

	{"delete", "DELETE", "Patient/jane", nil, "", "", 204, ""},
	{"delete with an outcome", "DELETE", "Patient/jane", nil, "return=OperationOutcome", "", 200, ""},
	{"delete of nothing", "DELETE", "Patient/nobody", nil, "", "", 204, ""},
	{"delete of an old version", "DELETE", "Patient/jane", map[string]string{"If-Match": `W/"1"`}, "", "", 412, "if-match"},
	{"conditional delete", "DELETE", "Patient?family=doe", nil, "", "", 204, ""},
	{"conditional delete with _include", "DELETE", "Patient?family=doe&_include=*", nil, "", "", 400, "misplaced-parameter"},
	{"conditional delete with If-Match", "DELETE", "Patient?family=doe", map[string]string{"If-Match": `W/"2"`}, "", "", 400, "conditional-if-match"},
	{"conditional delete without criteria", "DELETE", "Patient", nil, "", "", 400, "empty-condition"},

	{"capabilities", "GET", "metadata", nil, "", "", 200, ""},
	{"capabilities with unknown parameters", "GET", "metadata?_format=json&nocache=123", nil, "", "", 200, ""},
	{"capabilities in part", "GET", "metadata?mode=full&_elements=status", nil, "", "", 200, ""},
	{"capabilities of an unknown mode", "GET", "metadata?mode=x", nil, "", "", 400, "invalid-parameter"},
	{"capabilities by POST", "POST", "metadata", nil, "", `{"resourceType":"Parameters"}`, 405, "method-not-allowed"},

	{"operation", "GET", "$versions", nil, "", "", 200, ""},
	{"operation by POST", "POST", "$fhirpath", nil, "", `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"1+1"}]}`, 200, ""},
	{"operation with a fault", "POST", "$fhirpath", nil, "", `{"resourceType":"Parameters"}`, 400, "operation-parameter"},
	{"operation with another body", "POST", "$fhirpath", nil, "", `{"resourceType":"Patient"}`, 400, "parameters-expected"},
	{"operation by another method", "GET", "$fhirpath", nil, "", "", 405, "method-not-allowed"},
	{"operation on a resource", "GET", "Patient/jane/$everything", nil, "", "", 200, ""},
	{"operation on a resource, escaped", "GET", "Patient/jane/%24everything?_type=Observation", nil, "", "", 200, ""},
	{"operation with a parameter of its links", "GET", "Patient/jane/$everything?_include=anything", nil, "", "", 400, "operation-parameter"},
	{"operation on a type that has none", "GET", "Observation/o/$everything", nil, "", "", 404, "unknown-operation"},
	{"operation at another level", "GET", "Patient/$everything", nil, "", "", 404, "unknown-operation"},
	{"operation that there is not", "POST", "Patient/$match", nil, "", `{"resourceType":"Parameters"}`, 404, "unknown-operation"},

	{"a path that is none", "GET", "Patient/jane/_history/1/x", nil, "", "", 404, "unknown-path"},
	{"a path with two slashes", "GET", "/Patient/jane", nil, "", "", 404, "unknown-path"},
	{"a method that the path does not have", "PUT", "Patient/jane/_history/1", nil, "", `{"resourceType":"Patient","id":"jane"}`, 405, "method-not-allowed"},
	{"patch", "PATCH", "Patient/jane", nil, "return=representation", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.gender"}]}]}`, 200, ""},
	{"patch that changes nothing", "PATCH", "Patient/jane", nil, "return=representation", `{"resourceType":"Parameters"}`, 200, ""},
	{"patch of nothing", "PATCH", "Patient/nobody", nil, "", `{"resourceType":"Parameters"}`, 404, "not-found"},
	{"patch that selects no element", "PATCH", "Patient/jane", nil, "", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"1"}]}]}`, 422, "patch-path"},
	{"patch that is none", "PATCH", "Patient/jane", nil, "", `{"resourceType":"Patient"}`, 400, "patch-malformed"},
	{"patch with stale If-Match", "PATCH", "Patient/jane", map[string]string{"If-Match": `W/"77"`}, "", `{"resourceType":"Parameters"}`, 412, "if-match"},
	{"conditional patch", "PATCH", "Patient?family=doe", nil, "return=minimal", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.gender"}]}]}`, 200, ""},
	{"conditional patch without a condition", "PATCH", "Patient", nil, "", `{"resourceType":"Parameters"}`, 400, "empty-condition"},
}

// told is what a client is told, in the form that both ways share.
type told struct {
	status, issues, location string
	body                     string
}

// varies are the parts of responses that differ from one server, and one moment, to the next.
var varies = regexp.MustCompile(`01[0-9a-z]{18}|\d{4}-\d\d-\d\dT[0-9:.]+Z|http(://|%3A%2F%2F)127\.0\.0\.1(:|%3A)\d+|_cursor=[-_A-Za-z0-9.]+`)

// same returns s without what varies.
func same(s string) string { return varies.ReplaceAllString(s, "*") }

// household returns a server with the resources that bothWays ask for.
func household(t testing.TB, with ...func(*rest.Config)) *server {
	s := newServer(t, with...)
	s.put(t, "Patient/jane", jane)
	s.put(t, "Patient/jane", strings.Replace(jane, `"id":"jane"`, `"id":"jane","active":true`, 1))
	s.put(t, "Patient/john", `{"resourceType":"Patient","id":"john"}`)
	s.put(t, "Patient/gone", `{"resourceType":"Patient","id":"gone"}`)
	s.do(t, "DELETE", "/fhir/Patient/gone", nil, "")
	s.put(t, "Observation/o", `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"`+s.url+`/fhir/Patient/jane"}}`)
	s.put(t, "Binary/doc", `{"resourceType":"Binary","id":"doc","contentType":"text/plain","data":"eA=="}`)
	return s
}

func TestEachInteractionIsTheSameByHTTPAndInABundle(t *testing.T) {
	first, second := household(t), household(t)
	for _, c := range bothWays {
		t.Run(c.name, func(t *testing.T) {
			one, other := first, second
			if c.status < 300 && c.method != "GET" && c.method != "HEAD" {
				one, other = household(t), household(t) // which it changes
			}
			alone, inside := byHTTP(t, one, c.method, c.url, c.conditions, c.prefer, c.body), byEntry(t, other, c.method, c.url, c.conditions, c.prefer, c.body)
			if alone != inside {
				t.Errorf("by HTTP     %.600v\nin a Bundle %.600v", alone, inside)
			}
			if want := fmt.Sprint(c.status); alone.status != want || c.issue != "" && !strings.HasPrefix(alone.issues+",", c.issue+",") {
				t.Errorf("%v; want %s %s", alone, want, c.issue)
			}
		})
	}
}

// byHTTP sends a request by itself.
func byHTTP(t *testing.T, s *server, method, url string, conditions map[string]string, prefer, body string) told {
	t.Helper()
	var headers []string
	for name, value := range conditions {
		headers = append(headers, name, strings.ReplaceAll(value, "BASE", s.url+"/fhir"))
	}
	if body != "" {
		headers = append(headers, "Content-Type", jsonType)
	}
	if prefer != "" {
		headers = append(headers, "Prefer", prefer)
	}
	path := "/fhir/" + strings.ReplaceAll(url, "BASE", s.url+"/fhir")
	if strings.HasPrefix(url, "?") {
		path = "/fhir" + url
	}
	a := s.do(t, method, path, headers, body)
	where := a.header.Get("Location") + a.header.Get("Content-Location")
	out := told{status: fmt.Sprint(a.status), location: same(strings.TrimPrefix(where, s.url+"/fhir/"))}
	out.take(t, a.body)
	return out
}

// byEntry sends a request as the one entry of a batch.
func byEntry(t *testing.T, s *server, method, url string, conditions map[string]string, prefer, body string) told {
	t.Helper()
	request := map[string]any{"method": method, "url": strings.ReplaceAll(url, "BASE", s.url+"/fhir")}
	if url == "/Patient/jane" {
		request["url"] = s.url + "/fhir//Patient/jane"
	}
	members := map[string]string{"If-Match": "ifMatch", "If-None-Match": "ifNoneMatch", "If-None-Exist": "ifNoneExist", "If-Modified-Since": "ifModifiedSince"}
	for name, value := range conditions {
		request[members[name]] = strings.ReplaceAll(value, "BASE", s.url+"/fhir")
	}
	entry := map[string]any{"request": request}
	if body != "" {
		entry["resource"] = json.RawMessage(body)
	}
	b, err := json.Marshal(map[string]any{"resourceType": "Bundle", "type": "batch", "entry": []any{entry}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(prefer, "return=") {
		prefer += ",return=representation" // what is the default by HTTP
	}
	a := s.do(t, "POST", "/fhir", ct(jsonType, "Prefer", prefer), string(b))
	var answer struct {
		Entry []struct {
			Resource json.RawMessage
			Response struct {
				Status, Location string
				Outcome          json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(a.body, &answer); err != nil || len(answer.Entry) != 1 {
		t.Fatalf("%v %.300s", err, a.body)
	}
	e := answer.Entry[0]
	status, _, _ := strings.Cut(e.Response.Status, " ")
	out := told{status: status, location: same(e.Response.Location)}
	if e.Resource != nil {
		out.take(t, e.Resource)
	} else {
		out.take(t, e.Response.Outcome)
	}
	return out
}

// take notes a body: of an OperationOutcome, the ids of its issues.
func (o *told) take(t *testing.T, body []byte) {
	t.Helper()
	var outcome struct {
		ResourceType string
		Issue        []struct {
			Details struct{ Coding []struct{ Code string } }
		}
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &outcome); err != nil {
			t.Fatalf("%v: %.300s", err, body)
		}
	}
	if outcome.ResourceType != "OperationOutcome" {
		o.body = same(string(body))
		return
	}
	var ids []string
	for _, is := range outcome.Issue {
		for _, c := range is.Details.Coding {
			ids = append(ids, c.Code)
		}
	}
	o.issues = strings.Join(ids, ",")
}

// TestEachRequestIsAuthorizedOnce counts what the hook of authorization is asked: once for a request by HTTP, and once for each entry of a Bundle
// beside the Bundle itself, before anything is done.
func TestEachRequestIsAuthorizedOnce(t *testing.T) {
	var asked []string
	refuse := ""
	s := newServer(t, func(c *rest.Config) {
		c.Authorize = func(_ context.Context, q *interaction.Request) error {
			name := string(q.Code) + " " + q.Key.String()
			asked = append(asked, name)
			if name == refuse {
				return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, "no-right", "this is not for you")
			}
			return nil
		}
	})
	entries := `{"request":{"method":"PUT","url":"Patient/a"},"resource":{"resourceType":"Patient","id":"a"}},{"request":{"method":"GET","url":"Patient/a"}},{"request":{"method":"GET","url":"$versions"}}`
	for _, c := range []struct {
		method, path, body string
		want               []string
	}{
		{"PUT", "/fhir/Patient/a", `{"resourceType":"Patient","id":"a"}`, []string{"update Patient/a"}},
		{"GET", "/fhir/Patient/a", "", []string{"read Patient/a"}},
		{"GET", "/fhir/Patient?_id=a", "", []string{"search-type Patient/"}},
		{"POST", "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[` + entries + `]}`, []string{"batch /", "update Patient/a", "read Patient/a", "operation /"}},
		{"POST", "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[` + entries + `]}`, []string{"batch /", "update Patient/a", "read Patient/a", "operation /"}},
	} {
		asked = nil
		headers := ct(jsonType)
		if c.body == "" {
			headers = nil
		}
		if a := s.do(t, c.method, c.path, headers, c.body); a.status > 201 {
			t.Errorf("%s %s: %d %.300s", c.method, c.path, a.status, a.body)
		}
		if !slices.Equal(asked, c.want) {
			t.Errorf("%s %s asks for %q, want %q", c.method, c.path, asked, c.want)
		}
	}
	refuse = "update Patient/b"
	entries = strings.ReplaceAll(entries, "Patient/a", "Patient/b")
	entries = strings.ReplaceAll(entries, `"id":"a"`, `"id":"b"`)
	for kind, status := range map[string]int{"batch": http.StatusOK, "transaction": http.StatusForbidden} {
		a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"`+kind+`","entry":[`+entries+`]}`)
		if a.status != status || !strings.Contains(string(a.body), "no-right") {
			t.Errorf("%s: %d %.300s", kind, a.status, a.body)
		}
	}
	if a := s.do(t, "GET", "/fhir/Patient/b", nil, ""); a.status != http.StatusNotFound {
		t.Errorf("what was refused was done: %d", a.status)
	}
}

// TestCapabilityStatementNamesTheServerAsTheClientDoes asks under more names than are kept.
func TestCapabilityStatementNamesTheServerAsTheClientDoes(t *testing.T) {
	s := newServer(t)
	tags := map[string]bool{}
	for range 2 {
		for i := range 12 {
			host := fmt.Sprintf("name%d.example.org", i)
			for _, accept := range []string{"identity", "gzip"} {
				a := s.do(t, "GET", "/fhir/metadata", []string{"Host", host, "Accept-Encoding", accept}, "")
				tags[a.header.Get("Etag")] = true
				if body := unzipped(t, a); !strings.Contains(body, `"url":"http://`+host+`/fhir"`) || strings.Count(body, "example.org/fhir\"") != 1 {
					t.Errorf("%s: %.400s", host, body)
				}
				if a := s.do(t, "GET", "/fhir/metadata", []string{"Host", host, "If-None-Match", a.header.Get("Etag")}, ""); a.status != http.StatusNotModified {
					t.Errorf("%s: %d", host, a.status)
				}
			}
		}
	}
	if len(tags) != 12 {
		t.Errorf("%d entity tags for 12 names", len(tags))
	}
}

// unzipped returns the body of an answer, unpacked where it is packed.
func unzipped(t *testing.T, a answer) string {
	t.Helper()
	if a.header.Get("Content-Encoding") != "gzip" {
		return string(a.body)
	}
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
