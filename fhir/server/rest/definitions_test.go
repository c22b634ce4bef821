package rest_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/storage"
)

func TestDefinitionsAreReadAndSearched(t *testing.T) {
	form := ct("application/x-www-form-urlencoded")
	const patient, tag = `"url":"http://hl7.org/fhir/StructureDefinition/Patient"`, `"tag":[{"system":"urn:fhirgate:tag","code":"definition"}]`
	batch := func(kind string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[{"request":{"method":"GET","url":"StructureDefinition/Patient?_elements=url"}},{"request":{"method":"GET","url":"SearchParameter?base=Observation&code=code&_elements=code"}}]}`
	}
	run(t, []call{
		{"read", "GET", "/fhir/StructureDefinition/Patient", nil, "", 200, []string{"ETag", `W/"1"`, "Last-Modified", "Thu, 31 Oct 2019 22:29:23 GMT"}, []string{patient, tag, `"versionId":"1"`, `"source":"http://hl7.org/fhir/R4"`}},
		{"read by HEAD", "HEAD", "/fhir/StructureDefinition/Patient", nil, "", 200, []string{"ETag", `W/"1"`}, nil},
		{"known already", "GET", "/fhir/StructureDefinition/Patient", []string{"If-None-Match", `W/"1"`}, "", 304, nil, nil},
		{"not modified since", "GET", "/fhir/StructureDefinition/Patient", []string{"If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"}, "", 304, nil, nil},
		{"as XML", "GET", "/fhir/StructureDefinition/Patient", []string{"Accept", "application/fhir+xml"}, "", 200, nil, []string{`<url value="http://hl7.org/fhir/StructureDefinition/Patient"/>`, `<code value="definition"/>`}},
		{"_elements", "GET", "/fhir/StructureDefinition/Patient?_elements=url", nil, "", 200, nil, []string{patient, "SUBSETTED", "!snapshot"}},
		{"_summary", "GET", "/fhir/StructureDefinition/Patient?_summary=true", nil, "", 200, nil, []string{patient, "SUBSETTED", "!snapshot"}},
		{"vread", "GET", "/fhir/StructureDefinition/Patient/_history/1", nil, "", 200, []string{"ETag", `W/"1"`}, []string{patient}},
		{"vread of another version", "GET", "/fhir/StructureDefinition/Patient/_history/2", nil, "", 404, nil, []string{"not-found"}},
		{"history", "GET", "/fhir/StructureDefinition/Patient/_history", nil, "", 200, nil, []string{`"total":1`, patient, `"etag":"W/\"1\""`}},
		{"history since", "GET", "/fhir/StructureDefinition/Patient/_history?_since=2020-01-01T00:00:00Z", nil, "", 200, nil, []string{`"total":0`, "!" + patient}},
		{"none of the id", "GET", "/fhir/StructureDefinition/Patienta", nil, "", 404, nil, []string{"not-found"}},
		{"$meta", "GET", "/fhir/StructureDefinition/Patient/$meta", nil, "", 200, nil, []string{"urn:fhirgate:tag"}},

		{"by url", "GET", "/fhir/StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient", nil, "", 200, nil, []string{`"total":1`, `/fhir/StructureDefinition/Patient"`, patient, tag}},
		{"by _id", "GET", "/fhir/ValueSet?_id=administrative-gender,nobody", nil, "", 200, nil, []string{`"total":1`, "ValueSet/administrative-gender"}},
		{"by POST", "POST", "/fhir/SearchParameter/_search", form, "base=Observation&code=code", 200, nil, []string{`"total":1`, "SearchParameter/clinical-code"}},
		{"as XML", "GET", "/fhir/ValueSet?url=http://hl7.org/fhir/ValueSet/administrative-gender&_format=xml", nil, "", 200, nil, []string{`<total value="1"/>`}},
		{"_elements of a search", "GET", "/fhir/SearchParameter?base=Observation&code=code&_elements=code", nil, "", 200, nil, []string{"SUBSETTED", "!xpath"}},
		{"counted with a condition", "GET", "/fhir/OperationDefinition?code=validate&_summary=count", nil, "", 200, nil, []string{`"total":1`}},
		{"by tag", "GET", "/fhir/CompartmentDefinition?_tag=urn:fhirgate:tag|definition", nil, "", 200, nil, []string{`"total":5`}},
		{"an operation", "GET", "/fhir/OperationDefinition/Patient-everything", nil, "", 200, nil, []string{`"code":"everything"`}},
		{"a code system", "GET", "/fhir/CodeSystem?system=http://terminology.hl7.org/CodeSystem/v3-ActCode", nil, "", 200, nil, []string{`"total":1`}},
		{"a concept map", "GET", "/fhir/ConceptMap?url=http://hl7.org/fhir/ConceptMap/sc-address-type", nil, "", 200, nil, []string{"!OperationOutcome"}},
		{"a chain over a canonical", "GET", "/fhir/StructureDefinition?type=Quantity&base.name=Quantity&derivation=constraint", nil, "", 200, nil, []string{"StructureDefinition/MoneyQuantity", "StructureDefinition/SimpleQuantity"}},
		{"an include", "GET", "/fhir/StructureDefinition?_id=SimpleQuantity&_include=StructureDefinition:base", nil, "", 200, nil, []string{`/fhir/StructureDefinition/Quantity"`, `"mode":"include"`}},
		{"explained", "GET", "/fhir/ValueSet?name=AdministrativeGender&_explain=true", nil, "", 200, nil, []string{"ValueSet: definitions of R4"}},
		{"in a batch", "POST", "/fhir", ct(jsonType), batch("batch"), 200, nil, []string{patient, `"code":"code"`}},
		{"in a transaction", "POST", "/fhir", ct(jsonType), batch("transaction"), 200, nil, []string{patient, `"code":"code"`}},
		{"by GraphQL", "GET", "/fhir/StructureDefinition/Patient/$graphql?query={url}", nil, "", 200, nil, []string{patient}},
		{"include of a definition by another type", "PUT", "/fhir/CarePlan/c", ct(jsonType), `{"resourceType":"CarePlan","id":"c","status":"active","intent":"plan","subject":{"display":"x"},"instantiatesCanonical":["http://hl7.org/fhir/OperationDefinition/Resource-validate"]}`, 201, nil, nil},
		{"included", "GET", "/fhir/CarePlan?_include=CarePlan:instantiates-canonical", nil, "", 200, nil, []string{"OperationDefinition/Resource-validate", `"mode":"include"`}},
		{"not included", "GET", "/fhir/CarePlan?_include=CarePlan:instantiates-canonical&_definitions=false", nil, "", 200, nil, []string{"!\"fullUrl\":\"OperationDefinition", "!\"mode\":\"include\""}},
	})
}

