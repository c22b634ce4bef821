package operation

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// FHIRPath returns $fhirpath: it evaluates an expression on a resource that comes with the request, in the protocol of the public FHIRPath
// playgrounds (https://github.com/brianpos/fhirpath-lab/blob/develop/server-api.md). Parameters in: expression; resource, also as its JSON in an
// extension; context, an expression whose items are what the other is evaluated on, one by one; variables, whose parts are external constants;
// validate, false to let paths pass that the resource's type can't have, which are refused otherwise; terminologyserver, which is not asked, as
// this server has its own. Parameters out: parameters, what was understood, and for each context a result whose parts are the items by their
// types and what trace() saw. resolve(), memberOf() and subsumes() ask the store and the definitions, within bounds; nothing is written.
func FHIRPath(k Knower, reg *definition.Registry) interaction.Operation {
	return boundedFHIRPath(k, reg, fhirpathBounds{limits: fhirpath.Limits{Steps: 5_000_000, Items: 500_000}, answer: 16 << 20, time: 30 * time.Second})
}

// fhirpathBounds bound what one call may cost, whatever number of contexts it has.
type fhirpathBounds struct {
	limits fhirpath.Limits
	answer int // bytes of results and traces
	time   time.Duration
}

// boundedFHIRPath is FHIRPath with other bounds.
func boundedFHIRPath(k Knower, reg *definition.Registry, bounds fhirpathBounds) interaction.Operation {
	return interaction.Operation{
		Name:          "fhirpath",
		Definition:    "urn:fhirgate:operation:fhirpath",
		Documentation: "Evaluates the FHIRPath in expression on resource, once for each item of context where that is given; variables holds external constants. resolve(), memberOf() and subsumes() ask what is stored here, whatever terminologyserver says.",
		System:        true,
		Post:          true,
		Run: func(outer context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			ctx, cancel := context.WithTimeout(outer, bounds.time)
			defer cancel()
			e := evaluation{ctx: ctx, reg: reg, bounds: bounds, validate: true, known: k.Knowledge()}
			if err := e.read(q.Resource); err != nil {
				return interaction.OperationResponse{}, err
			}
			body, err := e.answer()
			switch why := e.known.Err(); {
			case err == nil:
			case outer.Err() == nil && ctx.Err() != nil:
				err = errCostly(fmt.Sprintf("an evaluation takes at most %v", bounds.time))
			case why != nil:
				err = why
			}
			return interaction.OperationResponse{Body: body}, err
		},
	}
}

// errCostly is the error for an evaluation that is past the bounds.
func errCostly(text string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDFHIRPathLimit, "FHIRPath: "+text+"; a cheaper expression or a smaller resource will do")
}

// Knower answers what expressions ask beyond their resource; *interaction.Service is one.
type Knower interface {
	Knowledge() *interaction.Knowledge
}

// evaluation is one call of $fhirpath.
type evaluation struct {
	ctx                 context.Context
	reg                 *definition.Registry
	bounds              fhirpathBounds
	expression, context string
	resource            fhir.Resource
	given               bool // there is a resource
	terminologyServer   string
	validate            bool // paths that the resource's type can't have are errors
	known               *interaction.Knowledge
	names               []string
	variables           map[string]fhirpath.Collection
	stated              []fhir.Node // the parameters variables, as they came
	spent               int         // steps of all evaluations
	places              places
	over                bool // trace() saw more than a response may hold
}

// errParameter is the error for a parameter that is missing, unknown or not of the form it must have.
func errParameter(code fhir.IssueType, text string, at fhir.Node) error {
	e := fhir.NewError(fhir.KindInvalid, code, fhir.IDOperationParameter, text)
	if at.Valid() {
		e.Issues[0].Expression = at.Path()
	}
	return e
}

