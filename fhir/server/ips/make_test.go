package ips

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/xhtml"
	"github.com/fhirgate/fhirgate/storage"
)

// shelf is a Source that finds the same resources by every search for their type.
type shelf map[fhir.Key]string

func (s shelf) Find(_ context.Context, _, typ string, parameters []search.Pair, limit int) (records []storage.Record, more bool, err error) {
	if len(parameters) == 0 || parameters[0].Name != "patient" {
		return nil, false, fmt.Errorf("a search of %s that is not of the patient", typ)
	}
	for key, body := range s {
		if key.Type == typ {
			records = append(records, storage.Record{Key: key, Version: 1, Body: []byte(body)})
		}
	}
	if len(records) > limit {
		return records[:limit], true, nil
	}
	return records, false, nil
}

func (s shelf) ReadMany(_ context.Context, keys []fhir.Key) ([]storage.Record, error) {
	out := make([]storage.Record, len(keys))
	for i, key := range keys {
		if body, ok := s[key]; ok {
			out[i] = storage.Record{Key: key, Version: 1, Body: []byte(body)}
		}
	}
	return out, nil
}

func (s shelf) Local(_, reference string) (key fhir.Key, version string, ok bool) {
	key.Type, key.ID, ok = strings.Cut(reference, "/")
	return key, "", ok && fhir.ValidTypeName(key.Type) && fhir.ValidID(key.ID)
}

// made makes the summary of a patient and checks that it is a resource whose narratives are what R4 allows.
func made(t *testing.T, s shelf, patient string) (fhir.Resource, error) {
	t.Helper()
	n := 0
	body, err := Make(t.Context(), s, Request{Base: "http://example.org/fhir", Patient: storage.Record{Key: fhir.Key{Type: "Patient", ID: "p"}, Version: 1, Body: []byte(patient)},
		Now: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), NewUUID: func() string { n++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }})
	if err != nil {
		return fhir.Resource{}, err
	}
	r, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		t.Fatalf("%v: %.500s", err, body)
	}
	composition := r.Get("entry").First().Get("resource")
	for sec := range composition.Get("section").Children() {
		if f := xhtml.Check(sec.Get("text").Get("div").Text()); f.Kind != xhtml.None {
			t.Fatalf("%s: %s", f.Text, sec.Get("text").Get("div").Text())
		}
	}
	if f := xhtml.Check(composition.Get("text").Get("div").Text()); f.Kind != xhtml.None {
		t.Fatalf("%s", f.Text)
	}
	return r, nil
}

const anyone = `{"resourceType":"Patient","id":"p","name":[{"family":"x"}],"birthDate":"1970"}`

func TestSectionsNameTypesAndParametersOfR4(t *testing.T) {
	parameters := search.NewParameters(definition.R4(), search.Options{})
	for _, sec := range loaded().Sections {
		for _, f := range sec.Searches {
			if _, ok := parameters.Lookup(f.Type, "patient"); !ok {
				t.Errorf("%s: %s has no parameter patient", sec.Title, f.Type)
			}
			for _, p := range f.pairs {
				name, _, _ := strings.Cut(p.Name, ":")
				if _, ok := parameters.Lookup(f.Type, name); !ok && name != "_sort" {
					t.Errorf("%s: %s has no parameter %s", sec.Title, f.Type, name)
				}
			}
		}
	}
}

func TestSummaryThatIsTooLongIsAnErrorAndNoPartOfOne(t *testing.T) {
	s := shelf{}
	for i := range listed + 1 {
		for _, typ := range []string{"Condition", "MedicationRequest", "Procedure", "Immunization", "AllergyIntolerance", "CarePlan"} {
			key := fhir.Key{Type: typ, ID: fmt.Sprintf("r%d", i)}
			s[key] = fmt.Sprintf(`{"resourceType":%q,"id":%q}`, typ, key.ID)
		}
	}
	if _, err := made(t, s, anyone); err == nil || !strings.Contains(err.Error(), "would hold more than") {
		t.Errorf("%v", err)
	}
}