func TestDefinitionsAreNotTheSitesData(t *testing.T) {
	const own = `{"resourceType":"ValueSet","id":"mine","status":"draft","url":"http://example.org/vs"}`
	run(t, []call{
		{"a resource of the site", "PUT", "/fhir/ValueSet/mine", ct(jsonType), own, 201, nil, nil},
		{"a type", "GET", "/fhir/ValueSet", nil, "", 200, nil, []string{`"total":1`, "ValueSet/mine"}},
		{"a type, sorted", "GET", "/fhir/StructureDefinition?_sort=name&_count=5", nil, "", 200, nil, []string{`"total":0`}},
		{"a type's count", "GET", "/fhir/ValueSet?_summary=count", nil, "", 200, nil, []string{`"total":1`}},
		{"asked for", "GET", "/fhir/ValueSet?_definitions=true&_summary=count", nil, "", 200, nil, []string{`"total":1317`}},
		{"asked for, exactly", "GET", "/fhir/ValueSet?_definitions=true&_total=accurate&_count=1", nil, "", 200, nil, []string{`"total":1317`}},
		{"left out", "GET", "/fhir/ValueSet?status=draft&_definitions=false", nil, "", 200, nil, []string{`"total":1`, "_definitions=false"}},
		{"left out by POST", "POST", "/fhir/ValueSet/_search", ct("application/x-www-form-urlencoded"), "status=draft&_definitions=false", 200, nil, []string{`"total":1`}},
		{"neither yes nor no", "GET", "/fhir/ValueSet?_definitions=maybe", nil, "", 400, nil, []string{"_definitions", "true or false"}},
		{"twice", "GET", "/fhir/ValueSet?_definitions=true&_definitions=false", nil, "", 400, nil, []string{"_definitions"}},
		{"the system", "GET", "/fhir?_type=ValueSet,StructureDefinition&_id=mine,Patient,administrative-gender", nil, "", 200, nil, []string{`"total":1`, "!urn:fhirgate:tag"}},
		{"the system, asked for", "GET", "/fhir?_type=ValueSet,StructureDefinition&_id=mine,Patient,administrative-gender&_definitions=true", nil, "", 200, nil, []string{`"total":3`}},
		{"a list of definitions", "PUT", "/fhir/List/l", ct(jsonType), `{"resourceType":"List","id":"l","status":"current","mode":"working","entry":[{"item":{"reference":"StructureDefinition/Patient"}}]}`, 201, nil, nil},
		{"a chain to definitions", "GET", "/fhir/List?item:StructureDefinition.name=Patient&_definitions=true", nil, "", 200, nil, []string{`"total":1`, "List/l"}},
		{"a chain among the site's", "GET", "/fhir/List?item:StructureDefinition.name=Patient", nil, "", 200, nil, []string{`"total":0`}},
		{"_has of definitions", "GET", "/fhir/StructureDefinition?_has:List:item:status=current&_definitions=true", nil, "", 200, nil, []string{`"total":1`, "StructureDefinition/Patient"}},
		{"a definition included by reference", "GET", "/fhir/List?_include=List:item", nil, "", 200, nil, []string{`"total":1`, `"mode":"include"`}},
		{"what refers to a definition", "GET", "/fhir/StructureDefinition?_id=Patient&_revinclude=List:item", nil, "", 200, nil, []string{`"total":1`, "List/l", `"mode":"include"`}},
		{"the system's history", "GET", "/fhir/_history", nil, "", 200, nil, []string{`"total":2`}},
		{"a type's history", "GET", "/fhir/StructureDefinition/_history", nil, "", 200, nil, []string{`"total":0`}},
		{"a conditional create", "POST", "/fhir/ValueSet", ct(jsonType, "If-None-Exist", "url=http://hl7.org/fhir/ValueSet/administrative-gender"), `{"resourceType":"ValueSet","status":"draft","url":"http://hl7.org/fhir/ValueSet/administrative-gender"}`, 201, nil, nil},
		{"a conditional delete", "DELETE", "/fhir/StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient", nil, "", 204, nil, nil},
		{"a conditional patch", "PATCH", "/fhir/StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient", ct("application/json-patch+json"), `[{"op":"add","path":"/title","value":"x"}]`, 404, nil, []string{"not-found"}},
		{"a condition with the parameter", "DELETE", "/fhir/ValueSet?status=draft&_definitions=true", nil, "", 400, nil, []string{"_definitions"}},
		{"patch", "PATCH", "/fhir/StructureDefinition/Patient", ct("application/json-patch+json"), `[{"op":"add","path":"/title","value":"x"}]`, 405, []string{"Allow", "GET, HEAD, PUT, OPTIONS"}, []string{"definition-read-only"}},
		{"delete", "DELETE", "/fhir/StructureDefinition/Patient", nil, "", 405, []string{"Allow", "GET, HEAD, PUT, OPTIONS"}, []string{"definition-read-only"}},
		{"delete in a transaction", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"StructureDefinition/Patient"}}]}`, 400, nil, []string{"definition-read-only"}},
		{"delete in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"StructureDefinition/Patient"}},{"request":{"method":"DELETE","url":"StructureDefinition/nobody"}}]}`, 200, nil, []string{"definition-read-only", `"status":"204`}},
		{"update of a version that the site does not have", "PUT", "/fhir/StructureDefinition/Patient", ct(jsonType, "If-Match", `W/"1"`), structure, 412, nil, nil},
	})
}

