package rest_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	fhirxml "github.com/fhirgate/fhirgate/fhir/xml"
)

const graphqlType = "application/graphql"

// TestOfficialGraphQLCases runs the official cases that are about a resource against the real server. Those that search are in TestGraphQL, because
// their published results are of a server with other data.
func TestOfficialGraphQLCases(t *testing.T) {
	s := newServerOf(t, newConfigWith(t, nil, nil))
	examples := corpustest.Path(t, "r4-examples")
	put := func(name string) {
		t.Helper()
		src, err := os.ReadFile(filepath.Join(examples, strings.ReplaceAll(name, "/", "-")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		s.put(t, name, string(src))
	}
	for _, name := range []string{"Patient/example", "Patient/newborn", "Observation/example", "Condition/example"} {
		put(name)
	}
	for _, name := range []string{"medicationdispenseexample8", "patient-glossy-example", "observation-example-20minute-apgar-score", "list-example-long"} {
		doc := corpustest.Read(t, corpustest.Path(t, "xml/examples/"+name+".xml"))
		b, err := fhirxml.New(definition.R4()).AppendJSON(nil, bytes.NewReader(doc), fhirxml.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.ParseResource(b, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		key := r.Key()
		if key.Type == "List" { // the case names it by its file
			b, key.ID = bytes.Replace(b, []byte(`"id":"`+key.ID+`"`), []byte(`"id":"example-long"`), 1), "example-long"
		}
		s.put(t, key.String(), string(b))
	}
	var manifest struct {
		Tests []struct {
			Name    string `xml:"name,attr"`
			Source  string `xml:"source,attr"`
			Output  string `xml:"output,attr"`
			Context string `xml:"context,attr"`
		} `xml:"test"`
	}
	if err := xml.Unmarshal(corpustest.Read(t, corpustest.Path(t, "graphql/manifest.xml")), &manifest); err != nil {
		t.Fatal(err)
	}
	merged := map[string]string{"extension-simple": `{"subject":{"resource":{"birthDate":"2016-05-18","_birthDate":{"extension":[{"valueDateTime":"2016-05-18T10:28:45Z"}]}}}}`} // as in package graphql
	passed := 0
	for _, c := range manifest.Tests {
		if c.Context == "" {
			continue
		}
		query := string(corpustest.Read(t, corpustest.Path(t, "graphql/"+c.Source)))
		body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"var": true}})
		if err != nil {
			t.Fatal(err)
		}
		a := s.do(t, "POST", "/fhir/"+c.Context, ct("application/json"), string(body))
		var got struct {
			Data   any
			Errors []any
		}
		if err := json.Unmarshal(a.body, &got); err != nil {
			t.Errorf("%s: %v in %.300s", c.Name, err, a.body)
			continue
		}
		if c.Output == "$error" {
			if len(got.Errors) == 0 || a.status < 400 {
				t.Errorf("%s: %d %.300s; want an error", c.Name, a.status, a.body)
				continue
			}
			passed++
			continue
		}
		want := corpustest.Read(t, corpustest.Path(t, "graphql/"+c.Output))
		if m := merged[c.Name]; m != "" {
			want = []byte(m)
		}
		var w any
		if err := json.Unmarshal(want, &w); err != nil || a.status != 200 || !reflect.DeepEqual(got.Data, w) {
			t.Errorf("%s: %d %v\n got %s\nwant %s", c.Name, a.status, err, a.body, want)
			continue
		}
		passed++
	}
	t.Logf("%d official GraphQL cases pass over HTTP", passed)
	if passed != 26 {
		t.Errorf("%d cases pass, want 26", passed)
	}
}

func TestGraphQL(t *testing.T) {
	s := newServerOf(t, newConfigWith(t, nil, nil))
	for i := range 5 {
		s.put(t, fmt.Sprintf("Patient/p%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","active":true,"name":[{"family":"F%d"}],"generalPractitioner":[{"reference":"Practitioner/q"}]}`, i, i))
		s.put(t, fmt.Sprintf("Observation/o%d", i), fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"c%d"}]},"subject":{"reference":"Patient/p0"},"valueQuantity":{"value":%d.50}}`, i, i%2, i))
	}
	s.put(t, "Practitioner/q", `{"resourceType":"Practitioner","id":"q","name":[{"family":"Q"}]}`)
	get := func(path, query string) string { return path + "/$graphql?query=" + url.QueryEscape(query) }
	const jsonUTF8 = "application/json; charset=utf-8"
	parameters := `{"resourceType":"Parameters","parameter":[{"name":"query","valueString":"{ id }"}]}`
	runOn(t, s, []call{
		{"an instance by GET", "GET", get("/fhir/Patient/p0", `{ id name { family } }`), nil, "", 200, []string{"Content-Type", jsonUTF8, "Cache-Control", "no-store"}, []string{`{"data":{"id":"p0","name":[{"family":"F0"}]}}`}},
		{"the system by GET", "GET", get("/fhir", `{ Patient(id: p1) { id } }`), nil, "", 200, nil, []string{`{"data":{"Patient":{"id":"p1"}}}`}},
		{"GraphQL in the body", "POST", "/fhir/Patient/p0/$graphql", ct(graphqlType), `{ id }`, 200, nil, []string{`{"data":{"id":"p0"}}`}},
		{"JSON in the body", "POST", "/fhir/$graphql", ct("application/json", "Accept", "application/graphql-response+json, application/json;q=0.9"), `{"query":"query A($i: ID!) { Patient(id: $i) { id } } query B { x: __typename }","operationName":"A","variables":{"i":"p2"}}`, 200, []string{"Content-Type", jsonUTF8}, []string{`{"data":{"Patient":{"id":"p2"}}}`}},
		{"Parameters in the body", "POST", "/fhir/Patient/p0/$graphql", ct(jsonType), parameters, 200, nil, []string{`{"data":{"id":"p0"}}`}},
		{"Parameters in XML", "POST", "/fhir/Patient/p0/$graphql", ct(xmlType), `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="query"/><valueString value="{ id }"/></parameter></Parameters>`, 200, nil, []string{`{"data":{"id":"p0"}}`}},
		{"variables in the URL", "GET", "/fhir/$graphql?query=" + url.QueryEscape(`query ($i: ID!) { Patient(id: $i) { id } }`) + "&variables=" + url.QueryEscape(`{"i":"p3"}`), nil, "", 200, nil, []string{`"id":"p3"`}},
		{"a list", "GET", get("/fhir", `{ PatientList(active: true, _sort: "family", _count: 2) { id } }`), nil, "", 200, nil, []string{`{"data":{"PatientList":[{"id":"p0"},{"id":"p1"}]}}`}},
		{"a list by pages to its end", "GET", get("/fhir", `{ PatientList(active: true) { id } }`), nil, "", 200, nil, []string{`"p0"`, `"p4"`}},
		{"a reference", "GET", get("/fhir/Patient/p0", `{ generalPractitioner { resource { ... on Practitioner { name { family } } } } }`), nil, "", 200, nil, []string{`{"data":{"generalPractitioner":[{"resource":{"name":[{"family":"Q"}]}}]}}`}},
		{"a reverse reference", "GET", get("/fhir/Patient/p0", `{ ObservationList(_reference: patient, code: "http://loinc.org|c1", _sort: "_id") { id valueQuantity { value } } }`), nil, "", 200, nil,
			[]string{`{"data":{"ObservationList":[{"id":"o1","valueQuantity":{"value":1.50}},{"id":"o3","valueQuantity":{"value":3.50}}]}}`}},
		{"a reverse connection", "GET", get("/fhir/Patient/p0", `{ ObservationConnection(_reference: subject, _count: 2) { count pagesize offset edges { mode resource { id } } next } }`), nil, "", 200, nil,
			[]string{`"count":5,"pagesize":2,"offset":0,"edges":[{"mode":"match","resource":{"id":"o0"}},{"mode":"match","resource":{"id":"o1"}}],"next":"`}},
		{"introspection", "POST", "/fhir/$graphql", ct(graphqlType), `{ __type(name: "HumanName") { fields { name } } __schema { queryType { name } } }`, 200, nil, []string{`{"name":"family"}`, `"Query"`}},
		{"an unknown field", "POST", "/fhir/Patient/p0/$graphql", ct(graphqlType), `{ spam }`, 400, []string{"Content-Type", jsonUTF8}, []string{`{"errors":[{"message":"GraphQL, line 1 column 3: Patient has no field spam"`, `"resource":{"resourceType":"OperationOutcome"`, "graphql-field"}},
		{"no GraphQL", "POST", "/fhir/Patient/p0/$graphql", ct(graphqlType), `{`, 400, nil, []string{"graphql-syntax"}},
		{"a query that is a number", "POST", "/fhir/$graphql", ct("application/json"), `{"query":1}`, 400, []string{"Content-Type", jsonUTF8}, []string{`{"errors":[{"message":"query is a JSON string"`, "graphql-syntax"}},
		{"a query that is null", "POST", "/fhir/$graphql", ct("application/json"), `{"query":null}`, 400, []string{"Content-Type", jsonUTF8}, []string{`{"errors":[`, "graphql-syntax"}},
		{"the name of an operation that is a number", "POST", "/fhir/$graphql", ct("application/json"), `{"query":"query a { __typename }","operationName":1}`, 400, []string{"Content-Type", jsonUTF8}, []string{`{"errors":[{"message":"operationName is a JSON string"`}},
		{"an operation without a name", "POST", "/fhir/$graphql", ct("application/json"), `{"query":"{ __typename }","operationName":null,"variables":null}`, 200, nil, []string{`{"data":{"__typename":"Query"}}`}},
		{"no query", "GET", "/fhir/$graphql", nil, "", 400, nil, []string{"graphql-syntax"}},
		{"an unknown parameter", "GET", get("/fhir", `{ __typename }`) + "&spam=1", nil, "", 400, nil, []string{"operation-parameter"}},
		{"an unknown search parameter", "GET", get("/fhir", `{ PatientList(spam: 1) { id } }`), nil, "", 400, nil, []string{"unknown-parameter"}},
		{"another body", "POST", "/fhir/$graphql", ct("text/plain"), `{ __typename }`, 415, nil, []string{"content-type"}},
		{"what is not there", "GET", get("/fhir/Patient/nobody", `{ id }`), nil, "", 404, nil, []string{"not-found"}},
		{"a type", "GET", get("/fhir/Patient", `{ id }`), nil, "", 404, nil, nil},
		{"metadata names it", "GET", "/fhir/metadata", nil, "", 200, nil, []string{`{"name":"graphql","definition":"http://hl7.org/fhir/OperationDefinition/Resource-graphql"`}},
	})
	// A connection is read to its end by its cursors.
	var ids []string
	arguments := `_count: 2, _sort: "_id"`
	for range 10 {
		query := `{ PatientConnection(` + arguments + `) { edges { resource { id } } next } }`
		var got struct {
			Data struct {
				PatientConnection struct {
					Edges []struct{ Resource struct{ ID string } }
					Next  string
				}
			}
		}
		a := s.do(t, "POST", "/fhir/$graphql", ct(graphqlType), query)
		if err := json.Unmarshal(a.body, &got); err != nil || a.status != 200 {
			t.Fatalf("%d %v: %s", a.status, err, a.body)
		}
		for _, e := range got.Data.PatientConnection.Edges {
			ids = append(ids, e.Resource.ID)
		}
		if got.Data.PatientConnection.Next == "" {
			break
		}
		arguments = `_cursor: ` + string(fhir.AppendString(nil, got.Data.PatientConnection.Next))
	}
	if strings.Join(ids, " ") != "p0 p1 p2 p3 p4" {
		t.Errorf("the pages have %v", ids)
	}
}
