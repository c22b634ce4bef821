package fhirpath

import (
	"math"

	"github.com/fhirgate/fhirgate/fhir"
)

// binaryExpr is left op right over two collections, which lie on the stack from base and from mid on when run is called; run replaces both.
type binaryExpr struct {
	left, right expr
	op          string
	pos         int
	run         func(m *machine, x *binaryExpr, base, mid int) error
}

func (x *binaryExpr) eval(m *machine) error {
	base := len(m.stack)
	if err := x.left.eval(m); err != nil {
		return err
	}
	mid := len(m.stack)
	if err := x.right.eval(m); err != nil {
		return err
	}
	if err := m.step(1, x.pos); err != nil {
		return err
	}
	return x.run(m, x, base, mid)
}

// logicExpr is and, or, xor or implies: three-valued, and the right side is evaluated only where the left leaves the answer open.
type logicExpr struct {
	left, right expr
	op          string
	pos         int
}

// tri is a Boolean that may be empty.
type tri int8

const (
	no tri = iota
	yes
	open
)

func triOf(b, ok bool) tri {
	switch {
	case !ok:
		return open
	case b:
		return yes
	}
	return no
}

func (m *machine) tri(e expr, pos int) (tri, error) {
	base := len(m.stack)
	if err := e.eval(m); err != nil {
		return open, err
	}
	b, ok, err := m.boolean(base, pos)
	m.cut(base)
	return triOf(b, ok), err
}

func (x *logicExpr) eval(m *machine) error {
	a, err := m.tri(x.left, x.pos)
	if err != nil {
		return err
	}
	switch {
	case x.op == "and" && a == no, x.op == "or" && a == yes:
		m.push(BooleanItem(a == yes))
		return m.step(1, x.pos)
	case x.op == "implies" && a == no:
		m.push(BooleanItem(true))
		return m.step(1, x.pos)
	}
	b, err := m.tri(x.right, x.pos)
	if err != nil {
		return err
	}
	r := open
	switch x.op {
	case "and":
		if a == yes {
			r = b
		} else if b == no {
			r = no
		}
	case "or":
		if a == no {
			r = b
		} else if b == yes {
			r = yes
		}
	case "xor":
		if a != open && b != open {
			r = triOf(a != b, true)
		}
	case "implies":
		if a == yes {
			r = b
		} else if b == yes {
			r = yes
		}
	}
	if r != open {
		m.push(BooleanItem(r == yes))
	}
	return m.step(1, x.pos)
}

// binary compiles a binary operator.
func (c *compiler) binary(a *ast) (expr, static, error) {
	left, ls, err := c.scoped(a.args[0])
	if err != nil {
		return nil, ls, err
	}
	right, rs, err := c.scoped(a.args[1])
	if err != nil {
		return nil, rs, err
	}
	x := &binaryExpr{left: left, right: right, op: a.text, pos: a.pos}
	switch a.text {
	case "and", "or", "xor", "implies":
		return &logicExpr{left, right, a.text, a.pos}, system(Boolean), nil
	case "|":
		x.run = (*machine).union
		s := ls.join(rs)
		s.many = true
		if ls.never() || rs.never() {
			s.many = ls.many || rs.many
			if side, ok := c.oneSided(left, right, ls, rs, a.pos); ok {
				return side, s, nil
			}
		}
		return x, s, nil
	case "=", "!=":
		x.run = (*machine).equals
		return x, system(Boolean), nil
	case "~", "!~":
		x.run = (*machine).equivalents
		return x, system(Boolean), nil
	case "<", ">", "<=", ">=":
		x.run = (*machine).compares
		if !ls.comparable(rs) {
			return nil, ls, c.fail(a.pos, fhir.IDFHIRPathType, "cannot compare "+ls.describe()+" with "+rs.describe(), "two values of one ordered type")
		}
		return x, system(Boolean), nil
	case "in", "contains":
		x.run = (*machine).membership
		return x, system(Boolean), nil
	case "&":
		x.run = (*machine).concatenate
		return x, system(String), nil
	}
	x.run = (*machine).arithmetic
	s, ok := arithmeticType(a.text, ls, rs)
	if !ok {
		return nil, s, c.fail(a.pos, fhir.IDFHIRPathType, "cannot apply "+a.text+" to "+ls.describe()+" and "+rs.describe(), "operands that the operator is defined for")
	}
	return x, s, nil
}