// structure is a resource that a site stores in place of a definition.
const structure = `{"resourceType":"StructureDefinition","id":"Patient","url":"http://hl7.org/fhir/StructureDefinition/Patient","name":"Ours","status":"draft","kind":"resource","abstract":false,"type":"Patient"}`

func TestTheSitesResourceReplacesADefinition(t *testing.T) {
	const byURL = "/fhir/StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient"
	run(t, []call{
		{"put", "PUT", "/fhir/StructureDefinition/Patient", ct(jsonType), structure, 201, []string{"ETag", `W/"1"`}, nil},
		{"read", "GET", "/fhir/StructureDefinition/Patient", nil, "", 200, nil, []string{`"name":"Ours"`, "!urn:fhirgate:tag"}},
		{"found", "GET", byURL, nil, "", 200, nil, []string{`"total":1`, `"name":"Ours"`}},
		{"counted", "GET", "/fhir/StructureDefinition?_definitions=true&_summary=count", nil, "", 200, nil, []string{`"total":649`}},
		{"by name", "GET", "/fhir/StructureDefinition?_id=Patient&name=Patient", nil, "", 200, nil, []string{`"total":0`}},
		{"patch", "PATCH", "/fhir/StructureDefinition/Patient", ct("application/json-patch+json"), `[{"op":"add","path":"/title","value":"x"}]`, 200, []string{"ETag", `W/"2"`}, nil},
		{"history", "GET", "/fhir/StructureDefinition/Patient/_history", nil, "", 200, nil, []string{`"total":2`, "!urn:fhirgate:tag"}},
		{"delete", "DELETE", "/fhir/StructureDefinition/Patient", nil, "", 204, nil, nil},
		{"read of what is deleted", "GET", "/fhir/StructureDefinition/Patient", nil, "", 410, nil, nil},
		{"vread", "GET", "/fhir/StructureDefinition/Patient/_history/1", nil, "", 200, nil, []string{`"name":"Ours"`}},
		{"not found when deleted", "GET", byURL, nil, "", 200, nil, []string{`"total":0`}},
		{"counted when deleted", "GET", "/fhir/StructureDefinition?_definitions=true&_summary=count", nil, "", 200, nil, []string{`"total":648`}},
		{"deleted once more", "DELETE", "/fhir/StructureDefinition/Patient", nil, "", 204, nil, nil},
	})
}

