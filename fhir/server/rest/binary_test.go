package rest_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestBinaryInItsNativeForm(t *testing.T) {
	run(t, []call{
		{"raw in", "PUT", "/fhir/Binary/t", ct("text/plain; charset=utf-8", "X-Security-Context", "Patient/1"), "hello", 201, []string{"Content-Type", utf8Type}, []string{`"contentType":"text/plain; charset=utf-8"`, `"data":"aGVsbG8="`, `"reference":"Patient/1"`}},
		{"raw out", "GET", "/fhir/Binary/t", nil, "", 200, []string{"Content-Type", "text/plain; charset=utf-8", "X-Security-Context", "Patient/1", "Etag", `W/"1"`, "X-Content-Type-Options", "nosniff", "Content-Security-Policy", "/.*sandbox.*/", "Content-Length", "5"}, []string{"hello"}},
		{"raw by HEAD", "HEAD", "/fhir/Binary/t", nil, "", 200, []string{"Content-Length", "5", "Content-Type", "text/plain; charset=utf-8"}, nil},
		{"raw for a browser", "GET", "/fhir/Binary/t", []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "", 200, []string{"Content-Type", "text/plain; charset=utf-8"}, nil},
		{"raw by its type", "GET", "/fhir/Binary/t", []string{"Accept", "text/plain"}, "", 200, []string{"Content-Type", "text/plain; charset=utf-8"}, nil},
		{"raw by a range", "GET", "/fhir/Binary/t", []string{"Accept", "text/*"}, "", 200, []string{"Content-Type", "text/plain; charset=utf-8"}, nil},
		{"resource", "GET", "/fhir/Binary/t", []string{"Accept", jsonType}, "", 200, []string{"Content-Type", utf8Type}, []string{`"resourceType":"Binary"`}},
		{"resource as JSON", "GET", "/fhir/Binary/t", []string{"Accept", "application/json"}, "", 200, []string{"Content-Type", "application/json; charset=utf-8"}, []string{`"resourceType":"Binary"`}},
		{"resource by _format", "GET", "/fhir/Binary/t?_format=json", nil, "", 200, []string{"Content-Type", utf8Type}, []string{`"resourceType":"Binary"`}},
		{"resource before content", "GET", "/fhir/Binary/t", []string{"Accept", "application/fhir+json, */*;q=0.5"}, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"raw by vread", "GET", "/fhir/Binary/t/_history/1", nil, "", 200, []string{"Content-Type", "text/plain; charset=utf-8"}, []string{"hello"}},
		{"not modified", "GET", "/fhir/Binary/t", []string{"If-None-Match", `W/"1"`}, "", 304, nil, nil},
		{"another type", "GET", "/fhir/Binary/t", []string{"Accept", "image/png"}, "", 406, nil, []string{"OperationOutcome"}},
		{"resource in", "PUT", "/fhir/Binary/r", ct(jsonType), `{"resourceType":"Binary","id":"r","contentType":"text/css","data":"aGVsbG8="}`, 201, nil, nil},
		{"resource in, content out", "GET", "/fhir/Binary/r", nil, "", 200, []string{"Content-Type", "text/css"}, []string{"hello"}},
		{"resource in as JSON", "POST", "/fhir/Binary", ct("application/json"), `{"resourceType":"Binary","contentType":"text/css","data":"aGVsbG8="}`, 201, nil, []string{`"text/css"`}},
		{"another resource is content", "PUT", "/fhir/Binary/p", ct(jsonType), patient, 201, nil, []string{`"contentType":"application/fhir+json"`}},
		{"and comes out as it is", "GET", "/fhir/Binary/p", nil, "", 200, []string{"Content-Type", jsonType}, []string{patient}},
		{"and is wrapped where its type is asked for by name", "GET", "/fhir/Binary/p", []string{"Accept", jsonType}, "", 200, []string{"Content-Type", utf8Type}, []string{`"resourceType":"Binary"`, `"contentType":"application/fhir+json"`}},
		{"and by _format", "GET", "/fhir/Binary/p?_format=application/fhir%2Bjson", nil, "", 200, []string{"Content-Type", utf8Type}, []string{`"resourceType":"Binary"`}},
		{"and not for anything", "GET", "/fhir/Binary/p", []string{"Accept", "*/*"}, "", 200, []string{"Content-Type", jsonType}, []string{patient}},
		{"JSON that is no resource", "PUT", "/fhir/Binary/j", ct("application/json"), `[1, 2]`, 201, nil, nil},
		{"comes out as it is", "GET", "/fhir/Binary/j", nil, "", 200, []string{"Content-Type", "application/json"}, []string{"[1, 2]"}},
		{"broken FHIR JSON", "PUT", "/fhir/Binary/x", ct(jsonType), `{"resourceType":"Bin`, 400, nil, nil},
		{"raw without a type", "PUT", "/fhir/Binary/x", nil, "hello", 415, nil, nil},
		{"empty", "POST", "/fhir/Binary", ct("text/plain"), "", 400, nil, nil},
		{"Accept of content on a write", "POST", "/fhir/Binary", ct("application/pdf", "Accept", "application/pdf"), "%PDF", 201, []string{"Content-Type", utf8Type}, nil},
	})
}

func TestBinaryOf8MiBByteForByte(t *testing.T) {
	s := newServer(t)
	content := make([]byte, 8<<20)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(content)
	copy(content, "%PDF-1.7\n")
	a := s.do(t, "POST", "/fhir/Binary", ct("application/pdf", "Prefer", "return=minimal"), string(content))
	if a.status != 201 {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	_, path, _ := strings.Cut(a.header.Get("Location"), "/fhir/")
	path, _, _ = strings.Cut(path, "/_history")
	b := s.do(t, "GET", "/fhir/"+path, []string{"Accept", "application/pdf"}, "")
	if b.status != 200 || b.header.Get("Content-Type") != "application/pdf" || !bytes.Equal(b.body, content) {
		t.Errorf("%d %s, %d bytes", b.status, b.header.Get("Content-Type"), len(b.body))
	}
}
