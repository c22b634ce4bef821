package patch

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// editor makes one operation's change to a resource.
type editor struct {
	reg      *definition.Registry
	resource fhir.Resource
	root     *value // of resource
	env      fhirpath.Env
	steps    int
}

// object is an object of the document with its FHIR type.
type object struct {
	v   *value
	typ *definition.Type
}

// place is where an element stands: under the JSON name of one of its types in an object, and for one of a list at an index.
type place struct {
	in    object
	elem  *definition.Element
	json  string
	index int // -1 for an element that is no item of an array
}

// errForeign is the error of a path that selects something else than elements of the resource.
func errForeign() error {
	return unprocessable(fhir.IDPatchPath, "the path selects something that is not an element of the resource")
}

// place finds the place of an item in the document, and opens the values that lead there.
func (e *editor) place(it fhirpath.Item) (place, error) {
	n := it.Node()
	if !n.Valid() {
		n = it.Sibling()
	}
	if !n.Valid() || n.Tree() != e.resource.Tree() {
		return place{}, errForeign()
	}
	var chain []fhir.Node
	for x := n; x != e.resource.Node; x = x.Parent() {
		if !x.Valid() {
			return place{}, errForeign()
		}
		chain = append(chain, x)
	}
	if len(chain) == 0 {
		return place{}, unprocessable(fhir.IDPatchRoot, "a patch changes elements of the resource, not the resource itself")
	}
	at := place{in: object{e.root, e.resourceType(e.resource.Node)}, index: -1}
	v := e.root
	for i := len(chain) - 1; i >= 0; i-- {
		x := chain[i]
		if v.open(); v.kind == fhir.Array {
			at.index = ordinal(x)
			v = v.kids[at.index].v
			continue
		}
		if i < len(chain)-1 { // below an element
			typ := at.typ()
			if typ != nil && typ.Abstract && typ.Kind == definition.KindResource {
				typ = e.resourceType(x.Parent())
			}
			at.in = object{v, typ}
		}
		if at.in.typ == nil {
			return place{}, unprocessable(fhir.IDPatchPath, "the path leads through an element that the definitions do not know")
		}
		name := x.Name()
		at.json, at.index = strings.TrimPrefix(name, "_"), -1
		if at.elem, _ = at.in.typ.JSONChild(at.json); at.elem == nil {
			return place{}, unprocessable(fhir.IDPatchPath, "the path selects an element that the definitions do not know")
		}
		v = v.get(name)
	}
	return at, nil
}

// ordinal returns the position of an array's item.
func ordinal(n fhir.Node) int {
	i := 0
	for c := n.Parent().First(); c != n; c = c.Next() {
		i++
	}
	return i
}

func (e *editor) resourceType(n fhir.Node) *definition.Type {
	t, _ := e.reg.Resource(n.Get("resourceType").Text())
	return t
}

// typ returns the type of the element at the place; nil where it is not known.
func (at place) typ() *definition.Type {
	if at.in.typ == nil {
		return nil
	}
	if _, ref := at.in.typ.JSONChild(at.json); ref != nil {
		return ref.Type
	}
	return nil
}

// object returns the object that holds the children of an item: that of a resource or complex element, and for a primitive its sibling,
// which is made where there is none.
func (e *editor) object(it fhirpath.Item) (object, error) {
	if it.IsSystem() {
		return object{}, errForeign()
	}
	if it.Node() == e.resource.Node {
		return object{e.root, e.resourceType(e.resource.Node)}, nil
	}
	at, err := e.place(it)
	if err != nil {
		return object{}, err
	}
	typ := at.typ()
	if typ == nil {
		return object{}, errForeign()
	}
	if typ.Kind == definition.KindPrimitive {
		s := at.slot()
		if s.sib == nil {
			s.sib = &value{kind: fhir.Object}
			at.put(s)
		}
		return object{s.sib, typ}, nil
	}
	if typ.Abstract && typ.Kind == definition.KindResource {
		typ = e.resourceType(it.Node())
	}
	v := at.slot().val
	if typ == nil || v == nil || v.kind != fhir.Object {
		return object{}, errForeign()
	}
	return object{v, typ}, nil
}

