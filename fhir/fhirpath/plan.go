package fhirpath

// whereEquals is in.where(name = 'text') and in.where(name = true): the filters of search parameters, decided item by item without a
// collection. It yields what where() yields; TestPlansAgree and FuzzPlans hold it to that.
type whereEquals struct {
	in     expr
	member *memberExpr
	want   Item
	pos    int
}

func (x *whereEquals) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	mid := len(m.stack)
	out := base
	for i := base; i < mid; i++ {
		it := m.stack[i]
		m.member(it, x.member)
		if len(m.stack) == mid+1 && m.same(&m.stack[mid], &x.want) {
			m.stack[out] = it
			out++
		}
		m.cut(mid)
	}
	m.cut(out)
	return m.step(2+mid-base, x.pos)
}

// whereRefers is in.where(resolve() is T) decided by the references themselves.
type whereRefers struct {
	in   expr
	test *refersExpr
	pos  int
}

func (x *whereRefers) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	if err := m.step(1+len(m.stack)-base, x.pos); err != nil {
		return err
	}
	out := base
	for i := base; i < len(m.stack); i++ {
		if x.test.refers(m, &m.stack[i]) {
			m.stack[out] = m.stack[i]
			out++
		}
	}
	m.cut(out)
	return nil
}

// planWhere returns a plan for a where() of a common shape; nil where it has none.
func planWhere(x *callExpr) expr {
	switch arg := x.args[0].(type) {
	case *refersExpr:
		if _, ok := arg.in.(thisExpr); ok {
			return &whereRefers{x.in, arg, x.pos}
		}
	case *binaryExpr:
		member, okM := arg.left.(*memberExpr)
		literal, okL := arg.right.(*literalExpr)
		if arg.op == "=" && okM && okL && member.in == nil {
			switch literal.item.box.(type) {
			case string, bool:
				return &whereEquals{x.in, member, literal.item, x.pos}
			}
		}
	}
	return nil
}
