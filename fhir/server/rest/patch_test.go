package rest_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

const (
	patchType = "application/json-patch+json"
	toRoe     = `[{"op":"test","path":"/name/0/family","value":"Doe"},{"op":"replace","path":"/name/0/family","value":"Roe"}]`
	toPoe     = `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.name[0].family"},{"name":"value","valueString":"Poe"}]}]}`
)

func TestPatch(t *testing.T) {
	const observation = `{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.00,"unit":"\u0078"},"status":"final","code":{"text":"x"}}`
	runOn(t, newServerOf(t, newValidating(t)), []call{
		{"of what never existed", "PATCH", "/fhir/Patient/jane", ct(patchType), toRoe, 404, nil, []string{`"code":"not-found"`}},
		{"put", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201, nil, nil},
		{"JSON Patch", "PATCH", "/fhir/Patient/jane", ct(patchType), toRoe, 200, []string{"Etag", `W/"2"`, "Content-Type", utf8Type, "Content-Location", "/.*/Patient/jane/_history/2/", "Location", ""}, []string{`"family":"Roe"`}},
		{"a test that fails", "PATCH", "/fhir/Patient/jane", ct(patchType), toRoe, 422, []string{"Etag", ""}, []string{"patch-test", "operation 0 (test /name/0/family)"}},
		{"FHIRPath Patch", "PATCH", "/fhir/Patient/jane", ct(jsonType), toPoe, 200, []string{"Etag", `W/"3"`}, []string{`"family":"Poe"`}},
		{"that changes nothing", "PATCH", "/fhir/Patient/jane", ct(jsonType), toPoe, 200, []string{"Etag", `W/"3"`}, nil},
		{"FHIRPath Patch in XML", "PATCH", "/fhir/Patient/jane", ct(xmlType, "Accept", xmlType), `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="delete"/></part>` +
			`<part><name value="path"/><valueString value="Patient.name"/></part></parameter></Parameters>`, 200, []string{"Etag", `W/"4"`, "Content-Type", utf8XML}, []string{"!Poe"}},
		{"no operation", "PATCH", "/fhir/Patient/jane", ct(patchType), `[]`, 200, []string{"Etag", `W/"4"`}, nil},
		{"history says so", "GET", "/fhir/Patient/jane/_history", nil, "", 200, nil, []string{`"total":4`, `"method":"PATCH"`}},
		{"put an Observation", "PUT", "/fhir/Observation/o", ct(jsonType), observation, 201, nil, nil},
		{"the rest stays as it was written", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"replace","path":"/status","value":"amended"}]`, 200, nil,
			[]string{`"valueQuantity":{"value":1.00,"unit":"\u0078"},"status":"amended","code":{"text":"x"}}`}},
		{"stale If-Match", "PATCH", "/fhir/Observation/o", ct(patchType, "If-Match", `W/"1"`), `[]`, 412, nil, []string{"if-match"}},
		{"If-Match", "PATCH", "/fhir/Observation/o", ct(patchType, "If-Match", `W/"2"`), `[{"op":"replace","path":"/status","value":"final"}]`, 200, []string{"Etag", `W/"3"`}, nil},
		{"minimal", "PATCH", "/fhir/Observation/o", ct(patchType, "Prefer", "return=minimal"), `[{"op":"add","path":"/issued","value":"2020-01-01T00:00:00Z"}]`, 200, []string{"Etag", `W/"4"`, "Content-Length", "0"}, nil},
		{"outcome", "PATCH", "/fhir/Observation/o", ct(patchType, "Prefer", "return=OperationOutcome"), `[{"op":"remove","path":"/issued"}]`, 200, nil, []string{"OperationOutcome"}},
		{"what is not valid is not stored", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"remove","path":"/status"}]`, 422, nil, []string{"Observation.status"}},
		{"nor what is unknown", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"add","path":"/spam","value":1}]`, 422, nil, []string{"Observation.spam"}},
		{"an id stays", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"replace","path":"/id","value":"p"}]`, 422, nil, []string{"patch-identity"}},
		{"a type stays", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"replace","path":"","value":{"resourceType":"Patient","id":"o"}}]`, 422, nil, []string{"patch-identity"}},
		{"a version is the server's", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"replace","path":"/meta/versionId","value":"77"},{"op":"add","path":"/language","value":"de"}]`, 200, []string{"Etag", `W/"6"`}, []string{`"versionId":"6"`}},
		{"a path to nothing", "PATCH", "/fhir/Observation/o", ct(patchType), `[{"op":"add","path":"/language","value":"en"},{"op":"remove","path":"/note/0"}]`, 422, nil, []string{"patch-path", "operation 1 (remove /note/0)"}},
		{"and nothing of it is stored", "GET", "/fhir/Observation/o", nil, "", 200, []string{"Etag", `W/"6"`}, []string{`"language":"de"`}},
		{"a FHIRPath to nothing", "PATCH", "/fhir/Observation/o", ct(jsonType), strings.Replace(toPoe, "Patient.name[0].family", "Observation.note[0].text", 1), 422, nil, []string{"patch-path", `"expression":["Parameters.parameter[0]"]`}},
		{"no JSON Patch", "PATCH", "/fhir/Observation/o", ct(patchType), `{"op":"add"}`, 400, nil, []string{"patch-malformed"}},
		{"no JSON", "PATCH", "/fhir/Observation/o", ct(patchType), `[`, 400, nil, []string{"json-syntax"}},
		{"no patch", "PATCH", "/fhir/Observation/o", ct(jsonType), observation, 400, nil, []string{"patch-malformed"}},
		{"XML Patch", "PATCH", "/fhir/Observation/o", ct("application/xml-patch+xml"), `<diff/>`, 415, nil, []string{"content-type"}},
		{"no body", "PATCH", "/fhir/Observation/o", ct(patchType), "", 400, nil, []string{"body-missing"}},
		{"no Content-Type", "PATCH", "/fhir/Observation/o", nil, "[]", 415, nil, []string{"content-type-missing"}},
		{"delete", "DELETE", "/fhir/Observation/o", nil, "", 204, nil, nil},
		{"of what is deleted", "PATCH", "/fhir/Observation/o", ct(patchType), `[]`, 410, nil, []string{`"code":"deleted"`}},
	})
}