func TestSummaryTellsWhatItsBoundsLeaveOutOfWhatIsReferredTo(t *testing.T) {
	s := shelf{}
	for i := range 900 {
		var of []string
		for k := range 10 {
			key := fhir.Key{Type: "Encounter", ID: fmt.Sprintf("e%d-%d", i, k)}
			s[key] = `{"resourceType":"Encounter","id":"` + key.ID + `"}`
			of = append(of, `{"reference":"`+key.String()+`"}`)
		}
		key := fhir.Key{Type: "Procedure", ID: fmt.Sprintf("p%d", i)}
		s[key] = `{"resourceType":"Procedure","id":"` + key.ID + `","reasonReference":[` + strings.Join(of, ",") + `]}`
	}
	r, err := made(t, s, anyone)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Get("entry").Len(); n != maxEntries+2 { // the Composition and its author
		t.Errorf("%d entries", n)
	}
	if div := r.Get("entry").First().Get("resource").Get("text").Get("div").Text(); !strings.Contains(div, "too much for one document") {
		t.Errorf("%s", div)
	}
}

func TestSummaryHoldsNoOtherPatientAndNoOtherComposition(t *testing.T) {
	s := shelf{
		{Type: "Patient", ID: "q"}:     `{"resourceType":"Patient","id":"q"}`,
		{Type: "Composition", ID: "c"}: `{"resourceType":"Composition","id":"c"}`,
		{Type: "Condition", ID: "c"}:   `{"resourceType":"Condition","id":"c","evidence":[{"detail":[{"reference":"Patient/q"},{"reference":"Composition/c"},{"reference":"Condition/c"}]}]}`,
	}
	r, err := made(t, s, anyone)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for e := range r.Get("entry").Children() {
		types = append(types, e.Get("resource").Get("resourceType").Text())
	}
	if got := strings.Join(types, " "); got != "Composition Patient Condition Device" {
		t.Errorf("%s", got)
	}
}

// sectionText returns the narrative of a section of a summary.
func sectionText(t *testing.T, s shelf, title string) string {
	t.Helper()
	r, err := made(t, s, anyone)
	if err != nil {
		t.Fatal(err)
	}
	for sec := range r.Get("entry").First().Get("resource").Get("section").Children() {
		if sec.Get("title").Text() == title {
			return sec.Get("text").Get("div").Text()
		}
	}
	t.Fatalf("no section %s", title)
	return ""
}

func TestContainedResourceIsShownWhereItIsReferredTo(t *testing.T) {
	for _, c := range []struct{ typ, body, title, want string }{
		{"MedicationStatement", `"contained":[{"resourceType":"Medication","id":"other","code":{"text":"Wrong"}},{"resourceType":"Medication","id":"med","code":{"text":"Aspirin"}}],"medicationReference":{"reference":"#med"}`, "Medication Summary", "<td>Aspirin</td>"},
		{"MedicationRequest", `"contained":[{"resourceType":"Medication","id":"med","code":{"coding":[{"display":"Ibuprofen"}]}}],"medicationReference":{"reference":"#med"}`, "Medication Summary", "<td>Ibuprofen</td>"},
		{"DeviceUseStatement", `"contained":[{"resourceType":"Device","id":"d","deviceName":[{"name":"Pacer"}]}],"device":{"reference":"#d"}`, "Device Use", "<td>Pacer</td>"},
		{"MedicationStatement", `"contained":[{"resourceType":"Medication","id":"med","code":{"text":"Wrong"}}],"medicationReference":{"reference":"Medication/med"}`, "Medication Summary", "<td>Stored</td>"},
		{"MedicationStatement", `"contained":[{"resourceType":"Medication","code":{"text":"Wrong"}}],"medicationReference":{"reference":"#"}`, "Medication Summary", "<tr><td></td>"},
	} {
		s := shelf{{Type: c.typ, ID: "r"}: `{"resourceType":"` + c.typ + `","id":"r",` + c.body + `}`,
			{Type: "Medication", ID: "med"}: `{"resourceType":"Medication","id":"med","code":{"text":"Stored"}}`}
		if div := sectionText(t, s, c.title); !strings.Contains(div, c.want) || strings.Contains(div, "Wrong") {
			t.Errorf("%s: %s", c.body, div)
		}
	}
}

