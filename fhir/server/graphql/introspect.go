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

// introspect puts __schema or __type into out. The schema is large, so its JSON is written at once.
func (x *executor) introspect(g group, out *object) error {
	s := &x.s.schema
	s.once.Do(s.build)
	var v any = s
	if g.Name == "__type" {
		a := g.Arguments.ForName("name")
		if a == nil {
			return bad(g.Position, fhir.IDGraphQLArgument, "__type needs the argument name")
		}
		text, err := x.text(a.Value)
		if err != nil {
			return err
		}
		if v = nil; s.types[text] != nil {
			v = s.types[text]
		}
	}
	d := description{s: s, x: x}
	if err := d.append(g, v); err != nil {
		return err
	}
	return x.put(g, out, false, "", value{json: d.out})
}

// description writes the JSON of an introspection.
type description struct {
	s   *schema
	x   *executor
	out []byte
}

// append appends a value of introspection: text, a boolean, null, an object, or a list of them.
func (d *description) append(g group, v any) error {
	if d.x.written+len(d.out) > d.x.s.lim.Bytes { // fields of types lead to types again
		return tooCostly("the result is too large")
	}
	switch v := v.(type) {
	case nil:
		d.out = append(d.out, "null"...)
	case string:
		d.out = fhir.AppendString(d.out, v)
	case name:
		d.out = fhir.AppendString(d.out, string(v))
	case bool:
		d.out = strconv.AppendBool(d.out, v)
	case []described:
		d.out = append(d.out, '[')
		for i, item := range v {
			if i > 0 {
				d.out = append(d.out, ',')
			}
			if err := d.append(g, item); err != nil {
				return err
			}
		}
		d.out = append(d.out, ']')
	case described:
		return d.object(g, v)
	}
	return nil
}

func (d *description) object(g group, v described) error {
	if len(g.SelectionSet) == 0 {
		return bad(g.Position, fhir.IDGraphQLField, "the field "+g.Name+" needs a selection of fields")
	}
	groups, err := d.x.groups(g.SelectionSet, nil)
	if err != nil {
		return err
	}
	d.out = append(d.out, '{')
	for i, g := range groups {
		inner, ok, err := v.field(d.s, d.x, g)
		if err != nil {
			return err
		}
		if !ok {
			return bad(g.Position, fhir.IDGraphQLField, "introspection has no field "+g.Name+" here")
		}
		if i > 0 {
			d.out = append(d.out, ',')
		}
		d.out = append(fhir.AppendString(d.out, g.key), ':')
		if err := d.append(g, inner); err != nil {
			return err
		}
	}
	d.out = append(d.out, '}')
	return d.x.ctx.Err()
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
