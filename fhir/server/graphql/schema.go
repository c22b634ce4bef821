package graphql

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// schema is what introspection tells (GraphQL, 4 Introspection), made of the definitions when it is first asked for.
type schema struct {
	reg  *definition.Registry
	once sync.Once
	// types are all types by name, in names' order; definitions are those that come from the registry.
	types       map[string]*schemaType
	names       []string
	definitions map[string]*definition.Type
}

// schemaType is a type of the schema; of is set for lists and for what may not be null.
type schemaType struct {
	kind, name, description string
	fields                  []schemaField
	possible                []string
	of                      *schemaType
}

// schemaField is a field of a type, or an argument of a field.
type schemaField struct {
	name, description string
	typ               *schemaType
	arguments         []schemaField
}

// typeName returns a type's name in the schema: that of its definition, and for a backbone element its path without dots, "PatientContact".
func typeName(t *definition.Type) string {
	if !strings.Contains(t.Name, ".") {
		return t.Name
	}
	var b strings.Builder
	for part := range strings.SplitSeq(t.Name, ".") {
		r, n := utf8.DecodeRuneInString(part)
		b.WriteRune(unicode.ToUpper(r))
		b.WriteString(part[n:])
	}
	return b.String()
}

func list(of *schemaType) *schemaType     { return &schemaType{kind: "LIST", of: of} }
func required(of *schemaType) *schemaType { return &schemaType{kind: "NON_NULL", of: of} }

// backbone returns the type of a backbone element by its name in the schema.
func (s *schema) backbone(name string) (*definition.Type, bool) {
	s.once.Do(s.build)
	t, ok := s.definitions[name]
	return t, ok
}

