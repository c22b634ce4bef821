package patch

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// made is a value for an element, with the JSON name that its type chooses.
type made struct {
	slot
	json string
}

func wrongValue(text string) error { return unprocessable(fhir.IDPatchValue, text) }

// add appends a value to the element called name of an object. One that does not repeat must be absent.
func (e *editor) add(in object, name string, part fhir.Node) error {
	elem, err := in.element(name)
	if err != nil {
		return err
	}
	v, err := e.value(part, elem)
	if err != nil {
		return err
	}
	if elem.Max == 1 {
		return in.place(elem, v)
	}
	l := listOf(in, elem, v.json)
	l.slots = append(l.slots, v.slot)
	l.store()
	return nil
}

// element finds an element of an object by its name, with or without the type of a choice.
func (o object) element(name string) (*definition.Element, error) {
	elem := o.typ.Child(strings.TrimSuffix(name, "[x]"))
	if elem == nil {
		elem, _ = o.typ.JSONChild(name)
	}
	if elem == nil {
		return nil, unprocessable(fhir.IDPatchName, o.typ.Name+" has no element "+short(name))
	}
	return elem, nil
}

// place puts what was made for an element that does not repeat, and must be absent.
func (o object) place(elem *definition.Element, v made) error {
	for i := range elem.Types {
		name := elem.Types[i].JSON
		if o.v.get(name) != nil || o.v.get("_"+name) != nil {
			return unprocessable(fhir.IDPatchExists, "the element "+elem.Name+" is there and does not repeat; replace it instead")
		}
	}
	o.put(v.json, v.slot)
	return nil
}

// replace puts a value in the place of an element, under the name of its type.
func (e *editor) replace(at place, part fhir.Node) error {
	v, err := e.value(part, at.elem)
	if err != nil {
		return err
	}
	if v.json != at.json { // another type of a choice, in the same position
		at.in.v.open()
		i := at.in.v.find(at.json)
		at.in.v.remove("_" + at.json)
		if i < 0 {
			at.in.put(v.json, v.slot)
			return nil
		}
		at.in.v.kids[i] = member{name: v.json, v: at.in.v.kids[i].v}
		at.json = v.json
	}
	at.put(v.slot)
	return nil
}

// value makes the value that a parameter's part states for an element: value[x], a resource, or parts named after its children.
func (e *editor) value(part fhir.Node, elem *definition.Element) (made, error) {
	parts, resource := part.Get("part"), part.Get("resource")
	var val, sib fhir.Node
	stated := ""
	for c := range part.Children() {
		name, isSibling := strings.CutPrefix(c.Name(), "_")
		suffix, isValue := strings.CutPrefix(name, "value")
		if !isValue || suffix == "" {
			continue
		}
		if stated != "" && stated != name {
			return made{}, wrongValue("the part has more than one value[x]")
		}
		stated = name
		if isSibling {
			sib = c
		} else {
			val = c
		}
	}
	given := 0
	for _, there := range []bool{stated != "", resource.Valid(), parts.Len() > 0} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		return made{}, wrongValue("a value is one of value[x], resource and part")
	case stated != "":
		return e.typed(stated, val, sib, elem)
	case resource.Valid():
		ref := &elem.Types[0]
		if r, err := fhir.AsResource(resource); err != nil || ref.Type.Kind != definition.KindResource || e.resourceType(r.Node) == nil {
			return made{}, wrongValue("the element " + elem.Name + " holds no resource of this type")
		}
		return made{slot{val: parsed(resource)}, ref.JSON}, nil
	}
	return e.assembled(parts, elem)
}

