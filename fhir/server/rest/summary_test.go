package rest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/xhtml"
)

// summaryDocument is what tests read of a summary.
type summaryDocument struct {
	Type, Timestamp string
	Meta            struct{ Profile []string }
	Identifier      struct{ System, Value string }
	Entry           []struct {
		FullURL  string
		Resource json.RawMessage
	}
	composition struct {
		ResourceType, Status, Title, Date string
		Text                              struct{ Status, Div string }
		Meta                              struct{ Profile []string }
		Subject                           struct{ Reference string }
		Author                            []struct{ Reference string }
		Custodian                         struct{ Reference string }
		Type                              summaryCodes
		Section                           []summarySection
	}
	// entries are the resources by their fullUrl.
	entries map[string]string
}

type summaryCodes struct {
	Coding []struct{ System, Code, Display string }
}

type summarySection struct {
	Title       string
	Code        summaryCodes
	Text        struct{ Status, Div string }
	Entry       []struct{ Reference string }
	EmptyReason *summaryCodes
}

// summary reads a summary and checks what each one has.
func (s *server) summary(t *testing.T, method, path, body string) *summaryDocument {
	t.Helper()
	a := s.do(t, method, path, ct(jsonType), body)
	if a.status != 200 {
		t.Fatalf("%s %s: %d %.500s", method, path, a.status, a.body)
	}
	return readSummary(t, a.body)
}

func readSummary(t *testing.T, body []byte) *summaryDocument {
	t.Helper()
	d := &summaryDocument{entries: map[string]string{}}
	if err := json.Unmarshal(body, d); err != nil {
		t.Fatalf("%v: %.500s", err, body)
	}
	if d.Type != "document" || d.Timestamp == "" || d.Identifier.System == "" || !strings.HasPrefix(d.Identifier.Value, "urn:uuid:") || len(d.Entry) < 3 {
		t.Fatalf("it is not a document: %.500s", body)
	}
	for _, e := range d.Entry {
		if _, twice := d.entries[e.FullURL]; twice || e.FullURL == "" {
			t.Errorf("the fullUrl %q is there twice, or empty", e.FullURL)
		}
		d.entries[e.FullURL] = string(e.Resource)
	}
	c := &d.composition
	if err := json.Unmarshal(d.Entry[0].Resource, c); err != nil {
		t.Fatal(err)
	}
	if c.ResourceType != "Composition" || c.Status != "final" || c.Type.Coding[0].Code != "60591-5" || !slices.Equal(c.Meta.Profile, []string{"http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"}) {
		t.Errorf("%.300s", d.Entry[0].Resource)
	}
	if !strings.Contains(d.entries[c.Subject.Reference], `"resourceType":"Patient"`) || len(c.Author) != 1 || d.entries[c.Author[0].Reference] == "" {
		t.Errorf("subject and author are not in the document: %+v %+v", c.Subject, c.Author)
	}
	narrative := func(where, status, div string) {
		if f := xhtml.Check(div); status != "generated" || f.Kind != xhtml.None {
			t.Errorf("%s: %s %v: %.300s", where, status, f, div)
		}
	}
	narrative("Composition", c.Text.Status, c.Text.Div)
	required := map[string]bool{"11450-4": true, "48765-2": true, "10160-0": true}
	for _, sec := range c.Section {
		narrative(sec.Title, sec.Text.Status, sec.Text.Div)
		code := sec.Code.Coding[0].Code
		if (len(sec.Entry) == 0) != (sec.EmptyReason != nil) && required[code] {
			t.Errorf("%s has %d entries and the emptyReason %v", sec.Title, len(sec.Entry), sec.EmptyReason)
		}
		delete(required, code)
		for _, e := range sec.Entry {
			if d.entries[e.Reference] == "" {
				t.Errorf("%s: %s is not in the document", sec.Title, e.Reference)
			}
		}
	}
	if len(required) > 0 {
		t.Errorf("required sections are missing: %v", required)
	}
	return d
}

// section returns the section of a code.
func (d *summaryDocument) section(code string) *summarySection {
	for i := range d.composition.Section {
		if d.composition.Section[i].Code.Coding[0].Code == code {
			return &d.composition.Section[i]
		}
	}
	return nil
}

