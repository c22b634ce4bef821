package search_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func resource(t testing.TB, src string) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return r
}

const eyeColour = `{"resourceType":"SearchParameter","id":"eye","url":"http://example.org/eye","name":"eye","status":"active","description":"x",
	"code":"eye-colour","base":["Patient"],"type":"token","expression":"Patient.extension.where(url='http://example.org/eye').value.ofType(code)"}`

func TestCustomParameterIsInForceWhenAddReturns(t *testing.T) {
	s := newParameters()
	patient := resource(t, `{"resourceType":"Patient","id":"1","extension":[{"url":"http://example.org/eye","valueCode":"blue"}]}`)
	query := []search.Pair{{Name: "eye-colour", Value: "blue"}}
	if _, _, err := s.Parse([]string{"Patient"}, query, search.ParseOptions{}); err == nil {
		t.Fatal("a parameter that nobody added is known")
	}
	changed, err := s.Add(resource(t, eyeColour))
	if err != nil || !slices.Equal(changed, []string{"Patient"}) {
		t.Fatalf("Add: %v %v", changed, err)
	}
	if changed, err := s.Add(resource(t, eyeColour)); err != nil || len(changed) != 0 {
		t.Errorf("the same again: %v %v", changed, err)
	}
	entries, err := s.Extract(patient)
	if err != nil {
		t.Fatal(err)
	}
	req, _, err := s.Parse([]string{"Patient"}, query, search.ParseOptions{})
	if err != nil || !search.Match(req.Where, patient.Key(), entries, nil) {
		t.Errorf("eye-colour=blue: %v, entries %+v", err, entries)
	}
	if changed := s.Remove("http://example.org/eye"); !slices.Equal(changed, []string{"Patient"}) {
		t.Errorf("Remove: %v", changed)
	}
	if _, ok := s.Lookup("Patient", "eye-colour"); ok {
		t.Error("the parameter is known after Remove")
	}
}

func TestCustomParameterOfAllResources(t *testing.T) {
	s := newParameters()
	all := strings.NewReplacer(`["Patient"]`, `["Resource"]`, "Patient.extension", "Resource.meta.extension", "eye-colour", "ward").Replace(eyeColour)
	changed, err := s.Add(resource(t, all))
	if err != nil || len(changed) != len(s.Registry().ResourceTypes()) {
		t.Fatalf("Add: %d types, %v", len(changed), err)
	}
	if _, _, err := s.Parse(nil, []search.Pair{{Name: "ward", Value: "x"}}, search.ParseOptions{}); err != nil {
		t.Errorf("whole-system search: %v", err)
	}
}

