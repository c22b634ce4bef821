package rest_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// hostile is a request that no well-meaning client sends, with what it must be answered with.
type hostile struct {
	name, method, path string
	headers            []string // name, value, name, value ...
	body               string
	status             int
	code, id           string
}

const (
	jsonType = "application/fhir+json"
	patient  = `{"resourceType":"Patient"}`
)

var hostiles = []hostile{
	// Bodies.
	{"duplicate keys", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Patient","gender":"male","gender":"female"}`, 400, "invalid", "json-duplicate-key"},
	{"duplicate keys by escape", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Patient","gender":"male","\u0067ender":"female"}`, 400, "invalid", "json-duplicate-key"},
	{"array bomb", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Patient","name":` + strings.Repeat("[", 100000), 413, "", "json-depth"},
	{"object bomb", "POST", "/fhir/Patient", ct(jsonType), strings.Repeat(`{"a":`, 100000), 413, "", "json-depth"},
	{"invalid UTF-8", "POST", "/fhir/Patient", ct(jsonType), "{\"resourceType\":\"Patient\",\"language\":\"\xff\xfe\"}", 400, "", "json-utf8"},
	{"overlong UTF-8", "POST", "/fhir/Patient", ct(jsonType), "{\"resourceType\":\"Patient\",\"language\":\"\xc0\xaf\"}", 400, "", "json-utf8"},
	{"half a surrogate pair", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Patient","language":"\ud800"}`, 400, "", "json-utf8"},
	{"trailing bytes", "POST", "/fhir/Patient", ct(jsonType), patient + `{}`, 400, "", "json-trailing"},
	{"trailing NUL", "POST", "/fhir/Patient", ct(jsonType), patient + "\x00", 400, "", "json-trailing"},
	{"NUL in a string", "POST", "/fhir/Patient", ct(jsonType), "{\"resourceType\":\"Patient\",\"language\":\"\x00\"}", 400, "", "json-syntax"},
	{"not JSON", "POST", "/fhir/Patient", ct(jsonType), `<Patient/>`, 400, "", "json-syntax"},
	{"cut off", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Pati`, 400, "", "json-syntax"},
	{"empty body", "POST", "/fhir/Patient", ct(jsonType), ``, 400, "required", "body-missing"},
	{"an array", "POST", "/fhir/Patient", ct(jsonType), `[]`, 400, "structure", "resource-type"},
	{"null", "POST", "/fhir/Patient", ct(jsonType), `null`, 400, "structure", "resource-type"},
	{"no resourceType", "POST", "/fhir/Patient", ct(jsonType), `{"gender":"male"}`, 400, "structure", "resource-type"},
	{"resourceType that is no string", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":{"a":1}}`, 400, "structure", "resource-type"},
	{"number with leading zero", "POST", "/fhir/Observation", ct(jsonType), `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":01}}`, 400, "", "json-syntax"},
	{"body over the limit", "POST", "/fhir/Patient", ct(jsonType), strings.Repeat(" ", limitBody+1), 413, "too-long", "body-too-large"},
	{"gzip bomb", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "gzip"), bomb(64 << 20), 413, "too-long", "body-too-large"},
	{"gzip that is none", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "gzip"), patient, 400, "incomplete", "body-incomplete"},
	{"gzip cut off", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "gzip"), bomb(1000)[:20], 400, "incomplete", "body-incomplete"},
	{"zstd bomb", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "zstd"), zstandard(strings.Repeat("\x00", 64<<20)), 413, "too-long", "body-too-large"},
	{"zstd that is none", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "zstd"), patient, 400, "incomplete", "body-incomplete"},
	{"zstd cut off", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "zstd"), zstandard(patient)[:20], 400, "incomplete", "body-incomplete"},
	{"zstd with a window of a gigabyte", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "zstd"), "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 400, "incomplete", "body-incomplete"},
	{"unknown Content-Encoding", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "br"), patient, 415, "not-supported", "content-encoding"},
	{"gzip twice", "POST", "/fhir/Patient", ct(jsonType, "Content-Encoding", "gzip, gzip"), patient, 415, "not-supported", "content-encoding"},

	// Content types.
	{"Turtle", "POST", "/fhir/Patient", ct("application/fhir+turtle"), `[] a fhir:Patient .`, 415, "not-supported", "content-type"},
	{"plain text", "POST", "/fhir/Patient", ct("text/plain"), patient, 415, "not-supported", "content-type"},
	{"a form", "POST", "/fhir/Patient", ct("application/x-www-form-urlencoded"), `a=b`, 415, "not-supported", "content-type"},
	{"no Content-Type", "POST", "/fhir/Patient", nil, patient, 415, "required", "content-type-missing"},
	{"FHIR R5", "POST", "/fhir/Patient", ct("application/fhir+json; fhirVersion=5.0"), patient, 415, "not-supported", "content-type-parameter"},
	{"Latin-1", "POST", "/fhir/Patient", ct("application/fhir+json; charset=iso-8859-1"), patient, 415, "not-supported", "content-type-parameter"},
	{"JSON as a form", "POST", "/fhir/Patient/_search", ct(jsonType), patient, 415, "not-supported", "content-type"},
	{"Accept of Turtle", "GET", "/fhir/Patient", []string{"Accept", "application/fhir+turtle"}, "", 406, "not-supported", "not-acceptable"},
	{"Accept of text", "GET", "/fhir/Patient", []string{"Accept", "text/plain"}, "", 406, "not-supported", "not-acceptable"},
	{"Accept of R5", "GET", "/fhir/metadata", []string{"Accept", "application/fhir+json; fhirVersion=5.0"}, "", 406, "not-supported", "not-acceptable"},
	{"Accept of nothing", "GET", "/fhir/metadata", []string{"Accept", "*/*;q=0"}, "", 406, "not-supported", "not-acceptable"},
	{"Accept with a bad q", "GET", "/fhir/metadata", []string{"Accept", "application/fhir+json;q=yes"}, "", 406, "not-supported", "not-acceptable"},
	{"Accept of garbage", "GET", "/fhir/metadata", []string{"Accept", "\";;,,//\\"}, "", 406, "not-supported", "not-acceptable"},
	{"_format of Turtle", "GET", "/fhir/Patient?_format=ttl", nil, "", 406, "not-supported", "not-acceptable"},
	{"_format twice", "GET", "/fhir/Patient?_format=json&_format=json", nil, "", 400, "invalid", "repeated-parameter"},
	{"_pretty that is none", "GET", "/fhir/Patient?_pretty=yes", nil, "", 400, "value", "invalid-parameter"},

	// Paths.
	{"unknown type", "GET", "/fhir/Patiant/1", nil, "", 404, "not-supported", "unknown-type"},
	{"type in lower case", "GET", "/fhir/patient", nil, "", 404, "not-supported", "unknown-type"},
	{"abstract type", "GET", "/fhir/DomainResource", nil, "", 404, "not-supported", "unknown-type"},
	{"unknown path", "GET", "/nothing", nil, "", 404, "not-found", "unknown-path"},
	{"slashes only", "GET", "///", nil, "", 404, "not-found", "unknown-path"},
	{"two slashes", "GET", "/fhir//Patient", nil, "", 404, "not-found", "unknown-path"},
	{"an escaped slash for a slash", "GET", "/fhir%2FPatient", nil, "", 404, "not-found", "unknown-path"},
	{"escaped slashes only", "GET", "/%2f%2F", nil, "", 404, "not-found", "unknown-path"},
	{"no id between slashes", "GET", "/fhir/Patient//_history", nil, "", 404, "not-found", "unknown-path"},
	{"too deep a path", "GET", "/fhir/Patient/1/_history/1/x", nil, "", 404, "not-found", "unknown-path"},
	{"id with an underscore", "GET", "/fhir/Patient/a_b", nil, "", 400, "value", "invalid-id"},
	{"id of 65", "GET", "/fhir/Patient/" + strings.Repeat("a", 65), nil, "", 400, "value", "invalid-id"},
	{"id with a slash", "GET", "/fhir/Patient/a%2Fb", nil, "", 400, "value", "invalid-id"},
	{"path traversal", "GET", "/fhir/Patient/..%2f..%2f..%2fetc%2fpasswd", nil, "", 400, "value", "invalid-id"},
	{"dots are an id", "GET", "/fhir/Patient/..", nil, "", 404, "not-found", "not-found"},
	{"NUL in the path", "GET", "/fhir/Patient/a%00b", nil, "", 400, "value", "invalid-id"},
	{"line break in the path", "GET", "/fhir/Patient/a%0d%0aX-Evil:%201", nil, "", 400, "value", "invalid-id"},
	{"script in the path", "GET", "/fhir/%3Cscript%3Ealert(1)%3C%2Fscript%3E", nil, "", 404, "not-supported", "unknown-type"},
	{"version that is none", "GET", "/fhir/Patient/1/_history/a_b", nil, "", 400, "value", "invalid-id"},
	{"unknown operation", "GET", "/fhir/$nothing", nil, "", 404, "not-supported", "unknown-operation"},
	{"operation of nothing", "POST", "/fhir/Patient/1/$", ct(jsonType), "{}", 404, "not-supported", "unknown-operation"},
	{"GET of an operation that takes POST", "GET", "/fhir/$fhirpath", nil, "", 405, "not-supported", "method-not-allowed"},
	{"compartment of a type without", "GET", "/fhir/Observation/1/Patient", nil, "", 404, "not-found", "unknown-compartment"},
	{"compartment of an unknown type", "GET", "/fhir/Patient/1/Observations", nil, "", 404, "not-supported", "unknown-type"},
	{"a megabyte of URL", "GET", "/fhir/Patient?name=" + strings.Repeat("a", 1<<20), nil, "", 414, "too-long", "url-too-long"},
	{"a megabyte of path", "GET", "/fhir/Patient/" + strings.Repeat("a", 1<<20), nil, "", 414, "too-long", "url-too-long"},

	// Methods.
	{"PATCH of the base", "PATCH", "/fhir", ct(jsonType), patient, 405, "not-supported", "method-not-allowed"},
	{"DELETE of the base", "DELETE", "/fhir", nil, "", 405, "not-supported", "method-not-allowed"},
	{"POST to an instance", "POST", "/fhir/Patient/1", ct(jsonType), patient, 405, "not-supported", "method-not-allowed"},
	{"POST of metadata", "POST", "/fhir/metadata", ct(jsonType), patient, 405, "not-supported", "method-not-allowed"},
	{"GET of _search", "GET", "/fhir/Patient/_search?name=x", nil, "", 405, "not-supported", "method-not-allowed"},
	{"a method of nobody", "BREW", "/fhir/Patient", nil, "", 405, "not-supported", "method-not-allowed"},
	{"PUT of a history", "PUT", "/fhir/Patient/1/_history/1", ct(jsonType), patient, 405, "not-supported", "method-not-allowed"},

	// Queries.
	{"broken escape", "GET", "/fhir/Patient?name=%zz", nil, "", 400, "invalid", "bad-encoding"},
	{"cut escape", "GET", "/fhir/Patient?name=%4", nil, "", 400, "invalid", "bad-encoding"},
	{"NUL in a value", "GET", "/fhir/Patient?name=a%00b", nil, "", 400, "invalid", "bad-encoding"},
	{"invalid UTF-8 in a value", "GET", "/fhir/Patient?name=%ff", nil, "", 400, "invalid", "bad-encoding"},
	{"NUL in a form", "POST", "/fhir/Patient/_search", ct("application/x-www-form-urlencoded"), "name=%00", 400, "invalid", "bad-encoding"},
	{"unknown parameter on read", "GET", "/fhir/Patient/1?x=1", nil, "", 400, "not-supported", "unknown-parameter"},
	{"search parameter on create", "POST", "/fhir/Patient?identifier=1", ct(jsonType), patient, 400, "not-supported", "misplaced-parameter"},
	{"search parameter on update", "PUT", "/fhir/Patient/1?name:exact=1", ct(jsonType), `{"resourceType":"Patient","id":"1"}`, 400, "not-supported", "misplaced-parameter"},
	{"_count on a conditional delete", "DELETE", "/fhir/Patient?_id=1&_count=1", nil, "", 400, "not-supported", "misplaced-parameter"},
	{"_include on a conditional update", "PUT", "/fhir/Patient?_id=1&_include=*", ct(jsonType), patient, 400, "not-supported", "misplaced-parameter"},
	{"unknown search parameter", "GET", "/fhir/Patient?nonsense=1", nil, "", 400, "", "unknown-parameter"},
	{"unknown mode", "GET", "/fhir/metadata?mode=x", nil, "", 400, "value", "invalid-parameter"},
	{"capabilities of no type", "GET", "/fhir/metadata?_type=Nobody", nil, "", 404, "not-supported", "unknown-type"},
	{"a number of a billion digits", "GET", "/fhir/Observation?value-quantity=1e999999999", nil, "", 400, "", ""},
	{"negative _count", "GET", "/fhir/Patient?_count=-1", nil, "", 400, "", ""},
	{"_count of history", "GET", "/fhir/_history?_count=x", nil, "", 400, "", ""},
	{"_since that is no instant", "GET", "/fhir/Patient/_history?_since=yesterday", nil, "", 400, "", ""},
	{"_at that is no date", "GET", "/fhir/Patient/_history?_at=2024-13", nil, "", 400, "", ""},
	{"forged cursor", "GET", "/fhir/Patient?_cursor=AAAA", nil, "", 400, "", "bad-cursor"},
	{"DELETE without criteria", "DELETE", "/fhir/Patient", nil, "", 400, "required", "empty-condition"},
	{"PUT without criteria", "PUT", "/fhir/Patient", ct(jsonType), patient, 400, "required", "empty-condition"},

	// Conditions and other headers.
	{"If-Match that is no tag", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Match", "a b"), `{"resourceType":"Patient","id":"1"}`, 400, "invalid", "etag"},
	{"If-Match of another version without quotes", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Match", "3"), `{"resourceType":"Patient","id":"1"}`, 412, "conflict", "if-match"},
	{"FHIR Turtle for a Binary", "POST", "/fhir/Binary", ct("application/fhir+turtle"), `[] a fhir:Binary .`, 415, "not-supported", "content-type"},
	{"If-Match cut off", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Match", `W/"3`), `{"resourceType":"Patient","id":"1"}`, 400, "invalid", "etag"},
	{"If-Match empty", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Match", ``), `{"resourceType":"Patient","id":"1"}`, 400, "invalid", "etag"},
	{"If-Match of another form", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Match", `W/"abc"`), `{"resourceType":"Patient","id":"1"}`, 412, "", ""},
	{"If-None-Match with a version on a write", "PUT", "/fhir/Patient/1", ct(jsonType, "If-None-Match", `W/"1"`), `{"resourceType":"Patient","id":"1"}`, 400, "not-supported", "if-none-match"},
	{"If-Unmodified-Since on a write", "PUT", "/fhir/Patient/1", ct(jsonType, "If-Unmodified-Since", `Mon, 23 Nov 2026 09:00:00 GMT`), `{"resourceType":"Patient","id":"1"}`, 400, "not-supported", "if-unmodified-since"},
	{"If-None-Exist on an update", "PUT", "/fhir/Patient/1", ct(jsonType, "If-None-Exist", "_id=1"), `{"resourceType":"Patient","id":"1"}`, 400, "not-supported", "misplaced-condition"},
	{"If-None-Exist on a conditional update", "PUT", "/fhir/Patient?_id=1", ct(jsonType, "If-None-Exist", "_id=1"), `{"resourceType":"Patient","id":"1"}`, 400, "not-supported", "misplaced-condition"},
	{"If-None-Exist on a delete", "DELETE", "/fhir/Patient/1", []string{"If-None-Exist", "_id=1"}, "", 400, "not-supported", "misplaced-condition"},
	{"If-Match on a create", "POST", "/fhir/Patient", ct(jsonType, "If-Match", `W/"1"`), patient, 400, "not-supported", "misplaced-condition"},
	{"If-None-Match on a create", "POST", "/fhir/Patient", ct(jsonType, "If-None-Match", "*"), patient, 400, "not-supported", "misplaced-condition"},
	{"If-Unmodified-Since on a create", "POST", "/fhir/Patient", ct(jsonType, "If-Unmodified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"), patient, 400, "not-supported", "misplaced-condition"},
	{"If-Match on a batch", "POST", "/fhir", ct(jsonType, "If-Match", `W/"1"`), `{"resourceType":"Bundle","type":"batch"}`, 400, "not-supported", "misplaced-condition"},
	{"a misspelt condition in a transaction", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"Patient/1","IfMatch":"W/\"77\""},"resource":{"resourceType":"Patient","id":"1"}}]}`,
		400, "structure", "unknown-element"},
	{"If-None-Exist empty", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", ""), patient, 400, "invalid", "if-none-exist"},
	{"If-None-Exist with a broken escape", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "identifier=%x"), patient, 400, "invalid", "bad-encoding"},
	{"If-None-Exist with an unknown parameter", "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "nonsense=1"), patient, 400, "", "unknown-parameter"},

	// Bundles and ids.
	{"a resource to the base", "POST", "/fhir", ct(jsonType), patient, 400, "invalid", "bundle-expected"},
	{"a collection to the base", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"collection"}`, 400, "", ""},
	{"another type than the path's", "POST", "/fhir/Patient", ct(jsonType), `{"resourceType":"Observation"}`, 400, "", ""},
	{"another id than the path's", "PUT", "/fhir/Patient/1", ct(jsonType), `{"resourceType":"Patient","id":"2"}`, 400, "", ""},
	{"no id in an update", "PUT", "/fhir/Patient/1", ct(jsonType), patient, 400, "", ""},
	{"operation without Parameters", "POST", "/fhir/$fhirpath", ct(jsonType), patient, 400, "invalid", "parameters-expected"},
}

// ct returns headers that begin with a Content-Type.
func ct(contentType string, more ...string) []string {
	return append([]string{"Content-Type", contentType}, more...)
}

// TestZstdWithALargeWindowIsToldTheLimit sends frames, and JSON and XML in them, whose window is at the limit and above it.
func TestZstdWithALargeWindowIsToldTheLimit(t *testing.T) {
	s := newServer(t)
	packed := func(window int, text string) string {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(window))
		if err != nil {
			t.Fatal(err)
		}
		for len(text) > 0 { // in pieces, so that the frame states a window and no size
			n := min(len(text), 10)
			if _, err := z.Write([]byte(text[:n])); err != nil {
				t.Fatal(err)
			}
			if err := z.Flush(); err != nil {
				t.Fatal(err)
			}
			text = text[n:]
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range [][2]string{{jsonType, `{"resourceType":"Patient","active":true}`}, {xmlType, `<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>`}} {
		if a := s.do(t, "POST", "/fhir/Patient", ct(c[0], "Content-Encoding", "zstd"), packed(8<<20, c[1])); a.status != 201 {
			t.Errorf("%s with a window of 8 MB: %d %s", c[0], a.status, a.body)
		}
		a := s.do(t, "POST", "/fhir/Patient", ct(c[0], "Content-Encoding", "zstd"), packed(16<<20, c[1]))
		if a.status != 400 || !strings.Contains(string(a.body), "body-incomplete") || !strings.Contains(string(a.body), "a window of 8 MB at most") {
			t.Errorf("%s with a window of 16 MB: %d %s", c[0], a.status, a.body)
		}
	}
}

// zstandard returns s with zstd.
func zstandard(s string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return string(z.EncodeAll([]byte(s), nil))
}

// bomb returns n zero bytes with gzip.
func bomb(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	chunk := make([]byte, 1<<20)
	for n > 0 {
		k := min(n, len(chunk))
		w.Write(chunk[:k])
		n -= k
	}
	w.Close()
	return b.String()
}

func TestHostileRequests(t *testing.T) {
	s := newServer(t)
	for _, c := range hostiles {
		t.Run(c.name, func(t *testing.T) {
			a := s.do(t, c.method, c.path, c.headers, c.body)
			if a.status != c.status {
				t.Errorf("status %d, want %d: %.300s", a.status, c.status, a.body)
			}
			if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, jsonType) {
				t.Errorf("Content-Type %q: an error must be an OperationOutcome in JSON", got)
			}
			code, id := a.issue(t)
			if c.code != "" && code != c.code {
				t.Errorf("issue code %q, want %q: %.300s", code, c.code, a.body)
			}
			if id == "" || c.id != "" && id != c.id {
				t.Errorf("issue id %q, want %q: %.300s", id, c.id, a.body)
			}
			if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if a.header.Get("X-Evil") != "" {
				t.Error("a header was injected")
			}
		})
	}
	// What came in above must have left the server as it was.
	if a := s.do(t, "GET", "/fhir/metadata", nil, ""); a.status != 200 {
		t.Errorf("metadata afterwards: %d", a.status)
	}
}
