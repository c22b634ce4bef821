package graphql

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// fhirpathSteps is the limit on the evaluation of all expressions of a query together.
const fhirpathSteps = 5_000_000

// executor performs one query.
type executor struct {
	s   *Service
	ctx context.Context
	src Source
	doc *ast.QueryDocument
	op  *ast.OperationDefinition
	// variables are the values of the operation's variables.
	variables map[string]*ast.Value
	programs  map[compiled]*fhirpath.Program
	compiled  int // bytes of expressions that were compiled
	spent     int // steps of expressions
	visited   int // elements, fields and texts that were looked at
	collected map[collection][]group
	read      map[string]*readOnce
	reads     int
	readBytes int // of the resources and pages that were read
	values    int
	written   int // bytes of the result
	room      []byte
}

// compiled identifies an expression on elements of a type.
type compiled struct {
	text string
	typ  *definition.Type
}

// collection identifies the fields of a selection set of a type: sets are told apart by their first selection, which is in no other.
type collection struct {
	set *ast.Selection
	on  *definition.Type
}

// subject is what fields are selected of: an element or a resource.
type subject struct {
	node, sibling fhir.Node
	typ           *definition.Type
	resource      fhir.Resource // the one that it is in
}

// group are the fields of one selection set that make one field of the result.
type group struct {
	key string
	*ast.Field
}

// groups returns the fields that are selected of a type, which are the same for each of its values. on is nil for the root of the system.
func (x *executor) groups(set ast.SelectionSet, on *definition.Type) ([]group, error) {
	if len(set) == 0 {
		return nil, nil
	}
	key := collection{&set[0], on}
	if groups, ok := x.collected[key]; ok {
		return groups, nil
	}
	groups, err := x.collect(set, on, nil)
	if err != nil {
		return nil, err
	}
	if x.collected == nil {
		x.collected = map[collection][]group{}
	}
	x.collected[key] = groups
	return groups, nil
}

// visit counts what is looked at and need not be in the result.
func (x *executor) visit(n int) error {
	if x.visited += n; x.visited > x.s.lim.Visits {
		return tooCostly("the query looks at too many values")
	}
	return nil
}

