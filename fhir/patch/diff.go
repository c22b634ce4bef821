package patch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Diff returns the FHIRPath Patch, a Parameters resource, that makes from what to is: the same elements with the same values, in the same lists. The
// order of members is not part of it, and neither are the id and what the server stamps, meta.versionId and meta.lastUpdated. Where nothing
// differs the Parameters are empty. It is KindUnprocessable for resources of two types, for elements that the definitions do not know, and for
// more differences than a patch may have operations.
func Diff(reg *definition.Registry, from, to fhir.Resource, lim Limits) ([]byte, error) {
	typ, ok := reg.Resource(from.Type())
	if !ok || to.Type() != from.Type() {
		return nil, unprocessable(fhir.IDPatchIdentity, "a patch can be made of two resources of one type, which R4 has")
	}
	parameter, ok := reg.Type("Parameters.parameter")
	if !ok {
		return nil, unprocessable(fhir.IDPatchValue, "the definitions have no Parameters")
	}
	d := &differ{reg: reg, parameter: parameter, most: lim.withDefaults().Operations, w: &fhir.JSONWriter{Bytes: []byte(`{"resourceType":"Parameters"`)}}
	if err := d.object(typ, from.Type(), from.Node, to.Node, rootMembers); err != nil {
		return nil, err
	}
	if d.n > 0 {
		d.w.Close(']')
	}
	d.w.Close('}')
	return d.w.Bytes, nil
}

// differ writes the operations of a patch.
type differ struct {
	reg       *definition.Registry
	parameter *definition.Type
	w         *fhir.JSONWriter
	n, most   int
}

// hidden says which members of an object are left out of a comparison.
type hidden func(name string) bool

// rootMembers and metaMembers are those of a resource and of its meta.
func rootMembers(name string) bool { return name == "resourceType" || name == "id" }
func metaMembers(name string) bool { return name == "versionId" || name == "lastUpdated" }

// element is an element of an object: its value or values, and beside those of a primitive their ids and extensions.
type element struct {
	def      *definition.Element
	ref      *definition.TypeRef
	val, sib fhir.Node
}

// there reports whether the object has the element.
func (e *element) there() bool { return e.val.Valid() || e.sib.Valid() }

// item is one value of an element.
type item struct{ val, sib fhir.Node }

func (i item) equal(o item) bool { return exactly(i.val, o.val) && exactly(i.sib, o.sib) }

// exactly reports whether two values are the same: numbers with the same digits, objects whatever the order of their members.
func exactly(a, b fhir.Node) bool {
	switch {
	case a.Kind() != b.Kind() || a.Len() != b.Len():
		return false
	case a.Kind() == fhir.Object:
		for c := range a.Children() {
			if !exactly(c, b.Get(c.Name())) {
				return false
			}
		}
		return true
	case a.Kind() == fhir.Array:
		y := b.First()
		for x := range a.Children() {
			if !exactly(x, y) {
				return false
			}
			y = y.Next()
		}
		return true
	}
	return a.Text() == b.Text()
}

// items returns the values of an element. An absent one among those of a list is the zero Node.
func (e *element) items() (out []item) {
	if e.def.Max == 1 {
		if e.there() {
			out = append(out, item{e.val, e.sib})
		}
		return out
	}
	put := func(list fhir.Node, set func(*item, fhir.Node)) {
		i := 0
		for n := range list.Children() {
			if i == len(out) {
				out = append(out, item{})
			}
			if n.Kind() != fhir.Null {
				set(&out[i], n)
			}
			i++
		}
	}
	put(e.val, func(i *item, n fhir.Node) { i.val = n })
	put(e.sib, func(i *item, n fhir.Node) { i.sib = n })
	return out
}

