package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// externalExpr yields an external constant that the Env holds.
type externalExpr struct {
	name string
	pos  int
}

func (x *externalExpr) eval(m *machine) error {
	switch x.name {
	case "context":
		if m.focus.there() {
			m.push(m.focus)
		}
		return nil
	case "resource":
		return m.pushResource(m.env.Resource, false)
	case "rootResource":
		return m.pushResource(m.env.RootResource, true)
	}
	for v := m.frame.vars; v != nil; v = v.next {
		if v.name == x.name {
			m.stack = append(m.stack, v.items...)
			return m.step(1+len(v.items), x.pos)
		}
	}
	items, ok := m.env.Variables[x.name]
	if !ok {
		return m.fail(x.pos, fhir.IDFHIRPathVariable, "an external constant has no value", "a value in the environment")
	}
	m.stack = append(m.stack, items...)
	return m.step(1+len(items), x.pos)
}

// external compiles an external constant.
func (c *compiler) external(a *ast) (expr, static, error) {
	text := func(s string) (expr, static, error) { return &literalExpr{StringItem(s)}, system(String), nil }
	x := &externalExpr{a.text, a.pos}
	switch a.text {
	case "ucum":
		return text(ucumSystem)
	case "sct":
		return text(sctSystem)
	case "loinc":
		return text(loincSystem)
	case "context":
		return x, c.context, nil
	case "rootResource":
		return x, anything.one(), nil
	case "resource":
		if len(c.context.types) == 1 && c.context.types[0].fhir != nil {
			name, _, _ := strings.Cut(c.context.types[0].fhir.Name, ".")
			if t, ok := c.reg.Resource(name); ok {
				return x, typed(t), nil
			}
		}
		return x, anything.one(), nil
	}
	if s, ok := c.vars[a.text]; ok {
		return x, s, nil
	}
	if c.opts.variables[a.text] {
		return x, anything, nil
	}
	if name, ok := strings.CutPrefix(a.text, "vs-"); ok {
		return text("http://hl7.org/fhir/ValueSet/" + name)
	}
	if name, ok := strings.CutPrefix(a.text, "ext-"); ok {
		return text("http://hl7.org/fhir/StructureDefinition/" + name)
	}
	return nil, anything, c.fail(a.pos, fhir.IDFHIRPathVariable, "an unknown external constant", "%resource, %context, %rootResource, %ucum, %sct, %loinc, %`vs-name`, %`ext-name` or a variable that is defined")
}
