package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// capabilities is what the tests read of a CapabilityStatement.
type capabilities struct {
	ResourceType, Status, Kind, FhirVersion, Date string
	Format, PatchFormat                           []string
	Software                                      struct{ Name, Version string }
	Implementation                                struct{ Description, URL string }
	Rest                                          []struct {
		Mode          string
		Documentation string
		Resource      []struct {
			Type, Profile, Versioning, ConditionalDelete string
			Interaction                                  []declaredCode
			SearchInclude, SearchRevInclude              []string
			SearchParam                                  []declaredParameter
			Operation                                    []declaredOperation
		}
		Interaction []declaredCode
		SearchParam []declaredParameter
		Operation   []declaredOperation
		Compartment []string
	}
}

// What a CapabilityStatement declares: interactions, search parameters and operations.
type (
	declaredCode      struct{ Code string }
	declaredParameter struct{ Name, Definition, Type string }
	declaredOperation struct{ Name, Definition string }
)

func TestCapabilityStatementSaysWhatIsServed(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.BaseURL = "https://fhir.example.org/fhir" })
	a := s.do(t, "GET", "/fhir/metadata", nil, "")
	var c capabilities
	if err := json.Unmarshal(a.body, &c); err != nil {
		t.Fatal(err)
	}
	if c.ResourceType != "CapabilityStatement" || c.FhirVersion != "4.0.1" || c.Kind != "instance" || c.Status != "active" || c.Date == "" ||
		c.Software.Version != "test" || c.Implementation.URL != "https://fhir.example.org/fhir" || c.Implementation.Description == "" || len(c.Rest) != 1 {
		t.Fatalf("head: %+v", c)
	}
	r := c.Rest[0]
	reg := definition.R4()
	if got, want := len(r.Resource), len(reg.ResourceTypes()); got != want {
		t.Fatalf("%d types, want %d", got, want)
	}
	if len(r.Compartment) != 5 || len(r.Interaction) != 4 {
		t.Errorf("compartments %v, interactions %v", r.Compartment, r.Interaction)
	}
	for name, query := range map[string]string{"_id": "_id=1", "_lastUpdated": "_lastUpdated=gt2020", "_tag": "_tag=x", "_type": "_type=Patient,Group", "_list": "_type=Patient&_list=1",
		"_has": "_type=Patient&_has:Observation:patient:code=x"} {
		stated := 0
		for _, p := range r.SearchParam {
			if p.Name == name && p.Type != "" {
				stated++
			}
		}
		if a := s.do(t, "GET", "/fhir?"+query, nil, ""); stated != 1 || a.status != 200 {
			t.Errorf("%s is stated %d times, and answered with %d %.300s", name, stated, a.status, a.body)
		}
	}
	served := false
	for _, o := range r.Operation {
		served = served || o.Name == "fhirpath"
	}
	if !served {
		t.Error("$fhirpath is not stated")
	}
	for i, res := range r.Resource {
		if res.Type != reg.ResourceTypes()[i] || len(res.Interaction) != 9 || len(res.SearchParam) < 5 {
			t.Errorf("%s: %d interactions, %d parameters", res.Type, len(res.Interaction), len(res.SearchParam))
		}
		for _, p := range res.SearchParam {
			if p.Definition == "" || p.Type == "" {
				t.Errorf("%s: %+v", res.Type, p)
			}
		}
	}
	// What is stated works: a search by each parameter of some types is not refused as unknown.
	for _, res := range r.Resource {
		if res.Type != "Patient" && res.Type != "Observation" && res.Type != "Encounter" {
			continue
		}
		for _, p := range res.SearchParam {
			if a := s.do(t, "GET", "/fhir/"+res.Type+"?"+p.Name+":missing=true", nil, ""); a.status != 200 && p.Type != "composite" && p.Name != "_id" && p.Name != "_text" && p.Name != "_content" {
				t.Errorf("%s?%s:missing: %d %.200s", res.Type, p.Name, a.status, a.body)
			}
		}
		for _, inc := range res.SearchInclude {
			if a := s.do(t, "GET", "/fhir/"+res.Type+"?_include="+inc, nil, ""); a.status != 200 {
				t.Errorf("%s?_include=%s: %d %.200s", res.Type, inc, a.status, a.body)
			}
		}
	}
}

// TestTheCapabilityStatementIsValid holds the statements that the server makes against what it demands of its clients.
func TestTheCapabilityStatementIsValid(t *testing.T) {
	s := newServer(t)
	for path, typ := range map[string]string{"metadata": "CapabilityStatement", "metadata?mode=terminology": "TerminologyCapabilities"} {
		a := s.do(t, "GET", "/fhir/"+path, nil, "")
		if stored := s.do(t, "POST", "/fhir/"+typ, ct(jsonType), string(a.body)); stored.status != 201 {
			t.Errorf("%s: %d %.500s", path, stored.status, stored.body)
		}
	}
	for _, part := range []string{`"messaging":[`, `"mode":"producer"`, `"mode":"consumer"`} {
		if a := s.do(t, "GET", "/fhir/metadata", nil, ""); !strings.Contains(string(a.body), part) {
			t.Errorf("the statement lacks %s", part)
		}
	}
}

