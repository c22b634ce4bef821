package rest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

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

// everything reads a whole $everything and returns the keys of its entries by their mode. No entry may be there twice.
func (s *server) everything(t *testing.T, method, path, body string) (matches, includes []string) {
	t.Helper()
	a := s.do(t, method, path, ct(jsonType), body)
	if a.status != 200 {
		t.Fatalf("%s %s: %d %.300s", method, path, a.status, a.body)
	}
	var b bundle
	if err := json.Unmarshal(a.body, &b); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	seen := map[string]bool{}
	for _, e := range b.Entry {
		key := e.Resource.ResourceType + "/" + e.Resource.ID
		if seen[key] {
			t.Errorf("%s: %s is there twice", path, key)
		}
		seen[key] = true
		if e.Search.Mode == "match" {
			matches = append(matches, key)
		} else {
			includes = append(includes, key)
		}
	}
	for _, l := range b.Link {
		if l.Relation != "self" {
			t.Errorf("%s: a whole response has the link %s", path, l.Relation)
		}
	}
	slices.Sort(matches)
	slices.Sort(includes)
	return matches, includes
}

func TestEverythingTakesTheParametersOfItsDefinition(t *testing.T) {
	s := newServer(t)
	s.put(t, "Practitioner/dr", `{"resourceType":"Practitioner","id":"dr"}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","generalPractitioner":[{"reference":"Practitioner/dr"}]}`)
	s.put(t, "Encounter/old", `{"resourceType":"Encounter","id":"old","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2019-03-01","end":"2019-03-04"}}`)
	s.put(t, "Observation/o", `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-05-01","encounter":{"reference":"Encounter/old"}}`)
	s.put(t, "Observation/undated", `{"resourceType":"Observation","id":"undated","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)
	s.put(t, "Binary/b", `{"resourceType":"Binary","id":"b","contentType":"text/plain","data":"eA=="}`)
	s.put(t, "DocumentReference/d", `{"resourceType":"DocumentReference","id":"d","status":"current","subject":{"reference":"Patient/p"},"date":"2024-06-01T00:00:00Z","content":[{"attachment":{"url":"Binary/b"}}]}`)
	call := func(parameters string) string {
		return `{"resourceType":"Parameters","parameter":[` + parameters + `]}`
	}
	all, beside := []string{"DocumentReference/d", "Encounter/old", "Observation/o", "Observation/undated", "Patient/p"}, []string{"Binary/b", "Practitioner/dr"}
	for _, c := range []struct {
		name, method, query, body string
		matches, includes         []string
	}{
		{"all", "GET", "", "", all, beside},
		{"all by POST", "POST", "", call(""), all, beside},
		{"types repeated", "GET", "_type=Observation&_type=Encounter", "", []string{"Encounter/old", "Observation/o", "Observation/undated"}, nil},
		{"types with commas", "GET", "_type=Observation,Encounter", "", []string{"Encounter/old", "Observation/o", "Observation/undated"}, nil},
		{"types in Parameters", "POST", "", call(`{"name":"_type","valueCode":"Observation"},{"name":"_type","valueCode":"Practitioner"}`), []string{"Observation/o", "Observation/undated"}, []string{"Practitioner/dr"}},
		{"a type outside of the compartment", "GET", "_type=Practitioner", "", nil, []string{"Practitioner/dr"}},
		{"attachments", "GET", "_type=Binary", "", nil, []string{"Binary/b"}},
		{"care since 2020", "GET", "start=2020", "", []string{"DocumentReference/d", "Observation/o", "Observation/undated", "Patient/p"}, []string{"Binary/b", "Encounter/old", "Practitioner/dr"}},
		{"care up to 2019-03", "GET", "end=2019-03", "", []string{"Encounter/old", "Observation/undated", "Patient/p"}, []string{"Practitioner/dr"}},
		{"care within a stay", "GET", "start=2019-03-02&end=2019-03-03&_type=Encounter", "", []string{"Encounter/old"}, nil},
		{"nothing since", "GET", "_since=2100-01-01T00:00:00Z", "", nil, nil},
	} {
		path := "/fhir/Patient/p/$everything"
		if c.query != "" {
			path += "?" + c.query
		}
		matches, includes := s.everything(t, c.method, path, c.body)
		if !slices.Equal(matches, c.matches) || !slices.Equal(includes, c.includes) {
			t.Errorf("%s: matches %v and includes %v, want %v and %v", c.name, matches, includes, c.matches, c.includes)
		}
	}
}

// TestEverythingIsWhole holds that a record of several chunks comes whole, each resource once, in every format and in a batch.
func TestEverythingIsWhole(t *testing.T) {
	s := newServer(t)
	s.put(t, "Practitioner/dr", `{"resourceType":"Practitioner","id":"dr"}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p"}`)
	want := map[string]bool{"Patient/p": true}
	var entries []string
	for i := range 450 {
		id := fmt.Sprintf("o%03d", i)
		want["Observation/"+id] = true
		entries = append(entries, `{"resource":{"resourceType":"Observation","id":"`+id+`","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"performer":[{"reference":"Practitioner/dr"}]},"request":{"method":"PUT","url":"Observation/`+id+`"}}`)
	}
	if a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`); a.status != 200 {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	wanted := slices.Sorted(maps.Keys(want))
	matches, includes := s.everything(t, "GET", "/fhir/Patient/p/$everything", "")
	if !slices.Equal(matches, wanted) || !slices.Equal(includes, []string{"Practitioner/dr"}) {
		t.Errorf("%d matches and %v", len(matches), includes)
	}
	pretty, _ := s.everything(t, "GET", "/fhir/Patient/p/$everything?_pretty=true", "")
	if !slices.Equal(pretty, wanted) {
		t.Errorf("with _pretty %d matches", len(pretty))
	}
	if a := s.do(t, "GET", "/fhir/Patient/p/$everything?_format=xml", nil, ""); a.status != 200 || strings.Count(string(a.body), "<Observation>") != 450 || strings.Count(string(a.body), "<Practitioner>") != 1 {
		t.Errorf("as XML: %d, %d bytes", a.status, len(a.body))
	}
	a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p/$everything"}}]}`)
	if a.status != 200 || strings.Count(string(a.body), `"resourceType":"Observation"`) != 450 {
		t.Errorf("in a batch: %d %.300s", a.status, a.body)
	}
}

