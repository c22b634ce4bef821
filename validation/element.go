package validation

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// The elements' phase walks a resource with its definitions: which elements there are, how many, of which JSON shape, with which primitive
// values (http://hl7.org/fhir/R4/json.html). It is first because it can say best what is wrong: the libraries' phases after it add what they
// alone know.

// elements is what a walk needs of a type, by JSON member name.
type elements struct {
	typ      *definition.Type
	members  map[string]member
	required []int // ordinals of the elements with min above 0
}

// member is what a JSON member name stands for.
type member struct {
	element *definition.Element
	ref     *definition.TypeRef
	ordinal int
	sibling bool     // "_name", the id and extensions of a primitive
	codes   *codeSet // nil for any
}

// elementsOf returns the table of t, made at first use.
func (v *Validator) elementsOf(t *definition.Type) *elements {
	if e, ok := v.types.Load(t); ok {
		return e.(*elements)
	}
	es := &elements{typ: t, members: make(map[string]member, 2*len(t.Elements))}
	for i, e := range t.Elements {
		for j := range e.Types {
			ref := &e.Types[j]
			es.members[ref.JSON] = member{element: e, ref: ref, ordinal: i, codes: v.codesOf(e, ref.Type)}
			if hasSibling(e, ref.Type) {
				es.members["_"+ref.JSON] = member{element: e, ref: ref, ordinal: i, sibling: true}
			}
		}
		if e.Min > 0 {
			es.required = append(es.required, i)
		}
	}
	actual, _ := v.types.LoadOrStore(t, es)
	return actual.(*elements)
}

// hasSibling reports whether a member of the type may have a "_name" beside it, with an id and extensions. Primitives have (R4 json, 2.6.2.2 JSON
// representation of primitive elements). An element's own id has none, since it is an attribute; xhtml allows no extension, and its id is that of the
// div inside.
func hasSibling(e *definition.Element, t *definition.Type) bool {
	return t.Kind == definition.KindPrimitive && e.Name != "id" && t.Name != "xhtml"
}

// resource walks a resource, the root or a nested one.
func (w *walker) resource(r fhir.Resource, t *definition.Type) { w.object(r.Node, t, true) }

// usualElements is the number of elements up to which a walk of an object keeps its marks on the stack.
const usualElements = 48

// object walks the members of an object of type t.
func (w *walker) object(n fhir.Node, t *definition.Type, resource bool) {
	w.weight += len(n.Raw())
	es := w.v.elementsOf(t)
	var marks [usualElements]*definition.TypeRef
	seen := marks[:]
	if len(t.Elements) > len(seen) {
		seen = make([]*definition.TypeRef, len(t.Elements))
	}
	if n.Len() == 0 {
		text := "the resource has no members"
		if name := memberName(n); name != "" {
			text = name + " is an empty object; leave the element out"
		}
		w.add(n, "", fhir.IssueStructure, fhir.IDElementEmpty, text)
	}
	for c := n.First(); c.Valid(); c = c.Next() {
		name := c.Name()
		m, ok := es.members[name]
		if !ok {
			if !resource || name != "resourceType" {
				w.unknown(n, c, es)
			}
			continue
		}
		if before := seen[m.ordinal]; before != nil && before != m.ref {
			if !w.known(n, m.element.Name) {
				w.add(n, m.element.Name, fhir.IssueStructure, fhir.IDElementChoice, m.element.Name+"[x] has values of two types, "+before.JSON+" and "+m.ref.JSON+"; it may have one")
			}
		} else {
			seen[m.ordinal] = m.ref
		}
		if m.sibling {
			w.sibling(n, c, m)
		} else {
			w.element(n, c, m)
		}
	}
	for _, i := range es.required {
		if seen[i] == nil {
			e := t.Elements[i]
			w.add(n, e.Name, fhir.IssueRequired, fhir.IDElementRequired, e.Name+" is missing; "+t.Name+" requires it")
		}
	}
}

// unknown notes a member that t does not have, with the nearest name that it has. A name is shown only where it has the form of one, as other
// text may be a patient's.
func (w *walker) unknown(n, c fhir.Node, es *elements) {
	name := c.Name()
	if !elementName(name) {
		text := "a member's name"
		if elementName("_" + name) {
			text = name
		}
		w.add(n, "", fhir.IssueStructure, fhir.IDUnknownElement, text+" is not an element of "+es.typ.Name)
		return
	}
	text := name + " is not an element of " + es.typ.Name
	if near := fhir.DidYouMean(name, es.named(strings.HasPrefix(name, "_"))); near != "" {
		text += near
	} else if choice := es.choice(name); choice != "" {
		text += "; " + choice
	}
	w.add(n, name, fhir.IssueStructure, fhir.IDUnknownElement, text)
}

