package rest_test

import (
	"strings"
	"testing"
)

// parameters returns a Parameters resource.
func parameters(list ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`
}

func TestMetaIsReadAtEachLevel(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","meta":{"tag":[{"system":"urn:t","code":"x"}]}}`)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","meta":{"tag":[{"system":"urn:t","code":"y","display":"Y"},{"system":"urn:t","code":"x"}],"profile":["http://example.org/p"]}}`)
	s.put(t, "Patient/b", `{"resourceType":"Patient","id":"b","meta":{"tag":[{"system":"urn:t","code":"x","display":"other"}]}}`)
	s.put(t, "Encounter/e", `{"resourceType":"Encounter","id":"e","meta":{"security":[{"system":"urn:s","code":"R"}]},"status":"planned","class":{"code":"AMB"}}`)
	s.put(t, "Encounter/plain", `{"resourceType":"Encounter","id":"plain","status":"planned","class":{"code":"AMB"}}`)
	s.put(t, "Patient/gone", `{"resourceType":"Patient","id":"gone","meta":{"tag":[{"system":"urn:t","code":"gone"}]}}`)
	if a := s.do(t, "DELETE", "/fhir/Patient/gone", nil, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	const patients = `"valueMeta":{"profile":["http://example.org/p"],"tag":[{"system":"urn:t","code":"x"},{"system":"urn:t","code":"y","display":"Y"}]}}]}`
	runOn(t, s, []call{
		{"instance", "GET", "/fhir/Patient/a/$meta", nil, "", 200, nil, []string{`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":{"versionId":"2","lastUpdated":"`, `"code":"y","display":"Y"`}},
		{"instance by POST", "POST", "/fhir/Patient/a/$meta", ct(jsonType), parameters(), 200, nil, []string{`"versionId":"2"`}},
		{"a version", "GET", "/fhir/Patient/a/_history/1/$meta", nil, "", 200, nil, []string{`"versionId":"1"`, `"tag":[{"system":"urn:t","code":"x"}]`}},
		{"a version that is not there", "GET", "/fhir/Patient/a/_history/7/$meta", nil, "", 404, nil, []string{"not-found"}},
		{"a version that cannot be", "GET", "/fhir/Patient/a/_history/a_b/$meta", nil, "", 400, nil, []string{"invalid-id"}},
		{"a version of an operation without", "GET", "/fhir/Patient/a/_history/1/$everything", nil, "", 404, nil, []string{"unknown-operation"}},
		{"a deleted resource", "GET", "/fhir/Patient/gone/$meta", nil, "", 410, nil, []string{"deleted"}},
		{"a type", "GET", "/fhir/Patient/$meta", nil, "", 200, nil, []string{patients}},
		{"a type without labels", "GET", "/fhir/Observation/$meta", nil, "", 200, nil, []string{`"valueMeta":{}}]}`}},
		{"the system", "GET", "/fhir/$meta", nil, "", 200, nil, []string{`"security":[{"system":"urn:s","code":"R"}]`, `"profile":["http://example.org/p"]`, "!gone"}},
		{"the system in XML", "GET", "/fhir/$meta?_format=xml", nil, "", 200, nil, []string{`<valueMeta><profile value="http://example.org/p"/>`}},
		{"a parameter", "GET", "/fhir/$meta?x=1", nil, "", 400, nil, []string{"$meta has no parameters"}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/a/_history/1/$meta"}},{"request":{"method":"GET","url":"Patient/$meta"}}]}`, 200, nil,
			[]string{`"versionId":"1"`, patients}},
	})
}

