package patch

import (
	stdxml "encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/xml"
)

func applyFHIRPath(t testing.TB, doc, patch string) (string, error) {
	t.Helper()
	params, err := fhir.ParseResource([]byte(patch), fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	p, err := ParseFHIRPath(definition.R4(), params, Limits{})
	if err != nil {
		return "", err
	}
	current, err := fhir.ParseResource([]byte(doc), fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	out, err := p.Apply(current)
	return string(out), err
}

func TestOfficialFHIRPathPatchCases(t *testing.T) {
	var suite struct {
		Cases []struct {
			Name  string `xml:"name,attr"`
			Input struct {
				XML string `xml:",innerxml"`
			} `xml:"input"`
			Diff struct {
				XML string `xml:",innerxml"`
			} `xml:"diff"`
			Output struct {
				XML string `xml:",innerxml"`
			} `xml:"output"`
			Error *struct{} `xml:"error"`
		} `xml:"case"`
	}
	if err := stdxml.Unmarshal(corpustest.Read(t, corpustest.Path(t, "patch/fhir-patch-tests.xml")), &suite); err != nil {
		t.Fatal(err)
	}
	format := xml.New(definition.R4())
	json := func(src string) string {
		b, err := format.AppendJSON(nil, strings.NewReader(strings.TrimSpace(src)), xml.Limits{})
		if err != nil {
			t.Fatalf("%v: %s", err, src)
		}
		return strings.ReplaceAll(string(b), "&quot;", `\"`) // in narratives, where both are the same
	}
	passed := 0
	for _, c := range suite.Cases {
		out, err := applyFHIRPath(t, json(c.Input.XML), json(c.Diff.XML))
		switch {
		case c.Error != nil:
			if fhir.KindOf(err) != fhir.KindUnprocessable {
				t.Errorf("%s: got %s %v, want an error", c.Name, out, err)
				continue
			}
		case err != nil:
			t.Errorf("%s: %v", c.Name, err)
			continue
		case !equalNodes(parse(t, out), parse(t, json(c.Output.XML))):
			t.Errorf("%s: got %s, want %s", c.Name, out, json(c.Output.XML))
			continue
		}
		passed++
	}
	t.Logf("%d of %d official FHIRPath Patch cases pass", passed, len(suite.Cases))
	if len(suite.Cases) != 33 {
		t.Errorf("the corpus has %d cases, want 33", len(suite.Cases))
	}
}

// ops makes a FHIRPath Patch. Each operation is a type, a path, and the JSON of further parts.
func ops(list ...[3]string) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Parameters","parameter":[`)
	for i, o := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"operation","part":[{"name":"type","valueCode":"` + o[0] + `"},{"name":"path","valueString":`)
		b.Write(fhir.AppendString(nil, o[1]))
		b.WriteString(`}`)
		if o[2] != "" {
			b.WriteString("," + o[2])
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}`)
	return b.String()
}

func TestFHIRPathPatch(t *testing.T) {
	const (
		patient     = `{"resourceType":"Patient","id":"a","name":[{"family":"F","given":["A","B","C"],"_given":[null,{"id":"b"},null]}],"_birthDate":{"id":"x"},"gender":"male"}`
		observation = `{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.00},"code":{"text":"\u0078"}}`
	)
	one := func(typ, path, parts string) string { return ops([3]string{typ, path, parts}) }
	for _, c := range []struct{ name, doc, patch, want string }{
		{"the rest stays as it is spelled", observation, one("replace", "Observation.status", `{"name":"value","valueCode":"amended"}`),
			`{"resourceType":"Observation","status":"amended","valueQuantity":{"value":1.00},"code":{"text":"\u0078"}}`},
		{"a choice changes its type in place", observation, one("replace", "Observation.value", `{"name":"value","valueString":"x"}`),
			`{"resourceType":"Observation","status":"final","valueString":"x","code":{"text":"\u0078"}}`},
		{"a choice is added by its name", `{"resourceType":"Patient"}`, one("add", "Patient", `{"name":"name","valueString":"deceased"},{"name":"value","valueBoolean":true}`),
			`{"resourceType":"Patient","deceasedBoolean":true}`},
		{"delete takes the sibling along", patient, one("delete", "Patient.name[0].given[1]", ""),
			`{"resourceType":"Patient","id":"a","name":[{"family":"F","given":["A","C"]}],"_birthDate":{"id":"x"},"gender":"male"}`},
		{"insert shifts siblings", patient, one("insert", "Patient.name.given", `{"name":"index","valueInteger":0},{"name":"value","valueString":"Z","_valueString":{"id":"z"}}`),
			`{"resourceType":"Patient","id":"a","name":[{"family":"F","given":["Z","A","B","C"],"_given":[{"id":"z"},null,{"id":"b"},null]}],"_birthDate":{"id":"x"},"gender":"male"}`},
		{"move takes the sibling along", patient, one("move", "Patient.name.given", `{"name":"source","valueInteger":1},{"name":"destination","valueInteger":2}`),
			`{"resourceType":"Patient","id":"a","name":[{"family":"F","given":["A","C","B"],"_given":[null,null,{"id":"b"}]}],"_birthDate":{"id":"x"},"gender":"male"}`},
		{"replace takes the sibling away", patient, one("replace", "Patient.birthDate", `{"name":"value","valueDate":"1970"}`),
			`{"resourceType":"Patient","id":"a","name":[{"family":"F","given":["A","B","C"],"_given":[null,{"id":"b"},null]}],"gender":"male","birthDate":"1970"}`},
		{"an extension of a primitive", `{"resourceType":"Patient","gender":"male","active":true}`,
			one("add", "Patient.gender", `{"name":"name","valueString":"extension"},{"name":"value","valueExtension":{}}`), ""},
		{"an extension of a primitive by parts", `{"resourceType":"Patient","gender":"male","active":true}`,
			one("add", "Patient.gender", `{"name":"name","valueString":"extension"},{"name":"value","part":[{"name":"url","valueUri":"urn:x"},{"name":"value","valueCode":"y"}]}`),
			`{"resourceType":"Patient","gender":"male","_gender":{"extension":[{"url":"urn:x","valueCode":"y"}]},"active":true}`},
		{"deep parts with lists", `{"resourceType":"Patient"}`,
			one("add", "Patient", `{"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"name","part":[{"name":"given","valueString":"A"},{"name":"given","valueString":"B"}]},{"name":"telecom","valueContactPoint":{"value":"1"}}]}`),
			`{"resourceType":"Patient","contact":[{"name":{"given":["A","B"]},"telecom":[{"value":"1"}]}]}`},
		{"parts keep the order of their first", `{"resourceType":"Patient"}`,
			one("add", "Patient", `{"name":"name","valueString":"name"},{"name":"value","part":[{"name":"given","_valueString":{"id":"a"}},{"name":"family","valueString":"F"},{"name":"prefix","valueString":"P"},{"name":"given","valueString":"B","_valueString":{"id":"b"}},{"name":"given","valueString":"C"},{"name":"prefix","valueString":"Q"}]}`),
			`{"resourceType":"Patient","name":[{"_given":[{"id":"a"},{"id":"b"},null],"family":"F","prefix":["P","Q"],"given":[null,"B","C"]}]}`},
		{"insert begins a list", `{"resourceType":"Patient"}`, one("insert", "Patient.name", `{"name":"index","valueInteger":0},{"name":"value","valueHumanName":{"text":"x"}}`),
			`{"resourceType":"Patient","name":[{"text":"x"}]}`},
		{"insert at the end", `{"resourceType":"Patient","name":[{"text":"x"}]}`, one("insert", "Patient.name", `{"name":"index","valueInteger":1},{"name":"value","valueHumanName":{"text":"y"}}`),
			`{"resourceType":"Patient","name":[{"text":"x"},{"text":"y"}]}`},
		{"a delete that finds nothing", `{"resourceType":"Patient"}`, one("delete", "Patient.name[3]", ""), `{"resourceType":"Patient"}`},
		{"a delete by a filter", `{"resourceType":"Patient","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}]}`,
			one("delete", "Patient.telecom.where(system='phone')", ""), `{"resourceType":"Patient","telecom":[{"system":"email","value":"2"}]}`},
		{"a contained resource", `{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p","active":true}]}`,
			ops([3]string{"replace", "Observation.contained[0].ofType(Patient).active", `{"name":"value","valueBoolean":false}`}, [3]string{"add", "Observation", `{"name":"name","valueString":"contained"},{"name":"value","resource":{"resourceType":"Device","id":"d"}}`}),
			`{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p","active":false},{"resourceType":"Device","id":"d"}]}`},
		{"operations see those before them", `{"resourceType":"Patient"}`,
			ops([3]string{"add", "Patient", `{"name":"name","valueString":"name"},{"name":"value","valueHumanName":{"text":"x"}}`}, [3]string{"add", "Patient.name[0]", `{"name":"name","valueString":"family"},{"name":"value","valueString":"y"}`}, [3]string{"delete", "Patient.name[0].text", ""}),
			`{"resourceType":"Patient","name":[{"family":"y"}]}`},
		{"no operation", patient, `{"resourceType":"Parameters"}`, patient},
	} {
		got, err := applyFHIRPath(t, c.doc, c.patch)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: got %s, want an error", c.name, got)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

func TestFHIRPathPatchThatFails(t *testing.T) {
	const patient = `{"resourceType":"Patient","name":[{"text":"x","given":["A","B"]},{"text":"y"}],"gender":"male","deceasedBoolean":true}`
	for _, c := range []struct {
		name  string
		op    [3]string
		kind  fhir.Kind
		id    fhir.IssueID
		words string
	}{
		{"an unknown type", [3]string{"spam", "Patient", ""}, fhir.KindInvalid, fhir.IDPatchMalformed, "operation 0: type"},
		{"no path", [3]string{"delete", "", ""}, fhir.KindInvalid, fhir.IDPatchMalformed, "path"},
		{"no value", [3]string{"replace", "Patient.gender", ""}, fhir.KindInvalid, fhir.IDPatchMalformed, "value"},
		{"a part too many", [3]string{"delete", "Patient.gender", `{"name":"index","valueInteger":1}`}, fhir.KindInvalid, fhir.IDPatchMalformed, "index"},
		{"an unknown part", [3]string{"delete", "Patient.gender", `{"name":"spam","valueInteger":1}`}, fhir.KindInvalid, fhir.IDPatchMalformed, ""},
		{"a part twice", [3]string{"delete", "Patient.gender", `{"name":"path","valueString":"Patient"}`}, fhir.KindInvalid, fhir.IDPatchMalformed, "twice"},
		{"no FHIRPath", [3]string{"delete", "Patient..", ""}, fhir.KindInvalid, fhir.IDFHIRPathSyntax, "operation 0 (delete Patient..)"},
		{"an unknown element in the path", [3]string{"delete", "Patient.spam", ""}, fhir.KindUnprocessable, fhir.IDFHIRPathElement, ""},
		{"another type's path", [3]string{"delete", "Observation.status", ""}, fhir.KindUnprocessable, fhir.IDFHIRPathElement, ""},
		{"several elements", [3]string{"delete", "Patient.name", ""}, fhir.KindUnprocessable, fhir.IDPatchPath, "2 elements"},
		{"nothing", [3]string{"replace", "Patient.birthDate", `{"name":"value","valueDate":"1970"}`}, fhir.KindUnprocessable, fhir.IDPatchPath, "nothing"},
		{"a computed value", [3]string{"delete", "Patient.name.count()", ""}, fhir.KindUnprocessable, fhir.IDPatchPath, "not an element"},
		{"the resource", [3]string{"delete", "Patient", ""}, fhir.KindUnprocessable, fhir.IDPatchRoot, ""},
		{"an unknown element", [3]string{"add", "Patient", `{"name":"name","valueString":"spam"},{"name":"value","valueString":"x"}`}, fhir.KindUnprocessable, fhir.IDPatchName, "spam"},
		{"an element that is there", [3]string{"add", "Patient", `{"name":"name","valueString":"gender"},{"name":"value","valueCode":"male"}`}, fhir.KindUnprocessable, fhir.IDPatchExists, "replace"},
		{"a choice that is there", [3]string{"add", "Patient", `{"name":"name","valueString":"deceased"},{"name":"value","valueDateTime":"2020"}`}, fhir.KindUnprocessable, fhir.IDPatchExists, ""},
		{"a wrong type", [3]string{"replace", "Patient.gender", `{"name":"value","valueBoolean":true}`}, fhir.KindUnprocessable, fhir.IDPatchValue, "code"},
		{"a wrong complex type", [3]string{"replace", "Patient.name[0]", `{"name":"value","valueAddress":{"text":"x"}}`}, fhir.KindUnprocessable, fhir.IDPatchValue, "HumanName"},
		{"a type that the choice lacks", [3]string{"replace", "Patient.deceased", `{"name":"value","valueString":"x"}`}, fhir.KindUnprocessable, fhir.IDPatchValue, "boolean, dateTime"},
		{"two values", [3]string{"replace", "Patient.gender", `{"name":"value","valueCode":"male","valueString":"x"}`}, fhir.KindUnprocessable, fhir.IDPatchValue, ""},
		{"JSON of another type", [3]string{"replace", "Patient.gender", `{"name":"value","valueCode":5}`}, fhir.KindUnprocessable, fhir.IDPatchValue, ""},
		{"an index past the end", [3]string{"insert", "Patient.name", `{"name":"index","valueInteger":3},{"name":"value","valueHumanName":{}}`}, fhir.KindUnprocessable, fhir.IDPatchIndex, "2 items"},
		{"part of a list", [3]string{"insert", "Patient.name.where(text='x')", `{"name":"index","valueInteger":0},{"name":"value","valueHumanName":{}}`}, fhir.KindUnprocessable, fhir.IDPatchList, ""},
		{"no list", [3]string{"insert", "Patient.gender", `{"name":"index","valueInteger":0},{"name":"value","valueCode":"male"}`}, fhir.KindUnprocessable, fhir.IDPatchList, ""},
		{"an absent element that is no list", [3]string{"insert", "Patient.birthDate", `{"name":"index","valueInteger":0},{"name":"value","valueDate":"1970"}`}, fhir.KindUnprocessable, fhir.IDPatchList, ""},
		{"a source past the end", [3]string{"move", "Patient.name", `{"name":"source","valueInteger":2},{"name":"destination","valueInteger":0}`}, fhir.KindUnprocessable, fhir.IDPatchIndex, "source"},
		{"a destination past the end", [3]string{"move", "Patient.name", `{"name":"source","valueInteger":0},{"name":"destination","valueInteger":2}`}, fhir.KindUnprocessable, fhir.IDPatchIndex, "destination"},
		{"a negative index", [3]string{"move", "Patient.name", `{"name":"source","valueInteger":-1},{"name":"destination","valueInteger":2}`}, fhir.KindInvalid, fhir.IDPatchMalformed, "source"},
	} {
		got, err := applyFHIRPath(t, patient, ops(c.op))
		var e *fhir.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Issues[0].ID != c.id || !strings.Contains(e.Issues[0].Text, c.words) || e.Issues[0].Expression != "Parameters.parameter[0]" {
			t.Errorf("%s: got %s %v %+v; want kind %d, id %s, text with %q", c.name, got, err, e, c.kind, c.id, c.words)
		}
	}
}

func FuzzFHIRPathPatch(f *testing.F) {
	f.Add(`{"resourceType":"Patient","name":[{"given":["A"],"_given":[{"id":"x"}]}]}`, ops([3]string{"insert", "Patient.name.given", `{"name":"index","valueInteger":0},{"name":"value","valueString":"x"}`}))
	f.Add(`{"resourceType":"Patient","_given":[],"contact":[{}]}`, ops([3]string{"delete", "Patient.contact[0]", ""}, [3]string{"add", "Patient", `{"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"gender","valueCode":"x"}]}`}))
	f.Add(`{"resourceType":"Observation","valueQuantity":{},"contained":[{"resourceType":"Patient","name":"x"}]}`, ops([3]string{"move", "Observation.contained.name", `{"name":"source","valueInteger":0},{"name":"destination","valueInteger":0}`}))
	f.Add(`{"resourceType":"Patient","name":5,"_name":[null],"gender":[{"id":1}],"_gender":{}}`, ops([3]string{"replace", "Patient.gender", `{"name":"value","valueCode":"x"}`}, [3]string{"add", "Patient.gender", `{"name":"name","valueString":"id"},{"name":"value","valueString":"x"}`}))
	f.Fuzz(func(t *testing.T, doc, patch string) {
		current, err := fhir.ParseResource([]byte(doc), fhir.Limits{})
		if err != nil {
			return
		}
		params, err := fhir.ParseResource([]byte(patch), fhir.Limits{})
		if err != nil {
			return
		}
		p, err := ParseFHIRPath(definition.R4(), params, Limits{Operations: 20})
		if err != nil {
			return
		}
		p.steps = 100_000
		before := string(current.AppendJSON(nil))
		out, err := p.Apply(current)
		if again := string(current.AppendJSON(nil)); again != before {
			t.Fatalf("the resource was changed: %s", again)
		}
		if err != nil {
			if e := new(fhir.Error); !errors.As(err, &e) || e.Kind == fhir.KindInternal {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if _, err := fhir.ParseResource(out, fhir.Limits{Depth: 300}); err != nil {
			t.Fatalf("%s makes of %s what is no resource: %s: %v", patch, doc, out, err)
		}
	})
}

func BenchmarkFHIRPathPatch(b *testing.B) {
	r := fhir.Resource{Node: parse(b, `{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"A","given":["B","C"]}],"gender":"male","birthDate":"1970-01-01","address":[{"line":["1 Street"],"city":"X"}]}`)}
	params := fhir.Resource{Node: parse(b, ops([3]string{"replace", "Patient.name[0].family", `{"name":"value","valueString":"D"}`}, [3]string{"add", "Patient", `{"name":"name","valueString":"active"},{"name":"value","valueBoolean":true}`}))}
	p, err := ParseFHIRPath(definition.R4(), params, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(r.Raw())))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Apply(r); err != nil {
			b.Fatal(err)
		}
	}
}
