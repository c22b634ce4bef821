package graphql

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/fhirgate/fhirgate/fhir"
)

// bind gives the operation's variables their values.
func (x *executor) bind(values fhir.Node) error {
	if values.Valid() && values.Kind() != fhir.Object && values.Kind() != fhir.Null {
		return bad(nil, fhir.IDGraphQLVariable, "variables is a JSON object")
	}
	x.variables = map[string]*ast.Value{}
	left := x.s.lim.Tokens
	for _, d := range x.op.VariableDefinitions {
		v := d.DefaultValue
		if n := values.Get(d.Variable); n.Valid() {
			if v = fromJSON(n, &left); left < 0 {
				return tooCostly("the variables have too many values")
			}
		}
		if v == nil || v.Kind == ast.NullValue {
			if d.Type.NonNull {
				return bad(d.Position, fhir.IDGraphQLVariable, "the variable $"+d.Variable+" has no value")
			}
			v = &ast.Value{Kind: ast.NullValue, Raw: "null"}
		} else if !matches(v, d.Type) {
			return bad(d.Position, fhir.IDGraphQLVariable, "the value of the variable $"+d.Variable+" is not of its type "+d.Type.String())
		}
		x.variables[d.Variable] = v
	}
	return nil
}

// fromJSON returns a JSON value as one of a query, and takes its values from those that are left; less than 0 says that they are too many.
func fromJSON(n fhir.Node, left *int) *ast.Value {
	if *left--; *left < 0 {
		return nil
	}
	switch n.Kind() {
	case fhir.String:
		return &ast.Value{Kind: ast.StringValue, Raw: n.Text()}
	case fhir.Bool:
		return &ast.Value{Kind: ast.BooleanValue, Raw: n.Text()}
	case fhir.Number:
		kind := ast.IntValue
		if _, err := strconv.Atoi(n.Text()); err != nil {
			kind = ast.FloatValue
		}
		return &ast.Value{Kind: kind, Raw: n.Text()}
	case fhir.Array, fhir.Object:
		v := &ast.Value{Kind: ast.ListValue}
		if n.Kind() == fhir.Object {
			v.Kind = ast.ObjectValue
		}
		for c := range n.Children() {
			if *left < 0 {
				break
			}
			v.Children = append(v.Children, &ast.ChildValue{Name: c.Name(), Value: fromJSON(c, left)})
		}
		return v
	}
	return &ast.Value{Kind: ast.NullValue, Raw: "null"}
}

// matches reports whether a value can be that of a variable of a type. Other types than GraphQL's own are texts.
func matches(v *ast.Value, t *ast.Type) bool {
	if t.Elem != nil {
		if v.Kind != ast.ListValue {
			return matches(v, t.Elem)
		}
		for _, c := range v.Children {
			if !matches(c.Value, t.Elem) {
				return false
			}
		}
		return true
	}
	switch t.NamedType {
	case "Boolean", "boolean":
		return v.Kind == ast.BooleanValue
	case "Int", "integer", "positiveInt", "unsignedInt":
		return v.Kind == ast.IntValue
	case "Float", "decimal":
		return v.Kind == ast.IntValue || v.Kind == ast.FloatValue
	case "ID":
		return v.Kind == ast.IntValue || v.Kind == ast.StringValue
	}
	return v.Kind == ast.StringValue || v.Kind == ast.EnumValue || v.Kind == ast.BlockValue
}

// value returns a value with a variable replaced by its value.
func (x *executor) value(v *ast.Value) (*ast.Value, error) {
	if v.Kind != ast.Variable {
		return v, nil
	}
	if bound := x.variables[v.Raw]; bound != nil {
		return bound, nil
	}
	return nil, bad(v.Position, fhir.IDGraphQLVariable, "the variable $"+v.Raw+" is not declared")
}

// texts returns the text of a value, or of each item of a list; nothing for null. Names without quotes are texts too, as in Patient(id: example).
func (x *executor) texts(v *ast.Value) ([]string, error) {
	v, err := x.value(v)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case ast.NullValue:
		return nil, nil
	case ast.ListValue:
		var all []string
		for _, c := range v.Children {
			one, err := x.texts(c.Value)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	case ast.ObjectValue:
		return nil, bad(v.Position, fhir.IDGraphQLArgument, "an argument is a text, number or boolean, or a list of them")
	}
	return []string{v.Raw}, nil
}

// text returns the text of a value that is not a list.
func (x *executor) text(v *ast.Value) (string, error) {
	texts, err := x.texts(v)
	if err == nil && len(texts) != 1 {
		err = bad(v.Position, fhir.IDGraphQLArgument, "the argument takes one value")
	}
	if err != nil {
		return "", err
	}
	return texts[0], nil
}

// number returns a whole number of 0 or more.
func (x *executor) number(a *ast.Argument) (int, error) {
	text, err := x.text(a.Value)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad(a.Position, fhir.IDGraphQLArgument, "the argument "+a.Name+" is a whole number of 0 or more")
	}
	return n, nil
}

// boolean returns a Boolean argument; null is false.
func (x *executor) boolean(a *ast.Argument) (bool, error) {
	v, err := x.value(a.Value)
	if err != nil || v.Kind == ast.NullValue {
		return false, err
	}
	if v.Kind != ast.BooleanValue {
		return false, bad(a.Position, fhir.IDGraphQLArgument, "the argument "+a.Name+" is true or false")
	}
	return v.Raw == "true", nil
}

// directives checks the directives of a selection.
func (x *executor) directives(list ast.DirectiveList, pos *ast.Position) error {
	for i, d := range list {
		if list[:i].ForName(d.Name) != nil {
			return bad(d.Position, fhir.IDGraphQLDirective, "the directive @"+d.Name+" is given twice")
		}
		var takes []string
		switch d.Name {
		case "skip", "include":
			takes = []string{"if"}
		case "slice":
			takes = []string{"path", "fhirpath"}
		case "flatten", "first", "singleton":
		default:
			return bad(d.Position, fhir.IDGraphQLDirective, "there is no directive @"+d.Name+"; there are skip, include, flatten, first, singleton and slice")
		}
		if len(d.Arguments) != min(len(takes), 1) || len(takes) > 0 && d.Arguments[0].Name != takes[0] && d.Arguments[0].Name != takes[len(takes)-1] {
			return bad(d.Position, fhir.IDGraphQLDirective, "the directive @"+d.Name+" does not have these arguments")
		}
	}
	_, err := x.included(list)
	return err
}

// included reports whether @skip and @include let a selection stand.
func (x *executor) included(list ast.DirectiveList) (bool, error) {
	for _, d := range list {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		on, err := x.boolean(d.Arguments[0])
		if err != nil {
			return false, err
		}
		if on == (d.Name == "skip") {
			return false, nil
		}
	}
	return true, nil
}
