package fhirpath

import "github.com/fhirgate/fhirgate/fhir"

// Operators and functions of N1, Types, and type() of Reflection.

// typeExpr is "in is T" or "in as T".
type typeExpr struct {
	in   expr
	test typeTest
	as   bool
	// filter lets as keep what fits of several items (see ForPublished).
	filter bool
	pos    int
}

func (x *typeExpr) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	if err := m.step(1, x.pos); err != nil {
		return err
	}
	return m.applyType(x.test, x.as, x.filter, base, x.pos)
}

// applyType replaces the items from base on by what is or as make of them.
func (m *machine) applyType(t typeTest, as, filter bool, base, pos int) error {
	if !filter && len(m.stack)-base > 1 {
		return m.fail(pos, fhir.IDFHIRPathSingleton, "is and as take one item, and there are several", "at most one item; ofType() filters several")
	}
	if as {
		m.ofType(t, base)
		return nil
	}
	if len(m.stack) == base {
		return nil
	}
	return m.answerBool(base, t.is(&m.stack[base]))
}

// ofType keeps the items from base on that are of the type.
func (m *machine) ofType(t typeTest, base int) {
	out := base
	for i := base; i < len(m.stack); i++ {
		if t.exact(&m.stack[i]) {
			m.stack[out] = m.stack[i]
			out++
		}
	}
	m.cut(out)
}

// typeExpression compiles the operators is and as.
func (c *compiler) typeExpression(a *ast) (expr, static, error) {
	t, err := c.specifier(a.names, a.pos)
	if err != nil {
		return nil, anything, err
	}
	if x, s, ok, err := c.planResolveIs(a.in, a.text, t); ok || err != nil {
		return x, s, err
	}
	in, s, err := c.expr(a.in)
	if err != nil {
		return nil, s, err
	}
	x := &typeExpr{in: in, test: t, as: a.text == "as", filter: a.text == "as" && c.opts.published, pos: a.pos}
	if !x.as {
		return x, system(Boolean), nil
	}
	if _, empty := in.(emptyExpr); empty && !c.opts.plain {
		return in, static{}, nil
	}
	return x, t.narrow(s), nil
}

var _ = define(map[string]*function{
	"is":     {min: 1, max: 1, compile: compileTypeCall, run: runTypeCall},
	"as":     {min: 1, max: 1, filters: true, compile: compileTypeCall, run: runTypeCall},
	"ofType": {min: 1, max: 1, filters: true, compile: compileTypeCall, run: runTypeCall},
	"type":   {result: typeInfos, run: runType},
})

func compileTypeCall(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	names := qualifiedNames(a.args[0])
	if names == nil {
		return nil, in, c.fail(a.args[0].pos, fhir.IDFHIRPathType, "no type specifier", "the name of a type")
	}
	t, err := c.specifier(names, a.args[0].pos)
	if err != nil {
		return nil, in, err
	}
	te := &typeExpr{test: t, as: a.text != "is", filter: a.text == "ofType" || a.text == "as" && c.opts.published, pos: a.pos}
	x.data = te
	if a.text == "is" {
		return x, system(Boolean), nil
	}
	s := t.narrow(in)
	if a.text == "as" && !te.filter {
		s = s.one()
	}
	return x, s, nil
}

// qualifiedNames reads an argument as a type specifier; nil where it is none.
func qualifiedNames(a *ast) []string {
	if a.kind != astMember {
		return nil
	}
	if a.in == nil {
		return []string{a.text}
	}
	names := qualifiedNames(a.in)
	if names == nil {
		return nil
	}
	return append(names, a.text)
}

func runTypeCall(m *machine, x *callExpr, base int) error {
	t := x.data.(*typeExpr)
	return m.applyType(t.test, t.as, t.filter, base, t.pos)
}
