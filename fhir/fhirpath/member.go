package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// memberExpr is in.name: the elements called name of each item. in is nil for the items of $this.
type memberExpr struct {
	in    expr
	name  string
	pos   int
	cases []memberCase // the elements that the compiler knew of; others are looked up
}

// memberCase is the element of one type, with the JSON names that its values stand under.
type memberCase struct {
	typ  *definition.Type
	elem *definition.Element
	sibs []string // "_" and the JSON name for each type of the element; "" where it is no primitive
}

func newMemberCase(t *definition.Type, e *definition.Element) memberCase {
	c := memberCase{typ: t, elem: e, sibs: make([]string, len(e.Types))}
	for i := range e.Types {
		if e.Types[i].Type.Kind == definition.KindPrimitive {
			c.sibs[i] = "_" + e.Types[i].JSON
		}
	}
	return c
}

func (x *memberExpr) eval(m *machine) error {
	base := len(m.stack)
	if x.in == nil {
		if m.frame.hasThis {
			m.member(m.frame.this, x)
		}
		return m.step(1+len(m.stack)-base, x.pos)
	}
	if err := x.in.eval(m); err != nil {
		return err
	}
	mid := len(m.stack)
	for i := base; i < mid; i++ {
		m.member(m.stack[i], x)
	}
	if err := m.step(1+len(m.stack)-base, x.pos); err != nil {
		return err
	}
	m.keep(base, mid)
	return nil
}

// member pushes the elements of it that x names.
func (m *machine) member(it Item, x *memberExpr) {
	if it.box != nil {
		if info, ok := it.box.(reflected); ok {
			info.child(m, x.name)
		}
		return
	}
	t := it.typ
	if t == nil {
		m.pushUntyped(it.node, x.name)
		return
	}
	if t.Kind == definition.KindPrimitive {
		m.pushOfPrimitive(it, x.name)
		return
	}
	for i := range x.cases {
		if x.cases[i].typ == t {
			m.pushElement(it.node, &x.cases[i])
			return
		}
	}
	if e := t.Child(x.name); e != nil {
		c := newMemberCase(t, e)
		m.pushElement(it.node, &c)
	}
}

// pushOfPrimitive pushes id, extension and value of a primitive.
func (m *machine) pushOfPrimitive(it Item, name string) {
	if name == "value" {
		if v := it.value(); v.kind != NoKind {
			m.push(v.item())
		}
		return
	}
	if e := it.typ.Child(name); e != nil && it.sib.Kind() == fhir.Object {
		c := newMemberCase(it.typ, e)
		m.pushElement(it.sib, &c)
	}
}

// pushUntyped pushes the members of an object whose type is not known.
func (m *machine) pushUntyped(n fhir.Node, name string) {
	m.pushValues(n.Get(name), fhir.Node{}, nil)
}

// pushElement pushes the values of one element of the object n.
func (m *machine) pushElement(n fhir.Node, c *memberCase) {
	e := c.elem
	if !e.Choice {
		var sib fhir.Node
		if c.sibs[0] != "" {
			sib = n.Get(c.sibs[0])
		}
		m.pushValues(n.Get(e.Types[0].JSON), sib, e.Types[0].Type)
		return
	}
	for v := n.First(); v.Valid(); v = v.Next() {
		name := v.Name()
		lone := len(name) > 0 && name[0] == '_'
		if lone {
			name = name[1:]
		}
		if len(name) <= len(e.Name) || !strings.HasPrefix(name, e.Name) {
			continue
		}
		for i := range e.Types {
			if e.Types[i].JSON != name {
				continue
			}
			switch {
			case !lone && c.sibs[i] != "":
				m.pushValues(v, n.Get(c.sibs[i]), e.Types[i].Type)
			case !lone:
				m.pushValues(v, fhir.Node{}, e.Types[i].Type)
			case c.sibs[i] != "" && !n.Get(name).Valid():
				m.pushValues(fhir.Node{}, v, e.Types[i].Type)
			}
			break
		}
	}
}

// pushValues pushes what stands under a name and under its sibling: one item, or one for each place of their arrays that is not null in
// both.
func (m *machine) pushValues(v, sib fhir.Node, t *definition.Type) {
	if v.Kind() != fhir.Array && sib.Kind() != fhir.Array {
		m.pushValue(v, sib, t)
		return
	}
	a, b := v, sib
	if v.Kind() == fhir.Array {
		a = v.First()
	}
	if sib.Kind() == fhir.Array {
		b = sib.First()
	}
	for a.Valid() || b.Valid() {
		m.pushValue(a, b, t)
		a, b = nextItem(v, a), nextItem(sib, b)
	}
}

// nextItem returns the item after n where all is an array; a value that is none has no next.
func nextItem(all, n fhir.Node) fhir.Node {
	if all.Kind() != fhir.Array {
		return fhir.Node{}
	}
	return n.Next()
}

func (m *machine) pushValue(v, sib fhir.Node, t *definition.Type) {
	if v.Kind() == fhir.Null {
		v = fhir.Node{}
	}
	if sib.Kind() != fhir.Object {
		sib = fhir.Node{}
	}
	if !v.Valid() && !sib.Valid() {
		return
	}
	if t != nil && t.Abstract && t.Kind == definition.KindResource || t == nil && v.Get("resourceType").Valid() {
		m.push(resourceItem(m.prog.reg, v))
		return
	}
	m.push(Item{typ: t, node: v, sib: sib})
}

// pushChildren pushes all elements of an item, in document order.
func (m *machine) pushChildren(it Item) {
	if it.box != nil {
		if info, ok := it.box.(reflected); ok {
			for _, name := range info.names() {
				info.child(m, name)
			}
		}
		return
	}
	n := it.node
	primitive := it.typ != nil && it.typ.Kind == definition.KindPrimitive
	if primitive {
		n = it.sib
	}
	if n.Kind() != fhir.Object {
		return
	}
	for v := n.First(); v.Valid(); v = v.Next() {
		name := v.Name()
		var t *definition.Type
		if name == "resourceType" && v.Kind() == fhir.String && (it.typ == nil || it.typ.Kind == definition.KindResource) {
			continue
		}
		if len(name) > 1 && name[0] == '_' {
			if n.Get(name[1:]).Valid() {
				continue
			}
			if it.typ != nil {
				if _, ref := it.typ.JSONChild(name[1:]); ref != nil {
					m.pushValues(fhir.Node{}, v, ref.Type)
				}
			}
			continue
		}
		var sib fhir.Node
		if it.typ != nil {
			if _, ref := it.typ.JSONChild(name); ref != nil {
				t = ref.Type
				if t.Kind == definition.KindPrimitive {
					sib = siblingOf(n, name)
				}
			}
		}
		m.pushValues(v, sib, t)
	}
}

// siblingOf returns the member of n that is called "_" and name, without making that string.
func siblingOf(n fhir.Node, name string) fhir.Node {
	for v := n.First(); v.Valid(); v = v.Next() {
		if s := v.Name(); len(s) == len(name)+1 && s[0] == '_' && s[1:] == name {
			return v
		}
	}
	return fhir.Node{}
}
