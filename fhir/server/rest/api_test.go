package rest_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// call is a request and what must come back. The calls of a table are made in turn on one server.
type call struct {
	name, method, path string
	headers            []string // name, value, name, value ...
	body               string
	status             int
	want               []string // header, value, header, value ...: "" means that the header is absent, /.../ a regular expression
	contains           []string // "!x" must not be there
}

func run(t *testing.T, calls []call, with ...func(*rest.Config)) {
	t.Helper()
	runOn(t, newServer(t, with...), calls)
}

// runOn is run on a server that is there.
func runOn(t *testing.T, s *server, calls []call) {
	t.Helper()
	for _, c := range calls {
		ok := t.Run(c.name, func(t *testing.T) {
			a := s.do(t, c.method, c.path, c.headers, c.body)
			if a.status != c.status {
				t.Errorf("status %d, want %d: %.300s", a.status, c.status, a.body)
			}
			for i := 0; i+1 < len(c.want); i += 2 {
				got, want := a.header.Get(c.want[i]), c.want[i+1]
				if len(want) > 1 && want[0] == '/' {
					if !regexp.MustCompile("^" + want[1:len(want)-1] + "$").MatchString(got) {
						t.Errorf("%s: %q, want %s", c.want[i], got, want)
					}
				} else if got != want {
					t.Errorf("%s: %q, want %q", c.want[i], got, want)
				}
			}
			for _, text := range c.contains {
				if not, ok := strings.CutPrefix(text, "!"); ok {
					if strings.Contains(string(a.body), not) {
						t.Errorf("%q stands in %.300s", not, a.body)
					}
				} else if !strings.Contains(string(a.body), text) {
					t.Errorf("no %q in %.300s", text, a.body)
				}
			}
			if c.method == "HEAD" && len(a.body) > 0 {
				t.Errorf("HEAD has a body: %.100s", a.body)
			}
		})
		if !ok {
			t.FailNow()
		}
	}
}

const (
	utf8Type  = "application/fhir+json; charset=utf-8"
	instant   = `/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/`
	jane      = `{"resourceType":"Patient","id":"jane","name":[{"family":"Doe"}]}`
	janeRoe   = `{"resourceType":"Patient","id":"jane","name":[{"family":"Roe"}]}`
	withNames = `{"resourceType":"Patient","identifier":[{"system":"http://example.org/mrn","value":"1"}],"name":[{"family":"Doe"}]}`
)