// slot is an element: a value, and for a primitive the sibling with its id and extensions; nil for what is absent.
type slot struct{ val, sib *value }

// slot returns the element at the place.
func (at place) slot() slot {
	if at.index < 0 {
		return slot{at.in.v.get(at.json), at.in.v.get("_" + at.json)}
	}
	return at.list().slots[at.index]
}

// put replaces the element at the place.
func (at place) put(s slot) {
	if at.index >= 0 {
		l := at.list()
		l.slots[at.index] = s
		l.store()
		return
	}
	at.in.put(at.json, s)
}

// put sets a member and its sibling; what is absent is removed.
func (o object) put(json string, s slot) {
	if s.val != nil {
		o.v.set(json, s.val)
	} else {
		o.v.remove(json)
	}
	if s.sib != nil {
		o.v.setAfter(json, "_"+json, s.sib)
	} else {
		o.v.remove("_" + json)
	}
}

// delete takes the element out.
func (at place) delete() {
	if at.index < 0 {
		at.in.put(at.json, slot{})
		return
	}
	l := at.list()
	l.slots = append(l.slots[:at.index], l.slots[at.index+1:]...)
	l.store()
}

// list is a repeating element of an object. store writes slots back.
type list struct {
	in    object
	elem  *definition.Element
	json  string
	slots []slot
}

// list returns the list that the place is in.
func (at place) list() *list { return listOf(at.in, at.elem, at.json) }

func listOf(in object, elem *definition.Element, json string) *list {
	l := &list{in: in, elem: elem, json: json}
	items := func(name string, put func(*slot, *value)) {
		v := in.v.get(name)
		if v == nil || v.kind != fhir.Array {
			return
		}
		v.open()
		for i := range v.kids {
			if i == len(l.slots) {
				l.slots = append(l.slots, slot{})
			}
			if v.kids[i].v.kind != fhir.Null {
				put(&l.slots[i], v.kids[i].v)
			}
		}
	}
	items(json, func(s *slot, v *value) { s.val = v })
	items("_"+json, func(s *slot, v *value) { s.sib = v })
	return l
}

// store writes the list into its object: the values, and where any has one, the siblings; null stands for what is absent.
func (l *list) store() {
	array := func(pick func(slot) *value) *value {
		a, any := &value{kind: fhir.Array}, false
		for _, s := range l.slots {
			v := pick(s)
			if v == nil {
				v = null()
			} else {
				any = true
			}
			a.kids = append(a.kids, member{v: v})
		}
		if !any {
			return nil
		}
		return a
	}
	l.in.put(l.json, slot{array(func(s slot) *value { return s.val }), array(func(s slot) *value { return s.sib })})
}

// list returns the list that the items are, all of it in its order.
func (e *editor) list(items fhirpath.Collection) (*list, error) {
	if len(items) == 0 {
		return nil, single(items)
	}
	first, err := e.place(items[0])
	if err != nil {
		return nil, err
	}
	if first.index < 0 {
		return nil, notAList()
	}
	l := first.list()
	if len(items) == len(l.slots) {
		last, err := e.place(items[len(items)-1])
		if err != nil {
			return nil, err
		}
		if first.index == 0 && last.in == first.in && last.json == first.json && last.index == len(items)-1 {
			return l, nil
		}
	}
	return nil, unprocessable(fhir.IDPatchList, "the path selects something else than one whole list")
}

// move takes the item at source out and puts it where it is at destination.
func (l *list) move(source, destination int) error {
	if source >= len(l.slots) {
		return pastEnd("source", len(l.slots))
	}
	if destination >= len(l.slots) {
		return pastEnd("destination", len(l.slots))
	}
	s := l.slots[source]
	l.slots = append(l.slots[:source], l.slots[source+1:]...)
	l.slots = append(l.slots, slot{})
	copy(l.slots[destination+1:], l.slots[destination:])
	l.slots[destination] = s
	l.store()
	return nil
}
