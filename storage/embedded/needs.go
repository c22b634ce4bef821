package embedded

import (
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// needs returns the numbers of the parameters of a type that holds looks at for the condition.
func (c *condition) needs(n *names, typ string) []uint32 {
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
	}
	return out
}

// decodeNeeded is decodeEntries for the entries of some parameters; the others are passed over.
func (n *names) decodeNeeded(row []byte, f *found, needed []uint32) error {
	all := n.all()
	d := decoder{b: row}
	micros, version := d.header()
	f.updated, f.version, f.entries = time.UnixMicro(micros).UTC(), version, f.entries[:0]
	for len(needed) > 0 && len(d.b) > 0 && !d.bad {
		num := d.uvarint()
		if num >= uint64(len(all)) {
			return errDamaged
		}
		if !slices.Contains(needed, uint32(num)) {
			d.skipEntry()
			continue
		}
		f.entries = append(f.entries, search.Entry{Param: all[num].param})
		d.entry(all, &f.entries[len(f.entries)-1])
	}
	if d.bad {
		return errDamaged
	}
	return nil
}

// skipEntry passes over what entry reads.
func (d *decoder) skipEntry() {
	head := d.uvarint()
	skipSystem := func() {
		if d.uvarint() == 0 {
			d.text()
		}
	}
	if head&hasSystem != 0 {
		skipSystem()
	}
	for bit := uint64(hasCode); bit <= hasHi; bit <<= 1 {
		if head&bit != 0 {
			d.text()
		}
	}
	if head&hasType != 0 {
		skipSystem()
	}
	if head&hasID != 0 {
		d.text()
	}
	if head&hasURI != 0 {
		d.text()
	}
	if head&hasParts == 0 {
		return
	}
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return
	}
	for ; n > 0 && !d.bad; n-- {
		d.skipEntry()
	}
}
