package fhirpath

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Compile parses an expression, looks up its functions, types and constants, checks its paths as far as the types are known, and returns an
// immutable program. The error is an *fhir.Error that names the place and what was expected there.
func Compile(expr string, opts ...Option) (*Program, error) {
	e, err := Parse(expr)
	if err != nil {
		return nil, err
	}
	return e.Compile(opts...)
}

// Compile is the function Compile for an expression that was parsed before.
func (e *Expression) Compile(opts ...Option) (*Program, error) {
	c := &compiler{src: e.src}
	for _, o := range opts {
		o(&c.opts)
	}
	c.reg = c.opts.reg
	if c.reg == nil {
		c.reg = definition.R4()
	}
	c.context = anything.one()
	if len(c.opts.types) > 0 {
		c.context = static{}
	}
	for _, name := range c.opts.types {
		if k, ok := systemNamed(name); ok {
			c.context = c.context.join(system(k))
			continue
		}
		t, ok := c.reg.Type(name)
		if !ok {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDFHIRPathType, "FHIRPath: the type of the context is not known")
		}
		c.context = c.context.join(typed(t))
	}
	c.this = c.context
	root, s, err := c.expr(e.root)
	if err != nil {
		return nil, err
	}
	return &Program{src: e.src, root: root, reg: c.reg, limits: c.opts.limits.withDefaults(), result: s}, nil
}

// ResultTypes returns the names of the FHIR types that the program's items may have, as far as the context's type tells; nil where anything
// is possible. System types have their namespace in front.
func (p *Program) ResultTypes() []string {
	var names []string
	for _, t := range p.result.types {
		names = append(names, t.String())
	}
	return names
}

// Empty reports that the program yields nothing for any focus of its type.
func (p *Program) Empty() bool { return p.result.never() }

// compiler turns an ast into steps.
type compiler struct {
	src     string
	reg     *definition.Registry
	opts    options
	context static            // %context
	this    static            // $this in the place that is being compiled
	vars    map[string]static // by defineVariable()
	work    int               // nodes compiled, those compiled again for their types included
	repeats int               // calls of repeat() around the place that is being compiled
}

// maxWork bounds compiling: some nodes are compiled more than once, which must not multiply where they nest.
const maxWork = 20 * maxNodes

func (c *compiler) fail(pos int, id fhir.IssueID, wrong, expected string) error {
	return fail(c.src, pos, id, wrong, expected)
}

// emptyExpr yields nothing.
type emptyExpr struct{}

func (emptyExpr) eval(*machine) error { return nil }

// literalExpr yields one value.
type literalExpr struct{ item Item }

func (x *literalExpr) eval(m *machine) error {
	m.push(x.item)
	return nil
}

// thisExpr yields $this.
type thisExpr struct{}

func (thisExpr) eval(m *machine) error {
	if m.frame.hasThis {
		m.push(m.frame.this)
	}
	return nil
}

// rootExpr is a type's name at the beginning of a path: $this where it is of that type, else its elements of that name.
type rootExpr struct {
	name   string
	member *memberExpr
}

func (x *rootExpr) eval(m *machine) error {
	if m.frame.hasThis && m.frame.this.typ.Is(x.name) {
		m.push(m.frame.this)
		return nil
	}
	return x.member.eval(m)
}

// dollarExpr yields $index or $total.
type dollarExpr struct{ total bool }

func (x dollarExpr) eval(m *machine) error {
	if x.total {
		m.stack = append(m.stack, m.frame.total...)
		return nil
	}
	if m.frame.index >= 0 {
		m.push(IntegerItem(int64(m.frame.index)))
	}
	return nil
}

// indexExpr is in[index].
type indexExpr struct {
	in, index expr
	pos       int
}

func (x *indexExpr) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	v, ok, err := m.value(x.index, x.pos)
	if err != nil {
		return err
	}
	if ok && v.kind != Integer {
		return m.fail(x.pos, fhir.IDFHIRPathType, "an index is not an integer", "an Integer")
	}
	if !ok || v.i < 0 || v.i >= int64(len(m.stack)-base) {
		m.cut(base)
		return nil
	}
	return m.answer(base, m.stack[base+int(v.i)])
}