// ids returns the ids that a section refers to.
func (sec *summarySection) ids() (ids []string) {
	if sec == nil {
		return nil
	}
	for _, e := range sec.Entry {
		ids = append(ids, e.Reference[strings.LastIndexByte(e.Reference, '/')+1:])
	}
	return ids
}

// record stores a patient of whom every section has something, and what no section may have.
func (s *server) record(t *testing.T) {
	t.Helper()
	put := func(typ, id, content string) {
		t.Helper()
		s.put(t, typ+"/"+id, `{"resourceType":"`+typ+`","id":"`+id+`",`+content+`}`)
	}
	const of, by = `"subject":{"reference":"Patient/p"}`, `"patient":{"reference":"Patient/p"}`
	category := func(code string) string {
		return `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"` + code + `"}]}],` + of
	}
	put("Organization", "o", `"name":"<Clinic> & \"Sons\""`)
	put("Practitioner", "d", `"name":[{"family":"D"}]`)
	put("Patient", "p", `"identifier":[{"system":"http://example.org/mrn","value":"77"}],"name":[{"given":["Ann"],"family":"O'Hara <b>"}],"birthDate":"1970-01-02","gender":"female","managingOrganization":{"reference":"Organization/o"}`)
	put("Patient", "q", `"identifier":[{"system":"http://example.org/mrn","value":"78"},{"system":"http://example.org/mrn","value":"both"}]`)
	put("Patient", "r", `"identifier":[{"system":"http://example.org/mrn","value":"both"}],"name":[{"use":"official"},{"family":"R"}]`)
	clinical := func(system, code string) string {
		return `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/` + system + `","code":"` + code + `"}]}`
	}
	wrong := func(system string) string {
		return `"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/` + system + `","code":"entered-in-error"}]}`
	}
	put("Condition", "active", clinical("condition-clinical", "active")+`,"code":{"text":"Asthma <script>alert(1)</script> & more"},"onsetDateTime":"2001",`+of)
	put("Condition", "unknown", `"code":{"text":"No status"},`+of)
	put("Condition", "resolved", clinical("condition-clinical", "resolved")+`,"code":{"text":"Flu"},"abatementDateTime":"2002",`+of)
	put("Condition", "wrong", wrong("condition-ver-status")+`,"code":{"text":"x"},`+of)
	put("AllergyIntolerance", "nuts", clinical("allergyintolerance-clinical", "active")+`,"code":{"coding":[{"system":"http://snomed.info/sct","code":"91934008","display":"Allergy to nut"}]},"reaction":[{"manifestation":[{"text":"Hives"}]}],`+by)
	put("AllergyIntolerance", "past", clinical("allergyintolerance-clinical", "resolved")+`,"code":{"text":"x"},`+by)
	put("Medication", "m", `"code":{"text":"Aspirin 100 mg"}`)
	put("MedicationRequest", "aspirin", `"status":"active","intent":"order","medicationReference":{"reference":"Medication/m"},"dosageInstruction":[{"text":"once a day"}],`+of)
	put("MedicationRequest", "never", `"status":"active","intent":"order","doNotPerform":true,"medicationCodeableConcept":{"text":"x"},`+of)
	put("MedicationRequest", "ended", `"status":"completed","intent":"order","medicationCodeableConcept":{"text":"x"},`+of)
	put("MedicationStatement", "herbs", `"status":"active","medicationCodeableConcept":{"text":"Herbs"},"effectiveDateTime":"2024",`+of)
	put("Immunization", "shot", `"status":"completed","vaccineCode":{"text":"MMR"},"occurrenceDateTime":"2020-02-02",`+by)
	put("Immunization", "refused", `"status":"not-done","vaccineCode":{"text":"x"},"occurrenceDateTime":"2020-02-02",`+by)
	glucose := `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}]},"performer":[{"reference":"Practitioner/d"}],`
	put("Observation", "old", glucose+`"valueQuantity":{"value":90,"unit":"mg/dL"},"effectiveDateTime":"2020-01-01",`+category("laboratory"))
	put("Observation", "new", glucose+`"valueQuantity":{"value":100.50,"unit":"mg/dL"},"effectiveDateTime":"2021-01-01",`+category("laboratory"))
	put("Observation", "member", glucose+`"valueQuantity":{"value":95,"unit":"mg/dL"},"effectiveDateTime":"2019-01-01",`+category("laboratory"))
	put("DiagnosticReport", "panel", `"status":"final","code":{"text":"Panel"},"conclusion":"Fine","effectiveDateTime":"2019-01-01","result":[{"reference":"Observation/member"}],`+of)
	put("Procedure", "op", `"status":"completed","code":{"text":"Appendectomy"},"performedPeriod":{"start":"2010-01-01","end":"2010-01-02"},`+of)
	put("Device", "pump", `"type":{"text":"Insulin pump"},`+by)
	put("Device", "loose", `"status":"active","deviceName":[{"name":"Pacemaker","type":"user-friendly-name"}],`+by)
	put("DeviceUseStatement", "use", `"status":"active","device":{"reference":"Device/pump"},"timingDateTime":"2022",`+of)
	put("DeviceUseStatement", "error", `"status":"entered-in-error","device":{"reference":"Device/pump"},`+of)
	put("Observation", "pressure", `"status":"final","code":{"text":"Blood pressure"},"effectiveDateTime":"2022-01-01","component":[{"code":{"text":"Systolic"},"valueQuantity":{"value":120,"unit":"mmHg"}},{"code":{"text":"Diastolic"},"valueQuantity":{"value":80,"unit":"mmHg"}}],`+category("vital-signs"))
	put("Observation", "smoking", `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"72166-2"}]},"valueCodeableConcept":{"text":"Never"},"effectiveDateTime":"2022-01-01",`+category("social-history"))
	put("Observation", "pregnant", `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"82810-3"}]},"valueCodeableConcept":{"text":"Not pregnant"},"effectiveDateTime":"2022-01-01",`+of)
	put("Flag", "fall", `"status":"active","code":{"text":"Falls"},`+of)
	put("Flag", "over", `"status":"inactive","code":{"text":"x"},`+of)
	put("Consent", "dnr", `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"adr"}]},"category":[{"text":"Do not resuscitate"}],"policyRule":{"text":"x"},`+by)
	put("Consent", "research", `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"research"}]},"category":[{"text":"x"}],"policyRule":{"text":"x"},`+by)
	put("CarePlan", "plan", `"status":"active","intent":"plan","title":"Walk","activity":[{"detail":{"status":"in-progress","code":{"text":"Walking"}}}],`+of)
	put("CarePlan", "past", `"status":"completed","intent":"plan",`+of)
}

