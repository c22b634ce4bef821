package operation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// call runs an operation with a Parameters resource of these parameters.
func call(t *testing.T, o Operation, parameters string) (string, error) {
	t.Helper()
	in, err := fhir.ParseResource([]byte(`{"resourceType":"Parameters","parameter":[`+parameters+`]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := o.Run(ctx, Request{Base: "http://localhost/fhir", Parameters: in})
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
	o := FHIRPath(definition.R4())
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
		{"no context", expression + `family"},{"name":"context","valueString":"communication"},` + janeDoe, `"name":"context"`},
		{"variables", expression + `%a + %b.family"},{"name":"variables","part":[{"name":"a","valueString":"x"},{"name":"b","valueHumanName":{"family":"y"}},{"name":"c"}]}`, `"valueString":"xy"`},
		{"a variable that is a resource", expression + `%p.gender"},{"name":"variables","part":[{"name":"p","resource":{"resourceType":"Patient","gender":"male"}}]}`, `"valueCode":"male"`},
		{"trace", expression + `name.trace('n').family.first()"},` + janeDoe, `{"name":"string","valueString":"Doe"},{"name":"trace","valueString":"n","part":[{"name":"HumanName"`},
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
	o := FHIRPath(definition.R4())
	for _, c := range []struct{ name, in, id, text string }{
		{"no expression", janeDoe, "operation-parameter", "expression"},
		{"an expression of another type", `{"name":"expression","valueCode":"a"}`, "operation-parameter", "valueString"},
		{"an unknown parameter", expression + `1"},{"name":"nonsense","valueString":"a"}`, "operation-parameter", "parameters are"},
		{"a resource that is none", expression + `1"},{"name":"resource","valueString":"{}"}`, "operation-parameter", "resource"},
		{"a type that is none", expression + `1"},{"name":"resource","resource":{"resourceType":"Patiant"}}`, "operation-parameter", "type"},
		{"a variable of no value", expression + `%a"},{"name":"variables","part":[{"name":"a","valuePrice":1}]}`, "operation-parameter", "variable"},
		{"a syntax error", expression + `name..family"},` + janeDoe, "fhirpath-syntax", "column 6"},
		{"an unknown constant", expression + `%nobody"},` + janeDoe, "fhirpath-variable", "constant"},
		{"a path that can't exist", expression + `name.familie"},{"name":"validate","valueBoolean":true},` + janeDoe, "fhirpath-element", "column"},
		{"a syntax error in the context", expression + `1"},{"name":"context","valueString":"("}`, "fhirpath-syntax", ""},
		{"no end", expression + `(1).repeat($this + 1)"}`, "fhirpath-limit", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := call(t, o, c.in)
			var e *fhir.Error
			if !errors.As(err, &e) || len(e.Issues) == 0 {
				t.Fatalf("%v: %s", err, got)
			}
			if c.id != "" && e.Issues[0].ID != c.id || !strings.Contains(e.Issues[0].Text, c.text) {
				t.Errorf("%s: %s", e.Issues[0].ID, e.Issues[0].Text)
			}
			if strings.Contains(e.Issues[0].Text, "Jane") {
				t.Errorf("the text quotes the resource: %s", e.Issues[0].Text)
			}
		})
	}
}