// expr compiles one node.
func (c *compiler) expr(a *ast) (expr, static, error) {
	if c.work++; c.work > maxWork {
		return nil, anything, c.fail(a.pos, fhir.IDFHIRPathLimit, "the expression takes too long to compile", "a simpler one")
	}
	switch a.kind {
	case astEmpty:
		return emptyExpr{}, static{}, nil
	case astBool, astString, astNumber, astQuantity, astDate, astTime:
		it, err := c.literal(a)
		return &literalExpr{it}, system(it.Kind()), err
	case astExternal:
		return c.external(a)
	case astDollar:
		if a.in != nil {
			// The grammar allows a $variable behind a dot: there it is that of each item in front.
			return c.call(&ast{kind: astCall, pos: a.pos, text: "select", in: a.in, args: []*ast{{kind: astDollar, pos: a.pos, text: a.text}}})
		}
		switch a.text {
		case "$this":
			return thisExpr{}, c.this, nil
		case "$index":
			return dollarExpr{}, system(Integer), nil
		}
		return dollarExpr{total: true}, anything, nil
	case astMember:
		return c.member(a)
	case astCall:
		return c.call(a)
	case astIndex:
		in, s, err := c.expr(a.in)
		if err != nil {
			return nil, s, err
		}
		if err := c.ordered(s, a.pos); err != nil {
			return nil, s, err
		}
		index, is, err := c.scoped(a.args[0])
		if err == nil && !is.may(Integer) {
			err = c.fail(a.args[0].pos, fhir.IDFHIRPathType, "an index is "+is.describe(), "an Integer")
		}
		return &indexExpr{in, index, a.pos}, s.one(), err
	case astUnary:
		return c.unary(a)
	case astBinary:
		return c.binary(a)
	}
	return c.typeExpression(a)
}

// scoped compiles an operand or an argument: variables that it defines end with it.
func (c *compiler) scoped(a *ast) (expr, static, error) {
	saved := c.vars
	x, s, err := c.expr(a)
	if len(saved) != len(c.vars) {
		x = &scopeExpr{x}
	}
	c.vars = saved
	return x, s, err
}

// scopeExpr ends the variables that x defines.
type scopeExpr struct{ x expr }

func (s *scopeExpr) eval(m *machine) error {
	saved := m.frame.vars
	err := s.x.eval(m)
	m.frame.vars = saved
	return err
}

// lambda compiles an argument that is evaluated for each item of in.
func (c *compiler) lambda(a *ast, in static) (expr, static, error) {
	saved := c.this
	c.this = in.one()
	x, s, err := c.scoped(a)
	c.this = saved
	return x, s, err
}

// ordered refuses collections without order where WithOrderCheck asks for it.
func (c *compiler) ordered(s static, pos int) error {
	if c.opts.ordered && s.unordered {
		return c.fail(pos, fhir.IDFHIRPathOrder, "the order of children() and descendants() is not defined", "an ordered collection")
	}
	return nil
}

// member compiles in.name or name.
func (c *compiler) member(a *ast) (expr, static, error) {
	if a.in == nil {
		return c.root(a)
	}
	in, s, err := c.expr(a.in)
	if err != nil {
		return nil, s, err
	}
	if s.never() {
		return in, s, nil
	}
	r, cases, found := c.child(s, a.text)
	if !found {
		return nil, r, c.noElement(s, a.text, a.pos)
	}
	if _, ok := in.(thisExpr); ok {
		in = nil
	}
	return &memberExpr{in: in, name: a.text, pos: a.pos, cases: cases}, r, nil
}