// choice says what a choice of types may be named, where name begins as one: value, and valueUri where that is no choice.
func (es *elements) choice(name string) string {
	for _, e := range es.typ.Elements {
		if rest, ok := strings.CutPrefix(name, e.Name); ok && e.Choice && (rest == "" || rest[0] >= 'A' && rest[0] <= 'Z') {
			names := make([]string, len(e.Types))
			for i := range e.Types {
				names[i] = e.Types[i].JSON
			}
			return e.Name + "[x] may be " + listed(names)
		}
	}
	return ""
}

// named yields the names of the members: of the siblings of primitives or of the others.
func (es *elements) named(siblings bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name, m := range es.members {
			if m.sibling == siblings && !yield(name) {
				return
			}
		}
	}
}

// elementName reports whether s could be the name of an element: letters, digits and underscores, beginning with no digit, as identifiers of
// FHIRPath do.
func elementName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '_' && (i == 0 || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// element walks the value of a member that is no sibling.
func (w *walker) element(parent, n fhir.Node, m member) {
	if w.envelope && w.leaves(n, m) {
		return
	}
	if m.element.Max == 1 {
		if n.Kind() == fhir.Array {
			w.add(n, "", fhir.IssueStructure, fhir.IDElementArray, m.element.Name+" does not repeat and must not be an array")
			return
		}
		w.value(n, m)
		return
	}
	if n.Kind() != fhir.Array {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementArray, m.element.Name+" may repeat and must be an array, not "+kindName(n))
		return
	}
	w.weight += len(n.Raw())
	if n.Len() == 0 {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementEmpty, m.element.Name+" is an empty array; leave the element out")
	}
	if m.element.Max > 1 && n.Len() > m.element.Max {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementMax, m.element.Name+" is repeated more often than is allowed")
	}
	if m.ref.Type.Kind != definition.KindPrimitive {
		for c := n.First(); c.Valid(); c = c.Next() {
			w.value(c, m)
		}
		return
	}
	var sibling fhir.Node
	paired := false
	for c := n.First(); c.Valid(); c, sibling = c.Next(), sibling.Next() {
		if c.Kind() != fhir.Null {
			w.value(c, m)
			continue
		}
		if !paired {
			if sibling = parent.Get("_" + n.Name()); sibling.Kind() == fhir.Array {
				sibling = sibling.First()
				for d := n.First(); d != c; d = d.Next() {
					sibling = sibling.Next()
				}
			}
			paired = true
		}
		if sibling.Kind() != fhir.Object {
			w.add(c, "", fhir.IssueStructure, fhir.IDElementNull, m.element.Name+" may contain null only where _"+n.Name()+" has an object at the same position")
		}
		w.standIn(c, m)
	}
}

// sibling walks the "_name" beside a primitive: an object, or an array that goes with the primitive's, padded with null.
func (w *walker) sibling(parent, n fhir.Node, m member) {
	if m.element.Max == 1 {
		if n.Kind() != fhir.Object {
			w.add(n, "", fhir.IssueStructure, fhir.IDElementType, n.Name()+" must be an object, not "+kindName(n))
			return
		}
		w.object(n, m.ref.Type, false)
		return
	}
	if n.Kind() != fhir.Array {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementArray, n.Name()+" must be an array like "+m.element.Name+", not "+kindName(n))
		return
	}
	w.weight += len(n.Raw())
	if n.Len() == 0 {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementEmpty, n.Name()+" is an empty array; leave it out")
	}
	base := parent.Get(n.Name()[1:])
	if base.Kind() == fhir.Array && base.Len() != n.Len() {
		w.add(n, "", fhir.IssueStructure, fhir.IDElementSiblings, n.Name()+" and "+m.element.Name+" must have the same length, padded with null")
	}
	value := base.First()
	for c := n.First(); c.Valid(); c, value = c.Next(), value.Next() {
		switch c.Kind() {
		case fhir.Object:
			w.object(c, m.ref.Type, false)
		case fhir.Null:
			w.replace(c, emptyObject)
			// Where the value is null as well, the value's walk has said so.
			if !base.Valid() {
				w.add(c, "", fhir.IssueStructure, fhir.IDElementNull, n.Name()+" may contain null only where "+m.element.Name+" has a value at the same position")
			}
		default:
			w.add(c, "", fhir.IssueStructure, fhir.IDElementType, n.Name()+" must contain objects and null, not "+kindName(c))
		}
	}
}

// value walks one value of an element.
func (w *walker) value(n fhir.Node, m member) {
	t := m.ref.Type
	switch {
	case n.Kind() == fhir.Null:
		w.add(n, "", fhir.IssueStructure, fhir.IDElementNull, m.ref.JSON+" is null; leave the element out")
		w.standIn(n, m)
	case t.Kind == definition.KindPrimitive:
		w.primitive(n, m)
	case n.Kind() != fhir.Object:
		w.add(n, "", fhir.IssueStructure, fhir.IDElementType, m.ref.JSON+" must be an object, not "+kindName(n))
	case t.Kind == definition.KindResource:
		w.nestedResource(n, m)
	default:
		w.object(n, t, false)
		if t.Name == "Reference" {
			w.reference(n, m)
		}
	}
}

