package rest_test

import (
	"encoding/json"
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
		{"$everything with start", "GET", "/fhir/Patient/nobody/$everything?start=2024", nil, "", 404, nil, []string{"not-found"}},
		{"$everything with a bad start", "GET", "/fhir/Patient/nobody/$everything?start=ge2024", nil, "", 400, nil, []string{"operation-parameter", "start is a date"}},
		{"$everything with two counts", "GET", "/fhir/Patient/nobody/$everything?_count=2&_count=3", nil, "", 400, nil, []string{"operation-parameter", "takes it once"}},
		{"$everything of an unknown type", "GET", "/fhir/Patient/nobody/$everything?_type=Foo", nil, "", 400, nil, []string{"operation-parameter"}},
		{"$everything of an Encounter with start", "GET", "/fhir/Encounter/nobody/$everything?start=2024", nil, "", 400, nil, []string{"operation-parameter", "the parameters of $everything are _since, _type and _count"}},
		{"$versions with a parameter", "GET", "/fhir/$versions?x=1", nil, "", 400, nil, []string{"operation-parameter", "$versions has no parameters"}},
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
func (s *server) page(t testing.TB, path string) (b bundle, next string) {
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