func TestConditionalPatch(t *testing.T) {
	const mrn = "identifier=http://example.org/mrn|1"
	run(t, []call{
		{"of none", "PATCH", "/fhir/Patient?" + mrn, ct(patchType), toRoe, 404, nil, []string{"not-found"}},
		{"create", "POST", "/fhir/Patient", ct(jsonType), withNames, 201, nil, nil},
		{"of one", "PATCH", "/fhir/Patient?" + mrn, ct(patchType), toRoe, 200, []string{"Etag", `W/"2"`}, []string{"Roe"}},
		{"by FHIRPath", "PATCH", "/fhir/Patient?" + mrn + "&_format=json", ct(jsonType), toPoe, 200, []string{"Etag", `W/"3"`}, []string{"Poe"}},
		{"with If-Match", "PATCH", "/fhir/Patient?" + mrn, ct(jsonType, "If-Match", `W/"1"`), toPoe, 412, nil, nil},
		{"another one", "POST", "/fhir/Patient", ct(jsonType), withNames, 201, nil, nil},
		{"of several", "PATCH", "/fhir/Patient?" + mrn, ct(patchType), toRoe, 412, nil, []string{"multiple-matches"}},
		{"without a condition", "PATCH", "/fhir/Patient", ct(patchType), toRoe, 400, nil, []string{"empty-condition"}},
		{"with an unknown parameter", "PATCH", "/fhir/Patient?spam=1", ct(patchType), toRoe, 400, nil, []string{"unknown-parameter"}},
	})
}

