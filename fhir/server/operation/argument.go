package operation

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// input is an input parameter of an operation (R4 OperationDefinition.parameter).
type input struct {
	name, typ string // typ is a FHIR type; "" for parameters that have parts
	required  bool
	repeats   bool
}

// parametersOf returns the input parameters that the OperationDefinition of R4 has, which is read at the first call.
func parametersOf(reg *definition.Registry, canonical string) func() []input {
	return sync.OnceValue(func() []input {
		d, _ := reg.Definition(canonical)
		var out []input
		for p := range d.Get("parameter").Children() {
			if p.Get("use").Text() == "in" {
				out = append(out, input{name: p.Get("name").Text(), typ: p.Get("type").Text(), required: p.Get("min").Text() != "0", repeats: p.Get("max").Text() != "1"})
			}
		}
		return out
	})
}

// argument is the value of a parameter in a call. One of a primitive type comes in the URL or in the Parameters resource, and means the same in
// both (R4 operations, 3.2.0.2, http://hl7.org/fhir/R4/operations.html#request). One of another type comes in the Parameters resource.
type argument struct {
	name, value string
	node        fhir.Node // in the Parameters resource; the zero Node for one in the URL
}

// complex returns the value of an argument whose type is not primitive; the zero Node for one in the URL.
func (a argument) complex(typ string) fhir.Node { return a.node.Get("value" + typ) }

// isComplex reports whether a parameter has a datatype that is not primitive.
func (p *input) isComplex() bool { return p.typ != "" && p.typ[0] >= 'A' && p.typ[0] <= 'Z' }

// arguments are those of one call, in their order; those of the URL come first.
type arguments []argument

// argumentsOf reads the arguments of a call of the operation that has these parameters. Parameters that the operation does not have, values of
// another type, repeated ones and missing ones are errors, wherever they come from. A parameter of the URL without a value is ignored. own are
// parameters of the server's links.
func argumentsOf(q *interaction.Request, parameters []input, own ...string) (arguments, error) {
	var out arguments
	add := func(a argument) error {
		if err := admit(q.Operation, a, parameters, out, own); err != nil {
			return err
		}
		out = append(out, a)
		return nil
	}
	for _, p := range q.Arguments() {
		if p.Value == "" {
			continue
		}
		if err := add(argument{name: p.Name, value: p.Value}); err != nil {
			return nil, err
		}
	}
	for p := range q.Resource.Get("parameter").Children() {
		a := argument{name: p.Get("name").Text(), node: p}
		if i := slices.IndexFunc(parameters, func(in input) bool { return in.name == a.name && in.isComplex() }); i >= 0 {
			if typ := parameters[i].typ; a.complex(typ).Kind() != fhir.Object {
				return nil, errParameter(fhir.IssueValue, a.name+" is a value"+typ, p)
			}
			if err := add(a); err != nil {
				return nil, err
			}
			continue
		}
		var err error
		if a.value, err = primitiveOf(p); err != nil {
			return nil, err
		}
		if err := add(a); err != nil {
			return nil, err
		}
	}
	for _, p := range parameters {
		if p.required && !out.has(p.name) {
			return nil, errParameter(fhir.IssueRequired, "the parameter "+p.name+" is missing", fhir.Node{})
		}
	}
	return out, nil
}

// primitiveOf returns the value of a parameter in Parameters, which is a primitive; "" for none.
func primitiveOf(p fhir.Node) (value string, err error) {
	for c := range p.Children() {
		switch {
		case strings.HasPrefix(c.Name(), "value") && c.Kind() != fhir.Object && c.Kind() != fhir.Array:
			value = c.Text()
		case strings.HasPrefix(c.Name(), "value"), c.Name() == "resource", c.Name() == "part":
			return "", errParameter(fhir.IssueValue, "the value of this parameter is a primitive, as in a URL", p)
		}
	}
	return value, nil
}

// admit says what is wrong with an argument that comes behind others.
func admit(o *interaction.Operation, a argument, parameters []input, before arguments, own []string) error {
	if slices.Contains(own, a.name) && !a.node.Valid() {
		if before.has(a.name) {
			return errParameter(fhir.IssueInvalid, a.name+" appears twice", a.node)
		}
		return nil
	}
	i := slices.IndexFunc(parameters, func(p input) bool { return p.name == a.name })
	if i < 0 {
		return errParameter(fhir.IssueNotSupported, unknown(o.Name, parameters), a.node)
	}
	p := parameters[i]
	if !p.repeats && before.has(a.name) {
		return errParameter(fhir.IssueInvalid, "the parameter "+p.name+" appears twice; $"+o.Name+" takes it once", a.node)
	}
	if p.isComplex() {
		if a.node.Valid() || p.typ == "Coding" {
			return nil
		}
		return errParameter(fhir.IssueValue, p.name+" is a "+p.typ+", which no URL can hold; send Parameters", a.node)
	}
	if form := formOf(p.typ, a.value); form != "" {
		return errParameter(fhir.IssueValue, p.name+" is "+form, a.node)
	}
	return nil
}

// unknown says which parameters an operation has.
func unknown(name string, parameters []input) string {
	if len(parameters) == 0 {
		return "$" + name + " has no parameters"
	}
	names := make([]string, len(parameters))
	for i := range parameters {
		names[i] = parameters[i].name
	}
	last := len(names) - 1
	if last == 0 {
		return fmt.Sprintf("the parameter of $%s is %s", name, names[0])
	}
	return fmt.Sprintf("the parameters of $%s are %s and %s", name, strings.Join(names[:last], ", "), names[last])
}

// formOf says what a value of the type is where the text is none; "" where it is one.
func formOf(typ, text string) string {
	var err error
	form := ""
	switch typ {
	case "instant":
		_, err = fhir.ParseInstant(text)
		form = "an instant, for example 2026-11-23T09:30:00Z"
	case "date":
		_, err = fhir.ParseDate(text)
		form = "a date: YYYY, YYYY-MM or YYYY-MM-DD"
	case "dateTime":
		_, err = fhir.ParseDateTime(text)
		form = "a date, or a date and a time with a time zone"
	case "integer":
		_, err = strconv.ParseInt(text, 10, 32)
		form = "a whole number"
	case "positiveInt":
		var n int64
		if n, err = strconv.ParseInt(text, 10, 32); err == nil && n < 1 {
			err = strconv.ErrRange
		}
		form = "a whole number above 0"
	case "decimal":
		_, err = fhir.ParseDecimal(text)
		form = "a number"
	case "id":
		form = "1 to 64 letters, digits, dashes and dots"
		if fhir.ValidID(text) {
			return ""
		}
		return form
	case "boolean":
		form = "true or false"
		if text == "true" || text == "false" {
			form = ""
		}
	default:
		if text == "" {
			return "a " + typ
		}
		return ""
	}
	if typ != "boolean" && err == nil {
		return ""
	}
	return form
}

// all yields the arguments of that name.
func (a arguments) all(name string) iter.Seq[argument] {
	return func(yield func(argument) bool) {
		for _, b := range a {
			if b.name == name && !yield(b) {
				return
			}
		}
	}
}

// has reports whether there is an argument of that name.
func (a arguments) has(name string) bool {
	return slices.ContainsFunc(a, func(b argument) bool { return b.name == name })
}

// get returns the argument of that name; the zero argument where there is none.
func (a arguments) get(name string) argument {
	i := slices.IndexFunc(a, func(b argument) bool { return b.name == name })
	if i < 0 {
		return argument{}
	}
	return a[i]
}