func TestSummaryHoldsWhatTheServerKnowsOfThePatient(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.record(t)
	for name, c := range map[string]struct{ method, path, body string }{
		"GET":             {"GET", "/fhir/Patient/p/$summary", ""},
		"POST":            {"POST", "/fhir/Patient/p/$summary", `{"resourceType":"Parameters","parameter":[{"name":"profile","valueCanonical":"http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips|2.0.0"}]}`},
		"by identifier":   {"GET", "/fhir/Patient/$summary?identifier=http://example.org/mrn|77", ""},
		"with parameters": {"POST", "/fhir/Patient/$summary", `{"resourceType":"Parameters","parameter":[{"name":"identifier","valueString":"http://example.org/mrn|77"}]}`},
	} {
		d := s.summary(t, c.method, c.path, c.body)
		for code, want := range map[string][]string{
			"11450-4": {"active", "unknown"}, "11348-0": {"resolved"}, "48765-2": {"nuts"}, "10160-0": {"aspirin", "herbs"}, "11369-6": {"shot"}, "30954-2": {"new", "panel"},
			"47519-4": {"op"}, "46264-8": {"use"}, "8716-3": {"pressure"}, "29762-2": {"smoking"}, "10162-6": {"pregnant"}, "104605-1": {"fall"}, "42348-3": {"dnr"}, "18776-5": {"plan"},
		} {
			got := d.section(code).ids()
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: section %s lists %v, want %v", name, code, got, want)
			}
		}
		for _, beside := range []string{"Organization/o", "Practitioner/d", "Medication/m", "Device/pump", "Observation/member"} {
			if d.entries[s.url+"/fhir/"+beside] == "" {
				t.Errorf("%s: %s is missing", name, beside)
			}
		}
		for _, never := range []string{"Observation/old", "Patient/q", "Device/loose", "Condition/wrong"} {
			if d.entries[s.url+"/fhir/"+never] != "" {
				t.Errorf("%s: %s is there", name, never)
			}
		}
		if d.composition.Custodian.Reference != s.url+"/fhir/Organization/o" {
			t.Errorf("%s: the custodian is %q", name, d.composition.Custodian.Reference)
		}
		for code, want := range map[string]string{
			"11450-4": "Asthma &lt;script&gt;alert(1)&lt;/script&gt; &amp; more", "10160-0": "<td>Aspirin 100 mg</td><td>active</td><td>once a day</td>", "48765-2": "Allergy to nut", "30954-2": "100.50 mg/dL",
			"8716-3": "Systolic: 120 mmHg, Diastolic: 80 mmHg", "46264-8": "<td>Pacemaker</td>", "47519-4": "2010-01-01 – 2010-01-02", "29762-2": "Never",
		} {
			if div := d.section(code).Text.Div; !strings.Contains(div, want) {
				t.Errorf("%s: section %s says %s", name, code, div)
			}
		}
		if div := d.section("46264-8").Text.Div; strings.Count(div, "Insulin pump") != 1 {
			t.Errorf("%s: a device that an entry refers to is listed beside it: %s", name, div)
		}
		if div := d.section("30954-2").Text.Div; !strings.Contains(div, "has older ones") || strings.Contains(div, "90 mg") {
			t.Errorf("%s: %s", name, div)
		}
		if !strings.Contains(d.composition.Text.Div, "Ann O'Hara &lt;b&gt;") {
			t.Errorf("%s", d.composition.Text.Div)
		}
	}
	if got := s.do(t, "GET", "/fhir/Patient/p/$summary?_format=xml", nil, ""); got.status != 200 || !strings.Contains(string(got.body), `<code value="11450-4"/>`) {
		t.Errorf("XML: %d %.500s", got.status, got.body)
	}
	a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Condition","subject":{"reference":"Patient/q"},"code":{"text":"Just written"}},"request":{"method":"POST","url":"Condition"}},{"request":{"method":"GET","url":"Patient/q/$summary"}}]}`)
	if a.status != 200 || !strings.Contains(string(a.body), "<td>Just written</td>") {
		t.Errorf("in a transaction: %d %s", a.status, a.body)
	}
}

