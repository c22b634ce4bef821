package operation

import (
	"context"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/interaction"
)

// FHIRPath returns $fhirpath: it evaluates an expression on a resource that comes with the request, in the protocol of the public FHIRPath
// playgrounds (https://github.com/brianpos/fhirpath-lab/blob/develop/server-api.md). Parameters in: expression; resource; context, an
// expression whose items are what the other is evaluated on, one by one; variables, whose parts are external constants; validate, false to let paths
// pass that the resource's type can't have, which are refused otherwise. Parameters out: parameters, what was understood, and for each context a
// result whose parts are the items by their types and what trace() saw. resolve(), memberOf() and subsumes() ask the store and the definitions,
// within bounds; nothing is written.
func FHIRPath(k Knower, reg *definition.Registry) Operation {
	return Operation{
		Name:          "fhirpath",
		Definition:    "urn:fhirgate:operation:fhirpath",
		Documentation: "Evaluates the FHIRPath in expression on resource, once for each item of context where that is given; variables holds external constants. resolve(), memberOf() and subsumes() ask what is stored here.",
		System:        true,
		Post:          true,
		Run: func(ctx context.Context, q Request) (Response, error) {
			e := evaluation{ctx: ctx, reg: reg, validate: true, known: k.Knowledge()}
			if err := e.read(q.Parameters); err != nil {
				return Response{}, err
			}
			body, err := e.answer()
			if why := e.known.Err(); why != nil {
				err = why
			}
			return Response{Body: body}, err
		},
	}
}

// Knower answers what expressions ask beyond their resource; *interaction.Service is one.
type Knower interface {
	Knowledge() *interaction.Knowledge
}

// fhirpathLimits bound what one call may cost.
var fhirpathLimits = fhirpath.Limits{Steps: 5_000_000, Items: 500_000}

// evaluation is one call of $fhirpath.
type evaluation struct {
	ctx                 context.Context
	reg                 *definition.Registry
	expression, context string
	resource            fhir.Resource
	given               bool // there is a resource
	validate            bool // paths that the resource's type can't have are errors
	known               *interaction.Knowledge
	names               []string
	variables           map[string]fhirpath.Collection
}

// errParameter is the answer to a parameter that is missing, unknown or not of the form it must have.
func errParameter(code fhir.IssueType, text string, at fhir.Node) error {
	e := fhir.NewError(fhir.KindInvalid, code, "operation-parameter", text)
	if at.Valid() {
		e.Issues[0].Expression = at.Path()
	}
	return e
}

// read takes the request apart.
func (e *evaluation) read(in fhir.Resource) error {
	for p := range in.Get("parameter").Children() {
		var err error
		switch p.Get("name").Text() {
		case "expression":
			e.expression, err = stringOf(p)
		case "context":
			e.context, err = stringOf(p)
		case "validate":
			if v := p.Get("valueBoolean"); v.Kind() != fhir.Bool {
				err = errParameter(fhir.IssueValue, "validate is a valueBoolean", p)
			} else {
				e.validate = v.Text() == "true"
			}
		case "resource":
			e.given = true
			if e.resource, err = fhir.AsResource(p.Get("resource")); err != nil {
				err = errParameter(fhir.IssueValue, "resource holds a resource", p)
			} else if _, ok := e.reg.Resource(e.resource.Type()); !ok {
				err = errParameter(fhir.IssueNotSupported, "this is no resource type of R4", p)
			}
		case "variables":
			for v := range p.Get("part").Children() {
				if err = e.variable(v); err != nil {
					return err
				}
			}
		default:
			err = errParameter(fhir.IssueNotSupported, "the parameters are expression, resource, context, variables and validate", p)
		}
		if err != nil {
			return err
		}
	}
	if e.expression == "" {
		return errParameter(fhir.IssueRequired, "the parameter expression, a valueString, is missing", fhir.Node{})
	}
	return nil
}

// stringOf returns the text of a parameter that must be a string.
func stringOf(p fhir.Node) (string, error) {
	v := p.Get("valueString")
	if v.Kind() != fhir.String || v.Text() == "" {
		return "", errParameter(fhir.IssueValue, "this parameter is a valueString", p)
	}
	return v.Text(), nil
}

// variable adds an external constant: a resource, the value[x] of a part, or nothing for a part with a name alone.
func (e *evaluation) variable(part fhir.Node) error {
	name := part.Get("name").Text()
	if name == "" {
		return errParameter(fhir.IssueRequired, "a variable needs a name", part)
	}
	if e.variables == nil {
		e.variables = map[string]fhirpath.Collection{}
	}
	var items fhirpath.Collection
	parameter, _ := e.reg.Type("Parameters.parameter")
	for c := range part.Children() {
		switch {
		case c.Name() == "name":
		case c.Name() == "resource":
			r, err := fhir.AsResource(c)
			if err != nil {
				return err
			}
			items = append(items, fhirpath.ResourceItem(e.reg, r))
		default:
			element, ref := parameter.JSONChild(c.Name())
			if element == nil || ref == nil || !strings.HasPrefix(c.Name(), "value") {
				return errParameter(fhir.IssueValue, "a variable is a value or a resource", c)
			}
			items = append(items, fhirpath.ElementItem(c, part.Get("_"+c.Name()), ref.Type))
		}
	}
	e.names = append(e.names, name)
	e.variables[name] = append(e.variables[name], items...)
	return nil
}

