package embedded

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// needs returns the numbers of the parameters of a type that holds looks at for the condition.
func (c *condition) needs(n *dictionary, typ string) []uint32 {
	if c.needed == nil {
		c.needed = []uint32{}
		for _, p := range paramsOf(c.expr, nil) {
			if num, ok := n.find(typ, p); ok {
				c.needed = append(c.needed, num)
			}
		}
	}
	return c.needed
}

// paramsOf appends the parameters of a resource that a condition on it looks at.
func paramsOf(e search.Expr, out []string) []string {
	add := func(p string) {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	switch e := e.(type) {
	case search.Some:
		add(e.Param)
	case search.And:
		for _, c := range e {
			out = paramsOf(c, out)
		}
	case search.Or:
		if a, ok := atomOf(e); ok {
			add(a.param)
			break
		}
		for _, c := range e {
			out = paramsOf(c, out)
		}
	case search.Not:
		out = paramsOf(e.Expr, out)
	case search.Refers:
		add(e.Param)
	case search.Within:
		if e.Param != "" {
			add(e.References())
		}
		add(e.Holder())
		for _, h := range holders(e.Where, nil) {
			add(h)
		}
	}
	return out
}

// holders appends the names under which the container has what a condition on one of its held resources asks for.
func holders(e search.Expr, out []string) []string {
	switch e := e.(type) {
	case search.And:
		for _, c := range e {
			out = holders(c, out)
		}
	case search.Or:
		for _, c := range e {
			out = holders(c, out)
		}
	case search.Not:
		out = holders(e.Expr, out)
	case search.Within:
		out = holders(e.Where, append(out, e.Holder()))
	}
	return out
}

// decodeNeeded is decodeEntries for the entries of some parameters; the others are skipped by their length, and not looked into.
func (n *dictionary) decodeNeeded(row []byte, f *found, needed []uint32) error {
	d := f.header(row)
	all := n.all()
	for len(needed) > 0 && len(d.b) > 0 {
		num, e := d.next()
		if num < uint64(len(all)) && !slices.Contains(needed, uint32(num)) {
			continue
		}
		if err := f.add(all, num, e); err != nil {
			return err
		}
	}
	if d.bad {
		return errDamaged
	}
	return nil
}