func TestSummaryOfAPatientOfWhomNothingIsKnown(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	s.put(t, "Patient/empty", `{"resourceType":"Patient","id":"empty"}`)
	s.put(t, "Patient/named", `{"resourceType":"Patient","id":"named","name":[{"use":"official"},{"family":"N"}],"birthDate":"1970"}`)
	d := s.summary(t, "GET", "/fhir/Patient/empty/$summary", "")
	if len(d.composition.Section) != 3 || len(d.Entry) != 3 {
		t.Errorf("%d sections, %d entries", len(d.composition.Section), len(d.Entry))
	}
	for _, sec := range d.composition.Section {
		if sec.EmptyReason == nil || sec.EmptyReason.Coding[0].Code != "unavailable" || !strings.Contains(sec.Text.Div, "No information about") {
			t.Errorf("%+v", sec)
		}
	}
	absent := `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`
	if p := d.entries[d.composition.Subject.Reference]; !strings.Contains(p, `"_birthDate":`+absent) || !strings.Contains(p, `"name":[{"_text":`+absent+`}]`) {
		t.Errorf("%s", p)
	}
	d = s.summary(t, "GET", "/fhir/Patient/named/$summary", "")
	if p := d.entries[d.composition.Subject.Reference]; !strings.Contains(p, `"name":[{"use":"official","_text":`+absent+`},{"family":"N"}],"birthDate":"1970"}`) {
		t.Errorf("%s", p)
	}
	if stored := s.do(t, "GET", "/fhir/Patient/empty", nil, "").body; strings.Contains(string(stored), "absent") {
		t.Errorf("the stored patient changed: %s", stored)
	}
}

