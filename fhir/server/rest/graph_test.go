package rest_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiffOfVersionsIsAPatch(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","name":[{"family":"Doe","given":["J"]}],"active":true}`)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","name":[{"family":"Roe","given":["J","K"]}],"meta":{"tag":[{"code":"x"}]}}`)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","name":[{"family":"Poe"}]}`)
	s.put(t, "Patient/b", `{"resourceType":"Patient","id":"b","name":[{"family":"Doe"}]}`)
	s.put(t, "Person/p", `{"resourceType":"Person","id":"p"}`)
	s.put(t, "Patient/gone", `{"resourceType":"Patient","id":"gone"}`)
	if a := s.do(t, "DELETE", "/fhir/Patient/gone", nil, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	patched := s.do(t, "GET", "/fhir/Patient/a/$diff?fromVersion=3&toVersion=1", nil, "")
	if a := s.do(t, "PATCH", "/fhir/Patient/a", ct(jsonType), string(patched.body)); a.status != 200 || !strings.Contains(string(a.body), `"name":[{"family":"Doe","given":["J"]}],"active":true`) {
		t.Errorf("the difference of 3 and 1 applied to 3: %d %s, %s", a.status, a.body, patched.body)
	}
	const replaced = `{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.name[0].family"},{"name":"value","valueString":"Roe"}]}`
	runOn(t, s, []call{
		{"two versions", "GET", "/fhir/Patient/a/$diff?fromVersion=1&toVersion=2", nil, "", 200, []string{"Content-Type", utf8Type},
			[]string{`{"resourceType":"Parameters"`, replaced, `"valueString":"Patient.active"`, `"valueString":"tag"`, "!versionId", "!lastUpdated"}},
		{"the last two", "GET", "/fhir/Patient/a/$diff", nil, "", 200, nil, []string{`"valueString":"Doe"`}},
		{"up to the current one", "GET", "/fhir/Patient/a/$diff?fromVersion=1", nil, "", 200, nil, []string{`{"resourceType":"Parameters"}`}},
		{"by POST", "POST", "/fhir/Patient/a/$diff", ct(jsonType), parameters(`{"name":"fromVersion","valueId":"1"}`, `{"name":"toVersion","valueId":"2"}`), 200, nil, []string{replaced}},
		{"in XML", "GET", "/fhir/Patient/a/$diff?fromVersion=1&toVersion=2&_format=xml", nil, "", 200, nil, []string{`<valueString value="Patient.name[0].family"/>`}},
		{"two resources", "GET", "/fhir/$diff?from=Patient/b&to=Patient/a/_history/2", nil, "", 200, nil, []string{replaced}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/a/$diff?fromVersion=1&toVersion=2"}}]}`, 200, nil, []string{replaced}},
		{"a version that is not there", "GET", "/fhir/Patient/a/$diff?fromVersion=9", nil, "", 404, nil, []string{"not-found"}},
		{"of one version", "GET", "/fhir/Patient/b/$diff", nil, "", 400, nil, []string{"no version before the first"}},
		{"a deleted resource", "GET", "/fhir/Patient/gone/$diff", nil, "", 410, nil, []string{"deleted"}},
		{"two types", "GET", "/fhir/$diff?from=Patient/b&to=Person/p", nil, "", 400, nil, []string{"of one resource type"}},
		{"no reference", "GET", "/fhir/$diff?from=b&to=Person/p", nil, "", 400, nil, []string{"from is a reference"}},
		{"without to", "GET", "/fhir/$diff?from=Patient/b", nil, "", 400, nil, []string{"the parameter to is missing"}},
		{"from on a resource", "GET", "/fhir/Patient/a/$diff?from=Patient/b", nil, "", 400, nil, []string{"fromVersion and toVersion"}},
	})
}

func TestGraphFollowsAStoredDefinition(t *testing.T) {
	s := newServer(t)
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"O"}`)
	s.put(t, "Practitioner/d", `{"resourceType":"Practitioner","id":"d"}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"Organization/o"},"generalPractitioner":[{"reference":"Practitioner/d"},{"reference":"Practitioner/never"},{"display":"somebody"}]}`)
	s.put(t, "Patient/q", `{"resourceType":"Patient","id":"q"}`)
	for i := range 3 {
		id := fmt.Sprint("o", i)
		s.put(t, "Observation/"+id, `{"resourceType":"Observation","id":"`+id+`","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"performer":[{"reference":"Practitioner/d"}]}`)
	}
	s.put(t, "Observation/derived", `{"resourceType":"Observation","id":"derived","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/q"},"derivedFrom":[{"reference":"Observation/o0"}]}`)
	define := func(id, start, links string) {
		s.put(t, "GraphDefinition/"+id, `{"resourceType":"GraphDefinition","id":"`+id+`","url":"http://example.org/graph/`+id+`","name":"G","status":"active","start":"`+start+`","link":[`+links+`]}`)
	}
	define("g", "Patient", `{"path":"Patient.managingOrganization","target":[{"type":"Organization"}]},{"path":"Patient.generalPractitioner","min":2,"target":[{"type":"Practitioner"}]},
		{"target":[{"type":"Observation","params":"subject={ref}","link":[{"path":"Observation.performer","target":[{"type":"Practitioner"}]},{"target":[{"type":"Observation","params":"derived-from={ref}"}]}]}]}`)
	define("same", "Patient", `{"target":[{"type":"Observation","params":"subject={ref}","link":[{"target":[{"type":"Observation","params":"derived-from={ref}","compartment":[{"use":"requirement","code":"Patient","rule":"identical"}]}]}]}]}`)
	define("condition", "Patient", `{"target":[{"type":"Observation","params":"subject={ref}","compartment":[{"use":"condition","code":"Patient","rule":"different"}]}]}`)
	define("most", "Patient", `{"max":"2","target":[{"type":"Observation","params":"subject={ref}"}]}`)
	define("resolve", "Patient", `{"path":"Patient.managingOrganization.resolve()","target":[{"type":"Resource"}]}`)
	define("wrong", "Patient", `{"path":"Patient.nome","target":[{"type":"Resource"}]}`)
	define("open", "Patient", `{"target":[{"type":"Observation","params":"status=final"}]}`)
	define("profile", "Patient", `{"path":"Patient.link","target":[{"type":"Patient","profile":"http://example.org/p"}]}`)
	deep := `{"target":[{"type":"Observation","params":"subject={ref}"}]}`
	for range 12 {
		deep = `{"path":"Patient","target":[{"type":"Resource","link":[` + deep + `]}]}`
	}
	define("deep", "Patient", deep)
	const of = "/fhir/Patient/p/$graph?graph="
	runOn(t, s, []call{
		{"a reference to the definition", "GET", of + "GraphDefinition/g", nil, "", 200, nil, []string{`"type":"searchset","total":1`, `"search":{"mode":"match"}`, `"id":"o"`, `"id":"d"`, `"id":"o2"`, `"id":"derived"`,
			`!"id":"never"`, "graph-incomplete", "leads to 1 resources and should lead to 2"}},
		{"its canonical", "GET", of + "http://example.org/graph/g", nil, "", 200, nil, []string{`"id":"derived"`}},
		{"by POST", "POST", "/fhir/Patient/p/$graph", ct(jsonType), parameters(`{"name":"graph","valueUri":"http://example.org/graph/g"}`), 200, nil, []string{`"id":"derived"`}},
		{"in XML", "GET", of + "GraphDefinition/g&_format=xml", nil, "", 200, nil, []string{`<id value="derived"/>`}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p/$graph?graph=GraphDefinition/g"}}]}`, 200, nil, []string{`"id":"derived"`}},
		{"one compartment", "GET", of + "GraphDefinition/same", nil, "", 200, nil, []string{`"id":"o1"`, `!"id":"derived"`, "graph-incomplete"}},
		{"a condition on compartments", "GET", of + "GraphDefinition/condition", nil, "", 200, nil, []string{`!"id":"o1"`, "!graph-incomplete"}},
		{"at most two", "GET", of + "GraphDefinition/most", nil, "", 200, nil, []string{`"id":"o1"`, `!"id":"o2"`}},
		{"what resolve() finds", "GET", of + "GraphDefinition/resolve", nil, "", 200, nil, []string{`"id":"o"`}},
		{"another start", "GET", "/fhir/Observation/o1/$graph?graph=GraphDefinition/g", nil, "", 422, nil, []string{"graph-definition", "starts at a Patient"}},
		{"no such definition", "GET", of + "http://example.org/graph/none", nil, "", 404, nil, []string{"not-found"}},
		{"another resource", "GET", of + "Patient/q", nil, "", 404, nil, []string{"not-found"}},
		{"no such resource", "GET", "/fhir/Patient/nobody/$graph?graph=GraphDefinition/g", nil, "", 404, nil, []string{"not-found"}},
		{"without a definition", "GET", "/fhir/Patient/p/$graph", nil, "", 400, nil, []string{"the parameter graph is missing"}},
		{"a misspelt path", "GET", of + "GraphDefinition/wrong", nil, "", 400, nil, []string{"fhirpath-element"}},
		{"params that refer to nothing", "GET", of + "GraphDefinition/open", nil, "", 422, nil, []string{"graph-definition", "{ref}"}},
		{"a profile", "GET", of + "GraphDefinition/profile", nil, "", 422, nil, []string{"graph-definition"}},
		{"too deep", "GET", of + "GraphDefinition/deep", nil, "", 422, nil, []string{"graph-definition", "levels deep"}},
	})
	for i := range 12 {
		var entries []string
		for k := range 100 {
			entries = append(entries, fmt.Sprintf(`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/q"}},"request":{"method":"POST","url":"Observation?n=%d"}}`, i*100+k))
		}
		b := strings.ReplaceAll(`{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`, `Observation?n=`, `Observation","ifNoneExist":"_id=n`)
		if a := s.do(t, "POST", "/fhir", ct(jsonType), b); a.status != 200 {
			t.Fatalf("%d %.300s", a.status, a.body)
		}
	}
	if a := s.do(t, "GET", "/fhir/Patient/q/$graph?graph=GraphDefinition/g", nil, ""); a.status != 400 || !strings.Contains(string(a.body), "operation-cost") {
		t.Errorf("a graph of 1,200: %d %.300s", a.status, a.body)
	}
}
