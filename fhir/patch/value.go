package patch

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// value is a JSON value of a document under change. One that no operation has entered is the node that was parsed; open makes its members or
// items values of their own.
type value struct {
	node fhir.Node // zero where the value was opened or made
	kind fhir.NodeKind
	kids []member
	// shrunk is set where an operation has removed a member or item.
	shrunk bool
}

// member is a member of an object or, without a name, an item of an array.
type member struct {
	name string
	raw  []byte // the name as it was spelled, without quotes; nil for one that was made
	v    *value
}

func parsed(n fhir.Node) *value { return &value{node: n, kind: n.Kind()} }

func null() *value { return &value{kind: fhir.Null} }

// container reports whether v is an object or an array.
func (v *value) container() bool { return v.kind == fhir.Object || v.kind == fhir.Array }

// open makes the children of an object or array values that can be changed.
func (v *value) open() {
	if !v.node.Valid() || !v.container() {
		return
	}
	v.kids = make([]member, 0, v.node.Len()+1)
	for c := range v.node.Children() {
		v.kids = append(v.kids, member{c.Name(), c.RawName(), parsed(c)})
	}
	v.node = fhir.Node{}
}

// find returns the index of an object's member; -1 where there is none. v is open.
func (v *value) find(name string) int {
	for i := range v.kids {
		if v.kids[i].name == name {
			return i
		}
	}
	return -1
}

// get returns a member of an object; nil where v is none or has none.
func (v *value) get(name string) *value {
	if v == nil || v.kind != fhir.Object {
		return nil
	}
	v.open()
	if i := v.find(name); i >= 0 {
		return v.kids[i].v
	}
	return nil
}

// set replaces a member's value, or appends the member.
func (v *value) set(name string, to *value) {
	v.open()
	if i := v.find(name); i >= 0 {
		v.kids[i].v = to
		return
	}
	v.kids = append(v.kids, member{name: name, v: to})
}

// setAfter is set for a member that, where it is new, stands behind the one named before.
func (v *value) setAfter(before, name string, to *value) {
	v.open()
	i := v.find(before)
	if v.find(name) >= 0 || i < 0 {
		v.set(name, to)
		return
	}
	v.insert(i+1, to)
	v.kids[i+1].name = name
}

// insert puts an item before position i. v is open.
func (v *value) insert(i int, item *value) {
	v.kids = append(v.kids, member{})
	copy(v.kids[i+1:], v.kids[i:])
	v.kids[i] = member{v: item}
}

// removeAt takes a child out. v is open.
func (v *value) removeAt(i int) *value {
	out := v.kids[i].v
	v.kids = append(v.kids[:i], v.kids[i+1:]...)
	v.shrunk = true
	return out
}

// remove takes a member out; nil where there is none.
func (v *value) remove(name string) *value {
	v.open()
	if i := v.find(name); i >= 0 {
		return v.removeAt(i)
	}
	return nil
}

// clone returns a copy that can be changed apart from v.
func (v *value) clone() *value {
	c := *v
	c.kids = append([]member(nil), v.kids...)
	for i := range c.kids {
		c.kids[i].v = c.kids[i].v.clone()
	}
	return &c
}

// extent is what measure tells of a value.
type extent struct {
	size    int // bytes
	depth   int // objects and arrays nested in it, itself included
	visited int // values in it, itself included
	made    int // values among them that a clone makes
}

// measure walks over all of v.
func (v *value) measure() extent {
	if v.node.Valid() {
		m := extent{size: len(v.node.Raw()), made: 1}
		m.depth, m.visited = depthOf(v.node)
		return m
	}
	m := extent{size: len("null"), visited: 1, made: 1}
	if !v.container() {
		return m
	}
	m.size = len("{}")
	for i := range v.kids {
		k := v.kids[i].v.measure()
		m.size += k.size + len(v.kids[i].name) + 4
		m.depth = max(m.depth, k.depth)
		m.visited += k.visited
		m.made += k.made
	}
	m.depth++
	return m
}

// depthOf returns how many objects and arrays are nested in n, n included, and the number of its values.
func depthOf(n fhir.Node) (depth, values int) {
	if k := n.Kind(); k != fhir.Object && k != fhir.Array {
		return 0, 1
	}
	values = 1
	for c := range n.Children() {
		d, v := depthOf(c)
		depth = max(depth, d)
		values += v
	}
	return depth + 1, values
}

// gone reports whether operations have emptied v, so that FHIR's JSON cannot have it.
func (v *value) gone() bool {
	if v.node.Valid() || !v.container() {
		return false
	}
	for i := range v.kids {
		if !v.kids[i].v.gone() {
			return false
		}
	}
	return v.shrunk || len(v.kids) > 0
}

// append appends v as JSON without white space, but for what operations have emptied. v itself is written in any case.
func (v *value) append(dst []byte) []byte { return v.appendIn(dst, false) }

// appendIn is append; aligned is set for the items of an array whose positions count, that of primitives' siblings.
func (v *value) appendIn(dst []byte, aligned bool) []byte {
	if v.node.Valid() {
		return v.node.AppendJSON(dst)
	}
	open, shut := byte('{'), byte('}')
	switch v.kind {
	case fhir.Array:
		open, shut = '[', ']'
	case fhir.Object:
	default:
		return append(dst, "null"...)
	}
	dst = append(dst, open)
	for i := range v.kids {
		m := &v.kids[i]
		gone := m.v.gone()
		if gone && !(v.kind == fhir.Array && aligned) {
			continue
		}
		dst = fhir.AppendSeparator(dst)
		if v.kind == fhir.Object {
			if m.raw != nil {
				dst = append(append(append(dst, '"'), m.raw...), '"')
			} else {
				dst = fhir.AppendString(dst, m.name)
			}
			dst = append(dst, ':')
		}
		if gone {
			dst = append(dst, "null"...)
			continue
		}
		dst = m.v.appendIn(dst, strings.HasPrefix(m.name, "_"))
	}
	return append(dst, shut)
}
