package fhirpath

import "github.com/fhirgate/fhirgate/fhir"

// Functions of N1, Existence.

var boolean = []Kind{Boolean}

var _ = define(map[string]*function{
	"empty":    {result: answers(Boolean), run: func(m *machine, x *callExpr, base int) error { return m.answerBool(base, len(m.stack) == base) }},
	"exists":   {max: 1, lambdas: []int{0}, result: answers(Boolean), run: runExists},
	"all":      {min: 1, max: 1, lambdas: []int{0}, result: answers(Boolean), run: runAll},
	"allTrue":  {input: boolean, result: answers(Boolean), run: allAre(true)},
	"allFalse": {input: boolean, result: answers(Boolean), run: allAre(false)},
	"anyTrue":  {input: boolean, result: answers(Boolean), run: anyIs(true)},
	"anyFalse": {input: boolean, result: answers(Boolean), run: anyIs(false)},
	"not":      {result: answers(Boolean), run: runNot},
	"count": {result: answers(Integer), run: func(m *machine, x *callExpr, base int) error {
		return m.answer(base, IntegerItem(int64(len(m.stack)-base)))
	}},
	"distinct": {result: same, run: func(m *machine, x *callExpr, base int) error { return m.dedupe(base, x.pos) }},
	"isDistinct": {result: answers(Boolean), run: func(m *machine, x *callExpr, base int) error {
		n := len(m.stack)
		if err := m.dedupe(base, x.pos); err != nil {
			return err
		}
		return m.answerBool(base, len(m.stack) == n)
	}},
	"subsetOf": {min: 1, max: 1, result: answers(Boolean), run: func(m *machine, x *callExpr, base int) error {
		return m.subset(x, base, func(in, other []Item) (sub, super []Item) { return in, other })
	}},
	"supersetOf": {min: 1, max: 1, result: answers(Boolean), run: func(m *machine, x *callExpr, base int) error {
		return m.subset(x, base, func(in, other []Item) (sub, super []Item) { return other, in })
	}},
})

func runExists(m *machine, x *callExpr, base int) error {
	if len(x.args) == 0 {
		return m.answerBool(base, len(m.stack) > base)
	}
	for i, n := base, len(m.stack); i < n; i++ {
		b, ok, err := m.test(x.args[0], m.stack[i], i-base, x.pos)
		if err != nil {
			return err
		}
		if b && ok {
			return m.answerBool(base, true)
		}
	}
	return m.answerBool(base, false)
}

func runAll(m *machine, x *callExpr, base int) error {
	for i, n := base, len(m.stack); i < n; i++ {
		b, ok, err := m.test(x.args[0], m.stack[i], i-base, x.pos)
		if err != nil {
			return err
		}
		if !b || !ok {
			return m.answerBool(base, false)
		}
	}
	return m.answerBool(base, true)
}

// booleans calls f with each item of the input, which must all be Booleans; those without a value are passed over.
func (m *machine) booleans(x *callExpr, base int, f func(bool)) error {
	for i := base; i < len(m.stack); i++ {
		v := m.stack[i].value()
		if v.kind == NoKind && valueless(&m.stack[i]) {
			continue
		}
		if v.kind != Boolean {
			return m.fail(x.pos, fhir.IDFHIRPathType, "an item of the input is not a Boolean", "Booleans")
		}
		f(v.b)
	}
	return nil
}

func allAre(want bool) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		all := true
		if err := m.booleans(x, base, func(b bool) { all = all && b == want }); err != nil {
			return err
		}
		return m.answerBool(base, all)
	}
}

func anyIs(want bool) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		some := false
		if err := m.booleans(x, base, func(b bool) { some = some || b == want }); err != nil {
			return err
		}
		return m.answerBool(base, some)
	}
}

func runNot(m *machine, x *callExpr, base int) error {
	b, ok, err := m.boolean(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	m.push(BooleanItem(!b))
	return nil
}

// subset answers whether all items of sub are in super, of the input and the argument as order says.
func (m *machine) subset(x *callExpr, base int, order func(in, other []Item) (sub, super []Item)) error {
	mid := len(m.stack)
	if err := x.args[0].eval(m); err != nil {
		return err
	}
	sub, super := order(m.stack[base:mid], m.stack[mid:])
	set := m.set(super)
	for i := range sub {
		if !set.has(&sub[i]) {
			return m.answerBool(base, false)
		}
		if err := m.step(1, x.pos); err != nil {
			return err
		}
	}
	return m.answerBool(base, true)
}

// set is a collection that is looked into: by comparison where it is small, else by hash.
type set struct {
	m     *machine
	items []Item
	index map[uint64][]int
}

func (m *machine) set(items []Item) set {
	s := set{m: m, items: items}
	if len(items) >= manyItems {
		s.index = make(map[uint64][]int, len(items))
		for i := range items {
			h := m.hash(&items[i])
			s.index[h] = append(s.index[h], i)
		}
	}
	return s
}

func (s set) has(it *Item) bool {
	if s.index == nil {
		return s.m.contains(s.items, it)
	}
	for _, i := range s.index[s.m.hash(it)] {
		if s.m.same(&s.items[i], it) {
			return true
		}
	}
	return false
}
