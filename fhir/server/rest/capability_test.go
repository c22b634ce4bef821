package rest_test

import (
	"encoding/json"
	"testing"

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
			Interaction                                  []struct{ Code string }
			SearchInclude, SearchRevInclude              []string
			SearchParam                                  []struct{ Name, Definition, Type string }
			Operation                                    []struct{ Name, Definition string }
		}
		Interaction []struct{ Code string }
		SearchParam []struct{ Name, Definition, Type string }
		Operation   []struct{ Name, Definition string }
		Compartment []string
	}
}

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
