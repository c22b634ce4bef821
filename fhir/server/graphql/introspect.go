package graphql

import (
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// described is an object of introspection: it has fields by name, each a string, a bool, nil, an object, or a list of objects.
type described interface {
	field(s *schema, x *executor, g group) (any, bool, error)
}

// directiveOf is a directive as introspection tells it.
type directiveOf struct {
	name, description string
	locations         []string
	arguments         []schemaField
}

// name is a text in a list.
type name string

func (name) field(*schema, *executor, group) (any, bool, error) { return nil, false, nil }

// introspect puts __schema or __type into out.
func (x *executor) introspect(g group, out *object) error {
	s := &x.s.schema
	s.once.Do(s.build)
	if g.Name == "__schema" {
		return x.describe(s, g, s, out)
	}
	a := g.Arguments.ForName("name")
	if a == nil {
		return bad(g.Position, fhir.IDGraphQLArgument, "__type needs the argument name")
	}
	text, err := x.text(a.Value)
	if err != nil {
		return err
	}
	t := s.types[text]
	if t == nil {
		return x.put(g, out, false, "", value{json: []byte("null")})
	}
	return x.describe(s, g, t, out)
}

// describe puts a value of introspection into out.
func (x *executor) describe(s *schema, g group, v any, out *object) error {
	put := func(v value) error { return x.put(g, out, false, "", v) }
	switch v := v.(type) {
	case nil:
		return put(value{json: []byte("null")})
	case string:
		return put(textValue(v))
	case bool:
		return put(value{json: strconv.AppendBool(nil, v)})
	case []described:
		f := out.field(g.key)
		f.list = true
		if len(v) == 0 {
			f.list = false
			return put(value{json: []byte("[]")})
		}
		for _, item := range v {
			if n, ok := item.(name); ok {
				if err := x.put(g, out, true, "", textValue(string(n))); err != nil {
					return err
				}
				continue
			}
			if err := x.describeOne(s, g, item, out, true); err != nil {
				return err
			}
		}
		return nil
	case described:
		return x.describeOne(s, g, v, out, false)
	}
	return nil
}

func (x *executor) describeOne(s *schema, g group, d described, out *object, many bool) error {
	if len(g.SelectionSet) == 0 {
		return bad(g.Position, fhir.IDGraphQLField, "the field "+g.Name+" needs a selection of fields")
	}
	groups, err := x.collect(g.SelectionSet, nil, nil)
	if err != nil {
		return err
	}
	o := &object{}
	if err := x.put(g, out, many, "", value{object: o}); err != nil {
		return err
	}
	for _, g := range groups {
		v, ok, err := d.field(s, x, g)
		if err != nil {
			return err
		}
		if !ok {
			return bad(g.Position, fhir.IDGraphQLField, "introspection has no field "+g.Name+" here")
		}
		if err := x.describe(s, g, v, o); err != nil {
			return err
		}
	}
	return nil
}

// text returns a description, null where there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *schema) field(_ *schema, _ *executor, g group) (any, bool, error) {
	switch g.Name {
	case "__typename":
		return "__Schema", true, nil
	case "description", "mutationType", "subscriptionType":
		return nil, true, nil
	case "queryType":
		return s.types["Query"], true, nil
	case "types":
		all := make([]described, 0, len(s.names))
		for _, n := range s.names {
			all = append(all, s.types[n])
		}
		return all, true, nil
	case "directives":
		condition := []schemaField{{name: "if", typ: required(s.types["Boolean"])}}
		anywhere, onField := []string{"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"}, []string{"FIELD"}
		return []described{
			directiveOf{"include", "keeps a selection where the condition holds", anywhere, condition},
			directiveOf{"skip", "leaves a selection out where the condition holds", anywhere, condition},
			directiveOf{"flatten", "puts the fields of an object into the object around it", onField, nil},
			directiveOf{"first", "keeps the first item of a list", onField, nil},
			directiveOf{"singleton", "makes a list of one item that item", onField, nil},
			directiveOf{"slice", "puts what a FHIRPath expression says of an item behind the names of its fields", onField, []schemaField{{name: "path", typ: s.types["String"]}, {name: "fhirpath", typ: s.types["String"]}}},
		}, true, nil
	}
	return nil, false, nil
}

func (d directiveOf) field(_ *schema, _ *executor, g group) (any, bool, error) {
	switch g.Name {
	case "__typename":
		return "__Directive", true, nil
	case "name":
		return d.name, true, nil
	case "description":
		return text(d.description), true, nil
	case "isRepeatable":
		return false, true, nil
	case "locations":
		return names(d.locations), true, nil
	case "args":
		return inputs(d.arguments), true, nil
	}
	return nil, false, nil
}

func names(list []string) []described {
	all := make([]described, 0, len(list))
	for _, n := range list {
		all = append(all, name(n))
	}
	return all
}

// argument is an argument of a field as introspection tells it.
type argument struct{ schemaField }

func inputs(list []schemaField) []described {
	all := make([]described, 0, len(list))
	for _, f := range list {
		all = append(all, argument{f})
	}
	return all
}

func (a argument) field(_ *schema, _ *executor, g group) (any, bool, error) {
	switch g.Name {
	case "__typename":
		return "__InputValue", true, nil
	case "name":
		return a.name, true, nil
	case "description":
		return text(a.description), true, nil
	case "type":
		return a.typ, true, nil
	case "defaultValue", "deprecationReason":
		return nil, true, nil
	case "isDeprecated":
		return false, true, nil
	}
	return nil, false, nil
}

func (f schemaField) field(_ *schema, _ *executor, g group) (any, bool, error) {
	switch g.Name {
	case "__typename":
		return "__Field", true, nil
	case "name":
		return f.name, true, nil
	case "description":
		return text(f.description), true, nil
	case "args":
		return inputs(f.arguments), true, nil
	case "type":
		return f.typ, true, nil
	case "isDeprecated":
		return false, true, nil
	case "deprecationReason":
		return nil, true, nil
	}
	return nil, false, nil
}

func (t *schemaType) field(s *schema, x *executor, g group) (any, bool, error) {
	switch g.Name {
	case "__typename":
		return "__Type", true, nil
	case "kind":
		return t.kind, true, nil
	case "name":
		return text(t.name), true, nil
	case "description":
		return text(t.description), true, nil
	case "specifiedByURL", "inputFields", "enumValues", "isOneOf":
		return nil, true, nil
	case "fields":
		if t.kind != "OBJECT" {
			return nil, true, nil
		}
		all := make([]described, 0, len(t.fields))
		for _, f := range t.fields {
			all = append(all, f)
		}
		return all, true, nil
	case "interfaces":
		if t.kind != "OBJECT" {
			return nil, true, nil
		}
		return []described{}, true, nil
	case "possibleTypes":
		if t.kind != "UNION" {
			return nil, true, nil
		}
		all := make([]described, 0, len(t.possible))
		for _, n := range t.possible {
			all = append(all, s.types[n])
		}
		return all, true, nil
	case "ofType":
		if t.of == nil {
			return nil, true, nil
		}
		return t.of, true, nil
	}
	return nil, false, nil
}