func TestMetaIsChangedByNewVersions(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a","meta":{"source":"urn:src","tag":[{"system":"urn:t","code":"x","display":"kept"}],"profile":["http://example.org/p","http://example.org/q"],"_profile":[null,{"id":"i"}]},"active":true}`)
	s.put(t, "Patient/bare", `{"resourceType":"Patient","id":"bare","active":true}`)
	meta := func(m string) string { return parameters(`{"name":"meta","valueMeta":` + m + `}`) }
	add := meta(`{"tag":[{"system":"urn:t","code":"x","display":"other"},{"system":"urn:t","code":"y"}],"security":[{"system":"urn:s","code":"R"}],"profile":["http://example.org/p","http://example.org/r"]}`)
	drop := meta(`{"tag":[{"system":"urn:t","code":"x","version":"9"},{"code":"never"}],"profile":["http://example.org/p"]}`)
	find := func(query string, found bool) call {
		want := `"total":0`
		if found {
			want = `"total":1`
		}
		return call{query, "GET", "/fhir/Patient?_id=a&" + query, nil, "", 200, nil, []string{want}}
	}
	runOn(t, s, []call{
		{"add", "POST", "/fhir/Patient/a/$meta-add", ct(jsonType), add, 200, nil, []string{`"versionId":"2"`, `"source":"urn:src"`,
			`"profile":["http://example.org/p","http://example.org/q","http://example.org/r"],"_profile":[null,{"id":"i"},null]`,
			`"tag":[{"system":"urn:t","code":"x","display":"kept"},{"system":"urn:t","code":"y"}]`, `"security":[{"system":"urn:s","code":"R"}]`}},
		{"add the same again", "POST", "/fhir/Patient/a/$meta-add", ct(jsonType), add, 200, nil, []string{`"versionId":"2"`}},
		find("_tag=urn:t|y", true), find("_security=urn:s|R", true), find("_profile=http://example.org/r", true),
		{"delete", "POST", "/fhir/Patient/a/$meta-delete", ct(jsonType), drop, 200, nil, []string{`"versionId":"3"`, `"profile":["http://example.org/q","http://example.org/r"],"_profile":[{"id":"i"},null]`,
			`"tag":[{"system":"urn:t","code":"y"}]`}},
		{"delete the same again", "POST", "/fhir/Patient/a/$meta-delete", ct(jsonType), drop, 200, nil, []string{`"versionId":"3"`}},
		find("_tag=urn:t|x", false), find("_tag=urn:t|y", true), find("_profile=http://example.org/p", false),
		{"what it was", "GET", "/fhir/Patient/a/_history/2", nil, "", 200, nil, []string{`"display":"kept"`}},
		{"the rest stays", "GET", "/fhir/Patient/a", nil, "", 200, []string{"Etag", `W/"3"`}, []string{`"active":true`}},
		{"the first label", "POST", "/fhir/Patient/bare/$meta-add", ct(jsonType), meta(`{"tag":[{"code":"n"}]}`), 200, nil, []string{`"tag":[{"code":"n"}]`}},
		{"a stale version", "POST", "/fhir/Patient/a/$meta-add", ct(jsonType, "If-Match", `W/"1"`), add, 412, nil, nil},
		{"without a meta", "POST", "/fhir/Patient/a/$meta-add", ct(jsonType), parameters(), 400, nil, []string{"the parameter meta is missing"}},
		{"no Meta", "POST", "/fhir/Patient/a/$meta-add", ct(jsonType), parameters(`{"name":"meta","valueString":"x"}`), 400, nil, []string{"meta is a valueMeta"}},
		{"in the URL", "POST", "/fhir/Patient/a/$meta-add?meta=x", nil, "", 400, nil, []string{"send Parameters"}},
		{"by GET", "GET", "/fhir/Patient/a/$meta-add", nil, "", 405, nil, nil},
		{"nobody", "POST", "/fhir/Patient/nobody/$meta-add", ct(jsonType), add, 404, nil, nil},
		{"a version", "POST", "/fhir/Patient/a/_history/1/$meta-add", ct(jsonType), add, 404, nil, []string{"$meta-add is served as [type]/[id]/$meta-add"}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + add + `,"request":{"method":"POST","url":"Patient/bare/$meta-add"}}]}`, 200, nil, []string{`"status":"200`, `"code":"n"`, `"code":"y"`}},
		{"in a transaction", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + add + `,"request":{"method":"POST","url":"Patient/bare/$meta-add"}}]}`, 501, nil, []string{"entry-operation"}},
	})
}