func TestDosageWithoutTextIsToldFromWhatItHolds(t *testing.T) {
	for _, c := range []struct{ dosage, want string }{
		{`{"text":"one a day","doseAndRate":[{"doseQuantity":{"value":5,"unit":"mg"}}]}`, "one a day"},
		{`{"doseAndRate":[{"doseQuantity":{"value":5,"unit":"mg"}}],"timing":{"repeat":{"frequency":3,"period":1,"periodUnit":"d","boundsDuration":{"value":10,"unit":"days"}}},"route":{"text":"oral"}}`, "5 mg 3 times every day for 10 days</td><td>oral"},
		{`{"doseAndRate":[{"doseRange":{"low":{"value":1,"unit":"g"},"high":{"value":2,"unit":"g"}},"rateRatio":{"numerator":{"value":1,"unit":"g"},"denominator":{"value":1,"unit":"h"}}}]}`, "1 g – 2 g at 1 g / 1 h"},
		{`{"timing":{"repeat":{"frequency":1,"period":8,"periodMax":12,"periodUnit":"h"}},"asNeededBoolean":true}`, "every 8 to 12 hours as needed"},
		{`{"timing":{"code":{"text":"BID"},"repeat":{"frequency":7}},"asNeededCodeableConcept":{"text":"pain"}}`, "BID as needed: pain"},
		{`{"timing":{"repeat":{"when":["ACM","HS"],"offset":30,"dayOfWeek":["mon"],"timeOfDay":["09:00:00"],"count":4}}}`, "on mon at 09:00:00 30 minutes before breakfast, before sleep 4 times in all"},
		{`{"timing":{"code":{"text":"QD"}},"method":{"text":"Inject"},"site":{"text":"left arm"}}`, "Inject QD at left arm"},
		{`{"asNeededBoolean":false,"maxDosePerPeriod":{"numerator":{"value":4,"unit":"g"},"denominator":{"value":1,"unit":"d"}},"patientInstruction":"with food"}`, "(at most 4 g / 1 d) (with food)"},
		{`{"timing":{"event":["2026-01-02"]}}`, "2026-01-02"},
		{`{"text":"in the morning"},{"doseAndRate":[{"doseQuantity":{"value":5,"unit":"mg"}}]}`, "in the morning, 5 mg"},
	} {
		for typ, name := range map[string]string{"MedicationStatement": "dosage", "MedicationRequest": "dosageInstruction"} {
			s := shelf{{Type: typ, ID: "r"}: `{"resourceType":"` + typ + `","id":"r","status":"active","` + name + `":[` + c.dosage + `]}`}
			if div := sectionText(t, s, "Medication Summary"); !strings.Contains(div, "<td>active</td><td>"+c.want+"</td>") {
				t.Errorf("%s: %s", c.dosage, div)
			}
		}
	}
}

// FuzzSummary makes summaries of whatever is stored: what any resource says is escaped, and never ends one.
func FuzzSummary(f *testing.F) {
	for _, seed := range []string{
		anyone, `{"resourceType":"Observation","id":"o","code":{"text":"<b>&\u0000\u0007"},"valueQuantity":{"value":1.50,"unit":"]]>"}}`,
		`{"resourceType":"Observation","id":"o","component":[{"code":{"coding":[{"code":"x"}]},"valueRange":{"low":{"value":1},"high":{}}}],"referenceRange":[[1],{"low":{"value":2}}]}`,
		`{"resourceType":"MedicationRequest","id":"o","medicationReference":{"reference":"MedicationRequest/o"},"dosageInstruction":[{"text":"\ud83d\ude00"}]}`,
		`{"resourceType":"MedicationStatement","id":"o","contained":[{"id":"m","code":{"reference":"#m"}},1],"medicationReference":{"reference":"#m"},"dosage":[{"timing":{"repeat":{"frequency":1,"when":[1,{}]},"code":[]},"doseAndRate":1}]}`,
		`{"resourceType":"Patient","name":{}}`, `{"resourceType":"Patient","name":[],"birthDate":1}`, `{"resourceType":"Patient","name":[{},{"use":"old"},null,1],"managingOrganization":{"reference":"Patient/o"}}`, `{"resourceType":"Device","id":"o","deviceName":{"name":[{"name":{}}]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := fhir.ParseResource([]byte(body), fhir.Limits{})
		if err != nil || len(body) > 10_000 {
			return
		}
		body = string(r.AppendJSON(nil))
		s := shelf{{Type: r.Type(), ID: "o"}: body}
		if _, err := made(t, s, anyone); err != nil {
			t.Fatal(err)
		}
		if r.Type() == "Patient" {
			if _, err := made(t, shelf{}, body); err != nil {
				t.Fatal(err)
			}
		}
	})
}