// oneSided compiles a union one side of which is known to be empty: the other side without duplicates. ok is false for other unions.
func (c *compiler) oneSided(left, right expr, ls, rs static, pos int) (expr, bool) {
	_, emptyLeft := left.(emptyExpr)
	_, emptyRight := right.(emptyExpr)
	switch {
	case c.opts.plain || !emptyLeft && !emptyRight:
		return nil, false
	case emptyLeft:
		left, ls = right, rs
	}
	if !ls.many && !ls.any {
		return left, true
	}
	return &callExpr{fn: functions["distinct"], in: left, pos: pos}, true
}

func (m *machine) union(x *binaryExpr, base, mid int) error { return m.dedupe(base, x.pos) }

func (m *machine) equals(x *binaryExpr, base, mid int) error {
	left, right := m.stack[base:mid], m.stack[mid:]
	if len(left) == 0 || len(right) == 0 {
		m.cut(base)
		return nil
	}
	eq, known := len(left) == len(right), true
	for i := 0; eq && i < len(left); i++ {
		e, k := m.equal(&left[i], &right[i])
		if !k {
			known = false
		} else if !e {
			eq, known = false, true
		}
	}
	if !known {
		m.cut(base)
		return nil
	}
	return m.answerBool(base, eq == (x.op == "="))
}

func (m *machine) equivalents(x *binaryExpr, base, mid int) error {
	left, right := m.stack[base:mid], m.stack[mid:]
	eq := len(left) == len(right)
	if eq && len(left) > 0 {
		used := make([]bool, len(right))
	items:
		for i := range left {
			for k := range right {
				if !used[k] && m.equivalent(&left[i], &right[k]) {
					used[k] = true
					continue items
				}
			}
			eq = false
			break
		}
	}
	return m.answerBool(base, eq == (x.op == "~"))
}

// operands reads both sides as at most one item each; ok is false where a side is empty.
func (m *machine) operands(x *binaryExpr, base, mid int) (a, b Item, ok bool, err error) {
	if mid-base > 1 || len(m.stack)-mid > 1 {
		return a, b, false, m.fail(x.pos, fhir.IDFHIRPathSingleton, "an operand of "+x.op+" has several items", "at most one item on each side")
	}
	if base == mid || mid == len(m.stack) {
		m.cut(base)
		return a, b, false, nil
	}
	return m.stack[base], m.stack[mid], true, nil
}

// valueless reports whether an item is a primitive that has extensions only, which makes operators answer emptily.
func valueless(it *Item) bool {
	return it.box == nil && (!it.node.Valid() || it.node.Kind() != fhir.Object) && it.value().kind == NoKind || systemKind(it.typ) == QuantityKind && it.value().kind == NoKind
}

func (m *machine) compares(x *binaryExpr, base, mid int) error {
	a, b, ok, err := m.operands(x, base, mid)
	if err != nil || !ok {
		return err
	}
	va, vb := a.value(), b.value()
	c, known, ok := order(va, vb)
	if !ok {
		if valueless(&a) || valueless(&b) {
			m.cut(base)
			return nil
		}
		return m.fail(x.pos, fhir.IDFHIRPathType, "the operands of "+x.op+" cannot be compared", "two values of one ordered type")
	}
	if !known {
		m.cut(base)
		return nil
	}
	var r bool
	switch x.op {
	case "<":
		r = c < 0
	case ">":
		r = c > 0
	case "<=":
		r = c <= 0
	default:
		r = c >= 0
	}
	return m.answerBool(base, r)
}