// TestPagesOfDefinitionsAndTheSitesResources walks through a search of both in both directions, also where the engine does not show the first page's
// state again, while resources come and go.
func TestPagesOfDefinitionsAndTheSitesResources(t *testing.T) {
	for name, wrap := range map[string]func(storage.Store) storage.Store{"with marks": func(s storage.Store) storage.Store { return s }, "without marks": func(s storage.Store) storage.Store { return unmarked{s} }} {
		t.Run(name, func(t *testing.T) {
			s := newServerOf(t, newConfigOn(t, wrap(openStore(t, nil)), nil))
			for _, id := range []string{"a-first", "m-middle", "z-last"} {
				s.put(t, "OperationDefinition/"+id, `{"resourceType":"OperationDefinition","id":"`+id+`","name":"`+id+`","status":"draft","kind":"operation","code":"c","system":true,"type":false,"instance":false}`)
			}
			for _, sort := range []string{"", "&_sort=name", "&_sort=-_lastUpdated"} {
				query := "/fhir/OperationDefinition?status=draft" + sort
				whole, next := s.page(t, query+"&_count=1000")
				if len(whole.Entry) != 49 || next != "" || *whole.Total != 49 {
					t.Fatalf("%d are found", len(whole.Entry))
				}
				var there, back []string
				var last string
				for path := query + "&_count=7"; path != ""; {
					b, next := s.page(t, path)
					for _, e := range b.Entry {
						there = append(there, e.Resource.ID)
					}
					last, path = path, next
					s.put(t, "OperationDefinition/b-later", `{"resourceType":"OperationDefinition","id":"b-later","name":"b-`+next[:len(next)/9]+`","status":"draft","kind":"operation","code":"c","system":true,"type":false,"instance":false}`)
					s.do(t, "DELETE", "/fhir/OperationDefinition/b-later", nil, "")
				}
				for path := last; path != ""; {
					b, _ := s.page(t, path)
					var ids []string
					for _, e := range b.Entry {
						ids = append(ids, e.Resource.ID)
					}
					back, path = append(ids, back...), ""
					for _, l := range b.Link {
						if l.Relation == "previous" {
							path = strings.TrimPrefix(l.URL, s.url)
						}
					}
				}
				var want []string
				for _, e := range whole.Entry {
					want = append(want, e.Resource.ID)
				}
				if !slices.Equal(there, want) || !slices.Equal(back, want) {
					t.Errorf("%s: the pages have\n%v, backwards\n%v, want\n%v", sort, there, back, want)
				}
			}
		})
	}
}

// unmarked is a store that shows no earlier state.
type unmarked struct{ storage.Store }

func (u unmarked) View(ctx context.Context, f func(storage.Reader) error) error {
	return u.Store.View(ctx, func(r storage.Reader) error { return f(noMark{r}) })
}

type noMark struct{ storage.Reader }

func (noMark) Mark() storage.Mark { return "" }

// TestDefinitionsAreFoundByAParameterOfAClient holds that definitions follow the search parameters in force.
func TestDefinitionsAreFoundByAParameterOfAClient(t *testing.T) {
	s := newServer(t)
	const query = "/fhir/StructureDefinition?element-count-max=*&_id=Patient"
	if a := s.do(t, "GET", "/fhir/StructureDefinition?_id=Patient", nil, ""); a.status != 200 {
		t.Fatal(a.status)
	}
	if a := s.do(t, "GET", query, nil, ""); a.status != 400 {
		t.Errorf("%d before the parameter", a.status)
	}
	s.put(t, "SearchParameter/own", `{"resourceType":"SearchParameter","id":"own","url":"http://example.org/own","name":"own","status":"active","description":"d","code":"element-count-max","base":["StructureDefinition"],"type":"token","expression":"StructureDefinition.snapshot.element.max"}`)
	var b bundle
	if err := json.Unmarshal(s.do(t, "GET", query, nil, "").body, &b); err != nil || len(b.Entry) == 0 || b.Entry[0].Resource.ID != "Patient" {
		t.Errorf("%+v is found (%v)", b.Entry, err)
	}
	if a := s.do(t, "DELETE", "/fhir/SearchParameter/own", nil, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	if a := s.do(t, "GET", query, nil, ""); a.status != 400 {
		t.Errorf("%d after the parameter", a.status)
	}
}
