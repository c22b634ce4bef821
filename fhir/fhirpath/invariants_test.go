package fhirpath

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// broken lists the official examples that break an invariant of severity error, with the reason.
var broken = map[string]string{
	"ActivityDefinition-blood-tubes-supply txt-2":        "its narrative is white space",
	"ActivityDefinition-blood-tubes-supply txt-1":        "as txt-2: both are htmlChecks()",
	"ActivityDefinition-heart-valve-replacement txt-1":   "its narrative is white space",
	"ActivityDefinition-heart-valve-replacement txt-2":   "as txt-1",
	"EventDefinition-example txt-1":                      "its narrative is white space",
	"EventDefinition-example txt-2":                      "as txt-1",
	"Questionnaire-zika-virus-exposure-assessment txt-1": "its narrative is white space",
	"Questionnaire-zika-virus-exposure-assessment txt-2": "as txt-1",
}

func TestInvariantsHoldOnTheOfficialExamples(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	n, met := 0, map[string]bool{}
	for _, name := range files {
		src := corpustest.Read(t, name)
		r, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules(t, r) {
			n++
			holds, empty, err := rule.program.True(rule.focus, nil)
			if err != nil {
				t.Errorf("%s, %s at %s: %v", filepath.Base(name), rule.inv.Key, rule.focus.node.Path(), err)
			}
			key := strings.TrimSuffix(filepath.Base(name), ".json") + " " + rule.inv.Key
			if holds || empty || rule.inv.Severity != "error" {
				continue
			}
			if met[key] = true; broken[key] == "" {
				t.Errorf("%s at %s: %s", key, rule.focus.node.Path(), rule.inv.Expression)
			}
		}
	}
	for key := range broken {
		if !met[key] {
			t.Errorf("%s holds and stands in the list of the broken", key)
		}
	}
	t.Logf("%d invariants over %d examples", n, len(files))
}

func TestInvariantsFindFaults(t *testing.T) {
	for _, c := range []struct{ key, src string }{
		{"pat-1", `{"resourceType":"Patient","contact":[{"gender":"male"}]}`},
		{"per-1", `{"resourceType":"Patient","name":[{"period":{"start":"2024-05-02","end":"2024-05-01"}}]}`},
		{"ref-1", `{"resourceType":"Patient","managingOrganization":{"reference":"#nope"}}`},
		{"dom-3", `{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"lone","name":"x"}]}`},
		{"obs-6", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueString":"y","dataAbsentReason":{"text":"z"}}`},
		{"obs-7", `{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"a"}]},"valueString":"y","component":[{"code":{"coding":[{"code":"a"}]}}]}`},
		{"cpt-2", `{"resourceType":"Patient","telecom":[{"value":"1"}]}`},
		{"ext-1", `{"resourceType":"Patient","extension":[{"url":"http://x"}]}`},
		{"txt-1", `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}`},
		{"bdl-7", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:1"},{"fullUrl":"urn:uuid:1"}]}`},
		{"qty-3", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"code":"mg"}}`},
		{"rng-2", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueRange":{"low":{"value":2,"code":"g","system":"http://unitsofmeasure.org"},"high":{"value":1000,"code":"mg","system":"http://unitsofmeasure.org"}}}`},
		{"ras-2", `{"resourceType":"RiskAssessment","status":"final","subject":{"reference":"Patient/1"},"prediction":[{"probabilityDecimal":101}]}`},
		{"que-2", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"1","type":"string"}]}]}`},
	} {
		found := false
		for _, rule := range rules(t, parsed(t, c.src)) {
			holds, empty, err := rule.program.True(rule.focus, nil)
			if err != nil {
				t.Errorf("%s: %v", rule.inv.Key, err)
			}
			found = found || rule.inv.Key == c.key && !holds && !empty
		}
		if !found {
			t.Errorf("%s does not find the fault in %s", c.key, c.src)
		}
	}
}

func TestElementsAreContexts(t *testing.T) {
	r := parsed(t, record)
	reg := definition.R4()
	typ, _ := reg.Type("Observation.component")
	p, err := Compile("value.exists() and %resource.status = 'final' and %rootResource.id = 'o' and %context.code.exists()", WithType(typ.Name), WithRegistry(reg))
	if err != nil {
		t.Fatal(err)
	}
	it := ElementItem(r.Get("component").At(1), fhir.Node{}, typ)
	if holds, empty, err := p.True(it, nil); !holds || empty || err != nil {
		t.Errorf("got %v %v %v", holds, empty, err)
	}
	if got := it.Definition(); got != typ {
		t.Errorf("the definition is %v", got)
	}
}

func TestTypesAreFoundAtRunTimeWithoutAContext(t *testing.T) {
	r := parsed(t, record)
	for _, c := range []struct{ expr, want string }{
		{"Observation.code.text", "Pressure"}, {"Patient.name", ""}, {"Resource.id", "o"}, {"code.text", "Pressure"}, {"contained.where(Patient.name.exists()).id", "p"},
	} {
		p, err := Compile(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.EvalResource(r)
		if s := strings.Join(got.Lines(), "; "); err != nil || s != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, s, err, c.want)
		}
	}
	unknown := parsed(t, `{"resourceType":"Nope","a":[{"b":1},{"b":"x","_b":{"id":"y"}}],"c":true}`)
	for _, c := range []struct{ expr, want string }{{"a.b", "1; x"}, {"a[0].b + 1", "2"}, {"c.not()", "false"}, {"children().count()", "3"}, {"type().name", ""}} {
		p, err := Compile(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.EvalResource(unknown)
		if s := strings.Join(got.Lines(), "; "); err != nil || strings.TrimPrefix(s, "FHIR.") != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, s, err, c.want)
		}
	}
}

func TestNoFocusIsEmpty(t *testing.T) {
	for _, c := range []struct{ expr, want string }{{"$this.count()", "0"}, {"%context.exists()", "false"}, {"%resource.exists()", "false"}, {"name.exists()", "false"}, {"1 + 1", "2"}, {"exists()", "false"}} {
		p, err := Compile(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Eval(Item{}, nil)
		if s := strings.Join(got.Lines(), "; "); err != nil || s != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, s, err, c.want)
		}
	}
}
