package fhirpath

import "github.com/fhirgate/fhirgate/fhir"

// Functions of N1, Filtering and projection, Subsetting, Combining and Aggregates.

var _ = define(map[string]*function{
	"where":  {min: 1, max: 1, filters: true, compile: compileWhere, run: runWhere},
	"select": {min: 1, max: 1, filters: true, compile: compileSelect, run: runSelect},
	"repeat": {min: 1, max: 1, compile: compileRepeat, run: runRepeat},

	"single": {result: sameOne, run: func(m *machine, x *callExpr, base int) error {
		_, _, err := m.single(base, x.pos)
		return err
	}},
	"first": {needsOrder: true, result: sameOne, run: func(m *machine, x *callExpr, base int) error { return m.slice(base, 0, 1) }},
	"last": {needsOrder: true, result: sameOne, run: func(m *machine, x *callExpr, base int) error {
		return m.slice(base, len(m.stack)-base-1, 1)
	}},
	"tail": {needsOrder: true, result: same, run: func(m *machine, x *callExpr, base int) error {
		return m.slice(base, 1, len(m.stack)-base)
	}},
	"skip": {min: 1, max: 1, needsOrder: true, params: [][]Kind{{Integer}}, result: same, run: func(m *machine, x *callExpr, base int) error {
		n, ok, err := m.integerArgument(x, 0)
		if err != nil || !ok {
			return err
		}
		return m.slice(base, int(min(n, int64(len(m.stack)))), len(m.stack))
	}},
	"take": {min: 1, max: 1, needsOrder: true, params: [][]Kind{{Integer}}, result: same, run: func(m *machine, x *callExpr, base int) error {
		n, ok, err := m.integerArgument(x, 0)
		if err != nil {
			return err
		}
		if !ok {
			n = 0
		}
		return m.slice(base, 0, int(min(n, int64(len(m.stack)))))
	}},
	"intersect": {min: 1, max: 1, result: same, run: func(m *machine, x *callExpr, base int) error {
		if err := m.filterBy(x, base, true); err != nil {
			return err
		}
		return m.dedupe(base, x.pos)
	}},
	"exclude": {min: 1, max: 1, result: same, run: func(m *machine, x *callExpr, base int) error { return m.filterBy(x, base, false) }},

	"union": {min: 1, max: 1, result: joined, run: func(m *machine, x *callExpr, base int) error {
		if err := x.args[0].eval(m); err != nil {
			return err
		}
		return m.dedupe(base, x.pos)
	}},
	"combine": {min: 1, max: 1, result: joined, run: func(m *machine, x *callExpr, base int) error {
		if err := x.args[0].eval(m); err != nil {
			return err
		}
		return m.step(0, x.pos)
	}},
	"aggregate": {min: 1, max: 2, compile: compileAggregate, run: runAggregate},
})

// slice keeps n items of the input, from the one at skip on.
func (m *machine) slice(base, skip, n int) error {
	size := len(m.stack) - base
	skip = min(max(skip, 0), size)
	n = min(max(n, 0), size-skip)
	m.keep(base, base+skip)
	m.cut(base + n)
	return nil
}

// integerArgument evaluates an argument as a single Integer.
func (m *machine) integerArgument(x *callExpr, i int) (n int64, ok bool, err error) {
	v, ok, err := m.argument(x, i)
	if err == nil && ok && v.kind != Integer {
		err = m.fail(x.pos, fhir.IDFHIRPathType, "an argument is not an integer", "an Integer")
	}
	return v.i, ok, err
}

// filterBy keeps the items of the input that are in the argument, or that are not.
func (m *machine) filterBy(x *callExpr, base int, in bool) error {
	mid := len(m.stack)
	if err := x.args[0].eval(m); err != nil {
		return err
	}
	set := m.set(m.stack[mid:])
	out := base
	for i := base; i < mid; i++ {
		if set.has(&m.stack[i]) == in {
			m.stack[out] = m.stack[i]
			out++
		}
		if err := m.step(1, x.pos); err != nil {
			return err
		}
	}
	m.cut(out)
	return nil
}

