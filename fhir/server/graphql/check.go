package graphql

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// checker checks an operation against the definitions before anything is read: every field must be one that its type can have. It unfolds fragments,
// and so bounds what executing them costs.
type checker struct {
	x      *executor
	fields int
	within []string // the fragments that are being unfolded
}

func (c *checker) enter(pos *ast.Position, depth int) error {
	if depth > c.x.s.lim.Depth {
		return tooCostly("the query is nested too deep")
	}
	if c.fields++; c.fields > c.x.s.lim.Fields {
		return tooCostly("the query has too many fields")
	}
	return nil
}

// spread calls check with the selections of a fragment.
func (c *checker) spread(sel ast.Selection, depth int, check func(set ast.SelectionSet, condition string, depth int) error) error {
	if f, ok := sel.(*ast.InlineFragment); ok {
		if err := c.x.directives(f.Directives, f.Position); err != nil {
			return err
		}
		if err := c.enter(f.Position, depth); err != nil {
			return err
		}
		return check(f.SelectionSet, f.TypeCondition, depth)
	}
	s := sel.(*ast.FragmentSpread)
	if err := c.x.directives(s.Directives, s.Position); err != nil {
		return err
	}
	f := c.x.doc.Fragments.ForName(s.Name)
	if f == nil {
		return bad(s.Position, fhir.IDGraphQLField, "there is no fragment "+s.Name)
	}
	for _, name := range c.within {
		if name == s.Name {
			return bad(s.Position, fhir.IDGraphQLField, "the fragment "+s.Name+" contains itself")
		}
	}
	if err := c.enter(s.Position, depth); err != nil {
		return err
	}
	c.within = append(c.within, s.Name)
	err := check(f.SelectionSet, f.TypeCondition, depth)
	c.within = c.within[:len(c.within)-1]
	return err
}

// system checks the selections of the root of the system.
func (c *checker) system(set ast.SelectionSet, depth int) error {
	for _, sel := range set {
		f, ok := sel.(*ast.Field)
		if !ok {
			if err := c.spread(sel, depth, func(set ast.SelectionSet, condition string, depth int) error {
				if condition != "" && condition != "Query" {
					return bad(sel.GetPosition(), fhir.IDGraphQLField, "a fragment on "+condition+" does not apply to the root")
				}
				return c.system(set, depth)
			}); err != nil {
				return err
			}
			continue
		}
		if err := c.field(f, depth); err != nil {
			return err
		}
		switch f.Name {
		case "__typename":
			if err := c.leaf(f); err != nil {
				return err
			}
			continue
		case "__schema", "__type":
			if err := c.introspection(f.SelectionSet, depth+1); err != nil {
				return err
			}
			continue
		}
		if t, ok := c.x.s.reg.Resource(f.Name); ok {
			if f.Arguments.ForName("id") == nil {
				return bad(f.Position, fhir.IDGraphQLArgument, f.Name+" needs the argument id")
			}
			if err := c.object(f, t, depth); err != nil {
				return err
			}
			continue
		}
		if ok, err := c.searches(f, depth); !ok || err != nil {
			if err == nil {
				err = bad(f.Position, fhir.IDGraphQLField, "the root has no field "+f.Name+"; it has [type], [type]List and [type]Connection for each resource type")
			}
			return err
		}
	}
	return nil
}

