package fhirpath

import "github.com/fhirgate/fhirgate/fhir"

// Functions of N1, Tree navigation and Utility functions.

var _ = define(map[string]*function{
	"children": {result: unordered, run: func(m *machine, x *callExpr, base int) error {
		mid := len(m.stack)
		for i := base; i < mid; i++ {
			m.pushChildren(m.stack[i])
		}
		n := len(m.stack) - mid
		m.keep(base, mid)
		return m.step(n, x.pos)
	}},
	"descendants":    {result: unordered, run: runDescendants},
	"trace":          {min: 1, max: 2, params: oneText, lambdas: []int{1}, result: same, run: runTrace},
	"defineVariable": {min: 1, max: 2, compile: compileDefineVariable, run: runDefineVariable},
	"sort":           {max: 8, compile: compileSort, run: runSort},
})

func unordered(*compiler, static, []static) static {
	return static{any: true, many: true, unordered: true}
}

// runDescendants yields the children of the input, their children and so on, each level after the one above it. It is repeat(children())
// but that elements which are equal are all kept: the suite counts them (testRepeat3).
func runDescendants(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	for i := base; i < mid; i++ {
		m.pushChildren(m.stack[i])
	}
	for i := mid; i < len(m.stack); i++ {
		m.pushChildren(m.stack[i])
		if err := m.step(1, x.pos); err != nil {
			return err
		}
	}
	m.keep(base, mid)
	return nil
}

func runTrace(m *machine, x *callExpr, base int) error {
	if m.env.Trace == nil {
		return nil
	}
	mid := len(m.stack)
	name, _, err := m.textArgument(x, 0)
	if err != nil {
		return err
	}
	if len(x.args) > 1 {
		for i := base; i < mid; i++ {
			if err := m.project(x.args[1], m.stack[i], i-base); err != nil {
				return err
			}
		}
		m.env.Trace(name, append(Collection(nil), m.stack[mid:]...))
		m.cut(mid)
		return nil
	}
	m.env.Trace(name, append(Collection(nil), m.stack[base:]...))
	return nil
}

// compileDefineVariable makes a variable known to what follows in the chain of invocations and in their arguments. The input is the answer.
func compileDefineVariable(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	name := a.args[0]
	if name.kind != astString {
		return nil, in, c.fail(name.pos, fhir.IDFHIRPathVariable, "the name of a variable is not a literal", "a string literal")
	}
	_, defined := c.vars[name.text]
	switch name.text {
	case "context", "resource", "rootResource", "ucum", "sct", "loinc":
		defined = true
	}
	if defined || c.opts.variables[name.text] {
		return nil, in, c.fail(name.pos, fhir.IDFHIRPathVariable, "a variable is defined twice", "another name")
	}
	s := in
	if len(a.args) > 1 {
		saved := c.this
		c.this = in
		arg, as, err := c.scoped(a.args[1])
		c.this = saved
		if err != nil {
			return nil, in, err
		}
		x.args = []expr{arg}
		s = as
	}
	x.data = name.text
	vars := make(map[string]static, len(c.vars)+1)
	for n, v := range c.vars {
		vars[n] = v
	}
	vars[name.text] = s
	c.vars = vars
	return x, in, nil
}

func runDefineVariable(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	items := append(Collection(nil), m.stack[base:mid]...)
	if len(x.args) > 0 {
		saved := m.frame
		m.frame.hasThis = mid > base
		if mid > base {
			m.frame.this = m.stack[base]
		}
		err := x.args[0].eval(m)
		m.frame = saved
		if err != nil {
			return err
		}
		items = append(Collection(nil), m.stack[mid:]...)
		m.cut(mid)
	}
	m.frame.vars = &variable{x.data.(string), items, m.frame.vars}
	return m.step(1+len(items), x.pos)
}