// nestedResource walks a contained resource, or one of an entry or parameter.
func (w *walker) nestedResource(n fhir.Node, m member) {
	r, err := fhir.AsResource(n)
	if err != nil {
		w.add(n, "resourceType", fhir.IssueRequired, fhir.IDResourceType, m.element.Name+" must name its type in the string member resourceType")
		return
	}
	t, ok := w.v.reg.Resource(r.Type())
	if !ok {
		w.add(n, "resourceType", fhir.IssueNotSupported, fhir.IDUnknownType, w.v.unknownType(r.Type()))
		return
	}
	w.nested = append(w.nested, nested{r, t})
	if m.element.Path == parameterResource {
		w.apart = append(w.apart, r)
	}
	w.resource(r, t)
}

// unknownType says that there is no such resource type, with the nearest that there is.
func (v *Validator) unknownType(name string) string {
	return "resourceType is not a resource type of R4" + fhir.DidYouMean(name, slices.Values(v.reg.ResourceTypes()))
}

// reference checks what a Reference points to: "references SHALL be a reference to an actual resource", by URL
// (http://hl7.org/fhir/R4/references.html#literal), though the element is a string.
func (w *walker) reference(n fhir.Node, m member) {
	ref := n.Get("reference")
	if ref.Kind() != fhir.String || ref.Text() == "" { // which is told of every string
		return
	}
	text := ref.Text()
	if !isReference(text) {
		w.add(ref, "", fhir.IssueValue, fhir.IDReferenceFormat, "reference is not a URL: it must not contain white space or <>\"{}\\^`")
		return
	}
	if fault := fhir.LiteralFault(text, slices.Values(w.v.reg.ResourceTypes()), m.ref.Targets); fault != "" {
		w.add(ref, "", fhir.IssueValue, fhir.IDReferenceFormat, fault)
		return
	}
	if id, inside := strings.CutPrefix(text, "#"); inside && id != "" && !w.contains(n, id) {
		w.add(ref, "", fhir.IssueInvariant, fhir.IDReferenceInside, "the reference is to a contained resource that is not there")
		return
	}
	if len(m.ref.Targets) > 0 {
		w.target(n, text, m)
	}
}

// contains reports whether a resource around n contains one with an id (R4 references, invariant ref-1: "SHALL have a contained resource if a local
// reference is provided").
func (w *walker) contains(n fhir.Node, id string) bool {
	for ; n.Valid(); n = n.Parent() {
		list := n.Get("contained")
		if !list.Valid() {
			continue
		}
		ids, ok := w.contained[list]
		if !ok {
			ids = make(map[string]bool, list.Len())
			for c := range list.Children() {
				ids[c.Get("id").Text()] = true
			}
			if w.contained == nil {
				w.contained = make(map[fhir.Node]map[string]bool)
			}
			w.contained[list] = ids
		}
		if ids[id] {
			return true
		}
	}
	return false
}

// isReference reports whether every character of s can stand in a URL. Conditional references are queries, for the server to read; letters
// of all scripts, and the bar before a version, are taken as most servers do.
func isReference(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '?':
			return true
		case c <= ' ', c == 0x7f, c == '<', c == '>', c == '"', c == '{', c == '}', c == '\\', c == '^', c == '`':
			return false
		}
	}
	return true
}

// target checks that a relative reference names a type that the element may refer to. References of other forms (absolute, urn:, fragments)
// do not say their type, or are for the server to resolve.
func (w *walker) target(n fhir.Node, ref string, m member) {
	typ, rest, found := strings.Cut(ref, "/")
	if q, _, query := strings.Cut(typ, "?"); query {
		typ, found, rest = q, true, ""
	}
	if !found || strings.Contains(rest, "/") && !strings.Contains(rest, "/_history/") {
		return
	}
	t, ok := w.v.reg.Resource(typ)
	if !ok {
		return
	}
	for _, target := range m.ref.Targets {
		if t.Is(target) {
			return
		}
	}
	w.add(n, "", fhir.IssueValue, fhir.IDReferenceTarget, m.element.Name+" refers to a resource of type "+typ+"; it may refer to "+strings.Join(m.ref.Targets, ", "))
}

// memberName returns the name of the member that n is the value of, or an item of the array of; "" for a root.
func memberName(n fhir.Node) string {
	if p := n.Parent(); p.Kind() == fhir.Array {
		n = p
	}
	return n.Name()
}

// kindName names the shape of a value for a message.
func kindName(n fhir.Node) string {
	switch n.Kind() {
	case fhir.Null:
		return "null"
	case fhir.Bool:
		return "true or false"
	case fhir.Number:
		return "a number"
	case fhir.String:
		return "a string"
	case fhir.Object:
		return "an object"
	case fhir.Array:
		return "an array"
	}
	return "nothing"
}
