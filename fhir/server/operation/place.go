package operation

import (
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// places writes the paths of many elements, as Node.Path does for one. It remembers how far it has counted in the arrays around the last of
// them, so that elements in the order of their document are found without counting each array from its beginning again.
type places struct {
	counted []counted // by the number of arrays around
}

// counted is an item of an array and its index.
type counted struct {
	item  fhir.Node
	index int
}

// path returns what n.Path returns.
func (p *places) path(n fhir.Node) string {
	dst, _ := p.append(nil, n)
	return string(dst)
}

// append appends the path of n, and returns the number of arrays around it.
func (p *places) append(dst []byte, n fhir.Node) ([]byte, int) {
	if !n.Valid() {
		return dst, 0
	}
	if rt := n.Get("resourceType"); rt.Kind() == fhir.String && fhir.ValidTypeName(rt.Text()) {
		return append(dst, rt.Text()...), 0
	}
	parent := n.Parent()
	if !parent.Valid() {
		return dst, 0
	}
	dst, depth := p.append(dst, parent)
	if parent.Kind() == fhir.Array {
		dst = strconv.AppendInt(append(dst, '['), int64(p.index(parent, n, depth)), 10)
		return append(dst, ']'), depth + 1
	}
	if len(dst) > 0 {
		dst = append(dst, '.')
	}
	return append(dst, n.Name()...), depth
}

// index returns the index of n in array, which has depth arrays around it: counted from the last one asked for, if it is of the same array
// and not behind n.
func (p *places) index(array, n fhir.Node, depth int) int {
	for len(p.counted) <= depth {
		p.counted = append(p.counted, counted{})
	}
	last := &p.counted[depth]
	if last.item.Valid() && last.item.Parent() == array {
		for c, k := last.item, last.index; c.Valid(); c, k = c.Next(), k+1 {
			if c == n {
				*last = counted{c, k}
				return k
			}
		}
	}
	k := 0
	for c := array.First(); c.Valid() && c != n; c = c.Next() {
		k++
	}
	*last = counted{n, k}
	return k
}
