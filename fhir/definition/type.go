package definition

// TypeKind says what kind of type a Type is (StructureDefinition.kind, with backbone elements told apart).
type TypeKind uint8

// The kinds of types.
const (
	KindPrimitive TypeKind = iota + 1
	KindComplex
	KindBackbone // an element with children of its own, as Patient.contact; its Name is its path
	KindResource
)

// Type is a resource type, a datatype or a backbone element, from the snapshot of its StructureDefinition. Types are immutable and shared:
// compare them by pointer.
type Type struct {
	// Name is "Patient", "HumanName", "string", or for a backbone element its path, "Patient.contact".
	Name string
	Kind TypeKind
	// Abstract is set for Element, BackboneElement, Resource, DomainResource.
	Abstract bool
	// Base is the type this one specializes; nil for Element and Resource. "code" has "string", "Patient" has "DomainResource", and a
	// backbone element "BackboneElement" or, within a datatype, "Element".
	Base *Type
	// Elements are all children, inherited ones included, in the order of the snapshot. For primitives: id, extension (value is implied).
	Elements []*Element
	// Invariants are the constraints on the type itself, inherited ones included: those of the snapshot's first element, and for a backbone
	// element those that its element states, so that they hold wherever a contentReference uses the type.
	Invariants []*Invariant
	// Regex is the regular expression that the whole text of a primitive's value must match; "" where there is none.
	Regex string

	members map[string]member
}

// member is what a name stands for in a Type: a JSON member, with the type that it chooses, or the FHIRPath name of a choice element, with
// no type.
type member struct {
	element *Element
	ref     *TypeRef
}

// Child returns the element of t with the FHIRPath name; nil where t has none.
func (t *Type) Child(name string) *Element {
	if m, ok := t.members[name]; ok && m.element.Name == name {
		return m.element
	}
	return nil
}

// JSONChild returns the element of t that stands under the JSON member name, and which of its types that name chooses; nil where t has
// none. A leading underscore (the sibling of a primitive) is not stripped.
func (t *Type) JSONChild(name string) (*Element, *TypeRef) {
	if m, ok := t.members[name]; ok && m.ref != nil {
		return m.element, m.ref
	}
	return nil, nil
}

// Is reports whether t is the type named name or specializes it.
func (t *Type) Is(name string) bool {
	for ; t != nil; t = t.Base {
		if t.Name == name {
			return true
		}
	}
	return false
}

// link fills members from Elements.
func (t *Type) link() {
	n := 0
	for _, e := range t.Elements {
		n += len(e.Types)
		if e.Choice {
			n++
		}
	}
	t.members = make(map[string]member, n)
	for _, e := range t.Elements {
		if e.Choice {
			t.members[e.Name] = member{e, nil}
		}
		for i := range e.Types {
			t.members[e.Types[i].JSON] = member{e, &e.Types[i]}
		}
	}
}