// elements returns the elements of an object, in its order.
func (d *differ) elements(typ *definition.Type, n fhir.Node, hide hidden) (out []element, err error) {
	for c := range n.Children() {
		name := strings.TrimPrefix(c.Name(), "_")
		if hide != nil && hide(name) {
			continue
		}
		def, ref := typ.JSONChild(name)
		if def == nil {
			if name == "resourceType" {
				continue
			}
			return nil, unprocessable(fhir.IDPatchName, typ.Name+" has no element "+short(name))
		}
		if name != c.Name() && n.Get(name).Valid() {
			continue
		}
		out = append(out, element{def, ref, n.Get(name), n.Get("_" + name)})
	}
	return out, nil
}

// find returns the element of a definition.
func find(list []element, def *definition.Element) element {
	for _, e := range list {
		if e.def == def {
			return e
		}
	}
	return element{def: def}
}

// object writes what makes the object a what b is. What is added comes before what is deleted, so that no object is empty in between.
func (d *differ) object(typ *definition.Type, path string, a, b fhir.Node, hide hidden) error {
	before, err := d.elements(typ, a, hide)
	if err != nil {
		return err
	}
	after, err := d.elements(typ, b, hide)
	if err != nil {
		return err
	}
	stamped := func(e *element) hidden {
		if hide != nil && e.def.Name == "meta" {
			return metaMembers
		}
		return nil
	}
	for i := range after {
		was := find(before, after[i].def)
		if err := d.element(path, &was, &after[i], stamped(&after[i])); err != nil {
			return err
		}
	}
	for i := range before {
		if is := find(after, before[i].def); !is.there() {
			if inside := stamped(&before[i]); inside != nil { // what the server stamps is in every version
				if err := d.object(before[i].ref.Type, below(path, before[i].def), before[i].val, fhir.Node{}, inside); err != nil {
					return err
				}
				continue
			}
			if err := d.remove(path, &before[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove writes the deletion of an element, the last item first.
func (d *differ) remove(path string, e *element) error {
	at := below(path, e.def)
	if e.def.Max == 1 {
		return d.operation("delete", at, "", -1, nil)
	}
	for i := len(e.items()) - 1; i >= 0; i-- {
		if err := d.operation("delete", indexed(at, i), "", -1, nil); err != nil {
			return err
		}
	}
	return nil
}

// element writes what makes the element was, which may be absent, what is is.
func (d *differ) element(path string, was, is *element, hide hidden) error {
	at := below(path, is.def)
	from, to := was.items(), is.items()
	if len(from) == 0 {
		for _, v := range to {
			if hide != nil && v.val.Kind() == fhir.Object {
				if err := d.addHidden(path, is, v, hide); err != nil {
					return err
				}
				continue
			}
			if err := d.operation("add", path, is.def.Name, -1, &valued{is, v}); err != nil {
				return err
			}
		}
		return nil
	}
	if is.def.Max == 1 {
		return d.item(at, was, is, from[0], to[0], hide)
	}
	head := 0
	for head < len(from) && head < len(to) && from[head].equal(to[head]) {
		head++
	}
	tail := 0
	for tail < len(from)-head && tail < len(to)-head && from[len(from)-1-tail].equal(to[len(to)-1-tail]) {
		tail++
	}
	both := min(len(from), len(to)) - head - tail
	for i := head; i < head+both; i++ {
		if err := d.item(indexed(at, i), was, is, from[i], to[i], nil); err != nil {
			return err
		}
	}
	for i := len(from) - tail - 1; i >= head+both; i-- {
		if err := d.operation("delete", indexed(at, i), "", -1, nil); err != nil {
			return err
		}
	}
	for i := head + both; i < len(to)-tail; i++ {
		if err := d.operation("insert", at, "", i, &valued{is, to[i]}); err != nil {
			return err
		}
	}
	return nil
}

// addHidden writes the addition of an object of which some members are left out.
func (d *differ) addHidden(path string, is *element, v item, hide hidden) error {
	w := &fhir.JSONWriter{}
	w.Open('{')
	for c := range v.val.Children() {
		if !hide(c.Name()) {
			w.Name(c.Name())
			w.Bytes = c.AppendJSON(w.Bytes)
		}
	}
	w.Close('}')
	t, err := fhir.Parse(w.Bytes, fhir.Limits{})
	if err != nil || t.Root().Len() == 0 {
		return err
	}
	return d.operation("add", path, is.def.Name, -1, &valued{is, item{val: t.Root()}})
}

// item writes what makes one value another.
func (d *differ) item(at string, was, is *element, from, to item, hide hidden) error {
	if was.ref == is.ref && from.equal(to) {
		return nil
	}
	kind := is.ref.Type.Kind
	if was.ref == is.ref && (kind == definition.KindComplex || kind == definition.KindBackbone) && from.val.Kind() == fhir.Object && to.val.Kind() == fhir.Object {
		return d.object(is.ref.Type, at, from.val, to.val, hide)
	}
	return d.operation("replace", at, "", -1, &valued{is, to})
}

// valued is a value of an element.
type valued struct {
	*element
	item
}

// operation writes one operation.
func (d *differ) operation(typ, path, name string, index int, v *valued) error {
	if d.n++; d.n > d.most {
		return unprocessable(fhir.IDPatchOperations, fmt.Sprintf("the resources differ in more places than the %d operations of a patch can tell", d.most))
	}
	w := d.w
	if d.n == 1 {
		w.Name("parameter")
		w.Open('[')
	}
	w.Open('{')
	w.String("name", "operation")
	w.Name("part")
	w.Open('[')
	part := func(name, value, text string) {
		w.Open('{')
		w.String("name", name)
		w.String(value, text)
		w.Close('}')
	}
	part("type", "valueCode", typ)
	part("path", "valueString", path)
	if name != "" {
		part("name", "valueString", name)
	}
	if index >= 0 {
		w.Open('{')
		w.String("name", "index")
		w.Int("valueInteger", int64(index))
		w.Close('}')
	}
	if v != nil {
		if err := d.value("value", v.element, v.item); err != nil {
			return err
		}
	}
	w.Close(']')
	w.Close('}')
	return nil
}

// value writes a part with a value of an element: as value[x] where Parameters have the type, as a resource, or else as parts.
func (d *differ) value(name string, e *element, v item) error {
	w, typ := d.w, e.ref.Type
	w.Open('{')
	w.String("name", name)
	stated := "value" + strings.ToUpper(typ.Name[:1]) + typ.Name[1:]
	_, has := d.parameter.JSONChild(stated)
	if has == nil && typ.Kind == definition.KindPrimitive { // the XHTML of a narrative
		stated = "valueString"
		_, has = d.parameter.JSONChild(stated)
	}
	switch {
	case typ.Kind == definition.KindResource:
		w.Name("resource")
		w.Bytes = v.val.AppendJSON(w.Bytes)
	case has != nil:
		if v.val.Valid() {
			w.Name(stated)
			w.Bytes = v.val.AppendJSON(w.Bytes)
		}
		if v.sib.Valid() {
			w.Name("_" + stated)
			w.Bytes = v.sib.AppendJSON(w.Bytes)
		}
	default:
		w.Name("part")
		w.Open('[')
		children, err := d.elements(typ, v.val, nil)
		if err != nil {
			return err
		}
		for i := range children {
			for _, child := range children[i].items() {
				if err := d.value(children[i].def.Name, &children[i], child); err != nil {
					return err
				}
			}
		}
		w.Close(']')
	}
	w.Close('}')
	return nil
}

// below returns the path of an element of what is at a path. Names that are words of FHIRPath are in back-quotes.
func below(path string, def *definition.Element) string {
	switch def.Name {
	case "and", "as", "contains", "div", "false", "implies", "in", "is", "mod", "or", "true", "xor":
		return path + ".`" + def.Name + "`"
	}
	return path + "." + def.Name
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