// introspection checks the selections of __schema and __type for their depth and their fragments; whether the fields exist is seen when they are told.
func (c *checker) introspection(set ast.SelectionSet, depth int) error {
	for _, sel := range set {
		f, ok := sel.(*ast.Field)
		if !ok {
			if err := c.spread(sel, depth, func(set ast.SelectionSet, _ string, depth int) error { return c.introspection(set, depth) }); err != nil {
				return err
			}
			continue
		}
		if err := c.field(f, depth); err != nil {
			return err
		}
		if err := c.introspection(f.SelectionSet, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// searches checks a field that is a search: [type]List or [type]Connection.
func (c *checker) searches(f *ast.Field, depth int) (bool, error) {
	t, connection := c.x.searched(f.Name)
	if t == nil {
		return false, nil
	}
	if len(f.SelectionSet) == 0 {
		return true, bad(f.Position, fhir.IDGraphQLField, "the field "+f.Name+" needs a selection of fields")
	}
	if !connection {
		return true, c.selections(f.SelectionSet, t, depth+1)
	}
	return true, c.shape(f.SelectionSet, depth+1, "[type]Connection", map[string]func(*ast.Field, int) error{
		"count": nil, "offset": nil, "pagesize": nil, "first": nil, "previous": nil, "next": nil, "last": nil, "__typename": nil,
		"edges": func(f *ast.Field, depth int) error {
			return c.shape(f.SelectionSet, depth+1, "[type]Edge", map[string]func(*ast.Field, int) error{
				"mode": nil, "score": nil, "__typename": nil,
				"resource": func(f *ast.Field, depth int) error { return c.object(f, t, depth) },
			})
		},
	})
}

// shape checks the selections of an object that no resource has. A field whose function is nil has no fields of its own.
func (c *checker) shape(set ast.SelectionSet, depth int, name string, fields map[string]func(*ast.Field, int) error) error {
	if len(set) == 0 {
		return bad(nil, fhir.IDGraphQLField, name+" needs a selection of fields")
	}
	for _, sel := range set {
		f, ok := sel.(*ast.Field)
		if !ok {
			if err := c.spread(sel, depth, func(set ast.SelectionSet, _ string, depth int) error { return c.shape(set, depth, name, fields) }); err != nil {
				return err
			}
			continue
		}
		if err := c.field(f, depth); err != nil {
			return err
		}
		check, ok := fields[f.Name]
		if !ok {
			return bad(f.Position, fhir.IDGraphQLField, name+" has no field "+f.Name)
		}
		if check == nil {
			if len(f.SelectionSet) > 0 {
				return bad(f.Position, fhir.IDGraphQLField, "the field "+f.Name+" has no fields")
			}
			continue
		}
		if err := check(f, depth); err != nil {
			return err
		}
	}
	return nil
}

// field checks what all fields have.
func (c *checker) field(f *ast.Field, depth int) error {
	if err := c.enter(f.Position, depth); err != nil {
		return err
	}
	return c.x.directives(f.Directives, f.Position)
}

// selections checks the selections of a value of type t; an abstract resource type stands for any.
func (c *checker) selections(set ast.SelectionSet, t *definition.Type, depth int) error {
	for _, sel := range set {
		f, ok := sel.(*ast.Field)
		if !ok {
			if err := c.spread(sel, depth, func(set ast.SelectionSet, condition string, depth int) error {
				on := t
				if condition != "" {
					if on, ok = c.x.typeNamed(condition); !ok {
						return bad(sel.GetPosition(), fhir.IDGraphQLField, "there is no type "+condition)
					}
				}
				return c.selections(set, on, depth)
			}); err != nil {
				return err
			}
			continue
		}
		if err := c.field(f, depth); err != nil {
			return err
		}
		if err := c.element(f, t, depth); err != nil {
			return err
		}
	}
	return nil
}

// element checks a field of a value of type t.
func (c *checker) element(f *ast.Field, t *definition.Type, depth int) error {
	isResource := t.Kind == definition.KindResource
	switch {
	case f.Name == "__typename", f.Name == "resourceType" && isResource:
		return c.leaf(f)
	case f.Name == "resource" && t.Is("Reference"):
		any, _ := c.x.s.reg.Type("Resource")
		if name := f.Arguments.ForName("type"); name != nil {
			if text, err := c.x.text(name.Value); err != nil {
				return err
			} else if target, ok := c.x.s.reg.Resource(text); ok {
				any = target
			} else {
				return bad(f.Position, fhir.IDGraphQLArgument, "the argument type is a resource type")
			}
		}
		return c.object(f, any, depth)
	}
	if isResource {
		if ok, err := c.searches(f, depth); ok {
			if err == nil && f.Arguments.ForName("_reference") == nil {
				err = bad(f.Position, fhir.IDGraphQLArgument, f.Name+" within a resource needs the argument _reference")
			}
			return err
		}
	}
	name, sibling := strings.CutPrefix(f.Name, "_")
	_, ref := t.JSONChild(name)
	if ref == nil && isResource && t.Abstract {
		ref = c.x.anywhere(name)
	}
	if ref == nil || sibling && ref.Type.Kind != definition.KindPrimitive {
		return bad(f.Position, fhir.IDGraphQLField, typeName(t)+" has no field "+f.Name)
	}
	for _, a := range f.Arguments {
		if err := c.argument(f, a, ref.Type); err != nil {
			return err
		}
	}
	if ref.Type.Kind == definition.KindPrimitive && !sibling {
		return c.leaf(f)
	}
	return c.object(f, ref.Type, depth)
}

// argument checks an argument of an element's field: a filter by FHIRPath or by a primitive of the element, or a part of the list.
func (c *checker) argument(f *ast.Field, a *ast.Argument, t *definition.Type) error {
	switch a.Name {
	case "fhirpath":
		text, err := c.x.text(a.Value)
		if err == nil {
			_, err = c.x.compile(text, t)
		}
		return err
	case "_count", "_offset":
		_, err := c.x.number(a)
		return err
	}
	if _, ref := t.JSONChild(a.Name); ref == nil || ref.Type.Kind != definition.KindPrimitive {
		return bad(a.Position, fhir.IDGraphQLArgument, "the field "+f.Name+" has no argument "+a.Name)
	}
	_, err := c.x.texts(a.Value)
	return err
}

func (c *checker) leaf(f *ast.Field) error {
	if len(f.SelectionSet) > 0 {
		return bad(f.Position, fhir.IDGraphQLField, "the field "+f.Name+" is a primitive and has no fields")
	}
	return nil
}

func (c *checker) object(f *ast.Field, t *definition.Type, depth int) error {
	if len(f.SelectionSet) == 0 {
		return bad(f.Position, fhir.IDGraphQLField, "the field "+f.Name+" needs a selection of fields")
	}
	return c.selections(f.SelectionSet, t, depth+1)
}

// typeNamed returns a type by its name in the schema: that of a backbone element has no dot.
func (x *executor) typeNamed(name string) (*definition.Type, bool) {
	if t, ok := x.s.reg.Type(name); ok {
		return t, true
	}
	return x.s.schema.backbone(name)
}

// anywhere returns the type of an element that any resource type has under a name; nil where none has.
func (x *executor) anywhere(name string) *definition.TypeRef {
	for _, typ := range x.s.reg.ResourceTypes() {
		t, _ := x.s.reg.Resource(typ)
		if _, ref := t.JSONChild(name); ref != nil {
			return ref
		}
	}
	return nil
}

// compile compiles an expression of the argument fhirpath or the directive @slice for elements of a type.
func (x *executor) compile(text string, t *definition.Type) (*fhirpath.Program, error) {
	key := compiled{text, t}
	if p := x.programs[key]; p != nil {
		return p, nil
	}
	if x.compiled += len(text); x.compiled > x.s.lim.Expressions {
		return nil, tooCostly("the query's FHIRPath expressions are too long")
	}
	p, err := fhirpath.Compile(text, fhirpath.WithRegistry(x.s.reg), fhirpath.WithType(t.Name), fhirpath.WithLimits(fhirpath.Limits{Steps: fhirpathSteps}))
	if err != nil {
		return nil, err
	}
	if x.programs == nil {
		x.programs = map[compiled]*fhirpath.Program{}
	}
	x.programs[key] = p
	return p, nil
}