// root compiles a name with nothing in front: the type of $this, or one of its elements.
func (c *compiler) root(a *ast) (expr, static, error) {
	s := c.this
	t, isType := c.reg.Type(a.text)
	isType = isType && t.Kind != definition.KindPrimitive && t.Kind != definition.KindBackbone
	if s.never() && !isType {
		return emptyExpr{}, s, nil
	}
	r, cases, found := c.child(s, a.text)
	member := &memberExpr{name: a.text, pos: a.pos, cases: cases}
	if !isType {
		if !found {
			return nil, r, c.noElement(s, a.text, a.pos)
		}
		return member, r, nil
	}
	if s.any {
		return &rootExpr{a.text, member}, static{types: []stype{{fhir: t}}}, nil
	}
	all, some := true, false
	for _, st := range s.types {
		is := st.fhir.Is(a.text)
		all, some = all && is, some || is || st.fhir != nil && t.Is(st.fhir.Name)
	}
	switch {
	case all && len(s.types) > 0:
		return thisExpr{}, s, nil
	case some:
		return &rootExpr{a.text, member}, typeTest{fhir: t}.narrow(s), nil
	case found:
		return member, r, nil
	case c.opts.search:
		return emptyExpr{}, static{}, nil
	}
	return nil, r, c.fail(a.pos, fhir.IDFHIRPathElement, "the context is "+s.describe()+", not this type", "a path that begins with "+s.describe()+" or one of its elements")
}

// callExpr is a call of a function on in.
type callExpr struct {
	fn   *function
	in   expr
	args []expr
	pos  int
	data any // what the function's compile step made
}

func (x *callExpr) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	if err := m.step(1+len(m.stack)-base, x.pos); err != nil {
		return err
	}
	return x.fn.run(m, x, base)
}

// call compiles a call: the general rules here, what is particular in the function's own check.
func (c *compiler) call(a *ast) (expr, static, error) {
	fn := functions[a.text]
	if fn == nil {
		return nil, anything, c.fail(a.pos, fhir.IDFHIRPathFunction, "an unknown function", "a function of FHIRPath or of FHIR"+fhir.DidYouMean(a.text, functionNames()))
	}
	if len(a.args) < fn.min || len(a.args) > fn.max {
		return nil, anything, c.fail(a.pos, fhir.IDFHIRPathFunction, "the function "+a.text+" does not take this number of arguments", fn.arity())
	}
	if a.text == "is" {
		if names := qualifiedNames(a.args[0]); names != nil {
			if t, err := c.specifier(names, a.args[0].pos); err == nil {
				if x, s, ok, err := c.planResolveIs(a.in, a.text, t); ok || err != nil {
					return x, s, err
				}
			}
		}
	}
	if c.opts.search && fn.outside {
		return nil, anything, c.fail(a.pos, fhir.IDFHIRPathUnsupported, "search cannot depend on "+a.text+"(), which asks for more than the resource", "an expression over the resource itself; resolve() is T is decided by the reference")
	}
	var in expr = thisExpr{}
	s := c.this
	if a.in != nil {
		var err error
		if in, s, err = c.expr(a.in); err != nil {
			return nil, s, err
		}
	}
	if len(fn.input) > 0 && !s.may(fn.input...) {
		return nil, s, c.fail(a.pos, fhir.IDFHIRPathType, a.text+"() is called on "+s.describe(), kindList(fn.input))
	}
	if fn.needsOrder {
		if err := c.ordered(s, a.pos); err != nil {
			return nil, s, err
		}
	}
	x := &callExpr{fn: fn, in: in, pos: a.pos}
	if fn.compile != nil {
		y, r, err := fn.compile(c, a, x, s)
		if _, empty := in.(emptyExpr); empty && fn.filters && !c.opts.plain && err == nil {
			return emptyExpr{}, static{}, nil
		}
		return y, r, err
	}
	var args []static
	for i, arg := range a.args {
		compile := c.scoped
		if slices.Contains(fn.lambdas, i) {
			compile = func(a *ast) (expr, static, error) { return c.lambda(a, s) }
		}
		ax, as, err := compile(arg)
		if err != nil {
			return nil, s, err
		}
		if i < len(fn.params) && len(fn.params[i]) > 0 && !as.may(fn.params[i]...) {
			return nil, s, c.fail(arg.pos, fhir.IDFHIRPathType, "an argument of "+a.text+"() is "+as.describe(), kindList(fn.params[i]))
		}
		x.args, args = append(x.args, ax), append(args, as)
	}
	return x, fn.result(c, s, args), nil
}

func kindList(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, " or ")
}