func TestConvertBetweenFormats(t *testing.T) {
	const asXML = `<Patient xmlns="http://hl7.org/fhir"><name><family value="Doe"/></name></Patient>`
	const asJSON = `{"resourceType":"Patient","name":[{"family":"Doe"}]}`
	run(t, []call{
		{"JSON to XML", "POST", "/fhir/$convert", ct(jsonType, "Accept", xmlType), asJSON, 200, []string{"Content-Type", utf8XML}, []string{asXML}},
		{"XML to JSON", "POST", "/fhir/$convert", ct(xmlType, "Accept", jsonType), asXML, 200, []string{"Content-Type", utf8Type}, []string{asJSON}},
		{"by _format", "POST", "/fhir/$convert?_format=xml", ct(jsonType), asJSON, 200, nil, []string{asXML}},
		{"as a parameter", "POST", "/fhir/$convert?_format=xml", ct(jsonType), parameters(`{"name":"input","resource":` + asJSON + `}`), 200, nil, []string{asXML}},
		{"Parameters", "POST", "/fhir/$convert?_format=xml", ct(jsonType), parameters(`{"name":"x","valueDecimal":1.00}`), 200, nil, []string{`<valueDecimal value="1.00"/>`}},
		{"no resource", "POST", "/fhir/$convert", nil, "", 400, nil, []string{"operation-parameter"}},
		{"input twice", "POST", "/fhir/$convert", ct(jsonType), parameters(`{"name":"input","resource":`+asJSON+`}`, `{"name":"input","resource":`+asJSON+`}`), 400, nil, []string{"takes it once"}},
		{"input that is no resource", "POST", "/fhir/$convert", ct(jsonType), parameters(`{"name":"input","valueString":"x"}`), 400, nil, []string{"input is a resource"}},
		{"another parameter", "POST", "/fhir/$convert?to=xml", ct(jsonType), asJSON, 400, nil, []string{"operation-parameter"}},
		{"what XML cannot hold", "POST", "/fhir/$convert?_format=xml", ct(jsonType), `{"resourceType":"Patient","nome":[{"family":"Doe"}]}`, 406, nil, nil},
		{"wrong XML", "POST", "/fhir/$convert", ct(xmlType), `<Patient xmlns="http://hl7.org/fhir"><nome/></Patient>`, 400, nil, nil},
		{"nothing is stored", "GET", "/fhir/Patient", nil, "", 200, nil, []string{`"total":0`}},
	})
}

func TestFindReturnsTheCurrentListOfAPatient(t *testing.T) {
	s := newServer(t)
	list := func(id, status, mode, patient, date, code string) {
		s.put(t, "List/"+id, `{"resourceType":"List","id":"`+id+`","status":"`+status+`","mode":"`+mode+`","subject":{"reference":"Patient/`+patient+`"},"date":"`+date+`","code":{"coding":[`+code+`]}}`)
	}
	const problems, allergies = `{"system":"http://terminology.hl7.org/CodeSystem/list-example-use-codes","code":"problems"}`, `{"system":"http://terminology.hl7.org/CodeSystem/list-example-use-codes","code":"allergies"}`
	list("older", "current", "working", "p", "2024-01-01", problems)
	list("newer", "current", "working", "p", "2024-03-01", problems)
	list("snapshot", "current", "snapshot", "p", "2024-05-01", problems)
	list("retired", "retired", "working", "p", "2024-06-01", problems)
	list("other", "current", "working", "q", "2024-06-01", problems)
	list("allergies", "current", "working", "p", "2024-06-01", allergies)
	list("own", "current", "working", "p", "2024-02-01", `{"system":"http://example.org","code":"due,soon"}`)
	list("changes", "current", "changes", "q", "2024-05-01", allergies)
	find := func(name, query, id string) call {
		return call{name, "GET", "/fhir/List/$find?" + query, nil, "", 200, nil, []string{`"resourceType":"List","id":"` + id + `"`}}
	}
	runOn(t, s, []call{
		find("the newest", "patient=p&name=current-problems", "newer"),
		find("with a dollar sign", "patient=p&name=$current-problems", "newer"),
		find("of another", "patient=q&name=current-problems", "other"),
		find("allergies", "patient=p&name=current-allergies", "allergies"),
		find("the site's own", "patient=p&name=due,soon", "own"),
		{"by POST", "POST", "/fhir/List/$find", ct(jsonType), parameters(`{"name":"patient","valueId":"p"}`, `{"name":"name","valueCode":"current-allergies"}`), 200, nil, []string{`"id":"allergies"`}},
		{"changes alone", "GET", "/fhir/List/$find?patient=q&name=current-allergies", nil, "", 404, nil, []string{"not-found"}},
		{"none", "GET", "/fhir/List/$find?patient=p&name=current-medications", nil, "", 404, nil, []string{"not-found"}},
		{"nobody", "GET", "/fhir/List/$find?patient=nobody&name=current-problems", nil, "", 404, nil, []string{"not-found"}},
		{"no id", "GET", "/fhir/List/$find?patient=Patient/p&name=current-problems", nil, "", 400, nil, []string{"operation-parameter"}},
		{"no name", "GET", "/fhir/List/$find?patient=p", nil, "", 400, nil, []string{"the parameter name is missing"}},
		{"another type", "GET", "/fhir/Patient/$find?patient=p&name=x", nil, "", 404, nil, []string{"unknown-operation"}},
	})
}
