package rest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// sample returns a value of a search parameter's type.
func sample(typ string) string {
	return map[string]string{"date": "2024", "number": "1", "quantity": "1", "reference": "Patient/x", "uri": "urn:x", "special": "x"}[typ]
}

// TestWhatTheCapabilityStatementDeclaresIsServed calls each search parameter, include, interaction and operation that is declared, of every type, and holds
// that what R4 has and is not declared is refused.
func TestWhatTheCapabilityStatementDeclaresIsServed(t *testing.T) {
	s := newServer(t)
	var c capabilities
	decodeInto(t, s.do(t, "GET", "/fhir/metadata", nil, "").body, &c)
	ok := func(path string) {
		t.Helper()
		if a := s.do(t, "GET", "/fhir/"+path, nil, ""); a.status != http.StatusOK {
			t.Errorf("%s is declared: %d %.200s", path, a.status, a.body)
		}
	}
	refused := func(path string) {
		t.Helper()
		if a := s.do(t, "GET", "/fhir/"+path, nil, ""); a.status != http.StatusBadRequest {
			t.Errorf("%s is not declared: %d %.200s", path, a.status, a.body)
		}
	}
	search := func(typ string, p declaredParameter) {
		t.Helper()
		values := []string{sample(p.Type)}
		switch {
		case p.Type == "composite":
			def, _ := definition.R4().SearchParameter(typ, p.Name)
			values = nil
			for _, part := range def.Components {
				of := ""
				for _, other := range definition.R4().AllSearchParameters() {
					if other.URL == part.Definition {
						of = other.Type
					}
				}
				values = append(values, sample(of))
			}
		case p.Name == "_has":
			ok(typ + "?_has:Observation:patient:code=x")
			return
		case p.Name == "_filter":
			values = []string{"_id eq x"}
		case p.Name == "near":
			values = []string{"1|1|1|km"}
		case p.Name == "_lastUpdated":
			values = []string{"gt2020"}
		case p.Name == "_type":
			values = []string{"Patient,Group"}
		}
		for i, v := range values {
			if v == "" {
				values[i] = "x"
			}
		}
		path := typ + "?" + p.Name + "=" + url.QueryEscape(strings.Join(values, "$"))
		if typ == "" && p.Name != "_type" {
			path += "&_type=Patient"
		}
		ok(path)
	}
	rest := c.Rest[0]
	for _, p := range rest.SearchParam {
		search("", p)
	}
	operations := map[string]bool{}
	for _, r := range rest.Resource {
		for _, p := range r.SearchParam {
			search(r.Type, p)
		}
		for _, include := range r.SearchInclude {
			ok(r.Type + "?_include=" + include)
		}
		for _, include := range r.SearchRevInclude {
			ok(r.Type + "?_revinclude=" + include)
		}
		for _, p := range definition.R4().SearchParameters(r.Type) {
			if !slices.ContainsFunc(r.SearchParam, func(d declaredParameter) bool { return d.Name == p.Code }) {
				refused(r.Type + "?" + p.Code + "=x")
			}
		}
		for _, o := range r.Operation {
			operations[o.Name] = true
		}
	}
	for _, o := range rest.Operation {
		operations[o.Name] = true
	}
	called := func(path string) bool {
		for _, method := range []string{"GET", "POST"} {
			a := s.do(t, method, "/fhir/"+path, ct(jsonType), map[string]string{"GET": "", "POST": `{"resourceType":"Parameters"}`}[method])
			if a.status != http.StatusMethodNotAllowed && !strings.Contains(string(a.body), "unknown-operation") {
				return true
			}
		}
		return false
	}
	for _, r := range rest.Resource {
		for name := range operations {
			declared := slices.ContainsFunc(r.Operation, func(o declaredOperation) bool { return o.Name == name })
			if got := called(r.Type+"/$"+name) || called(r.Type+"/x/$"+name); got != declared {
				t.Errorf("%s/$%s: declared %v, served %v", r.Type, name, declared, got)
			}
		}
		for code, status := range map[string]int{"read": s.do(t, "GET", "/fhir/"+r.Type+"/x", nil, "").status, "vread": s.do(t, "GET", "/fhir/"+r.Type+"/x/_history/1", nil, "").status,
			"history-instance": s.do(t, "GET", "/fhir/"+r.Type+"/x/_history", nil, "").status, "history-type": s.do(t, "GET", "/fhir/"+r.Type+"/_history", nil, "").status,
			"delete": s.do(t, "DELETE", "/fhir/"+r.Type+"/x", nil, "").status, "create": s.do(t, "POST", "/fhir/"+r.Type, nil, "").status,
			"update": s.do(t, "PUT", "/fhir/"+r.Type+"/x", nil, "").status, "patch": s.do(t, "PATCH", "/fhir/"+r.Type+"/x", nil, "").status, "search-type": s.do(t, "GET", "/fhir/"+r.Type, nil, "").status} {
			if declared := slices.ContainsFunc(r.Interaction, func(i declaredCode) bool { return i.Code == code }); !declared || status == http.StatusMethodNotAllowed {
				t.Errorf("%s of %s: declared %v, status %d", code, r.Type, declared, status)
			}
		}
	}
	for name := range operations {
		declared := slices.ContainsFunc(rest.Operation, func(o declaredOperation) bool { return o.Name == name })
		if got := called("$" + name); got != declared {
			t.Errorf("$%s: declared %v, served %v", name, declared, got)
		}
	}
	for _, format := range c.Format {
		ok("Patient?_format=" + url.QueryEscape(format))
	}
	for _, format := range c.PatchFormat {
		if a := s.do(t, "PATCH", "/fhir/Patient/x", ct(format), `{}`); a.status == http.StatusUnsupportedMediaType {
			t.Errorf("patches in %s are declared: %d", format, a.status)
		}
	}
	if a := s.do(t, "GET", "/fhir/Patient?_format=text/turtle", nil, ""); a.status != http.StatusNotAcceptable {
		t.Errorf("Turtle is not declared: %d", a.status)
	}
	if a := s.do(t, "PATCH", "/fhir/Patient/x", ct("application/xml-patch+xml"), `<diff/>`); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("XML Patch is not declared: %d", a.status)
	}
}
