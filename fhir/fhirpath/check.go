package fhirpath

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// anyKind is the Kind of a stype that is a System type which is not known.
const anyKind Kind = 255

// stype is one type that an item may have at run time: a FHIR type or a System type.
type stype struct {
	fhir *definition.Type
	sys  Kind
}

// kind returns the System type that items of the type have a value of.
func (t stype) kind() Kind {
	if t.fhir != nil {
		return systemKind(t.fhir)
	}
	return t.sys
}

func (t stype) String() string {
	if t.fhir != nil {
		return t.fhir.Name
	}
	return "System." + t.sys.String()
}

// static is what is known about a collection before evaluation.
type static struct {
	any       bool    // items may be of any type; types is then empty
	types     []stype // the types that items may have; none where the collection is always empty
	many      bool    // there may be more than one item
	unordered bool    // the items have no order (N1, children and descendants)
}

var anything = static{any: true, many: true}

func system(kinds ...Kind) static {
	var s static
	for _, k := range kinds {
		s.types = append(s.types, stype{sys: k})
	}
	return s
}

// systemNamed returns the System type that Item.Type and ResultTypes give a name with its namespace.
func systemNamed(name string) (Kind, bool) {
	if name, ok := strings.CutPrefix(name, "System."); ok {
		for k := Boolean; k <= typeInfoKind; k++ {
			if k.String() == name {
				return k, true
			}
		}
	}
	return NoKind, false
}

func typed(t *definition.Type) static { return static{types: []stype{{fhir: t}}} }

// never reports that the collection is always empty.
func (s static) never() bool { return !s.any && len(s.types) == 0 }

// one returns the static of a single item of s.
func (s static) one() static {
	s.many, s.unordered = false, false
	return s
}

// join returns what is known of a collection that may hold items of either.
func (s static) join(o static) static {
	r := static{many: s.many || o.many, unordered: s.unordered || o.unordered}
	if s.any || o.any {
		r.any = true
		return r
	}
	r.types = append(r.types, s.types...)
	for _, t := range o.types {
		if !slices.Contains(r.types, t) {
			r.types = append(r.types, t)
		}
	}
	return r
}

// may reports whether an item of s may have a System value of one of the kinds. An unknown or always empty collection may.
func (s static) may(kinds ...Kind) bool {
	if s.any || len(s.types) == 0 {
		return true
	}
	for _, t := range s.types {
		if t.fhir != nil && t.fhir.Abstract || slices.Contains(kinds, t.kind()) {
			return true
		}
	}
	return false
}

// describe names the types for messages.
func (s static) describe() string {
	var names []string
	for _, t := range s.types {
		names = append(names, t.String())
		if len(names) == 4 {
			break
		}
	}
	if len(names) == 0 {
		return "something unknown"
	}
	return strings.Join(names, " or ")
}

// child returns what is known of the element name of items of s, and the elements by type. found is false where no type of s has it.
func (c *compiler) child(s static, name string) (r static, cases []memberCase, found bool) {
	r.many, r.unordered = s.many, s.unordered
	if s.any {
		return static{any: true, many: true, unordered: s.unordered}, nil, true
	}
	for _, t := range s.types {
		if t.fhir == nil {
			if k, ok := reflectedChild(name); ok && t.sys == typeInfoKind {
				r, found = r.join(k), true
				r.many = r.many || k.many
			}
			continue
		}
		if t.fhir.Kind == definition.KindPrimitive && name == "value" {
			r, found = r.join(system(t.kind())), true
			continue
		}
		e := t.fhir.Child(name)
		if e == nil {
			if t.fhir.Abstract && c.anyHas(name) {
				r, found = static{any: true, many: true}, true
			}
			continue
		}
		found = true
		cases = append(cases, newMemberCase(t.fhir, e))
		for i := range e.Types {
			r = r.join(typed(e.Types[i].Type))
		}
		r.many = r.many || e.Max < 0 || e.Max > 1
	}
	return r, cases, found
}

