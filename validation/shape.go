package validation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/xeipuuv/gojsonschema"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// The shape's phase holds a resource to its type's own definition in the official JSON Schema (http://hl7.org/fhir/R4/json.html#schema), with
// gojsonschema. This file is the only one that knows gojsonschema.

// schema is a compiled JSON Schema.
type schema struct{ s *gojsonschema.Schema }

// compileSchema compiles a JSON Schema document. References to other documents are refused: nothing is fetched.
func compileSchema(doc []byte) (s *schema, err error) {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return nil, err
	}
	if ref := foreignRef(v); ref != "" {
		return nil, fmt.Errorf("$ref %q is not within the document", ref)
	}
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("gojsonschema: %v", p)
		}
	}()
	loader := gojsonschema.NewSchemaLoader()
	compiled, err := loader.Compile(gojsonschema.NewBytesLoader(doc))
	if err != nil {
		return nil, err
	}
	return &schema{compiled}, nil
}

// foreignRef returns the first $ref in v that leaves the document.
func foreignRef(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			return ref
		}
		for _, c := range v {
			if ref := foreignRef(c); ref != "" {
				return ref
			}
		}
	case []any:
		for _, c := range v {
			if ref := foreignRef(c); ref != "" {
				return ref
			}
		}
	}
	return ""
}

// mismatch is one of gojsonschema's errors: where, which rule, and for a missing or additional property its name.
type mismatch struct {
	path     []string
	rule     string
	property string
	detail   string // from the schema alone, as the allowed codes
}

// check validates a document. A panic of the library becomes an error.
func (s *schema) check(document any) (found []mismatch, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gojsonschema: %v", p)
		}
	}()
	result, err := s.s.Validate(value{document: document})
	if err != nil {
		return nil, err
	}
	for _, e := range result.Errors() {
		m := mismatch{path: strings.Split(e.Context().String("\x00"), "\x00")[1:], rule: e.Type()}
		m.property, _ = e.Details()["property"].(string)
		for _, name := range [...]string{"allowed", "expected", "min", "max", "pattern", "format", "multiple", "dependency"} {
			if d, ok := e.Details()[name]; ok {
				m.detail = fmt.Sprint(d)
				break
			}
		}
		found = append(found, m)
	}
	// gojsonschema walks maps, in any order.
	slices.SortFunc(found, func(a, b mismatch) int {
		return cmp.Or(slices.Compare(a.path, b.path), strings.Compare(a.rule, b.rule), strings.Compare(a.property, b.property))
	})
	return found, nil
}

// value hands gojsonschema a document that is in memory, in the form that its own loaders make; it spares a second parse. Of JSONLoader's
// methods, validation calls LoadJSON alone.
type value struct {
	gojsonschema.JSONLoader
	document any
}

// LoadJSON returns the document.
func (v value) LoadJSON() (interface{}, error) { return v.document, nil }

// shapes holds the compiled schemas of resource types.
type shapes struct {
	reg    *definition.Registry
	mu     sync.Mutex // held while compiling, for groups and parts
	groups int
	parts  map[string]part
	ready  sync.Map // type name -> *schema
}

// lazyGroups is the number of types that are compiled one by one, at 3 ms and 1 MB each. The one after them compiles all that are left
// together, at 90 ms and 20 MB: datatypes are shared within a compilation alone, and a server that sees many types may see all.
const lazyGroups = 16

// of returns the schema of a resource type. Its documents are objects whose one member, named as the type, is the resource.
func (s *shapes) of(name string) (*schema, error) {
	if c, ok := s.ready.Load(name); ok {
		return c.(*schema), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.ready.Load(name); ok {
		return c.(*schema), nil
	}
	names := []string{name}
	if s.groups++; s.groups > lazyGroups {
		names = slices.DeleteFunc(slices.Clone(s.reg.ResourceTypes()), func(n string) bool { _, ok := s.ready.Load(n); return ok })
	}
	doc, err := s.document(names)
	if err != nil {
		return nil, err
	}
	c, err := compileSchema(doc)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		s.ready.Store(n, c)
	}
	return c, nil
}

// resourceList is the schema's choice of all resources. It is cut out: nested resources are validated with their own type's schema, which
// says what is wrong with them instead of trying 146.
const resourceList = "ResourceList"

// part is one definition of the official schema, and the definitions that it refers to.
type part struct {
	text json.RawMessage
	refs []partRef
}

// partRef refers to a definition of the official schema by its name, "Patient" or "Patient_Contact". typ is the type that it describes; nil for a
// choice of resources.
type partRef struct {
	name string
	typ  *definition.Type
}