func (s *schema) build() {
	s.types, s.definitions = map[string]*schemaType{}, map[string]*definition.Type{}
	for name, description := range map[string]string{"Boolean": "true or false", "String": "a text", "Int": "a whole number of 32 bits", "Float": "a number", "ID": "an id"} {
		s.types[name] = &schemaType{kind: "SCALAR", name: name, description: description}
	}
	any := &schemaType{kind: "UNION", name: "Resource", description: "a resource of any type", possible: s.reg.ResourceTypes()}
	s.types[any.name] = any
	query := &schemaType{kind: "OBJECT", name: "Query", description: "what the server holds"}
	s.types[query.name] = query
	for _, name := range s.reg.ResourceTypes() {
		t, _ := s.reg.Resource(name)
		typ := s.object(t)
		edge := &schemaType{kind: "OBJECT", name: name + "Edge", fields: []schemaField{
			{name: "mode", typ: s.types["String"]}, {name: "score", typ: s.types["Float"]}, {name: "resource", typ: typ}}}
		connection := &schemaType{kind: "OBJECT", name: name + "Connection", fields: []schemaField{
			{name: "count", typ: s.types["Int"]}, {name: "offset", typ: s.types["Int"]}, {name: "pagesize", typ: s.types["Int"]}, {name: "edges", typ: list(edge)},
			{name: "first", typ: s.types["ID"]}, {name: "previous", typ: s.types["ID"]}, {name: "next", typ: s.types["ID"]}, {name: "last", typ: s.types["ID"]}}}
		s.types[edge.name], s.types[connection.name] = edge, connection
		arguments := s.searchArguments(name)
		query.fields = append(query.fields,
			schemaField{name: name, description: "the " + name + " with an id", typ: typ, arguments: []schemaField{{name: "id", typ: required(s.types["ID"])}}},
			schemaField{name: name + "List", description: "all that a search finds", typ: list(typ), arguments: arguments},
			schemaField{name: name + "Connection", description: "a page of a search", typ: connection, arguments: arguments})
	}
	for _, name := range s.reg.ResourceTypes() {
		s.reverse(name)
	}
	for name := range s.types {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
}

// searchArguments are the search parameters of a type as arguments.
func (s *schema) searchArguments(typ string) []schemaField {
	text := list(s.types["String"])
	arguments := []schemaField{{name: "_count", typ: s.types["Int"]}, {name: "_cursor", description: "a cursor of a Connection", typ: s.types["String"]}, {name: "_sort", typ: text}}
	for _, p := range s.reg.SearchParameters(typ) {
		name := strings.ReplaceAll(p.Code, "-", "_")
		if !slices.ContainsFunc(arguments, func(a schemaField) bool { return a.name == name }) {
			arguments = append(arguments, schemaField{name: name, typ: text})
		}
	}
	return arguments
}

// reverse adds the searches for resources that refer to one of the type.
func (s *schema) reverse(target string) {
	typ := s.types[target]
	arguments := []schemaField{
		{name: "_reference", description: "the search parameter that refers to this resource; further search parameters may stand beside it", typ: required(s.types["String"])},
		{name: "_count", typ: s.types["Int"]}, {name: "_cursor", typ: s.types["String"]}}
	for _, name := range s.reg.ResourceTypes() {
		if !slices.ContainsFunc(s.reg.SearchParameters(name), func(p *definition.SearchParameter) bool { return slices.Contains(p.Target, target) }) {
			continue
		}
		typ.fields = append(typ.fields,
			schemaField{name: name + "List", typ: list(s.types[name]), arguments: arguments},
			schemaField{name: name + "Connection", typ: s.types[name+"Connection"], arguments: arguments})
	}
}

// object returns the schema's type of a definition, which it makes with all types below it.
func (s *schema) object(t *definition.Type) *schemaType {
	name := typeName(t)
	if typ := s.types[name]; typ != nil {
		return typ
	}
	typ := &schemaType{kind: "OBJECT", name: name}
	s.types[name], s.definitions[name] = typ, t
	if t.Kind == definition.KindPrimitive {
		typ.kind = "SCALAR"
		s.sibling()
		return typ
	}
	if t.Kind == definition.KindResource {
		typ.fields = append(typ.fields, schemaField{name: "resourceType", typ: s.types["String"]})
	}
	for _, e := range t.Elements {
		for i := range e.Types {
			typ.fields = append(typ.fields, s.element(e, &e.Types[i])...)
		}
	}
	if t.Is("Reference") {
		typ.fields = append(typ.fields, schemaField{name: "resource", description: "the resource that the reference names", typ: s.types["Resource"], arguments: []schemaField{
			{name: "optional", description: "leaves out a resource that cannot be read", typ: s.types["Boolean"]}, {name: "type", typ: s.types["String"]}}})
	}
	return typ
}

// sibling makes the type of what holds the id and the extensions of a primitive.
func (s *schema) sibling() *schemaType {
	const name = "ElementBase"
	if typ := s.types[name]; typ != nil {
		return typ
	}
	typ := &schemaType{kind: "OBJECT", name: name, description: "the id and the extensions of a primitive"}
	s.types[name] = typ
	extension, _ := s.reg.Type("Extension")
	typ.fields = []schemaField{{name: "id", typ: s.types["String"]}, {name: "extension", typ: list(s.object(extension))}}
	return typ
}

// element makes the fields of an element with one of its types: that of the value, and for a primitive that of its sibling.
func (s *schema) element(e *definition.Element, ref *definition.TypeRef) []schemaField {
	typ := s.types["Resource"]
	if !(ref.Type.Abstract && ref.Type.Kind == definition.KindResource) {
		typ = s.object(ref.Type)
	}
	fields := []schemaField{{name: ref.JSON, typ: typ}}
	if ref.Type.Kind == definition.KindPrimitive && e.Name != "id" {
		fields = append(fields, schemaField{name: "_" + ref.JSON, typ: s.sibling()})
	}
	if e.Max == 1 {
		return fields
	}
	arguments := []schemaField{{name: "fhirpath", typ: s.types["String"]}, {name: "_count", typ: s.types["Int"]}, {name: "_offset", typ: s.types["Int"]}}
	if ref.Type.Kind != definition.KindPrimitive {
		for _, c := range ref.Type.Elements {
			if !c.Choice && c.Types[0].Type.Kind == definition.KindPrimitive {
				arguments = append(arguments, schemaField{name: c.Types[0].JSON, typ: list(s.types["String"])})
			}
		}
	}
	for i := range fields {
		fields[i].typ, fields[i].arguments = list(fields[i].typ), arguments
	}
	return fields
}