func TestSummaryRefusesWhatItDoesNotServe(t *testing.T) {
	s := newServer(t)
	s.record(t)
	s.put(t, "Patient/gone", `{"resourceType":"Patient","id":"gone"}`)
	s.do(t, "DELETE", "/fhir/Patient/gone", nil, "")
	for name, c := range map[string]struct {
		path   string
		status int
		want   string
	}{
		"nobody":              {"Patient/nobody/$summary", 404, "not-found"},
		"deleted":             {"Patient/gone/$summary", 410, "deleted"},
		"an unknown patient":  {"Patient/$summary?identifier=http://example.org/mrn|nobody", 404, "not-found"},
		"two patients":        {"Patient/$summary?identifier=http://example.org/mrn|both", 412, "multiple-matches"},
		"no identifier":       {"Patient/$summary", 400, "identifier is missing"},
		"id and identifier":   {"Patient/p/$summary?identifier=77", 400, "operation-parameter"},
		"another profile":     {"Patient/p/$summary?profile=http://example.org/p", 400, "the profile of a summary is"},
		"another version":     {"Patient/p/$summary?profile=http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips|1.0.0", 400, "2.0.0"},
		"an unknown argument": {"Patient/p/$summary?x=1", 400, "the parameters of $summary are identifier and profile"},
		"of another type":     {"Practitioner/d/$summary", 404, "unknown-operation"},
	} {
		if a := s.do(t, "GET", "/fhir/"+c.path, nil, ""); a.status != c.status || !strings.Contains(string(a.body), c.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestSummaryTellsWhatItLeavesOut(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p"}`)
	var entries []string
	for i := range 1_005 {
		entries = append(entries, fmt.Sprintf(`{"resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"v"},"occurrenceDateTime":"%d","patient":{"reference":"Patient/p"}},"request":{"method":"POST","url":"Immunization"}}`, 1000+i))
	}
	if a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`); a.status != 200 {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	sec := s.summary(t, "GET", "/fhir/Patient/p/$summary", "").section("11369-6")
	if len(sec.Entry) != 1000 || !strings.Contains(sec.Text.Div, "more than 1000 of a kind") || !strings.Contains(sec.Text.Div, "<td>2004</td>") || strings.Contains(sec.Text.Div, "<td>1002</td>") {
		t.Errorf("%d entries: %.300s", len(sec.Entry), sec.Text.Div)
	}
}

// TestSummaryOfSyntheticPatients stores patients of the corpus. With FHIRGATE_SUMMARIES=folder it writes their summaries there, in JSON and XML.
func TestSummaryOfSyntheticPatients(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	files := corpustest.Files(t, "synthea/*.json.gz")
	folder := os.Getenv("FHIRGATE_SUMMARIES")
	keep := func(name, path string) {
		if folder == "" {
			return
		}
		for _, format := range []string{"json", "xml"} {
			a := s.do(t, "GET", path+"?_format="+format, nil, "")
			if err := os.WriteFile(filepath.Join(folder, name+"."+format), a.body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, i := range []int{0, 1, 8} {
		if a := s.do(t, "POST", "/fhir", ct(jsonType), string(corpustest.Read(t, files[i]))); a.status != 200 {
			t.Fatalf("%s: %d %.300s", files[i], a.status, a.body)
		}
	}
	s.record(t)
	s.put(t, "Patient/empty", `{"resourceType":"Patient","id":"empty"}`)
	b, _ := s.page(t, "/fhir/Patient?_count=100")
	if len(b.Entry) < 5 {
		t.Fatalf("%d patients", len(b.Entry))
	}
	for _, e := range b.Entry {
		path := "/fhir/Patient/" + e.Resource.ID + "/$summary"
		s.summary(t, "GET", path, "")
		keep(e.Resource.ID, path)
	}
}