func TestPatchesInBundles(t *testing.T) {
	binary := `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(toRoe)) + `"}`
	bundle := func(typ string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	patch := func(url, resource, more string) string {
		return `{"resource":` + resource + `,"request":{"method":"PATCH","url":"` + url + `"` + more + `}}`
	}
	link := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"generalPractitioner"},` +
		`{"name":"value","valueReference":{"reference":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}}]}]}`
	practitioner := `{"fullUrl":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a","resource":{"resourceType":"Practitioner"},"request":{"method":"POST","url":"Practitioner"}}`
	run(t, []call{
		{"put", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 201, nil, nil},
		{"batch", "POST", "/fhir", ct(jsonType, "Prefer", "return=representation"), bundle("batch", patch("Patient/jane", binary, ""), patch("Patient/nobody", binary, "")), 200, nil, []string{`"family":"Roe"`, `"status":"200 OK"`, `"status":"404`}},
		{"put again", "PUT", "/fhir/Patient/jane", ct(jsonType), jane, 200, nil, nil},
		{"transaction", "POST", "/fhir", ct(jsonType, "Prefer", "return=representation"), bundle("transaction", patch("Patient?family=doe", toPoe, ""), practitioner), 200, nil, []string{`"family":"Poe"`, `"etag":"W/\"4\""`}},
		{"a patch refers to another entry", "POST", "/fhir", ct(jsonType, "Prefer", "return=representation"), bundle("transaction", patch("Patient/jane", link, `,"ifMatch":"W/\"4\""`), practitioner), 200, nil, []string{`"generalPractitioner":[{"reference":"Practitioner/`, "!urn:uuid"}},
		{"a stale one undoes all", "POST", "/fhir", ct(jsonType), bundle("transaction", patch("Patient/jane", toPoe, `,"ifMatch":"W/\"4\""`), practitioner), 412, nil, []string{"Bundle.entry[0]"}},
		{"one that fails undoes all", "POST", "/fhir", ct(jsonType), bundle("transaction", practitioner, patch("Patient/jane", binary, "")), 422, nil, []string{"patch-test", "Bundle.entry[1]"}},
		{"and names its operation", "POST", "/fhir", ct(jsonType), bundle("transaction", patch("Patient/jane", strings.Replace(toPoe, "name[0]", "name[7]", 1), "")), 422, nil, []string{"Bundle.entry[0].resource.parameter[0]"}},
		{"no patch", "POST", "/fhir", ct(jsonType), bundle("transaction", patch("Patient/jane", `{"resourceType":"Patient"}`, "")), 400, nil, []string{"patch-malformed"}},
		{"no base64", "POST", "/fhir", ct(jsonType), bundle("transaction", patch("Patient/jane", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"!"}`, "")), 400, nil, []string{"Bundle.entry[0].resource.data"}},
		{"the last version is there", "GET", "/fhir/Patient/jane", nil, "", 200, []string{"Etag", `W/"5"`}, nil},
	})
}

// TestPatchesAreHeldToTheLimitsOfBodies patches a resource past what a body may be, by every way that a patch can come.
func TestPatchesAreHeldToTheLimitsOfBodies(t *testing.T) {
	cfg := newConfig(t)
	const limit = 2_000
	text := strings.Repeat("x", 1_200)
	small := func(c *rest.Config) { c.Limits.Body, c.Limits.Depth = limit, 12 }
	twice := `[{"op":"copy","from":"/name/0","path":"/name/-"}]`
	added := func(name, value string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"` + name + `"},{"name":"value",` + value + `}]}]}`
	}
	large, deep := added("name", `"valueHumanName":{"text":"`+text+`"}`), `{"url":"u","extension":[{"url":"u","extension":[{"url":"u","extension":[{"url":"u"}]}]}]}`
	deeper := `[{"op":"add","path":"/extension","value":[` + deep + `]},{"op":"copy","from":"/extension/0","path":"/extension/0/extension/0/extension/-"}]`
	entry := func(typ, json string) string {
		return `{"resourceType":"Bundle","type":"` + typ + `","entry":[{"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(json)) + `"},"request":{"method":"PATCH","url":"Patient/p"}}]}`
	}
	runOn(t, newServerOf(t, cfg), []call{
		{"put", "PUT", "/fhir/Patient/p", ct(jsonType), `{"resourceType":"Patient","id":"p","name":[{"text":"` + text + `"}]}`, 201, nil, nil},
		{"put what will be past the limit", "PUT", "/fhir/Patient/q", ct(jsonType), `{"resourceType":"Patient","id":"q","name":[{"text":"` + text + text + text + `"},{"text":"` + text + `"}]}`, 201, nil, nil},
	})
	runOn(t, newServerOf(t, cfg, small), []call{
		{"JSON Patch", "PATCH", "/fhir/Patient/p", ct(patchType), twice, 413, nil, []string{"patch-size", "at most 2000 bytes"}},
		{"FHIRPath Patch", "PATCH", "/fhir/Patient/p", ct(jsonType), large, 413, nil, []string{"patch-size"}},
		{"conditional", "PATCH", "/fhir/Patient?_id=p", ct(patchType), twice, 413, nil, []string{"patch-size"}},
		{"in a batch", "POST", "/fhir", ct(jsonType), entry("batch", twice), 200, nil, []string{`"status":"413`, "patch-size"}},
		{"in a transaction", "POST", "/fhir", ct(jsonType), entry("transaction", twice), 413, nil, []string{"patch-size", "Bundle.entry[0]"}},
		{"nested too deep", "PATCH", "/fhir/Patient/p", ct(patchType), deeper, 413, nil, []string{"patch-depth", "operation 1"}},
		{"nested not too deep by FHIRPath", "PATCH", "/fhir/Patient/p", ct(jsonType), strings.Replace(added("extension", `"part":[{"name":"url","valueUri":"u"},{"name":"extension","part":[{"name":"url","valueUri":"u"}]}]`), "Patient", "Patient.name[0]", 1), 200, []string{"Etag", `W/"2"`}, nil},
		{"nothing else was stored", "GET", "/fhir/Patient/p", nil, "", 200, []string{"Etag", `W/"2"`}, nil},
		{"what is past the limit may shrink", "PATCH", "/fhir/Patient/q", ct(patchType), `[{"op":"remove","path":"/name/1"}]`, 200, []string{"Etag", `W/"2"`}, nil},
		{"but not grow", "PATCH", "/fhir/Patient/q", ct(patchType), `[{"op":"add","path":"/active","value":true}]`, 413, nil, []string{"patch-size"}},
	})
}

// TestPatchesOfATransactionNameItsEntries adds references to what the transaction creates, or finds, by both kinds of patches.
func TestPatchesOfATransactionNameItsEntries(t *testing.T) {
	s := newServer(t)
	const urn = "urn:uuid:6c6f1c1e-0000-4000-8000-000000000001"
	reference := func(text string) string { return `{"reference":"` + text + `"}` }
	jsonOf := func(operations string) string {
		return `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(operations)) + `"}`
	}
	add := func(value string) string {
		return `[ {"op": "add", "path": "/managingOrganization", "value": ` + value + `} ]`
	}
	if a := s.do(t, "PUT", "/fhir/Organization/found", ct(jsonType), `{"resourceType":"Organization","id":"found","identifier":[{"system":"s","value":"v"}]}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for i, c := range []struct{ name, patch, want string }{
		{"a FHIRPath Patch", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},
			{"name":"name","valueString":"managingOrganization"},{"name":"value","valueReference":` + reference(urn) + `}]}]}`, `"Organization/`},
		{"a JSON Patch", jsonOf(add(reference(urn))), `"Organization/`},
		{"a JSON Patch, in upper case", jsonOf(add(reference(strings.ToUpper(urn)))), `"Organization/`},
		{"a JSON Patch of the reference's text", jsonOf(`[{"op":"add","path":"/managingOrganization","value":{"display":"x"}},{"op":"add","path":"/managingOrganization/reference","value":"` + urn + `"}]`), `"Organization/`},
		{"a JSON Patch with a search", jsonOf(add(reference("Organization?identifier=s|v"))), `"Organization/found"`},
		{"a JSON Patch that names no entry", jsonOf(add(reference("urn:uuid:6c6f1c1e-0000-4000-8000-00000000000f"))), ""},
		{"a JSON Patch with a search that finds nothing", jsonOf(add(reference("Organization?identifier=s|w"))), ""},
	} {
		id := "p" + strconv.Itoa(i)
		s.do(t, "PUT", "/fhir/Patient/"+id, ct(jsonType), `{"resourceType":"Patient","id":"`+id+`","active":true}`)
		a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+c.patch+`,"request":{"method":"PATCH","url":"Patient/`+id+`"}},
			{"fullUrl":"`+urn+`","resource":{"resourceType":"Organization","name":"O"},"request":{"method":"POST","url":"Organization"}}]}`)
		got := string(s.do(t, "GET", "/fhir/Patient/"+id, nil, "").body)
		if c.want == "" {
			if a.status < 400 || !strings.Contains(string(a.body), "Bundle.entry[0]") || strings.Contains(got, "managingOrganization") {
				t.Errorf("%s: %d %s\n%s", c.name, a.status, a.body, got)
			}
		} else if a.status != 200 || !strings.Contains(got, `"managingOrganization":{`) || !strings.Contains(got, `"reference":`+c.want) {
			t.Errorf("%s: %d %s\n%s", c.name, a.status, a.body, got)
		}
	}
}