// collect unfolds fragments and merges the fields of one name (GraphQL, 6.3.2).
func (x *executor) collect(set ast.SelectionSet, on *definition.Type, groups []group) ([]group, error) {
	for _, sel := range set {
		var directives ast.DirectiveList
		var inner ast.SelectionSet
		condition := ""
		switch f := sel.(type) {
		case *ast.Field:
			if ok, err := x.included(f.Directives); !ok || err != nil {
				if err != nil {
					return nil, err
				}
				continue
			}
			i := slices.IndexFunc(groups, func(g group) bool { return g.key == f.Alias })
			if i < 0 {
				groups = append(groups, group{f.Alias, f})
				continue
			}
			g := groups[i].Field
			if g.Name != f.Name || !sameArguments(g.Arguments, f.Arguments) || len(g.Directives) != len(f.Directives) {
				return nil, bad(f.Position, fhir.IDGraphQLField, "the field "+f.Alias+" is selected twice in different ways; give one of them an alias")
			}
			merged := *g
			merged.SelectionSet = append(slices.Clip(g.SelectionSet), f.SelectionSet...)
			groups[i].Field = &merged
			continue
		case *ast.InlineFragment:
			directives, inner, condition = f.Directives, f.SelectionSet, f.TypeCondition
		case *ast.FragmentSpread:
			d := x.doc.Fragments.ForName(f.Name)
			directives, inner, condition = f.Directives, d.SelectionSet, d.TypeCondition
		}
		ok, err := x.included(directives)
		if err != nil {
			return nil, err
		}
		if ok && condition != "" && on != nil {
			t, known := x.typeNamed(condition)
			ok = known && on.Is(t.Name)
		}
		if !ok {
			continue
		}
		if groups, err = x.collect(inner, on, groups); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func sameArguments(a, b ast.ArgumentList) bool {
	return slices.EqualFunc(a, b, func(a, b *ast.Argument) bool { return a.Name == b.Name && a.Value.String() == b.Value.String() })
}

// element puts the fields that are selected of a subject into out. inherited is set within a list whose object @flatten has taken away, where all
// fields are lists; suffix is what @slice puts behind their names.
func (x *executor) element(s subject, set ast.SelectionSet, out *object, inherited bool, suffix string) error {
	if s.typ.Abstract && s.typ.Kind == definition.KindResource {
		t, ok := x.s.reg.Resource(s.node.Get("resourceType").Text())
		if !ok {
			return nil
		}
		s.typ, s.resource = t, fhir.Resource{Node: s.node}
	}
	groups, err := x.groups(set, s.typ)
	if err != nil {
		return err
	}
	if err := x.visit(len(groups)); err != nil {
		return err
	}
	for _, g := range groups {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		if err := x.fieldOf(s, g, out, inherited, suffix); err != nil {
			return err
		}
	}
	return nil
}

func (x *executor) fieldOf(s subject, g group, out *object, inherited bool, suffix string) error {
	isResource := s.typ.Kind == definition.KindResource
	switch {
	case g.Name == "__typename":
		return x.put(g, out, inherited, suffix, textValue(typeName(s.typ)))
	case g.Name == "resourceType" && isResource:
		return x.put(g, out, inherited, suffix, textValue(s.typ.Name))
	case g.Name == "resource" && s.typ.Is("Reference"):
		return x.reference(s, g, out, inherited, suffix)
	}
	if isResource {
		if t, connection := x.searched(g.Name); t != nil {
			return x.search(g, t, connection, s.resource, out, inherited, suffix)
		}
	}
	name, sibling := strings.CutPrefix(g.Name, "_")
	elem, ref := s.typ.JSONChild(name)
	if ref == nil {
		return nil // of another type than the one at hand; the check has found one that has it
	}
	items := x.items(s, name, ref, sibling)
	if err := x.visit(len(items)); err != nil {
		return err
	}
	items, err := x.filter(g, ref, items)
	if err != nil {
		return err
	}
	return x.list(g, items, 0, elem.Max != 1, ref.Type.Kind == definition.KindPrimitive && !sibling, out, inherited, suffix)
}

// items returns the values of an element. sibling asks for the objects that hold the ids and extensions of primitives.
func (x *executor) items(s subject, name string, ref *definition.TypeRef, sibling bool) []subject {
	val, sib := s.node.Get(name), fhir.Node{}
	if ref.Type.Kind == definition.KindPrimitive {
		sib = s.node.Get("_" + name)
	}
	if sibling {
		val = sib
	}
	one := func(val, sib fhir.Node) subject {
		r := s.resource
		if ref.Type.Kind == definition.KindResource {
			r = fhir.Resource{Node: val}
		}
		return subject{node: val, sibling: sib, typ: ref.Type, resource: r}
	}
	if val.Kind() != fhir.Array {
		if !val.Valid() {
			return nil
		}
		return []subject{one(val, sib)}
	}
	var items []subject
	other := sib.First()
	for c := range val.Children() {
		if c.Kind() != fhir.Null {
			items = append(items, one(c, other))
		}
		other = other.Next()
	}
	return items
}

// list puts the values of a field into out, as its directives say. before is how many values of the field came before these.
func (x *executor) list(g group, items []subject, before int, repeats, primitive bool, out *object, inherited bool, suffix string) error {
	flatten, first := g.Directives.ForName("flatten") != nil, g.Directives.ForName("first") != nil
	slice, err := x.slice(g)
	if err != nil {
		return err
	}
	many := repeats && !first || inherited
	for i, item := range items {
		if i += before; i > 0 && first {
			break
		}
		part := suffix
		if slice != "" {
			name := strconv.Itoa(i)
			if slice != "$index" {
				if name, err = x.sliceOf(slice, item); err != nil {
					return err
				}
			}
			part += "." + name
		}
		switch {
		case primitive:
			err = x.putNode(g, out, many, suffix, item.node)
		case flatten:
			err = x.element(item, g.SelectionSet, out, many, part)
		default:
			o := &object{}
			if err = x.put(g, out, many, suffix, value{object: o}); err == nil {
				err = x.element(item, g.SelectionSet, o, false, part)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// slice returns the expression of @slice; "" where the field has none.
func (x *executor) slice(g group) (string, error) {
	d := g.Directives.ForName("slice")
	if d == nil {
		return "", nil
	}
	a := d.Arguments.ForName("path")
	if a == nil {
		a = d.Arguments.ForName("fhirpath")
	}
	return x.text(a.Value)
}

// sliceOf returns the name of the slice that an item is in.
func (x *executor) sliceOf(expr string, item subject) (string, error) {
	p, err := x.compile(expr, item.typ)
	if err != nil {
		return "", err
	}
	found, err := p.Eval(fhirpath.ElementItem(item.node, item.sibling, item.typ), x.env(item))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].Text(), nil
}

func (x *executor) env(s subject) *fhirpath.Env {
	return &fhirpath.Env{Context: x.ctx, Spent: &x.spent, Resource: fhirpath.ResourceItem(x.s.reg, s.resource)}
}

// filter keeps the items that the arguments of a list ask for.
func (x *executor) filter(g group, ref *definition.TypeRef, items []subject) ([]subject, error) {
	offset, count := 0, -1
	for _, a := range g.Arguments {
		switch a.Name {
		case "_offset", "_count":
			n, err := x.number(a)
			if err != nil {
				return nil, err
			}
			if a.Name == "_offset" {
				offset = n
			} else {
				count = n
			}
		case "fhirpath":
			text, err := x.text(a.Value)
			if err != nil {
				return nil, err
			}
			p, err := x.compile(text, ref.Type)
			if err != nil {
				return nil, err
			}
			kept := items[:0:0]
			for _, item := range items {
				holds, _, err := p.True(fhirpath.ElementItem(item.node, item.sibling, item.typ), x.env(item))
				if err != nil {
					return nil, err
				}
				if holds {
					kept = append(kept, item)
				}
			}
			items = kept
		default:
			texts, err := x.texts(a.Value)
			if err == nil {
				err = x.visit(len(texts))
			}
			if err != nil {
				return nil, err
			}
			kept := items[:0:0]
			for _, item := range items {
				has, err := x.hasText(item.node.Get(a.Name), texts)
				if err != nil {
					return nil, err
				}
				if has {
					kept = append(kept, item)
				}
			}
			items = kept
		}
	}
	items = items[min(offset, len(items)):]
	if count >= 0 {
		items = items[:min(count, len(items))]
	}
	return items, nil
}

// hasText reports whether a value, or an item of an array, is one of texts.
func (x *executor) hasText(v fhir.Node, texts []string) (bool, error) {
	if v.Kind() != fhir.Array {
		if err := x.visit(1 + len(texts)); err != nil {
			return false, err
		}
		return v.Valid() && slices.Contains(texts, v.Text()), nil
	}
	for c := range v.Children() {
		if has, err := x.hasText(c, texts); has || err != nil {
			return has, err
		}
	}
	return false, nil
}