func TestReadUpdateDelete(t *testing.T) {
	run(t, []call{
		{"never existed", "GET", "/fhir/Patient/jane", nil, "", 404, []string{"Content-Type", utf8Type}, []string{`"code":"not-found"`}},
		{"update as create", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201,
			[]string{"Etag", `W/"1"`, "Location", `/http://127.0.0.1:\d+/fhir/Patient/jane/_history/1/`, "Last-Modified", instant, "Content-Type", utf8Type},
			[]string{`"versionId":"1"`, `"family":"Doe"`}},
		{"read", "GET", "/fhir/Patient/jane", nil, "", 200,
			[]string{"Etag", `W/"1"`, "Last-Modified", instant, "Content-Type", utf8Type, "Vary", "/.*Accept.*/", "X-Content-Type-Options", "nosniff"}, []string{`{"resourceType":"Patient","id":"jane","meta":{"versionId":"1","lastUpdated":"20`}},
		{"read by HEAD", "HEAD", "/fhir/Patient/jane", nil, "", 200, []string{"Etag", `W/"1"`, "Content-Length", `/[1-9]\d+/`}, nil},
		{"trailing slash", "GET", "/fhir/Patient/jane/", nil, "", 200, nil, nil},
		{"the same again makes no version", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 200, []string{"Etag", `W/"1"`, "Location", ""}, nil},
		{"another content", "PUT", "/fhir/Patient/jane", ct(jsonType), janeRoe, 200,
			[]string{"Etag", `W/"2"`, "Content-Location", `/.*/Patient/jane/_history/2/`}, []string{"Roe"}},
		{"vread", "GET", "/fhir/Patient/jane/_history/1", nil, "", 200, []string{"Etag", `W/"1"`}, []string{"Doe", "!Roe"}},
		{"vread of no version", "GET", "/fhir/Patient/jane/_history/9", nil, "", 404, nil, []string{"OperationOutcome"}},
		{"If-None-Match", "GET", "/fhir/Patient/jane", []string{"If-None-Match", `W/"2"`}, "", 304, []string{"Etag", `W/"2"`}, nil},
		{"If-None-Match strong", "GET", "/fhir/Patient/jane", []string{"If-None-Match", `"2"`}, "", 304, nil, nil},
		{"If-None-Match list", "GET", "/fhir/Patient/jane", []string{"If-None-Match", `W/"1", W/"2"`}, "", 304, nil, nil},
		{"If-None-Match any", "GET", "/fhir/Patient/jane", []string{"If-None-Match", `*`}, "", 304, nil, nil},
		{"If-None-Match of another", "GET", "/fhir/Patient/jane", []string{"If-None-Match", `W/"1"`}, "", 200, nil, nil},
		{"If-Modified-Since later", "GET", "/fhir/Patient/jane", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, "", 304, nil, nil},
		{"If-Modified-Since earlier", "GET", "/fhir/Patient/jane", []string{"If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"}, "", 200, nil, nil},
		{"If-Modified-Since that is no date", "GET", "/fhir/Patient/jane", []string{"If-Modified-Since", "tomorrow"}, "", 200, nil, nil},
		{"If-None-Match goes before If-Modified-Since", "GET", "/fhir/Patient/jane",
			[]string{"If-None-Match", `W/"1"`, "If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, "", 200, nil, nil},
		{"If-Match on read", "GET", "/fhir/Patient/jane", []string{"If-Match", `W/"1"`}, "", 412, nil, nil},
		{"stale If-Match", "PUT", "/fhir/Patient/jane", ct(jsonType, "If-Match", `W/"1"`), jane, 412, nil, []string{"OperationOutcome"}},
		{"If-Match", "PUT", "/fhir/Patient/jane", ct(jsonType, "If-Match", `W/"2"`), jane, 200, []string{"Etag", `W/"3"`}, nil},
		{"If-Match of several", "PUT", "/fhir/Patient/jane", ct(jsonType, "If-Match", `W/"1", W/"3"`), janeRoe, 200, []string{"Etag", `W/"4"`}, nil},
		{"If-None-Match any on PUT", "PUT", "/fhir/Patient/jane", ct(jsonType, "If-None-Match", `*`), jane, 412, nil, nil},
		{"stale If-Match on delete", "DELETE", "/fhir/Patient/jane", []string{"If-Match", `W/"1"`}, "", 412, nil, nil},
		{"delete", "DELETE", "/fhir/Patient/jane", nil, "", 204, []string{"Etag", `W/"5"`}, nil},
		{"delete again", "DELETE", "/fhir/Patient/jane", nil, "", 204, nil, nil},
		{"delete what never was", "DELETE", "/fhir/Patient/nobody", nil, "", 204, []string{"Etag", ""}, nil},
		{"delete with an outcome", "DELETE", "/fhir/Patient/nobody", []string{"Prefer", "return=OperationOutcome"}, "", 200, nil, []string{"OperationOutcome"}},
		{"read the deleted", "GET", "/fhir/Patient/jane", nil, "", 410, []string{"Etag", "", "Last-Modified", ""}, []string{`"code":"deleted"`}},
		{"vread the deletion", "GET", "/fhir/Patient/jane/_history/5", nil, "", 410, nil, nil},
		{"vread before the deletion", "GET", "/fhir/Patient/jane/_history/4", nil, "", 200, nil, []string{"Roe"}},
		{"bring back", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201, []string{"Etag", `W/"6"`}, nil},
		{"history", "GET", "/fhir/Patient/jane/_history", nil, "", 200, []string{"Last-Modified", instant}, []string{`"type":"history"`, `"method":"DELETE"`, `"total":6`}},
		{"history of the type", "GET", "/fhir/Patient/_history?_count=2", nil, "", 200, nil, []string{`"type":"history"`, `"relation":"next"`}},
		{"history of the system", "GET", "/fhir/_history", nil, "", 200, nil, []string{`"type":"history"`}},
		{"history of nobody", "GET", "/fhir/Patient/nobody/_history", nil, "", 404, nil, nil},
		{"an id of digits", "PUT", "/fhir/Patient/123", ct(jsonType), `{"resourceType":"Patient","id":"123"}`, 201, nil, nil},
		{"an escaped id", "GET", "/fhir/Patient/%31%32%33", nil, "", 200, nil, nil},
	})
}

func TestPreferReturn(t *testing.T) {
	run(t, []call{
		{"nothing preferred", "POST", "/fhir/Patient", ct(jsonType), patient, 201, []string{"Location", `/.*/fhir/Patient/[A-Za-z0-9.-]+/_history/1/`, "Etag", `W/"1"`}, []string{`"resourceType":"Patient"`}},
		{"representation", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=representation"), patient, 201, nil, []string{`"resourceType":"Patient"`}},
		{"minimal", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=minimal"), patient, 201, []string{"Content-Length", "0", "Location", `/.*/_history/1/`}, []string{"!Patient"}},
		{"OperationOutcome", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=OperationOutcome"), patient, 201, nil, []string{`"resourceType":"OperationOutcome"`}},
		{"with another preference", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "handling=strict; return=minimal"), patient, 201, []string{"Content-Length", "0"}, nil},
		{"in two headers", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "respond-async", "Prefer", `Return="minimal"`), patient, 201, []string{"Content-Length", "0"}, nil},
		{"an unknown preference", "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=everything"), patient, 201, nil, []string{`"resourceType":"Patient"`}},
	})
}

func TestNegotiation(t *testing.T) {
	run(t, []call{
		{"put", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201, nil, nil},
		{"Accept FHIR JSON", "GET", "/fhir/Patient/jane", []string{"Accept", jsonType}, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"Accept JSON", "GET", "/fhir/Patient/jane", []string{"Accept", "application/json"}, "", 200, []string{"Content-Type", "application/json; charset=utf-8"}, nil},
		{"Accept of a browser", "GET", "/fhir/Patient/jane", []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"Accept Turtle or else JSON", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+turtle, application/json;q=0.1"}, "", 200, []string{"Content-Type", "application/json; charset=utf-8"}, nil},
		{"Accept with R4", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+json; fhirVersion=4.0"}, "", 200, nil, nil},
		{"Accept R5 or else R4", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+json; fhirVersion=5.0, application/fhir+json; fhirVersion=4.0; q=0.5"}, "", 200, nil, nil},
		{"Accept with a charset", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+json;charset=UTF-8"}, "", 200, nil, nil},
		{"q of 0 excludes", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+json;q=0, */*"}, "", 200, []string{"Content-Type", "application/json; charset=utf-8"}, nil},
		{"_format goes before Accept", "GET", "/fhir/Patient/jane?_format=json", []string{"Accept", "text/html"}, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"_format as a media type", "GET", "/fhir/Patient/jane?_format=application/fhir%2Bjson", nil, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"_format with a plus sign", "GET", "/fhir/Patient/jane?_format=application/fhir+json", nil, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"_pretty", "GET", "/fhir/Patient/jane?_pretty=true", nil, "", 200, nil, []string{"{\n  \"resourceType\": \"Patient\",\n"}},
		{"not _pretty", "GET", "/fhir/Patient/jane?_pretty=false", nil, "", 200, nil, []string{`{"resourceType":"Patient"`}},
		{"Content-Type JSON", "POST", "/fhir/Patient", ct("application/json"), patient, 201, nil, nil},
		{"Content-Type with R4 and charset", "POST", "/fhir/Patient", ct(`application/fhir+json; fhirVersion=4.0; charset="UTF-8"`), patient, 201, nil, nil},
		{"zstd in", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "zstd"), zstandard(patient), 201, nil, nil},
		{"gzip in", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "gzip"), zipped(patient), 201, nil, nil},
		{"a byte order mark", "POST", "/fhir/Patient", ct(jsonType), "\xef\xbb\xbf" + patient, 201, nil, nil},
	})
}

func TestPrettyKeepsLiterals(t *testing.T) {
	s := newServer(t)
	s.put(t, "Observation/o", `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"\u00e9 \/ <&>"},"valueQuantity":{"value":1.00},"component":[{"code":{"text":"x"},"valueQuantity":{"value":1E3}}]}`)
	plain := s.do(t, "GET", "/fhir/Observation/o", nil, "")
	pretty := s.do(t, "GET", "/fhir/Observation/o?_pretty=true", nil, "")
	if got, want := compact(t, pretty.body), string(plain.body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, lit := range []string{"1.00", "1E3", `\u00e9 \/ <&>`} {
		if !strings.Contains(string(pretty.body), lit) {
			t.Errorf("%s was written in another way", lit)
		}
	}
}

func TestConditionalWrites(t *testing.T) {
	const mrn = "identifier=http://example.org/mrn|1"
	run(t, []call{
		{"create", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", mrn), withNames, 201, nil, nil},
		{"create again", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", mrn), withNames, 200, []string{"Location", "/.*/_history/1/", "Etag", `W/"1"`}, nil},
		{"create with a question mark", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "?"+mrn), withNames, 200, nil, nil},
		{"create with the type", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "Patient?"+mrn), withNames, 200, nil, nil},
		{"create with the whole URL", "POST", "/fhir/Patient", ct(jsonType, "Host", "fhir.example.org", "If-None-Exist", "http://fhir.example.org/fhir/Patient?identifier=http%3A%2F%2Fexample.org%2Fmrn%7C1"), withNames, 200, nil, nil},
		{"create with another server's URL", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "http://elsewhere.example.org/fhir/Patient?"+mrn), withNames, 400, nil, []string{"if-none-exist"}},
		{"create with another type", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "Observation?"+mrn), withNames, 400, nil, []string{"if-none-exist"}},
		{"update of the match", "PUT", "/fhir/Patient?" + mrn + "&_format=json", ct(jsonType), strings.Replace(withNames, "Doe", "Roe", 1), 200, []string{"Etag", `W/"2"`}, []string{"Roe"}},
		{"update of none", "PUT", "/fhir/Patient?identifier=http://example.org/mrn|2", ct(jsonType), strings.Replace(withNames, `"1"`, `"2"`, 1), 201, []string{"Location", "/.*/_history/1/"}, nil},
		{"another one of that name", "POST", "/fhir/Patient", ct(jsonType), withNames, 201, nil, nil},
		{"create with several matches", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", mrn), withNames, 412, nil, []string{"multiple-matches"}},
		{"update with several matches", "PUT", "/fhir/Patient?" + mrn, ct(jsonType), withNames, 412, nil, []string{"multiple-matches"}},
		{"delete with several matches", "DELETE", "/fhir/Patient?" + mrn, nil, "", 412, nil, []string{"multiple-matches"}},
		{"delete of one", "DELETE", "/fhir/Patient?identifier=http://example.org/mrn|2", nil, "", 204, nil, nil},
		{"delete of none", "DELETE", "/fhir/Patient?identifier=http://example.org/mrn|2", nil, "", 204, nil, nil},
		{"delete with If-Match", "DELETE", "/fhir/Patient?" + mrn, []string{"If-Match", `W/"1"`}, "", 400, nil, []string{"conditional-if-match"}},
	})
}

func TestSearchByAnyRoute(t *testing.T) {
	form := ct("application/x-www-form-urlencoded")
	ids := strings.Repeat("a-very-long-id-that-is-nobody-s-000000,", 5000) + "jane"
	run(t, []call{
		{"put a Patient", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201, nil, nil},
		{"put an Observation", "PUT", "/fhir/Observation/o", ct(jsonType), `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/jane"}}`, 201, nil, nil},
		{"put another", "PUT", "/fhir/Observation/p", ct(jsonType), `{"resourceType":"Observation","id":"p","status":"final","code":{"text":"x"}}`, 201, nil, nil},
		{"type", "GET", "/fhir/Patient?family=doe", nil, "", 200, []string{"Content-Type", utf8Type, "Cache-Control", "no-store"}, []string{`"type":"searchset"`, `"total":1`, `/fhir/Patient/jane"`}},
		{"type without parameters", "GET", "/fhir/Observation", nil, "", 200, nil, []string{`"total":2`}},
		{"type by HEAD", "HEAD", "/fhir/Patient?family=doe", nil, "", 200, nil, nil},
		{"nothing found", "GET", "/fhir/Patient?family=nobody", nil, "", 200, nil, []string{`"total":0`, `!"entry"`}},
		{"type by POST", "POST", "/fhir/Patient/_search", form, "family=doe", 200, nil, []string{`"total":1`, "Patient/jane"}},
		{"URL and body combined", "POST", "/fhir/Patient/_search?family=doe", form, "_id=nobody", 200, nil, []string{`"total":0`}},
		{"POST without a body", "POST", "/fhir/Patient/_search?family=doe", nil, "", 200, nil, []string{`"total":1`}},
		{"a body of 200 KB", "POST", "/fhir/Patient/_search", form, "_id=" + ids, 200, nil, []string{`"total":1`, "Patient/jane"}},
		{"_format in the body", "POST", "/fhir/Patient/_search", append(form, "Accept", "text/html"), "family=doe&_format=json&_pretty=true", 200, nil, []string{"\n  \"resourceType\": \"Bundle\""}},
		{"system", "GET", "/fhir?_type=Patient,Observation", nil, "", 200, nil, []string{`"total":3`}},
		{"system by POST", "POST", "/fhir/_search", form, "_type=Patient&_id=jane", 200, nil, []string{`"total":1`}},
		{"compartment", "GET", "/fhir/Patient/jane/Observation", nil, "", 200, nil, []string{`"total":1`, "Observation/o"}},
		{"compartment of all types", "GET", "/fhir/Patient/jane/*", nil, "", 200, nil, []string{"Observation/o", "!Observation/p"}},
		{"compartment by POST", "POST", "/fhir/Patient/jane/Observation/_search", form, "status=final", 200, nil, []string{`"total":1`}},
		{"not in the compartment", "GET", "/fhir/Patient/jane/Medication", nil, "", 404, nil, []string{"not-in-compartment"}},
		{"unknown parameter, lenient", "GET", "/fhir/Patient?nonsense=1", []string{"Prefer", "handling=lenient"}, "", 200, nil, []string{"OperationOutcome", "nonsense"}},
		{"explained by header", "GET", "/fhir/Patient?family=doe", []string{"X-Explain", "true"}, "", 200, nil, []string{"OperationOutcome"}},
		{"_summary of a read", "GET", "/fhir/Patient/jane?_summary=text", nil, "", 200, nil, []string{"!family", "SUBSETTED"}},
		{"_elements of a read", "GET", "/fhir/Patient/jane?_elements=gender", nil, "", 200, nil, []string{"!family", "SUBSETTED"}},
	})
}

func TestBundles(t *testing.T) {
	transaction := `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}},"request":{"method":"POST","url":"Observation"}}]}`
	run(t, []call{
		{"transaction", "POST", "/fhir", ct(jsonType), transaction, 200, []string{"Content-Type", utf8Type}, []string{`"type":"transaction-response"`, `"status":"201`}},
		{"transaction with a slash", "POST", "/fhir/", ct(jsonType), transaction, 200, nil, []string{`"type":"transaction-response"`}},
		{"returned", "POST", "/fhir", ct(jsonType, "Prefer", "return=representation"), transaction, 200, nil, []string{`"resourceType":"Patient"`}},
		{"batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/nobody"}},{"request":{"method":"GET","url":"Patient?_count=1"}}]}`, 200, nil,
			[]string{`"type":"batch-response"`, `"status":"404`, `"searchset"`}},
		{"one bad entry", "POST", "/fhir", ct(jsonType), strings.Replace(transaction, `"url":"Observation"`, `"url":"Observatory"`, 1), 400, nil, []string{"Bundle.entry[1]"}},
	})
}