// read takes the request apart.
func (e *evaluation) read(in fhir.Resource) error {
	seen := map[string]bool{}
	for p := range in.Get("parameter").Children() {
		name := p.Get("name").Text()
		if seen[name] && name != "variables" {
			return errParameter(fhir.IssueInvalid, "this parameter may be given at most once", p)
		}
		seen[name] = true
		var err error
		switch name {
		case "expression":
			e.expression, err = stringOf(p)
		case "context":
			e.context, err = stringOf(p)
		case "terminologyserver":
			e.terminologyServer, err = stringOf(p)
		case "validate":
			if v := p.Get("valueBoolean"); v.Kind() != fhir.Bool {
				err = errParameter(fhir.IssueValue, "validate is a valueBoolean", p)
			} else {
				e.validate = v.Text() == "true"
			}
		case "resource":
			err = e.readResource(p)
		case "variables":
			e.stated = append(e.stated, p)
			for v := range p.Get("part").Children() {
				if err = e.variable(v); err != nil {
					return err
				}
			}
		default:
			err = errParameter(fhir.IssueNotSupported, "the parameters are expression, resource, context, variables, validate and terminologyserver", p)
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

// The extensions in which the playgrounds send resources that a Parameters can't hold.
const (
	jsonValue = "http://fhir.forms-lab.com/StructureDefinition/json-value"
	xmlValue  = "http://fhir.forms-lab.com/StructureDefinition/xml-value"
)

// readResource reads the parameter resource: a resource, or its JSON as the value of an extension.
func (e *evaluation) readResource(p fhir.Node) error {
	var err error
	e.given = true
	if text, ok := extensionText(p, jsonValue); ok {
		if e.resource, err = fhir.ParseResource([]byte(text), fhir.Limits{}); err != nil {
			return err
		}
	} else if _, ok := extensionText(p, xmlValue); ok {
		return errParameter(fhir.IssueNotSupported, "resource is read as JSON, not as XML", p)
	} else if e.resource, err = fhir.AsResource(p.Get("resource")); err != nil {
		return errParameter(fhir.IssueValue, "resource holds a resource, or its JSON in an extension json-value", p)
	}
	if _, ok := e.reg.Resource(e.resource.Type()); !ok {
		return errParameter(fhir.IssueNotSupported, "this is not a resource type of R4", p)
	}
	return nil
}

// extensionText returns the valueString of an extension of p.
func extensionText(p fhir.Node, url string) (string, bool) {
	for x := range p.Get("extension").Children() {
		if v := x.Get("valueString"); x.Get("url").Text() == url && v.Kind() == fhir.String {
			return v.Text(), true
		}
	}
	return "", false
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
	switch name {
	case "context", "resource", "rootResource", "ucum", "sct", "loinc":
		return errParameter(fhir.IssueInvalid, "a variable can't have the name of a constant that FHIRPath defines: context, resource, rootResource, ucum, sct or loinc", part)
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
	options := []fhirpath.Option{fhirpath.WithRegistry(e.reg), fhirpath.WithLimits(e.bounds.limits), fhirpath.WithVariables(e.names...)}
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
	env := fhirpath.Env{Context: e.ctx, Variables: e.variables, Resolver: e.known, Terminology: e.known, Spent: &e.spent}
	if e.given {
		env.Resource = fhirpath.ResourceItem(e.reg, e.resource)
		env.RootResource = env.Resource
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
	e.bounds.answer += len(dst) // what was understood may be as long as the request
	for i, focus := range focuses {
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		dst = append(dst, `,{"name":"result"`...)
		if e.context != "" {
			dst = fhir.AppendString(append(dst, `,"valueString":`...), e.place(focus, i))
		}
		if dst, err = e.appendResult(dst, program, focus, env); err != nil {
			return nil, err
		}
	}
	return append(dst, `]}`...), nil
}

// place names an item of the context: its path in the resource, or for a value that was computed the expression with its index.
func (e *evaluation) place(focus fhirpath.Item, i int) string {
	if path := e.places.path(focus.Node()); path != "" {
		return path
	}
	return e.context + "[" + strconv.Itoa(i) + "]"
}

// appendUnderstood begins the response with what was asked.
func (e *evaluation) appendUnderstood(dst []byte) []byte {
	dst = append(dst, `{"resourceType":"Parameters","id":"fhirpath","parameter":[{"name":"parameters","part":[{"name":"evaluator","valueString":"fhirgate (R4)"}`...)
	text := func(name, value string) {
		if value != "" {
			dst = append(fhir.AppendString(append(append(append(dst, `,{"name":"`...), name...), `","valueString":`...), value), '}')
		}
	}
	text("expression", e.expression)
	text("context", e.context)
	if e.terminologyServer != "" {
		text("terminologyserver", e.terminologyServer)
		text("terminology", "this server's own; terminologyserver was not asked")
	}
	if e.given {
		dst = append(e.resource.AppendJSON(append(dst, `,{"name":"resource","resource":`...)), '}')
	}
	for _, v := range e.stated {
		dst = v.AppendJSON(append(dst, ','))
	}
	return append(dst, `]}`...)
}

// appendResult evaluates the program on one context, and appends its items and traces and the end of the result.
func (e *evaluation) appendResult(dst []byte, program *fhirpath.Program, focus fhirpath.Item, env fhirpath.Env) ([]byte, error) {
	var traces []byte
	env.Trace = func(name string, items fhirpath.Collection) {
		if e.over {
			return
		}
		traces = append(traces, `,{"name":"trace"`...)
		if name != "" {
			traces = fhir.AppendString(append(traces, `,"valueString":`...), name)
		}
		if len(items) > 0 {
			traces = append(e.appendItems(append(traces, `,"part":[`...), items, e.bounds.answer-len(dst)), ']')
		}
		traces = append(traces, '}')
		e.over = e.over || len(traces) > e.bounds.answer
	}
	items, err := program.Eval(focus, &env)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 && len(traces) > 0 {
		traces = traces[1:]
	}
	if len(items)+len(traces) > 0 {
		dst = e.appendItems(append(dst, `,"part":[`...), items, e.bounds.answer-len(traces))
		dst = append(append(dst, traces...), ']')
	}
	if dst = append(dst, '}'); e.over || len(dst) > e.bounds.answer {
		return nil, errCostly("the response is longer than allowed")
	}
	return dst, nil
}

// appendItems appends each item as a part that is named after its type, until dst is longer than limit.
func (e *evaluation) appendItems(dst []byte, items fhirpath.Collection, limit int) []byte {
	for i, it := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if it.Kind() == fhirpath.String && it.Text() == "" {
			dst = append(dst, `{"name":"empty-string"}`...) // FHIR's JSON has no empty strings
		} else {
			dst = fhir.AppendString(append(dst, `{"name":`...), typeName(it))
			dst = append(it.AppendValue(dst), '}')
		}
		if len(dst) > limit {
			e.over = true
			break
		}
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