// anyHas reports whether some resource type has the element name; it is what a path through an abstract type, as contained, may lead to.
func (c *compiler) anyHas(name string) bool {
	for _, r := range c.reg.ResourceTypes() {
		if t, ok := c.reg.Resource(r); ok && t.Child(name) != nil {
			return true
		}
	}
	return false
}

// noElement is the error for a path that can't exist, with a hint where the name is the JSON name of a choice.
func (c *compiler) noElement(s static, name string, pos int) error {
	expected := "an element of " + s.describe()
	for _, t := range s.types {
		if t.fhir != nil {
			if e, _ := t.fhir.JSONChild(name); e != nil && e.Choice {
				return c.fail(pos, fhir.IDFHIRPathElement, s.describe()+" has no such element", "the choice element by its own name, '"+e.Name+"'")
			}
		}
	}
	return c.fail(pos, fhir.IDFHIRPathElement, s.describe()+" has no such element", expected+fhir.DidYouMean(name, s.elementNames()))
}

// typeTest is a type specifier that was looked up.
type typeTest struct {
	fhir *definition.Type
	sys  Kind
	// none is set for a System type that does not exist, which nothing is.
	none bool
}

// specifier looks a type specifier up: FHIR.name, System.name, or name in either.
func (c *compiler) specifier(names []string, pos int) (typeTest, error) {
	unknown := func() (typeTest, error) {
		return typeTest{}, c.fail(pos, fhir.IDFHIRPathType, "an unknown type", "a type of FHIR or of System")
	}
	name := names[len(names)-1]
	namespace := strings.Join(names[:len(names)-1], ".")
	var t typeTest
	if namespace != "System" {
		path := names
		if namespace != "" && names[0] == "FHIR" {
			path = names[1:]
		}
		t.fhir, _ = c.reg.Type(strings.Join(path, "."))
	}
	if namespace == "" || namespace == "System" {
		for k := Boolean; k <= QuantityKind; k++ {
			if k.String() == name {
				t.sys = k
			}
		}
		if name == "Any" {
			t.sys = anyKind
		}
	}
	if c.opts.published && namespace == "" && t.fhir == nil && t.sys != NoKind && t.sys != anyKind {
		t.fhir, _ = c.reg.Type(strings.ToLower(name[:1]) + name[1:])
	}
	if t.fhir == nil && t.sys == NoKind {
		if namespace == "System" {
			return typeTest{none: true}, nil
		}
		return unknown()
	}
	return t, nil
}

// is reports whether the item is of the type or of one that specializes it.
func (t typeTest) is(it *Item) bool {
	if t.none {
		return false
	}
	if it.box != nil {
		return t.sys == anyKind || t.sys != NoKind && t.sys == it.Kind()
	}
	return t.fhir != nil && it.typ != nil && it.typ.Is(t.fhir.Name)
}

// exact is is, but for primitives, which must be of the very type: as(string) does not yield a code. The R4 suite fixes it
// (testFHIRPathAsFunction11, 16), and invariant dom-3, which lists canonical, url and uri side by side, relies on it.
func (t typeTest) exact(it *Item) bool {
	if it.box == nil && t.fhir != nil && t.fhir.Kind == definition.KindPrimitive {
		return it.typ == t.fhir
	}
	return t.is(it)
}

// narrow returns what is left of s where items of the type alone are kept.
func (t typeTest) narrow(s static) static {
	r := static{many: s.many, unordered: s.unordered}
	if t.none {
		return r
	}
	if s.any {
		if t.fhir != nil {
			r.types = append(r.types, stype{fhir: t.fhir})
		}
		if t.sys == anyKind {
			r.any, r.types = true, nil
		} else if t.sys != NoKind {
			r.types = append(r.types, stype{sys: t.sys})
		}
		return r
	}
	for _, st := range s.types {
		switch {
		case st.fhir == nil:
			if t.sys == st.sys || t.sys == anyKind {
				r.types = append(r.types, st)
			}
		case t.fhir == nil:
		case st.fhir.Is(t.fhir.Name):
			r.types = append(r.types, st)
		case t.fhir.Is(st.fhir.Name):
			r.types = append(r.types, stype{fhir: t.fhir})
		}
	}
	return r
}