// TestTheCapabilitiesThatAreAskedFor holds that a part of the statement is that part, and small, and that the code systems are listed.
func TestTheCapabilitiesThatAreAskedFor(t *testing.T) {
	s := newServer(t)
	whole := s.do(t, "GET", "/fhir/metadata", nil, "")
	var full, part capabilities
	decodeInto(t, whole.body, &full)
	a := s.do(t, "GET", "/fhir/metadata?_type=Patient,Observation&mode=normative", nil, "")
	decodeInto(t, a.body, &part)
	if n := len(part.Rest[0].Resource); n != 2 || len(a.body) > len(whole.body)/20 {
		t.Errorf("two types: %d of them, %d of %d bytes", n, len(a.body), len(whole.body))
	}
	for _, r := range full.Rest[0].Resource {
		for _, p := range part.Rest[0].Resource {
			if r.Type == p.Type && !cmp.Equal(r, p) {
				t.Errorf("%s differs: %s", r.Type, cmp.Diff(r, p))
			}
		}
	}
	if a.header.Get("Etag") == whole.header.Get("Etag") {
		t.Error("one entity tag for two statements")
	}
	if a := s.do(t, "GET", "/fhir/metadata?_summary=true", nil, ""); len(a.body) > len(whole.body)/5 {
		t.Errorf("the summary has %d of %d bytes", len(a.body), len(whole.body))
	}
	var terminology struct {
		ResourceType, Kind string
		Implementation     struct{ URL string }
		CodeSystem         []struct{ URI string }
	}
	decodeInto(t, s.do(t, "GET", "/fhir/metadata?mode=terminology", nil, "").body, &terminology)
	if terminology.ResourceType != "TerminologyCapabilities" || terminology.Kind != "instance" || terminology.Implementation.URL != s.url+"/fhir" || len(terminology.CodeSystem) < 1000 {
		t.Errorf("%s with %d code systems", terminology.ResourceType, len(terminology.CodeSystem))
	}
}

// decodeInto reads JSON.
func decodeInto(t *testing.T, body []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(body, to); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
}

func TestCapabilityStatementIsCached(t *testing.T) {
	s := newServer(t)
	first := s.do(t, "GET", "/fhir/metadata", nil, "")
	etag := first.header.Get("Etag")
	if etag == "" {
		t.Fatal("no ETag")
	}
	if a := s.do(t, "GET", "/fhir/metadata", []string{"If-None-Match", etag}, ""); a.status != 304 || len(a.body) > 0 {
		t.Errorf("%d", a.status)
	}
	if a := s.do(t, "GET", "/fhir/metadata", []string{"If-None-Match", `W/"other"`}, ""); a.status != 200 {
		t.Errorf("%d", a.status)
	}
	if a := s.do(t, "GET", "/fhir/metadata?mode=full&_format=json&_pretty=true", nil, ""); a.status != 200 || compact(t, a.body) != string(first.body) {
		t.Errorf("%d", a.status)
	}
	if a := s.do(t, "HEAD", "/fhir/metadata", nil, ""); a.status != 200 || a.header.Get("Etag") != etag {
		t.Errorf("%d", a.status)
	}
	custom := `{"resourceType":"SearchParameter","id":"hair","url":"http://example.org/SearchParameter/hair","name":"hair","status":"active","description":"x","code":"hair","base":["Patient"],"type":"token","expression":"Patient.extension('http://example.org/hair').value.ofType(code)"}`
	s.put(t, "SearchParameter/hair", custom)
	a := s.do(t, "GET", "/fhir/metadata", []string{"If-None-Match", etag}, "")
	var c capabilities
	if err := json.Unmarshal(a.body, &c); a.status != 200 || err != nil {
		t.Fatalf("%d %v: the statement has not changed with the SearchParameter", a.status, err)
	}
	for _, r := range c.Rest[0].Resource {
		has := false
		for _, p := range r.SearchParam {
			has = has || p.Name == "hair"
		}
		if has != (r.Type == "Patient") {
			t.Errorf("%s: hair is %v", r.Type, has)
		}
	}
}

func BenchmarkMetadata(b *testing.B) {
	s := newServer(b)
	s.do(b, "GET", "/fhir/metadata", nil, "")
	benchmarkGet(b, s.url+"/fhir/metadata")
}
