package embedded

import (
	"encoding/binary"
	"math"
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
	if d.bad {
		return errDamaged
	}
	if len(needed) == 0 {
		return nil
	}
	all, b := n.all(), d.b
	// Most of what a search that reads many rows does is in this loop.
	for len(b) > 0 {
		num, i := uvarint(b, 0)
		size, i := uvarint(b, i)
		if size > uint64(len(b)-i) {
			return errDamaged
		}
		end := i + int(size)
		if num >= uint64(len(all)) || slices.Contains(needed, uint32(num)) {
			if err := f.add(all, num, decoder{b: b[i:end:end]}); err != nil {
				return err
			}
		}
		b = b[end:]
	}
	return nil
}

// uvarint reads the number at i of b and returns where it ends; a number and a length that no row has where there is none.
func uvarint(b []byte, i int) (v uint64, end int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longUvarint(b, i)
}

func longUvarint(b []byte, i int) (v uint64, end int) {
	v, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return math.MaxUint64, len(b)
	}
	return v, i + n
}
