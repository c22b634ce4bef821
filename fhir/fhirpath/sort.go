package fhirpath

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// sortKey is one key of sort(): a projection, descending where it was written with a minus sign.
type sortKey struct {
	x          expr
	descending bool
	pos        int
}

// compileSort compiles sort(): without keys by the items themselves. A minus sign in front of a key means descending, and so is allowed for
// keys of any type.
func compileSort(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	var keys []sortKey
	for _, arg := range a.args {
		k := sortKey{pos: arg.pos}
		if arg.kind == astUnary && arg.text == "-" {
			k.descending, arg = true, arg.args[0]
		}
		var err error
		if k.x, _, err = c.lambda(arg, in); err != nil {
			return nil, in, err
		}
		keys = append(keys, k)
	}
	if keys == nil {
		keys = []sortKey{{x: thisExpr{}, pos: a.pos}}
	}
	x.data = keys
	in.unordered = false
	return x, in, nil
}

func runSort(m *machine, x *callExpr, base int) error {
	keys := x.data.([]sortKey)
	n := len(m.stack) - base
	type row struct {
		item Item
		keys []value
	}
	rows := make([]row, n)
	values := make([]value, n*len(keys))
	for i := range rows {
		rows[i] = row{m.stack[base+i], values[i*len(keys) : (i+1)*len(keys)]}
		for k := range keys {
			at := len(m.stack)
			if err := m.project(keys[k].x, rows[i].item, i); err != nil {
				return err
			}
			it, ok, err := m.single(at, keys[k].pos)
			m.cut(at)
			if err != nil {
				return err
			}
			if ok {
				rows[i].keys[k] = it.value()
			}
		}
		if err := m.step(len(keys), x.pos); err != nil {
			return err
		}
	}
	var failed error
	slices.SortStableFunc(rows, func(a, b row) int {
		m.steps++
		for k := range keys {
			c, err := m.orderKeys(a.keys[k], b.keys[k], keys[k].pos)
			if err != nil {
				failed = err
			}
			if keys[k].descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	for i := range rows {
		m.stack[base+i] = rows[i].item
	}
	return failed
}

// orderKeys orders two keys; an empty one comes after all others, and so first where the key is descending (suite, testSort10).
func (m *machine) orderKeys(a, b value, pos int) (int, error) {
	switch {
	case a.kind == NoKind && b.kind == NoKind:
		return 0, nil
	case a.kind == NoKind:
		return 1, nil
	case b.kind == NoKind:
		return -1, nil
	}
	c, _, ok := order(a, b)
	if !ok {
		return 0, m.fail(pos, fhir.IDFHIRPathType, "the keys of sort() do not compare", "keys of one ordered type")
	}
	return c, nil
}