// part returns a definition. Unpacking one costs as much as compiling it, and most are shared by all types, so they are kept.
func (s *shapes) part(ref partRef) (part, error) {
	if p, ok := s.parts[ref.name]; ok {
		return p, nil
	}
	p := part{text: json.RawMessage(`{}`)}
	if ref.name != resourceList {
		text, ok := s.reg.Schema(ref.name)
		if !ok {
			return part{}, fmt.Errorf("the official schema has no definition %s", ref.name)
		}
		tree, err := fhir.Parse(text, fhir.Limits{})
		if err != nil {
			return part{}, err
		}
		p = s.corrected(ref.typ, tree.Root())
	}
	if s.parts == nil {
		s.parts = map[string]part{}
	}
	s.parts[ref.name] = p
	return p, nil
}

// corrected returns the definition of a type as R4's StructureDefinitions have it, which are the specification where the official schema differs: the
// schema omits the siblings of canonicals ("_profile"), 72 in all, and lists the codes of Expression.language, whose binding is
// not required.
func (s *shapes) corrected(t *definition.Type, schema fhir.Node) part {
	var out part
	var edits []fhir.Edit
	properties := schema.Get("properties")
	for p := range properties.Children() {
		e, ref := t.JSONChild(strings.TrimPrefix(p.Name(), "_"))
		switch name := definitionOf(p); {
		case name == "":
		case e == nil || p.Name()[0] == '_':
			typ, _ := s.reg.Type(name)
			out.refs = append(out.refs, partRef{name, typ})
		default:
			out.refs = append(out.refs, partRef{name, ref.Type})
		}
		if e != nil && p.Get("enum").Valid() && !required(e) {
			start, end := p.Span()
			edits = append(edits, fhir.Edit{Start: start, End: end, Text: []byte(`{"type":"string"}`)})
		}
	}
	if missing := missingSiblings(t, properties); missing != nil {
		_, end := properties.Span()
		edits = append(edits, fhir.Edit{Start: end - 1, End: end - 1, Text: missing})
		element, _ := s.reg.Type(elementType)
		out.refs = append(out.refs, partRef{elementType, element})
	}
	out.text = schema.Splice(edits)
	return out
}

// elementType is the type of the siblings of primitives.
const elementType = "Element"

// missingSiblings returns the properties of siblings that the definition of t in the official schema omits, to stand at the end of its properties.
func missingSiblings(t *definition.Type, properties fhir.Node) []byte {
	var out []byte
	for _, e := range t.Elements {
		for _, ref := range e.Types {
			if !hasSibling(e, ref.Type) || !properties.Get(ref.JSON).Valid() || properties.Get("_"+ref.JSON).Valid() {
				continue
			}
			out = append(out, `,"_`+ref.JSON+`":`...)
			if e.Max == 1 {
				out = append(out, `{"$ref":"`+definitionPrefix+elementType+`"}`...)
			} else {
				out = append(out, `{"items":{"$ref":"`+definitionPrefix+elementType+`"},"type":"array"}`...)
			}
		}
	}
	return out
}

const definitionPrefix = "#/definitions/"

// definitionOf returns the name of the definition that a property, or each of its items, refers to; "" for none.
func definitionOf(property fhir.Node) string {
	if items := property.Get("items"); items.Valid() {
		property = items
	}
	name, _ := strings.CutPrefix(property.Get("$ref").Text(), definitionPrefix)
	return name
}

// document writes the schema of the resource types with every definition that they refer to.
func (s *shapes) document(names []string) ([]byte, error) {
	definitions, properties := map[string]json.RawMessage{}, map[string]any{}
	var todo []partRef
	for _, name := range names {
		properties[name] = map[string]string{"$ref": definitionPrefix + name}
		t, _ := s.reg.Resource(name)
		todo = append(todo, partRef{name, t})
	}
	for len(todo) > 0 {
		ref := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, ok := definitions[ref.name]; ok {
			continue
		}
		p, err := s.part(ref)
		if err != nil {
			return nil, err
		}
		definitions[ref.name] = p.text
		todo = append(todo, p.refs...)
	}
	return json.Marshal(map[string]any{"$schema": "http://json-schema.org/draft-06/schema#", "properties": properties, "definitions": definitions})
}

// shape runs the phase on a resource and on each nested one.
func (w *walker) shape(r fhir.Resource, t *definition.Type) {
	w.shapeOf(r, t)
	for _, n := range w.nested {
		w.shapeOf(n.r, n.t)
	}
}