// comparable reports whether some type of s has an order with some type of o.
func (s static) comparable(o static) bool {
	if s.any || o.any || s.never() || o.never() {
		return true
	}
	group := func(k Kind) Kind {
		switch k {
		case Integer, DecimalKind:
			return QuantityKind
		case DateKind:
			return DateTimeKind
		}
		return k
	}
	for _, a := range s.types {
		for _, b := range o.types {
			ka, kb := group(a.kind()), group(b.kind())
			if a.fhir != nil && a.fhir.Abstract || b.fhir != nil && b.fhir.Abstract || ka == kb && ka != NoKind && ka != Boolean {
				return true
			}
		}
	}
	return false
}

func (m *machine) membership(x *binaryExpr, base, mid int) error {
	one, set := m.stack[base:mid], m.stack[mid:]
	if x.op == "contains" {
		one, set = set, one
	}
	switch {
	case len(one) == 0:
		m.cut(base)
		return nil
	case len(one) > 1:
		return m.fail(x.pos, fhir.IDFHIRPathSingleton, "several items are looked for", "one item")
	}
	return m.answerBool(base, m.contains(set, &one[0]))
}

func (m *machine) concatenate(x *binaryExpr, base, mid int) error {
	if mid-base > 1 || len(m.stack)-mid > 1 {
		return m.fail(x.pos, fhir.IDFHIRPathSingleton, "an operand of & has several items", "at most one item on each side")
	}
	var s string
	for i := base; i < len(m.stack); i++ {
		v := m.stack[i].value()
		t, ok := v.text()
		if !ok && !valueless(&m.stack[i]) {
			return m.fail(x.pos, fhir.IDFHIRPathType, "an operand of & is not a primitive", "a String")
		}
		s += t
	}
	return m.answerText(base, s, x.pos)
}

// answerText answers a String within the limit on texts.
func (m *machine) answerText(base int, s string, pos int) error {
	if len(s) > m.prog.limits.Text {
		return m.fail(pos, fhir.IDFHIRPathLimit, "a computed text is longer than allowed", "a shorter text")
	}
	m.answer(base, StringItem(s))
	return m.step(len(s)>>4, pos)
}

// unaryExpr is -x; +x checks its operand alone.
type unaryExpr struct {
	x      expr
	negate bool
	pos    int
}

func (c *compiler) unary(a *ast) (expr, static, error) {
	if arg := a.args[0]; a.text == "-" && arg.kind == astNumber && trimZeros(arg.text) == "9223372036854775808" {
		return &literalExpr{IntegerItem(math.MinInt64)}, system(Integer), nil // the least Integer is no negation of another
	}
	x, s, err := c.scoped(a.args[0])
	if err != nil {
		return nil, s, err
	}
	if !s.may(Integer, DecimalKind, QuantityKind) {
		return nil, s, c.fail(a.pos, fhir.IDFHIRPathType, "cannot apply "+a.text+" to "+s.describe(), "a number or a Quantity")
	}
	if !s.any {
		r := static{}
		for _, t := range s.types {
			r = r.join(system(t.kind()))
		}
		s = r
	}
	return &unaryExpr{x, a.text == "-", a.pos}, s.one(), nil
}

func (x *unaryExpr) eval(m *machine) error {
	v, ok, err := m.value(x.x, x.pos)
	if err != nil || !ok {
		return err
	}
	switch v.kind {
	case Integer, DecimalKind, QuantityKind:
		if x.negate && v.kind == Integer && v.i == math.MinInt64 {
			return nil // an overflow
		}
		if x.negate {
			v.i, v.d = -v.i, v.d.Neg()
		}
		m.push(v.item())
		return m.step(1, x.pos)
	}
	return m.fail(x.pos, fhir.IDFHIRPathType, "the operand of a sign is not a number", "a number or a Quantity")
}
