package rest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestOperations(t *testing.T) {
	in := `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"name.family"},{"name":"resource","resource":` + jane + `}]}`
	run(t, []call{
		{"$fhirpath", "POST", "/fhir/$fhirpath", ct(jsonType), in, 200, []string{"Content-Type", utf8Type, "Cache-Control", "no-store"}, []string{`"resourceType":"Parameters"`, `"valueString":"Doe"`}},
		{"escaped", "POST", "/fhir/%24fhirpath", ct(jsonType), in, 200, nil, []string{`"valueString":"Doe"`}},
		{"pretty", "POST", "/fhir/$fhirpath?_pretty=true", ct(jsonType), in, 200, nil, []string{"{\n  \"resourceType\": \"Parameters\""}},
		{"without a body", "POST", "/fhir/$fhirpath", nil, "", 400, nil, []string{"operation-parameter"}},
		{"an error in the expression", "POST", "/fhir/$fhirpath", ct(jsonType), strings.Replace(in, "name.family", "name..family", 1), 400, nil, []string{"OperationOutcome", "fhirpath-syntax"}},
		{"a misspelt element", "POST", "/fhir/$fhirpath", ct(jsonType), strings.Replace(in, "name.family", "name.familie", 1), 400, nil, []string{"OperationOutcome", "fhirpath-element"}},
		{"a value set", "POST", "/fhir/$fhirpath", ct(jsonType), strings.Replace(in, "name.family", "'male'.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", 1), 200, nil, []string{`"name":"boolean","valueBoolean":true`}},
		{"at the wrong level", "POST", "/fhir/Patient/$fhirpath", ct(jsonType), in, 404, nil, []string{"unknown-operation"}},
		{"a name nearly right", "POST", "/fhir/$fhirpaht", ct(jsonType), in, 404, nil, []string{"did you mean $fhirpath?"}},
		{"$reindex-status", "GET", "/fhir/$reindex-status", nil, "", 200, nil, []string{`{"resourceType":"Parameters"`}},
		{"$reindex-status by POST", "POST", "/fhir/$reindex-status", ct(jsonType), in, 405, []string{"Allow", "GET, HEAD, OPTIONS"}, nil},
		{"$everything of a type without", "GET", "/fhir/Observation/1/$everything", nil, "", 404, nil, []string{"unknown-operation"}},
		{"$everything of nobody", "GET", "/fhir/Patient/nobody/$everything", nil, "", 404, nil, []string{"not-found"}},
		{"$everything with start", "GET", "/fhir/Patient/nobody/$everything?start=2024", nil, "", 400, nil, []string{"operation-parameter"}},
		{"$everything with a bad _since", "GET", "/fhir/Patient/nobody/$everything?_since=yesterday", nil, "", 400, nil, []string{"operation-parameter"}},
	})
}

// bundle is what tests read of a Bundle.
type bundle struct {
	Type  string
	Total *int
	Link  []struct{ Relation, URL string }
	Entry []struct {
		FullURL  string
		Resource struct{ ResourceType, ID string }
		Search   struct{ Mode string }
	}
}

// page reads a Bundle and returns its path to the next page.
func (s *server) page(t *testing.T, path string) (b bundle, next string) {
	t.Helper()
	a := s.do(t, "GET", path, nil, "")
	if a.status != 200 {
		t.Fatalf("GET %s: %d %.300s", path, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &b); err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Link {
		if l.Relation == "next" {
			next = strings.TrimPrefix(l.URL, s.url)
		}
	}
	return b, next
}

func TestEverythingOfAPatientInPages(t *testing.T) {
	s := newServer(t)
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"O"}`)
	s.put(t, "Practitioner/d", `{"resourceType":"Practitioner","id":"d","name":[{"family":"D"}]}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"Organization/o"}}`)
	s.put(t, "Patient/q", `{"resourceType":"Patient","id":"q"}`)
	s.put(t, "Encounter/e", `{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`)
	want := map[string]bool{"Patient/p": true, "Organization/o": true, "Practitioner/d": true, "Encounter/e": true}
	for i := range 7 {
		id := fmt.Sprintf("o%d", i)
		s.put(t, "Observation/"+id, `{"resourceType":"Observation","id":"`+id+`","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"performer":[{"reference":"Practitioner/d"}]}`)
		want["Observation/"+id] = true
	}
	s.put(t, "Observation/other", `{"resourceType":"Observation","id":"other","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/q"}}`)
	for _, path := range []string{"/fhir/Patient/p/$everything", "/fhir/Patient/p/$everything?_count=3"} {
		got, matches := map[string]bool{}, map[string]int{}
		pages := 0
		for next := path; next != ""; pages++ {
			var b bundle
			b, next = s.page(t, next)
			if b.Type != "searchset" || pages > 20 {
				t.Fatalf("%+v", b)
			}
			for _, e := range b.Entry {
				key := e.Resource.ResourceType + "/" + e.Resource.ID
				got[key] = true
				if e.Search.Mode == "match" {
					matches[key]++
				}
			}
		}
		if strings.Contains(path, "_count") && pages < 2 {
			t.Errorf("%s: %d pages", path, pages)
		}
		for k := range want {
			if !got[k] {
				t.Errorf("%s: %s is missing", path, k)
			}
		}
		for k := range got {
			if !want[k] {
				t.Errorf("%s: %s does not belong there", path, k)
			}
			if matches[k] > 1 {
				t.Errorf("%s: %s is %d times a match", path, k, matches[k])
			}
		}
	}
	b, _ := s.page(t, "/fhir/Patient/p/$everything?_type=Observation&_count=100")
	n := 0
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			n++
			if e.Resource.ResourceType != "Observation" {
				t.Errorf("_type lets %s pass", e.Resource.ResourceType)
			}
		}
	}
	if n != 7 {
		t.Errorf("%d Observations", n)
	}
	if b, _ = s.page(t, "/fhir/Patient/p/$everything?_since=2100-01-01T00:00:00Z"); len(b.Entry) != 0 {
		t.Errorf("_since in the future: %d entries", len(b.Entry))
	}
	if b, _ = s.page(t, "/fhir/Encounter/e/$everything?_count=100"); len(b.Entry) < 8 {
		t.Errorf("of an Encounter: %d entries", len(b.Entry))
	}
}