// typed makes a value of value[x].
func (e *editor) typed(stated string, val, sib fhir.Node, elem *definition.Element) (made, error) {
	parameter, ok := e.reg.Type("Parameters.parameter")
	if !ok {
		return made{}, wrongValue("the definitions have no Parameters")
	}
	_, is := parameter.JSONChild(stated)
	if is == nil {
		return made{}, wrongValue("a part has no member " + short(stated))
	}
	var ref *definition.TypeRef
	for i := range elem.Types {
		t := &elem.Types[i]
		if t.Type == is.Type {
			ref = t
			break
		}
		if !elem.Choice && fits(t.Type, is.Type) {
			ref = t
		}
	}
	if ref == nil {
		return made{}, wrongValue("the element " + elem.Name + " is of type " + typeNames(elem) + ", the value is a " + is.Type.Name)
	}
	if ref.Type.Kind == definition.KindPrimitive {
		if k := val.Kind(); k != fhir.NoNode && k != jsonKind(is.Type) || sib.Valid() && sib.Kind() != fhir.Object {
			return made{}, wrongValue("the value is not the JSON of a " + is.Type.Name)
		}
	} else if val.Kind() != fhir.Object || sib.Valid() {
		return made{}, wrongValue("the value is not the JSON of a " + is.Type.Name)
	}
	m := made{json: ref.JSON}
	if val.Valid() {
		m.val = parsed(val)
	}
	if sib.Valid() {
		m.sib = parsed(sib)
	}
	return m, nil
}

// fits reports whether a value of type is can stand for an element of type t that is not a choice. Primitives of the same JSON kind can, because
// clients write the text of a code, date or uri as they know it, and the result is validated; so can the specializations of a type.
func fits(t, is *definition.Type) bool {
	if t.Kind == definition.KindPrimitive {
		return is.Kind == definition.KindPrimitive && jsonKind(t) == jsonKind(is)
	}
	return is.Kind == definition.KindComplex && (is.Is(t.Name) || t.Is(is.Name))
}

// jsonKind returns the JSON kind of a primitive type's values.
func jsonKind(t *definition.Type) fhir.NodeKind {
	switch {
	case t.Is("boolean"):
		return fhir.Bool
	case t.Is("integer"), t.Is("decimal"):
		return fhir.Number
	}
	return fhir.String
}

func typeNames(elem *definition.Element) string {
	names := make([]string, 0, len(elem.Types))
	for i := range elem.Types {
		if i == 5 && len(elem.Types) > 6 {
			names = append(names, "...")
			break
		}
		names = append(names, elem.Types[i].Type.Name)
	}
	return strings.Join(names, ", ")
}

// assembled makes a complex value of parts, each named after a child.
func (e *editor) assembled(parts fhir.Node, elem *definition.Element) (made, error) {
	var ref *definition.TypeRef
	for i := range elem.Types {
		if k := elem.Types[i].Type.Kind; k == definition.KindBackbone || k == definition.KindComplex {
			if ref != nil {
				return made{}, wrongValue("the element " + elem.Name + " may be of several types; state the value as value[x]")
			}
			ref = &elem.Types[i]
		}
	}
	if ref == nil {
		return made{}, wrongValue("the element " + elem.Name + " is of type " + typeNames(elem) + ", which has no parts")
	}
	a := assembly{in: object{&value{kind: fhir.Object}, ref.Type}}
	for part := range parts.Children() {
		if err := e.charge(partSteps); err != nil {
			return made{}, err
		}
		child, err := a.in.element(part.Get("name").Text())
		if err != nil {
			return made{}, err
		}
		v, err := e.value(part, child)
		if err != nil {
			return made{}, err
		}
		if err := a.add(child, v); err != nil {
			return made{}, err
		}
	}
	return made{slot{val: a.done()}, ref.JSON}, nil
}

// partSteps is what a part of a value costs of the steps that all operations have together.
const partSteps = 4

// assembly is an object in the making, with its lists in the order of their first items. A list is stored with its first item, which keeps its position among
// the members, and again with all of them, so that the cost stays linear.
type assembly struct {
	in    object
	lists []*list
}

// add appends what was made for an element.
func (a *assembly) add(elem *definition.Element, v made) error {
	if elem.Max == 1 {
		return a.in.place(elem, v)
	}
	i := slices.IndexFunc(a.lists, func(l *list) bool { return l.json == v.json })
	if i >= 0 {
		a.lists[i].slots = append(a.lists[i].slots, v.slot)
		return nil
	}
	l := &list{in: a.in, elem: elem, json: v.json, slots: []slot{v.slot}}
	l.store()
	a.lists = append(a.lists, l)
	return nil
}

// done returns the object with all that was added.
func (a *assembly) done() *value {
	for _, l := range a.lists {
		l.store()
	}
	return a.in.v
}