// answer evaluates and renders.
func (e *evaluation) answer() ([]byte, error) {
	options := []fhirpath.Option{fhirpath.WithRegistry(e.reg), fhirpath.WithLimits(fhirpathLimits), fhirpath.WithVariables(e.names...)}
	typed := func(types ...string) []fhirpath.Option {
		if !e.validate || len(types) == 0 {
			return options
		}
		return append(options[:len(options):len(options)], fhirpath.WithType(types...))
	}
	var types []string
	if e.given {
		types = []string{e.resource.Type()}
	}
	focuses := fhirpath.Collection{{}}
	env := fhirpath.Env{Context: e.ctx, Variables: e.variables, Resolver: e.known, Terminology: e.known}
	if e.given {
		env.Resource = fhirpath.ResourceItem(e.reg, e.resource)
		focuses[0] = env.Resource
	}
	if e.context != "" {
		program, err := fhirpath.Compile(e.context, typed(types...)...)
		if err != nil {
			return nil, err
		}
		if focuses, err = program.Eval(focuses[0], &env); err != nil {
			return nil, err
		}
		types = program.ResultTypes()
	}
	program, err := fhirpath.Compile(e.expression, typed(types...)...)
	if err != nil {
		return nil, err
	}
	dst := e.appendUnderstood(nil)
	for _, focus := range focuses {
		if dst, err = e.appendResult(dst, program, focus, env); err != nil {
			return nil, err
		}
	}
	return append(dst, `]}`...), nil
}

// appendUnderstood begins the answer with what was asked.
func (e *evaluation) appendUnderstood(dst []byte) []byte {
	dst = append(dst, `{"resourceType":"Parameters","id":"fhirpath","parameter":[{"name":"parameters","part":[{"name":"evaluator","valueString":"fhirgate (R4)"},{"name":"expression","valueString":`...)
	dst = append(fhir.AppendString(dst, e.expression), '}')
	if e.context != "" {
		dst = append(fhir.AppendString(append(dst, `,{"name":"context","valueString":`...), e.context), '}')
	}
	if e.given {
		dst = append(e.resource.AppendJSON(append(dst, `,{"name":"resource","resource":`...)), '}')
	}
	return append(dst, `]}`...)
}

// appendResult evaluates the program on one context and appends its items and traces.
func (e *evaluation) appendResult(dst []byte, program *fhirpath.Program, focus fhirpath.Item, env fhirpath.Env) ([]byte, error) {
	var traces []byte
	const limit = 1 << 20 // what trace() may add to the answer
	env.Trace = func(name string, items fhirpath.Collection) {
		if len(traces) > limit {
			return
		}
		traces = append(fhir.AppendString(append(traces, `,{"name":"trace","valueString":`...), name), `,"part":[`...)
		traces = append(appendItems(traces, items), `]}`...)
	}
	items, err := program.Eval(focus, &env)
	if err != nil {
		return nil, err
	}
	dst = append(dst, `,{"name":"result"`...)
	if path := focus.Node().Path(); e.context != "" && path != "" {
		dst = fhir.AppendString(append(dst, `,"valueString":`...), path)
	}
	if len(items) == 0 && len(traces) > 0 {
		traces = traces[1:]
	}
	if len(items)+len(traces) > 0 {
		dst = append(append(appendItems(append(dst, `,"part":[`...), items), traces...), ']')
	}
	return append(dst, '}'), nil
}

// appendItems appends each item as a part that is named after its type.
func appendItems(dst []byte, items fhirpath.Collection) []byte {
	for i, it := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fhir.AppendString(append(dst, `{"name":`...), typeName(it))
		dst = append(it.AppendValue(dst), '}')
	}
	return dst
}

// typeName returns the FHIR type of an item; System types are named after the FHIR type they convert to.
func typeName(it fhirpath.Item) string {
	if !it.IsSystem() {
		if t := it.Type(); t != "" {
			return t
		}
		return "Element"
	}
	switch it.Kind() {
	case fhirpath.Boolean:
		return "boolean"
	case fhirpath.Integer:
		return "integer"
	case fhirpath.DecimalKind:
		return "decimal"
	case fhirpath.DateKind:
		return "date"
	case fhirpath.DateTimeKind:
		return "dateTime"
	case fhirpath.TimeKind:
		return "time"
	case fhirpath.QuantityKind:
		return "Quantity"
	}
	return "string"
}