// TestEverythingHasItsAttachments writes URLs of attachments that are resources here, each way that a client may, and others that are not.
func TestEverythingHasItsAttachments(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p"}`)
	for _, id := range []string{"a", "b", "c", "d", "extension"} {
		s.put(t, "Binary/"+id, `{"resourceType":"Binary","id":"`+id+`","contentType":"text/plain","data":"eA=="}`)
	}
	document := func(id, url string) string {
		return `{"resourceType":"DocumentReference","id":"` + id + `","status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"url":"` + url + `"}}]}`
	}
	at := func(id string) string {
		t.Helper()
		return string(s.do(t, "GET", "/fhir/DocumentReference/"+id, nil, "").body)
	}
	s.put(t, "DocumentReference/a", document("a", s.url+"/fhir/Binary/a"))
	s.put(t, "DocumentReference/b", document("b", "Binary/b"))
	s.put(t, "DocumentReference/other", document("other", "http://elsewhere.example.org/fhir/Binary/d"))
	s.put(t, "DocumentReference/search", document("search", s.url+"/fhir/Binary?_id=d"))
	s.put(t, "Observation/o", `{"resourceType":"Observation","id":"o","extension":[{"url":"`+s.url+`/fhir/Binary/extension","valueAttachment":{"url":"`+s.url+`/fhir/Binary/c/_history/1"}}],
		"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)
	for _, kind := range []string{"batch", "transaction"} {
		if a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"`+kind+`","entry":[{"request":{"method":"PUT","url":"DocumentReference/`+kind+`"},"resource":`+
			document(kind, s.url+"/fhir/Binary/a")+`}]}`); a.status != 200 {
			t.Fatalf("%d %.300s", a.status, a.body)
		}
	}
	for id, url := range map[string]string{"a": "Binary/a", "b": "Binary/b", "batch": "Binary/a", "transaction": "Binary/a", "other": "http://elsewhere.example.org/fhir/Binary/d", "search": s.url + "/fhir/Binary?_id=d"} {
		if body := at(id); !strings.Contains(body, `"url":"`+url+`"`) {
			t.Errorf("%s is stored as %s", id, body)
		}
	}
	if body := s.do(t, "GET", "/fhir/Observation/o", nil, "").body; !strings.Contains(string(body), `"url":"`+s.url+`/fhir/Binary/extension","valueAttachment":{"url":"Binary/c/_history/1"}`) {
		t.Errorf("stored is %s", body)
	}
	_, includes := s.everything(t, "GET", "/fhir/Patient/p/$everything", "")
	if want := []string{"Binary/a", "Binary/b", "Binary/c"}; !slices.Equal(includes, want) {
		t.Errorf("included are %v, want %v", includes, want)
	}
	if b, _ := s.page(t, "/fhir/DocumentReference?location="+s.url+"/fhir/Binary/a"); len(b.Entry) != 3 {
		t.Errorf("%d documents are found by the attachment's own URL", len(b.Entry))
	}
}
