package operation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// newService returns the interactions on an empty store in memory.
func newService(t *testing.T) *interaction.Service {
	t.Helper()
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	reg := definition.R4()
	s, err := interaction.New(store, reg, search.NewParameters(reg, search.Options{BaseURLs: []string{"http://localhost/fhir"}}), nil, interaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// store puts resources.
func store(t *testing.T, s *interaction.Service, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		r, err := fhir.ParseResource([]byte(body), fhir.Limits{})
		if err == nil {
			_, err = s.Update(t.Context(), r.Key(), r, interaction.Conditions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// call runs an operation with a Parameters resource of these parameters.
func call(t *testing.T, o interaction.Operation, parameters string) (string, error) {
	t.Helper()
	in, err := fhir.ParseResource([]byte(`{"resourceType":"Parameters","parameter":[`+parameters+`]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := o.Run(t.Context(), &interaction.Request{Base: "http://localhost/fhir", Resource: in})
	if err == nil {
		if _, err := fhir.ParseResource(res.Body, fhir.Limits{}); err != nil {
			t.Fatalf("the answer is no resource: %v: %s", err, res.Body)
		}
	}
	return string(res.Body), err
}

const (
	janeDoe    = `{"name":"resource","resource":{"resourceType":"Patient","birthDate":"1974-12","name":[{"family":"Doe","given":["Jane","J."]},{"family":"Roe"}],"contact":[{"name":{"text":"X"}}],"multipleBirthInteger":2}}`
	expression = `{"name":"expression","valueString":"`
)

func TestFHIRPathAnswersInThePlaygroundsProtocol(t *testing.T) {
	o := FHIRPath(newService(t), definition.R4())
	for _, c := range []struct{ name, in, want string }{
		{"strings", expression + `name.given"},` + janeDoe, `{"name":"result","part":[{"name":"string","valueString":"Jane"},{"name":"string","valueString":"J."}]}`},
		{"the request is told again", expression + `birthDate"},` + janeDoe, `{"name":"expression","valueString":"birthDate"}`},
		{"the resource is told again", expression + `birthDate"},` + janeDoe, `{"name":"resource","resource":{"resourceType":"Patient"`},
		{"a datatype", expression + `name[1]"},` + janeDoe, `{"name":"HumanName","valueHumanName":{"family":"Roe"}}`},
		{"a date", expression + `birthDate"},` + janeDoe, `{"name":"date","valueDate":"1974-12"}`},
		{"a choice", expression + `multipleBirth + 1"},` + janeDoe, `{"name":"integer","valueInteger":3}`},
		{"a system value", expression + `name.exists()"},` + janeDoe, `{"name":"boolean","valueBoolean":true}`},
		{"a resource", expression + `$this"},` + janeDoe, `{"name":"Patient","resource":{"resourceType":"Patient"`},
		{"nothing", expression + `deceased"},` + janeDoe, `{"name":"result"}`},
		{"without a resource", expression + `1 + 1"}`, `{"name":"integer","valueInteger":2}`},
		{"each context", expression + `given.count()"},{"name":"context","valueString":"name"},` + janeDoe,
			`{"name":"result","valueString":"Patient.name[0]","part":[{"name":"integer","valueInteger":2}]},{"name":"result","valueString":"Patient.name[1]","part":[{"name":"integer","valueInteger":0}]}`},
		{"no context", expression + `language.text"},{"name":"context","valueString":"communication"},` + janeDoe, `"name":"context"`},
		{"variables", expression + `%a + %b.family"},{"name":"variables","part":[{"name":"a","valueString":"x"},{"name":"b","valueHumanName":{"family":"y"}},{"name":"c"}]}`, `"valueString":"xy"`},
		{"a variable that is a resource", expression + `%p.gender"},{"name":"variables","part":[{"name":"p","resource":{"resourceType":"Patient","gender":"male"}}]}`, `"valueCode":"male"`},
		{"each context that is a system value", expression + `$this + 1"},{"name":"context","valueString":"name.given.select(length())"},` + janeDoe,
			`{"name":"result","valueString":"name.given.select(length())[0]","part":[{"name":"integer","valueInteger":5}]},{"name":"result","valueString":"name.given.select(length())[1]","part":[{"name":"integer","valueInteger":3}]}`},
		{"the resource of a context that is a system value", expression + `%rootResource.birthDate | %resource.birthDate"},{"name":"context","valueString":"today()"},` + janeDoe, `"part":[{"name":"date","valueDate":"1974-12"}]`},
		{"the value of an element as context", expression + `$this"},{"name":"context","valueString":"birthDate.getValue()"},` + janeDoe, `{"name":"date","valueDate":"1974-12"}`},
		{"the types as context", expression + `name"},{"name":"context","valueString":"name.type()"},` + janeDoe, `{"name":"string","valueString":"HumanName"}`},
		{"a terminology server", expression + `1"},{"name":"terminologyserver","valueString":"https://tx.fhir.org/r4"}`,
			`{"name":"terminologyserver","valueString":"https://tx.fhir.org/r4"},{"name":"terminology","valueString":"this server's own; terminologyserver was not asked"}`},
		{"a resource in an extension", expression + `name.family"},{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Doe\"}]}"}]}`,
			`{"name":"result","part":[{"name":"string","valueString":"Doe"}]}`},
		{"an empty string", expression + `'' | 'a'"}`, `{"name":"result","part":[{"name":"empty-string"},{"name":"string","valueString":"a"}]}`},
		{"variables are told again", expression + `1"},{"name":"variables","part":[{"name":"a","valueString":"x"}]}`, `,{"name":"variables","part":[{"name":"a","valueString":"x"}]}]},{"name":"result"`},
		{"variables of two parameters", expression + `%a & %b"},{"name":"variables","part":[{"name":"a","valueString":"x"}]},{"name":"variables","part":[{"name":"b","valueString":"y"}]}`, `"valueString":"xy"`},
		{"trace of nothing", expression + `{}.trace('n')"}`, `{"name":"result","part":[{"name":"trace","valueString":"n"}]}`},
		{"trace without a name", expression + `1.trace('')"}`, `{"name":"trace","part":[{"name":"integer","valueInteger":1}]}`},
		{"trace", expression + `name.trace('n').family.first()"},` + janeDoe, `{"name":"string","valueString":"Doe"},{"name":"trace","valueString":"n","part":[{"name":"HumanName"`},
		{"not validated", expression + `name.familie"},{"name":"validate","valueBoolean":false},` + janeDoe, `{"name":"result"}`},
		{"validated", expression + `name.family"},{"name":"validate","valueBoolean":true},` + janeDoe, `"Doe"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := call(t, o, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("no %s\nin %s", c.want, got)
			}
		})
	}
}

func TestFHIRPathRefuses(t *testing.T) {
	o := FHIRPath(newService(t), definition.R4())
	for _, c := range []struct{ name, in, id, text string }{
		{"no expression", janeDoe, "operation-parameter", "expression"},
		{"an expression of another type", `{"name":"expression","valueCode":"a"}`, "operation-parameter", "valueString"},
		{"an unknown parameter", expression + `1"},{"name":"nonsense","valueString":"a"}`, "operation-parameter", "parameters are"},
		{"a resource that is none", expression + `1"},{"name":"resource","valueString":"{}"}`, "operation-parameter", "resource"},
		{"a type that is none", expression + `1"},{"name":"resource","resource":{"resourceType":"Patiant"}}`, "operation-parameter", "type"},
		{"a variable of no value", expression + `%a"},{"name":"variables","part":[{"name":"a","valuePrice":1}]}`, "operation-parameter", "variable"},
		{"a syntax error", expression + `name..family"},` + janeDoe, "fhirpath-syntax", "column 6"},
		{"an unknown constant", expression + `%nobody"},` + janeDoe, "fhirpath-variable", "constant"},
		{"a path that can't exist", expression + `name.familie"},` + janeDoe, "fhirpath-element", "column"},
		{"a path that can't exist, asked for", expression + `name.familie"},{"name":"validate","valueBoolean":true},` + janeDoe, "fhirpath-element", "column"},
		{"a path that can't exist in the context", expression + `familie"},{"name":"context","valueString":"name"},` + janeDoe, "fhirpath-element", "column"},
		{"a context that can't exist", expression + `family"},{"name":"context","valueString":"nome"},` + janeDoe, "fhirpath-element", "column"},
		{"the path of another type", expression + `Observation.code"},` + janeDoe, "fhirpath-element", ""},
		{"a syntax error in the context", expression + `1"},{"name":"context","valueString":"("}`, "fhirpath-syntax", ""},
		{"two expressions", expression + `1"},` + expression + `2"}`, "operation-parameter", "at most once"},
		{"two resources", expression + `1"},` + janeDoe + `,` + janeDoe, "operation-parameter", "at most once"},
		{"a variable of a constant's name", expression + `%resource"},{"name":"variables","part":[{"name":"resource","valueString":"x"}]}`, "operation-parameter", "FHIRPath defines"},
		{"a resource as XML", expression + `1"},{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/xml-value","valueString":"<Patient/>"}]}`, "operation-parameter", "as JSON"},
		{"a resource in an extension that is no JSON", expression + `1"},{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{"}]}`, "", ""},
		{"a resource in an extension that is none", expression + `1"},{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{\"resourceType\":\"Patiant\"}"}]}`, "operation-parameter", "type"},
		{"a terminology server that is no text", expression + `1"},{"name":"terminologyserver","valueBoolean":true}`, "operation-parameter", "valueString"},
		{"a path that can't exist in a context of system values", expression + `family"},{"name":"context","valueString":"name.given.count()"},` + janeDoe, "fhirpath-element", "column"},
		{"no end", expression + `(1).repeat($this + 1)"}`, "fhirpath-limit", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := call(t, o, c.in)
			var e *fhir.Error
			if !errors.As(err, &e) || len(e.Issues) == 0 {
				t.Fatalf("%v: %s", err, got)
			}
			if c.id != "" && string(e.Issues[0].ID) != c.id || !strings.Contains(e.Issues[0].Text, c.text) {
				t.Errorf("%s: %s", e.Issues[0].ID, e.Issues[0].Text)
			}
			if strings.Contains(e.Issues[0].Text, "Jane") {
				t.Errorf("the text quotes the resource: %s", e.Issues[0].Text)
			}
		})
	}
}

func TestFHIRPathAsksTheStore(t *testing.T) {
	s := newService(t)
	store(t, s,
		`{"resourceType":"Patient","id":"p","name":[{"family":"Chalmers"}],"managingOrganization":{"reference":"Organization/o"}}`,
		`{"resourceType":"Patient","id":"p","name":[{"family":"Windsor"}],"managingOrganization":{"reference":"Organization/o"}}`,
		`{"resourceType":"Organization","id":"o","name":"Acme"}`,
		`{"resourceType":"Questionnaire","id":"q1","status":"active","url":"http://example.org/q","version":"1","title":"First"}`,
		`{"resourceType":"Questionnaire","id":"q2","status":"active","url":"http://example.org/q","version":"2","title":"Second"}`,
		`{"resourceType":"CodeSystem","id":"cs","status":"active","content":"complete","url":"http://example.org/cs","concept":[{"code":"a","concept":[{"code":"b"}]}]}`,
		`{"resourceType":"ValueSet","id":"vs","status":"active","url":"http://example.org/vs","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"b"}]}]}}`,
		`{"resourceType":"ValueSet","id":"open","status":"active","url":"http://example.org/open","compose":{"include":[{"system":"http://snomed.info/sct"}]}}`)
	const observation = `{"name":"resource","resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://example.org/cs","code":"b"}]},"subject":{"reference":"Patient/p"},"performer":[{"reference":"http://localhost/fhir/Patient/p/_history/1"},{"reference":"Patient/none"},{"reference":"http://elsewhere.org/fhir/Patient/p"}],"focus":[{"reference":"#c"}],"contained":[{"resourceType":"Basic","id":"c","code":{"text":"inside"}}]}}`
	const answers = `{"name":"resource","resource":{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://example.org/q|1"}}`
	for _, c := range []struct{ name, in, want string }{
		{"a reference", expression + `subject.resolve().name.family"},` + observation, `"valueString":"Windsor"`},
		{"a reference to a version, and to nothing", expression + `performer.resolve().name.family"},` + observation, `{"name":"result","part":[{"name":"string","valueString":"Chalmers"}]}`},
		{"a contained one", expression + `focus.resolve().code.text"},` + observation, `"valueString":"inside"`},
		{"through two", expression + `subject.resolve().managingOrganization.resolve().name"},` + observation, `"valueString":"Acme"`},
		{"a canonical with a version", expression + `questionnaire.resolve().title"},` + answers, `"valueString":"First"`},
		{"a canonical without", expression + `'http://example.org/q'.resolve().title"}`, `"valueString":"Second"`},
		{"a definition of R4", expression + `'http://hl7.org/fhir/ValueSet/administrative-gender'.resolve().name"}`, `"valueString":"AdministrativeGender"`},
		{"a member of a stored value set", expression + `code.memberOf('http://example.org/vs')"},` + observation, `"valueBoolean":true`},
		{"a code that is none", expression + `status.memberOf('http://example.org/vs')"},` + observation, `"valueBoolean":false`},
		{"a member of one of R4", expression + `status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')"},` + observation, `"valueBoolean":true`},
		{"a value set that can't be enumerated", expression + `code.memberOf('http://example.org/open')"},` + observation, `{"name":"result"}`},
		{"a value set that nobody knows", expression + `code.memberOf('http://example.org/none')"},` + observation, `{"name":"result"}`},
		{"subsumption", expression + `code.subsumedBy(%a)"},{"name":"variables","part":[{"name":"a","valueCoding":{"system":"http://example.org/cs","code":"a"}}]},` + observation, `"valueBoolean":true`},
		{"subsumption the other way", expression + `code.subsumes(%a)"},{"name":"variables","part":[{"name":"a","valueCoding":{"system":"http://example.org/cs","code":"a"}}]},` + observation, `"valueBoolean":false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := call(t, FHIRPath(s, definition.R4()), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("no %s\nin %s", c.want, got)
			}
		})
	}
	_, err := call(t, FHIRPath(s, definition.R4()), expression+`(1).repeat(iif($this < 2000, $this + 1, {})).select(('Patient/p' & $this.toString()).resolve()).count()"}`)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindInvalid || e.Issues[0].ID != "fhirpath-limit" || !strings.Contains(e.Issues[0].Text, "looks up") {
		t.Errorf("%v", err)
	}
}

func TestFHIRPathIsBoundedAsAWhole(t *testing.T) {
	s := newService(t)
	bounds := fhirpathBounds{limits: fhirpath.Limits{Steps: 100_000}, answer: 20_000, time: time.Hour}
	in := func(context, expr string) string {
		return expression + expr + `"},{"name":"context","valueString":"` + context + `"},{"name":"resource","resource":{"resourceType":"Patient","name":[{"given":["` + strings.Repeat(`a","`, 99) + `a"]}]}}`
	}
	for _, c := range []struct {
		name, in, text string
		bounds         func(*fhirpathBounds)
	}{
		{"within the bounds", in("name.given", "1"), "", func(*fhirpathBounds) {}},
		{"the steps of all contexts count together", in("name.given", "%resource.name.given.where(%resource.name.given.count() = 0).count()"), "100000 steps", func(*fhirpathBounds) {}},
		{"the steps of the context count", in("name.given.select(%resource.name.given.where(%resource.name.given.count() = 0)).count()", "1"), "100000 steps", func(*fhirpathBounds) {}},
		{"one context", in("name.given.first()", "%resource.name.given.where(%resource.name.given.count() = 0).count()"), "", func(*fhirpathBounds) {}},
		{"a long answer", in("name.given", "%resource"), "longer than allowed", func(*fhirpathBounds) {}},
		{"a long answer to one context", in("name", "given.select(%resource)"), "longer than allowed", func(*fhirpathBounds) {}},
		{"a long trace", in("name", "given.select(%resource).trace('x').count()"), "longer than allowed", func(*fhirpathBounds) {}},
		{"long names of traces", in("name", "given.select({}.trace('"+strings.Repeat("x", 200)+"'))"), "longer than allowed", func(*fhirpathBounds) {}},
		{"the time", in("name.given", "1"), "takes at most", func(b *fhirpathBounds) { b.time = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bounds
			c.bounds(&b)
			_, err := call(t, boundedFHIRPath(s, definition.R4(), b), c.in)
			if c.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *fhir.Error
			if !errors.As(err, &e) || e.Kind != fhir.KindInvalid || e.Issues[0].ID != "fhirpath-limit" || !strings.Contains(e.Issues[0].Text, c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}