func TestExpressionThatFailsOnAResourceIsReported(t *testing.T) {
	var skipped []string
	s := search.NewParameters(newParameters().Registry(), search.Options{OnSkipped: func(typ, param string, err error) {
		if strings.Contains(err.Error(), "Jane") {
			t.Errorf("the error repeats the resource: %v", err)
		}
		skipped = append(skipped, typ+" "+param+" "+issueIDs(err)[0])
	}})
	single := strings.NewReplacer("eye-colour", "single", `"token"`, `"string"`, "Patient.extension.where(url='http://example.org/eye').value.ofType(code)", "Patient.name.given.single()").Replace(eyeColour)
	if _, err := s.Add(resource(t, single)); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{`"Jane"`, `"Jane","Ann"`} {
		if _, err := s.Extract(resource(t, `{"resourceType":"Patient","id":"1","name":[{"given":[`+given+`]}]}`)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"Patient single fhirpath-singleton"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	skipped = nil
	values := strings.Repeat(`{"system":"s","code":"c0"},`, 99) + `{"system":"s","code":"c"}`
	for i := range 99 {
		values = strings.Replace(values, `"c0"`, `"c`+strconv.Itoa(i+1)+`"`, 1)
	}
	body := `{"resourceType":"Observation","id":"1","status":"final","code":{"coding":[` + values + `]},"valueCodeableConcept":{"coding":[` + values + `]}}`
	entries, err := s.Extract(resource(t, body))
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDIndexLimit || !strings.Contains(e.Issues[0].Text, "code-value-concept") || !strings.Contains(e.Issues[0].Text, "4096") {
		t.Errorf("10,000 combinations: %v", err)
	}
	if !slices.ContainsFunc(entries, func(e search.Entry) bool { return e.Param == "status" }) {
		t.Error("what can be indexed is not")
	}
	if !slices.Contains(skipped, "Observation code-value-concept search-too-costly") {
		t.Errorf("10,000 combinations: skipped %v", skipped)
	}
}

func TestCustomParameterThatCannotBeServedIsRefused(t *testing.T) {
	s := newParameters()
	for _, c := range []struct{ old, new, id string }{
		{`"http://example.org/eye","name"`, `"","name"`, "parameter-invalid"},
		{`"eye-colour"`, `"eye colour"`, "parameter-invalid"},
		{`"type":"token"`, `"type":"colour"`, "parameter-invalid"},
		{`["Patient"]`, `["Alien"]`, "parameter-invalid"},
		{`Patient.extension.where(url=`, `Patient.extension.where(url`, "parameter-expression"},
		{`"Patient.extension.where(url='http://example.org/eye').value.ofType(code)"`, `"Patient.noSuchElement"`, "parameter-expression"},
		{`"eye-colour"`, `"gender"`, "parameter-conflict"},
		{`"http://example.org/eye","name"`, `"http://hl7.org/fhir/SearchParameter/individual-gender","name"`, "parameter-conflict"},
		{`"code":"eye-colour","base":["Patient"],"type":"token"`, `"code":"gender","base":["Patient"],"type":"string"`, "parameter-conflict"},
		{`"status":"active"`, `"status":"retired"`, ""},
	} {
		src := strings.Replace(eyeColour, c.old, c.new, 1)
		err := s.Check(resource(t, src))
		changed, addErr := s.Add(resource(t, src))
		var e *fhir.Error
		switch {
		case (err == nil) != (addErr == nil):
			t.Errorf("%s: Check %v, Add %v", c.new, err, addErr)
		case c.id == "" && (err != nil || len(changed) > 0):
			t.Errorf("%s: %v %v", c.new, changed, err)
		case c.id != "" && (!errors.As(err, &e) || e.Kind != fhir.KindUnprocessable || string(e.Issues[0].ID) != c.id):
			t.Errorf("%s: %v, want %s", c.new, err, c.id)
		}
	}
}

// R4 states one expression for all bases of a parameter; who restates it for one writes it in other words.
func TestParameterThatRestatesR4IsAcceptedByWhatItFinds(t *testing.T) {
	s := newParameters()
	for _, c := range []struct {
		base, code, typ, expression string
		accepted                    bool
	}{
		{"Patient", "family", "string", "Patient.name.family", true},
		{"Patient", "family", "string", "Practitioner.name.family | (Patient.name.family)", true},
		{"Patient", "family", "string", "Patient.contact.name.family", false},
		{"Patient", "family", "string", "Patient.name.family | Patient.contact.name.family", false},
		{"Patient", "family", "token", "Patient.name.family", false},
		{"Observation", "value-quantity", "quantity", "Observation.value.ofType(Quantity) | Observation.value.as(SampledData)", true},
		{"Observation", "value-quantity", "quantity", "Observation.value.ofType(FHIR.Quantity)", false},
		{"Observation", "patient", "reference", "Observation.subject.where(resolve() is Patient)", true},
		{"Observation", "patient", "reference", "Observation.performer.where(resolve() is Patient)", false},
		{"Patient", "_id", "token", "Patient.id", true},
		{"Procedure", "date", "date", `Procedure.occurrence","derivedFrom":"http://hl7.org/fhir/SearchParameter/clinical-date`, true},
	} {
		src := `{"resourceType":"SearchParameter","url":"http://example.org/x","status":"active","code":"` + c.code + `","base":["` + c.base +
			`"],"type":"` + c.typ + `","expression":"` + c.expression + `"}`
		changed, err := s.Add(resource(t, src))
		var e *fhir.Error
		switch {
		case c.accepted && (err != nil || len(changed) > 0):
			t.Errorf("%s %s %s: %v %v", c.base, c.code, c.expression, changed, err)
		case !c.accepted && (!errors.As(err, &e) || e.Issues[0].ID != "parameter-conflict"):
			t.Errorf("%s %s %s: %v, want parameter-conflict", c.base, c.code, c.expression, err)
		}
	}
}

func TestEveryParameterOfR4RestatesItself(t *testing.T) {
	s := newParameters()
	for _, def := range s.Registry().AllSearchParameters() {
		if def.Expression == "" {
			continue
		}
		for _, typ := range def.Base {
			src, err := json.Marshal(map[string]any{"resourceType": "SearchParameter", "url": def.URL, "status": "active", "code": def.Code,
				"type": def.Type, "base": []string{typ}, "expression": def.Expression})
			if err != nil {
				t.Fatal(err)
			}
			if changed, err := s.Add(resource(t, string(src))); err != nil || len(changed) > 0 {
				t.Errorf("%s on %s: %v %v", def.URL, typ, changed, err)
			}
		}
	}
}

func TestParametersOfAnImplementationGuideAreAccepted(t *testing.T) {
	s := newParameters()
	n := 0
	z := bytes.NewReader(corpustest.Read(t, corpustest.Path(t, "packages/hl7.fhir.us.core-3.1.0.tgz")))
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path.Base(h.Name), "SearchParameter-") {
			continue
		}
		src, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(resource(t, string(src))); err != nil {
			t.Errorf("%s: %v", h.Name, err)
		}
		n++
	}
	if n == 0 {
		t.Error("the package has no SearchParameter")
	}
	t.Logf("%d parameters, %d of them new", n, len(s.Custom()))
}

func FuzzAdd(f *testing.F) {
	for _, e := range []string{"Patient.name", "(Patient.x as string)", "Patient.a | Patient.b", "(", ")", "Patient.where(", "(a)(b)", "Patient.extension('x').value"} {
		f.Add(e, "token")
	}
	f.Fuzz(func(t *testing.T, expression, typ string) {
		if strings.ContainsFunc(expression+typ, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0xfffd }) {
			return
		}
		s := newParameters()
		src := `{"resourceType":"SearchParameter","url":"http://x","status":"active","code":"zz","base":["Patient"],"type":"` + typ + `","expression":"` + expression + `"}`
		r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
		if err != nil {
			return
		}
		if _, err := s.Add(r); err != nil {
			return
		}
		if _, err := s.Extract(resource(t, `{"resourceType":"Patient","id":"1","name":[{"family":"x"}],"active":true}`)); err != nil {
			t.Fatal(err)
		}
		_, _, _ = s.Parse([]string{"Patient"}, []search.Pair{{Name: "zz", Value: "1"}}, search.ParseOptions{})
		_, _, _ = s.Parse([]string{"Patient"}, []search.Pair{{Name: "zz:of-type", Value: "1|2|3"}}, search.ParseOptions{})
	})
}