func compileWhere(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	arg, as, err := c.lambda(a.args[0], in)
	if err != nil {
		return nil, in, err
	}
	if !as.any && len(as.types) > 0 && !as.may(Boolean) {
		return nil, in, c.fail(a.args[0].pos, fhir.IDFHIRPathType, "the criterion is "+as.describe(), "a Boolean")
	}
	x.args = []expr{arg}
	if !c.opts.plain {
		if planned := planWhere(x); planned != nil {
			return planned, in, nil
		}
	}
	return x, in, nil
}

func runWhere(m *machine, x *callExpr, base int) error {
	out := base
	for i, n := base, len(m.stack); i < n; i++ {
		it := m.stack[i]
		b, ok, err := m.test(x.args[0], it, i-base, x.pos)
		if err != nil {
			return err
		}
		if b && ok {
			m.stack[out] = it
			out++
		}
	}
	m.cut(out)
	return nil
}

func compileSelect(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	arg, as, err := c.lambda(a.args[0], in)
	x.args = []expr{arg}
	as.many = as.many || in.many
	as.unordered = as.unordered || in.unordered
	return x, as, err
}

func runSelect(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	for i := base; i < mid; i++ {
		if err := m.project(x.args[0], m.stack[i], i-base); err != nil {
			return err
		}
	}
	m.keep(base, mid)
	return m.step(0, x.pos)
}

// compileRepeat finds the types of the projection's closure, as far as they can be found: each round projects what the last one gave.
func compileRepeat(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	c.repeats++
	defer func() { c.repeats-- }()
	arg, as, err := c.lambda(a.args[0], in)
	if err != nil {
		return nil, in, err
	}
	s := as
	if c.repeats > 2 {
		s = anything // closures within closures are not worth their rounds
	}
	for range 8 {
		if s.any {
			break
		}
		_, next, err := c.lambda(a.args[0], s)
		if err != nil {
			break // what the last round gave has no such element: the closure is complete
		}
		if grown := s.join(next); len(grown.types) > len(s.types) || grown.any {
			s = grown
			continue
		}
		break
	}
	s.many = true
	x.args = []expr{arg}
	return x, s, nil
}

// runRepeat projects the input, then in each round the items that the last round added, and keeps what was not there before.
func runRepeat(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	found := distinct{m: m, base: mid, end: mid}
	for from, end := base, mid; from < end; {
		for i := from; i < end; i++ {
			if err := m.project(x.args[0], m.stack[i], i-from); err != nil {
				return err
			}
		}
		if err := found.add(x.pos); err != nil {
			return err
		}
		from, end = end, len(m.stack)
	}
	m.keep(base, mid)
	return nil
}

func compileAggregate(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	arg, _, err := c.lambda(a.args[0], in)
	if err != nil {
		return nil, in, err
	}
	x.args = []expr{arg}
	if len(a.args) > 1 {
		init, _, err := c.scoped(a.args[1])
		if err != nil {
			return nil, in, err
		}
		x.args = append(x.args, init)
	}
	return x, anything, nil
}

func runAggregate(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	var total []Item
	if len(x.args) > 1 {
		if err := x.args[1].eval(m); err != nil {
			return err
		}
		total = append(total, m.stack[mid:]...)
		m.cut(mid)
	}
	saved := m.frame.total
	for i := base; i < mid; i++ {
		m.frame.total = total
		err := m.project(x.args[0], m.stack[i], i-base)
		m.frame.total = saved
		if err != nil {
			return err
		}
		if err := m.step(1, x.pos); err != nil {
			return err
		}
		total = append([]Item(nil), m.stack[mid:]...)
		m.cut(mid)
	}
	m.cut(base)
	m.stack = append(m.stack, total...)
	return nil
}
