package rest_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// openAPIDocument is what tests read of a document.
type openAPIDocument struct {
	OpenAPI    string
	Paths      map[string]map[string]json.RawMessage
	Components map[string]map[string]json.RawMessage
}

// openAPI reads the document that a server has at a path.
func openAPI(t *testing.T, s *server, path string) (doc openAPIDocument) {
	t.Helper()
	a := s.do(t, "GET", path, nil, "")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

var refs = regexp.MustCompile(`"\$ref":"#/components/(\w+)/([^"]+)"`)

// taken are parameters of some endpoints that are not in R4's definitions of the search or the operation.
var taken = map[string][]string{
	"get /metadata":                 {"query mode", "query _type"},
	"get /Patient":                  {"query _definitions", "query _explain", "query _include", "header Prefer"},
	"get /_history":                 {"query _since", "header Prefer"},
	"post /Patient/{id}/$meta-add":  {"header If-Match"},
	"put /Patient/{id}":             {"header If-Match", "header If-None-Match"},
	"get /Patient/{id}/{inside}":    {"query _type"},
	"get /Patient/{id}/$everything": {"query _since"},
}

// TestOpenAPI holds that whatever the document names is there: components that are referred to, parameters that are named once, and each path with each
// method.
func TestOpenAPI(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/openapi.json", "/openapi.json?type=Patient,Observation"} {
		doc := openAPI(t, s, path)
		if doc.OpenAPI != "3.1.0" {
			t.Errorf("OpenAPI %q", doc.OpenAPI)
		}
		all, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range refs.FindAllSubmatch(all, -1) {
			if doc.Components[string(m[1])][string(m[2])] == nil {
				t.Errorf("%s: nothing is at components/%s/%s", path, m[1], m[2])
			}
		}
	}
	doc := openAPI(t, s, "/openapi.json?type=Patient,Observation")
	if len(doc.Components["schemas"]) > 100 {
		t.Errorf("two types have %d schemas", len(doc.Components["schemas"]))
	}
	for path, methods := range doc.Paths {
		url := "/fhir" + strings.NewReplacer("{id}", "none", "{vid}", "1", "{inside}", "Observation").Replace(path)
		for method, raw := range methods {
			if method == "parameters" {
				continue
			}
			a := s.do(t, strings.ToUpper(method), url, ct(jsonType), "{}")
			for _, id := range []string{"unknown-path", "unknown-operation", "method-not-allowed"} {
				if strings.Contains(string(a.body), `"`+id+`"`) {
					t.Errorf("%s %s: %d %.200s", method, url, a.status, a.body)
				}
			}
			var endpoint struct {
				Parameters []struct {
					Ref, Name, In string
				}
			}
			if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), `"$ref"`, `"Ref"`)), &endpoint); err != nil {
				t.Fatal(err)
			}
			named := map[string]bool{}
			for _, p := range endpoint.Parameters {
				if p.Ref != "" {
					if err := json.Unmarshal(doc.Components["parameters"][strings.TrimPrefix(p.Ref, "#/components/parameters/")], &p); err != nil {
						t.Fatal(err)
					}
				}
				if key := p.In + " " + p.Name; named[key] {
					t.Errorf("%s %s: %s is there twice", method, path, key)
				} else {
					named[key] = true
				}
			}
			for _, want := range taken[method+" "+path] {
				if !named[want] {
					t.Errorf("%s %s takes %s, which is not described", method, path, want)
				}
			}
		}
	}
	for _, path := range []string{"/Patient", "/Patient/_search", "/Patient/{id}", "/Patient/{id}/_history/{vid}", "/Patient/{id}/$everything", "/Patient/{id}/{inside}", "/_history", "/metadata", "/"} {
		if doc.Paths[path] == nil {
			t.Errorf("%s is not described", path)
		}
	}
	if doc.Paths["/Observation/{id}/{inside}"] != nil {
		t.Error("an Observation has no compartment")
	}
	if a := s.do(t, "GET", "/openapi.json?type=Nobody", nil, ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown type: %d", a.status)
	}
	a := s.do(t, "GET", "/openapi.json", nil, "")
	if again := s.do(t, "GET", "/openapi.json", []string{"If-None-Match", a.header.Get("Etag")}, ""); again.status != http.StatusNotModified {
		t.Errorf("the same again: %d", again.status)
	}
}

// TestOpenAPIPage holds that the page shows a type's paths and parameters, and loads nothing from elsewhere.
func TestOpenAPIPage(t *testing.T) {
	s := newServer(t)
	for path, want := range map[string][]string{
		"/openapi":              {">System<", "/metadata", "openapi?type=Patient", "_lastUpdated"},
		"/openapi?type=Patient": {">Patient<", "/Patient/{id}/$everything", "general-practitioner", "openapi.json?type=Patient"},
	} {
		a := s.do(t, "GET", path, nil, "")
		for _, text := range want {
			if !strings.Contains(string(a.body), text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
		if !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(string(a.body), "<script") {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	if a := s.do(t, "GET", "/openapi.css", nil, ""); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet: %d %v", a.status, a.header)
	}
}
