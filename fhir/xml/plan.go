package xml

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Limits bound what the reader accepts. A zero field means the default.
type Limits struct {
	Depth int // nested elements; default 128
	Size  int // bytes of the document; default 4 GiB
	// Hold is called before the reader takes so many bytes of memory beyond a few chunks, for example for a large tag; its error ends the reading. Nil allows all.
	Hold func(bytes int) error
}

// hold asks for memory.
func (l *Limits) hold(bytes int) error {
	if l.Hold == nil {
		return nil
	}
	return l.Hold(bytes)
}

func (l Limits) withDefaults() Limits {
	if l.Depth == 0 {
		l.Depth = 128
	}
	if l.Size == 0 {
		l.Size = 4 << 30
	}
	return l
}

// Format reads and writes the XML format of one FHIR release. It is immutable and safe for concurrent use.
type Format struct {
	reg  *definition.Registry
	once sync.Once
	// resources are the plans of the concrete resource types.
	resources map[string]*plan
}

// New returns the format of the types in reg.
func New(reg *definition.Registry) *Format { return &Format{reg: reg} }

// plan is what both directions know of a type.
type plan struct {
	name string
	// tag begins an element of a resource and end ends it.
	tag, end string
	resource bool // a resource type
	// members are the names of JSON, which are those of XML too, and the siblings of primitives. slots finds them: the place of a name among
	// members, counted from 1, is in the slot of its hash or in one of those that follow; at 0 there are no more. A quarter of the slots is used.
	members []named
	slots   []uint16
	shift   uint8
}

// named is what a member's name stands for.
type named struct {
	name    string
	c       *child
	sibling bool // the name is that of a primitive's sibling
	// next are the two children that follow, as far as there are any: one of them often comes after this.
	next [2]*named
}

// lookup returns what a member's name stands for; nil where the definitions have none of this name.
func (p *plan) lookup(name []byte) *named {
	mask := len(p.slots) - 1
	for i := int(hash(name) >> p.shift); ; i++ {
		k := p.slots[i&mask]
		if k == 0 {
			return nil
		}
		if m := &p.members[k-1]; m.name == string(name) {
			return m
		}
	}
}

// child returns the child of a name.
func (p *plan) child(name []byte) *child {
	if m := p.lookup(name); m != nil && !m.sibling {
		return m.c
	}
	return nil
}

// hash mixes the ends of a name, in which the names of a type differ. The best bits are the upper ones.
func hash(name []byte) uint64 {
	n := len(name)
	key := uint64(n)
	switch {
	case n >= 8:
		key += binary.LittleEndian.Uint64(name) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(name[n-8:]), 29)
	case n >= 4:
		key += uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<32
	case n > 0:
		key += uint64(name[0])<<8 | uint64(name[n/2])<<16 | uint64(name[n-1])<<24
	}
	return key * 0x9e3779b97f4a7c15
}

// index fills the slots and links the members.
func (p *plan) index() {
	size, width := 8, 3
	for size < 4*len(p.members) {
		size, width = 2*size, width+1
	}
	var following [2]*named
	for k := len(p.members) - 1; k >= 0; k-- {
		m := &p.members[k]
		if m.next = following; !m.sibling {
			following = [2]*named{m, following[0]}
		}
	}
	p.slots, p.shift = make([]uint16, size), uint8(64-width)
	for k := range p.members {
		i := int(hash([]byte(p.members[k].name)) >> p.shift)
		for p.slots[i] != 0 {
			i = (i + 1) & (size - 1)
		}
		p.slots[i] = uint16(k + 1)
	}
}

// holds says what an element is in JSON.
type holds uint8

const (
	complexValue holds = iota
	textValue
	numberValue
	boolValue
	narrative
	resource
)

// child is one name of an element: a choice element has one for each of its types.
type child struct {
	name string
	// order is the position of the element in its type. The names of a choice have the same.
	order  int
	rank   int // order for the writer: attributes are first
	repeat bool
	choice bool
	// attribute is set for what XML writes as an attribute: the id of an element and the url of an extension.
	attribute bool
	holds     holds
	plan      *plan // of the type; nil for a resource, whose type is named inside
	// member and sibling begin its JSON: `"name":` and `"_name":`.
	member, sibling string
	// tag begins its element, tagValue that of a primitive with a value, and end ends it.
	tag, tagValue, end string
}

// primitive reports whether the element's value is an attribute of its tag.
func (c *child) primitive() bool { return c.holds >= textValue && c.holds <= boolValue }

// plan returns the plan of a resource type.
func (f *Format) plan(name []byte) *plan {
	f.once.Do(f.compile)
	return f.resources[string(name)]
}

func (f *Format) compile() {
	f.resources = make(map[string]*plan, len(f.reg.ResourceTypes()))
	plans := map[*definition.Type]*plan{}
	for _, name := range f.reg.ResourceTypes() {
		t, _ := f.reg.Resource(name)
		f.resources[name] = compile(t, plans)
	}
}

// compile makes the plan of a type and of all types below it.
func compile(t *definition.Type, plans map[*definition.Type]*plan) *plan {
	if p := plans[t]; p != nil {
		return p
	}
	p := &plan{name: t.Name, tag: "<" + t.Name, end: "</" + t.Name + ">", resource: t.Kind == definition.KindResource}
	plans[t] = p
	for order, e := range t.Elements {
		for i := range e.Types {
			ref := &e.Types[i]
			c := &child{name: ref.JSON, order: order, repeat: e.Max != 1, choice: e.Choice, holds: holdsOf(ref.Type),
				member: `"` + ref.JSON + `":`, sibling: `"_` + ref.JSON + `":`,
				tag: "<" + ref.JSON, tagValue: "<" + ref.JSON + ` value="`, end: "</" + ref.JSON + ">"}
			c.attribute = e.Name == "id" && t.Kind != definition.KindResource || e.Name == "url" && t.Is("Extension")
			if c.holds != resource {
				c.plan = compile(ref.Type, plans)
			}
			if c.rank = order + 1; !c.attribute {
				c.rank += openRank
			}
			p.members = append(p.members, named{name: ref.JSON, c: c})
			if c.primitive() {
				p.members = append(p.members, named{name: "_" + ref.JSON, c: c, sibling: true})
			}
		}
	}
	p.index()
	return p
}

func holdsOf(t *definition.Type) holds {
	switch {
	case t.Kind == definition.KindResource:
		return resource
	case t.Kind != definition.KindPrimitive:
		return complexValue
	case t.Is("boolean"):
		return boolValue
	case t.Is("integer"), t.Is("decimal"):
		return numberValue
	case t.Is("xhtml"):
		return narrative
	}
	return textValue
}

// at returns the FHIRPath of an element below path.
func at(path, name string, index int) string {
	if path != "" {
		name = path + "." + name
	}
	if index >= 0 {
		name = fmt.Sprintf("%s[%d]", name, index)
	}
	return name
}

// located adds the expression to the issues of err where they have none.
func located(err error, expression string) error {
	if e, ok := err.(*fhir.Error); ok {
		for i := range e.Issues {
			if e.Issues[i].Expression == "" {
				e.Issues[i].Expression = expression
			}
		}
	}
	return err
}