// shapeOf runs the phase on one resource without those inside of it.
func (w *walker) shapeOf(r fhir.Resource, t *definition.Type) {
	start, _ := r.Span()
	b := builder{nested: w.nested, standIns: w.standIns[sort.Search(len(w.standIns), func(i int) bool { return w.standIns[i].Start >= start }):]}
	s, err := w.v.shapes.of(t.Name)
	var found []mismatch
	if err == nil {
		found, err = s.check(map[string]any{t.Name: b.build(r.Node, true)})
	}
	if err != nil {
		w.add(r.Node, "", fhir.IssueException, fhir.IDShapeUnreadable, "the JSON Schema of "+t.Name+" could not be applied")
	}
	for _, m := range first(w, found) {
		w.mismatch(r.Node, m)
	}
}

// mismatch notes one of gojsonschema's errors, unless it says what is known.
func (w *walker) mismatch(r fhir.Node, m mismatch) {
	n := r
	for _, step := range m.path[min(1, len(m.path)):] {
		var next fhir.Node
		if n.Kind() == fhir.Array {
			i, _ := strconv.Atoi(step)
			next = n.At(i)
		} else {
			next = n.Get(step)
		}
		if !next.Valid() {
			break
		}
		n = next
	}
	if w.known(n, m.property) {
		return
	}
	switch m.rule {
	case "enum":
		w.add(n, "", fhir.IssueCodeInvalid, fhir.IDShapeEnum, "the JSON Schema of R4 does not list this value")
	case "required":
		w.add(n, m.property, fhir.IssueRequired, fhir.IDShapeRequired, m.property+" is missing")
	case "additional_property_not_allowed":
		if !elementName(m.property) {
			m.property = ""
		}
		w.add(n, m.property, fhir.IssueStructure, fhir.IDShapeUnknown, "the JSON Schema of R4 does not allow this member")
	case "invalid_type":
		w.add(n, "", fhir.IssueStructure, fhir.IDShapeType, "the JSON Schema of R4 requires "+m.detail+", not "+kindName(n))
	case "pattern":
		w.add(n, "", fhir.IssueStructure, fhir.IDShapePattern, "the value does not match the pattern in the JSON Schema of R4")
	default:
		w.add(n, "", fhir.IssueStructure, fhir.IDShapeValue, "the value does not match the JSON Schema of R4")
	}
}

// builder makes the values that gojsonschema reads, of a tree.
type builder struct {
	standIns []fhir.Edit // those not yet passed
	nested   []nested
	count    int // values made
}

// build returns n as encoding/json with UseNumber would, with stand-ins in place and, within a resource, nested resources left out.
func (b *builder) build(n fhir.Node, root bool) any {
	b.count++
	switch n.Kind() {
	case fhir.Object:
		if !root && b.isNested(n) {
			return map[string]any{}
		}
		m := make(map[string]any, n.Len())
		for c := n.First(); c.Valid(); c = c.Next() {
			m[c.Name()] = b.build(c, false)
		}
		return m
	case fhir.Array:
		a := make([]any, 0, n.Len())
		for c := n.First(); c.Valid(); c = c.Next() {
			a = append(a, b.build(c, false))
		}
		return a
	}
	text := n.Text()
	kind := n.Kind()
	if e, ok := b.standIn(n); ok {
		text = string(e.Text)
		switch text[0] {
		case '"':
			return strings.Trim(text, `"`)
		case '{':
			return map[string]any{}
		case 't':
			return true
		}
		return json.Number(text)
	}
	switch kind {
	case fhir.Bool:
		return text == "true"
	case fhir.Number:
		// gojsonschema makes a fraction of each number, whatever it costs.
		if _, err := fhir.ParseDecimal(text); err != nil {
			return json.Number("0")
		}
		return json.Number(text)
	case fhir.String:
		return text
	}
	return nil
}

// isNested reports whether n is a resource inside of another.
func (b *builder) isNested(n fhir.Node) bool {
	i := sort.Search(len(b.nested), func(i int) bool { return b.nested[i].r.Index() >= n.Index() })
	return i < len(b.nested) && b.nested[i].r.Node == n
}

// standIn returns the stand-in for n. Nodes must come in document order.
func (b *builder) standIn(n fhir.Node) (fhir.Edit, bool) {
	if len(b.standIns) == 0 {
		return fhir.Edit{}, false
	}
	start, _ := n.Span()
	for len(b.standIns) > 0 && b.standIns[0].Start < start {
		b.standIns = b.standIns[1:]
	}
	if len(b.standIns) > 0 && b.standIns[0].Start == start {
		return b.standIns[0], true
	}
	return fhir.Edit{}, false
}
