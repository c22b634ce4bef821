package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// administered lets every request administer the server.
func administered(c *rest.Config) {
	c.Administer = func(context.Context, *interaction.Request) error { return nil }
}

// purged is what $purge tells.
type purged struct {
	id, state string
	erased    map[string]int
	versions  int
	lists     map[string][]string // resource, outside, past, audit
}

func purgeOf(t testing.TB, a answer) purged {
	t.Helper()
	var p struct {
		Parameter []struct {
			Name, ValueString, ValueCode, ValueURI string
			ValueInteger                           int
			Part                                   []struct {
				Name, ValueCode string
				ValueInteger    int
			}
		}
	}
	if a.status != 200 && a.status != 202 {
		t.Fatalf("%d %.500s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	out := purged{erased: map[string]int{}, lists: map[string][]string{}}
	for _, x := range p.Parameter {
		switch x.Name {
		case "purge":
			out.id = x.ValueString
		case "state":
			out.state = x.ValueCode
		case "versions":
			out.versions = x.ValueInteger
		case "erased":
			out.erased[x.Part[0].ValueCode] = x.Part[1].ValueInteger
		case "resource", "outside", "past", "audit":
			out.lists[x.Name] = append(out.lists[x.Name], x.ValueURI)
		}
	}
	for _, l := range out.lists {
		slices.Sort(l)
	}
	return out
}

func TestPurgeErasesAPatient(t *testing.T) {
	s := newServer(t, administered)
	about := func(typ, id, more string) {
		s.put(t, typ+"/"+id, `{"resourceType":"`+typ+`","id":"`+id+`",`+more+`}`)
	}
	remove := func(key string) {
		t.Helper()
		if a := s.do(t, "DELETE", "/fhir/"+key, nil, ""); a.status != 204 {
			t.Fatalf("DELETE %s: %d", key, a.status)
		}
	}
	const ofP, ofQ = `"status":"final","code":{"text":"secret"},"subject":{"reference":"Patient/p"}`, `"status":"final","code":{"text":"other"},"subject":{"reference":"Patient/q"}`
	about("Patient", "p", `"name":[{"family":"Secret"}]`)
	about("Patient", "p", `"name":[{"family":"Secreter"}]`)
	about("Patient", "q", `"link":[{"other":{"reference":"Patient/p"},"type":"seealso"}]`)
	about("Patient", "pp", `"active":true`)
	about("Observation", "a", ofP)
	about("Observation", "a", ofP+`,"issued":"2024-01-01T00:00:00Z"`)
	about("Observation", "deleted", ofP)
	remove("Observation/deleted")
	about("Observation", "moved", ofP)
	about("Observation", "moved", ofQ)
	about("Observation", "movedAndDeleted", ofP)
	about("Observation", "movedAndDeleted", ofQ)
	remove("Observation/movedAndDeleted")
	about("Observation", "q", ofQ)
	about("Observation", "pp", `"status":"final","code":{"text":"other"},"subject":{"reference":"Patient/pp"}`)
	about("Group", "both", `"type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p"}},{"entity":{"reference":"Patient/q"}}]`)
	about("Basic", "b", `"code":{"text":"x"},"extension":[{"url":"urn:x","valueReference":{"reference":"Patient/p"}}]`)
	about("AuditEvent", "seen", `"type":{"code":"rest"},"recorded":"2024-01-01T00:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"x"}},"entity":[{"what":{"reference":"Patient/p"}}]`)
	for i := range 230 { // more than one Update erases
		about("Condition", fmt.Sprint("c", i), `"subject":{"reference":"Patient/p"}`)
	}
	outside, past := []string{"AuditEvent/seen", "Basic/b", "Group/both", "Patient/q"}, []string{"Observation/moved/_history/1", "Observation/movedAndDeleted/_history/1"}
	check := func(name string, p purged, dry bool) {
		t.Helper()
		if p.state != "done" || p.erased["Patient"] != 1 || p.erased["Observation"] != 2 || p.erased["Condition"] != 230 || len(p.erased) != 3 || p.versions != 2+2+2+230 {
			t.Errorf("%s: %+v", name, p)
		}
		if !slices.Equal(p.lists["outside"], outside) || !slices.Equal(p.lists["past"], past) {
			t.Errorf("%s leaves %v and %v", name, p.lists["outside"], p.lists["past"])
		}
		if dry != (len(p.lists["resource"]) == 233) || dry != (len(p.lists["audit"]) == 0) {
			t.Errorf("%s: %d resources, audit %v", name, len(p.lists["resource"]), p.lists["audit"])
		}
	}
	check("a dry run", purgeOf(t, s.do(t, "POST", "/fhir/Patient/p/$purge?dryRun=true", nil, "")), true)
	if a := s.do(t, "GET", "/fhir/Patient/p/_history/1", nil, ""); a.status != 200 {
		t.Fatalf("after a dry run: %d", a.status)
	}
	done := purgeOf(t, s.do(t, "POST", "/fhir/Patient/p/$purge", ct(jsonType), parameters(`{"name":"dryRun","valueBoolean":false}`)))
	check("the purge", done, false)
	event := s.do(t, "GET", "/fhir/"+done.lists["audit"][0], nil, "")
	if a := newServerOf(t, newValidating(t)).do(t, "PUT", "/fhir/"+done.lists["audit"][0], ct(jsonType), string(event.body)); a.status != 201 {
		t.Errorf("the AuditEvent is not valid: %s", a.body)
	}
	for _, path := range []string{"Patient/p", "Patient/p/_history", "Patient/p/_history/1", "Observation/a", "Observation/a/_history/2", "Observation/deleted", "Observation/deleted/_history", "Condition/c229"} {
		if a := s.do(t, "GET", "/fhir/"+path, nil, ""); a.status != 404 {
			t.Errorf("%s: %d %.200s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"Patient?family=secret", "Patient?family=secreter", "Observation?code:text=secret", "Condition?subject=Patient/p", "Observation?subject=Patient/p"} {
		if a := s.do(t, "GET", "/fhir/"+path, nil, ""); !strings.Contains(string(a.body), `"total":0`) {
			t.Errorf("%s: %.300s", path, a.body)
		}
	}
	for next := "/fhir/_history?_count=100"; next != ""; {
		var b bundle
		if b, next = s.page(t, next); len(b.Entry) > 0 {
			for _, e := range b.Entry {
				if key := e.Resource.ResourceType + "/" + e.Resource.ID; key == "Patient/p" || key == "Observation/a" || key == "Observation/deleted" || strings.HasPrefix(key, "Condition/") {
					t.Errorf("the history of the system has %s", key)
				}
			}
		}
	}
	runOn(t, s, []call{
		{"what is of others", "GET", "/fhir/Observation/q", nil, "", 200, nil, nil},
		{"what is shared", "GET", "/fhir/Group/both", nil, "", 200, nil, nil},
		{"an id that begins with it", "GET", "/fhir/Observation/pp", nil, "", 200, nil, nil},
		{"what tells of it", "GET", "/fhir/" + done.lists["audit"][0], nil, "", 200, nil, []string{`"what":{"reference":"Patient/p"}`, `"code":"destroy"`, `"valueString":"236"`, "!ecret"}},
		{"found by the patient", "GET", "/fhir/AuditEvent?entity=Patient/p&action=D", nil, "", 200, nil, []string{`"total":1`}},
		{"how it ended", "GET", "/fhir/$purge-status?purge=" + done.id, nil, "", 200, nil, []string{`"valueCode":"done"`}},
		{"again", "POST", "/fhir/Patient/p/$purge", nil, "", 404, nil, []string{"not-found"}},
		{"nobody", "POST", "/fhir/Patient/nobody/$purge", nil, "", 404, nil, []string{"not-found"}},
		{"by GET", "GET", "/fhir/Patient/p/$purge", nil, "", 405, nil, nil},
		{"another type", "POST", "/fhir/Observation/q/$purge", nil, "", 404, nil, []string{"unknown-operation"}},
		{"another parameter", "POST", "/fhir/Patient/q/$purge?force=true", nil, "", 400, nil, []string{"operation-parameter"}},
		{"dryRun that is none", "POST", "/fhir/Patient/q/$purge?dryRun=maybe", nil, "", 400, nil, []string{"operation-parameter"}},
		{"no such purge", "GET", "/fhir/$purge-status?purge=x", nil, "", 404, nil, []string{"not-found"}},
		{"in a transaction", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Patient/q/$purge"}}]}`, 501, nil, []string{"entry-operation"}},
		{"the key again", "PUT", "/fhir/Patient/p", ct(jsonType), `{"resourceType":"Patient","id":"p"}`, 201, []string{"Etag", `W/"1"`}, nil},
		{"a deleted patient", "DELETE", "/fhir/Patient/p", nil, "", 204, nil, nil},
		{"is erased", "POST", "/fhir/Patient/p/$purge", nil, "", 200, nil, []string{`"valueCode":"done"`}},
		{"and never existed", "GET", "/fhir/Patient/p", nil, "", 404, nil, []string{"not-found"}},
	})
}

func TestPurgeIsForAdministrators(t *testing.T) {
	run(t, []call{
		{"a patient", "PUT", "/fhir/Patient/p", ct(jsonType), `{"resourceType":"Patient","id":"p"}`, 201, nil, nil},
		{"purge", "POST", "/fhir/Patient/p/$purge", nil, "", 403, nil, []string{"not-administrator", "--allow-purge"}},
		{"a dry run", "POST", "/fhir/Patient/p/$purge?dryRun=true", nil, "", 403, nil, []string{"not-administrator"}},
		{"nobody", "POST", "/fhir/Patient/nobody/$purge", nil, "", 403, nil, []string{"not-administrator"}},
		{"status", "GET", "/fhir/$purge-status?purge=x", nil, "", 403, nil, []string{"not-administrator"}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Patient/p/$purge"}}]}`, 200, nil, []string{`"status":"403`}},
		{"it is there", "GET", "/fhir/Patient/p", nil, "", 200, nil, nil},
	})
}
