package graphql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// readOnce is what a reference was resolved to.
type readOnce struct {
	resource fhir.Resource
	err      error
}

// resolve reads what a reference names, once a query.
func (x *executor) resolve(reference string) (fhir.Resource, error) {
	if r := x.read[reference]; r != nil {
		return r.resource, r.err
	}
	if err := x.charge(); err != nil {
		return fhir.Resource{}, err
	}
	r := &readOnce{}
	r.resource, r.err = x.src.Resolve(x.ctx, reference)
	if err := x.weigh(r.resource); err != nil {
		return fhir.Resource{}, err
	}
	x.read[reference] = r
	return r.resource, r.err
}

// weigh counts the bytes of what was read.
func (x *executor) weigh(r fhir.Resource) error {
	if x.readBytes += len(r.Raw()); x.readBytes > x.s.lim.ReadBytes {
		return tooCostly("the query reads too much from the store")
	}
	return nil
}

// charge counts a read of the store.
func (x *executor) charge() error {
	if x.reads++; x.reads > x.s.lim.Reads {
		return tooCostly("the query reads the store too often")
	}
	return x.ctx.Err()
}

// reference puts the resource that a Reference names under the field resource (R4 graphql, Following References).
func (x *executor) reference(s subject, g group, out *object, inherited bool, suffix string) error {
	optional, typ := false, ""
	for _, a := range g.Arguments {
		var err error
		switch a.Name {
		case "optional":
			optional, err = x.boolean(a)
		case "type":
			typ, err = x.text(a.Value)
		default:
			err = bad(a.Position, fhir.IDGraphQLArgument, "the field resource has no argument "+a.Name)
		}
		if err != nil {
			return err
		}
	}
	text := s.node.Get("reference").Text()
	if text == "" {
		return nil
	}
	var r fhir.Resource
	if id, ok := strings.CutPrefix(text, "#"); ok {
		for c := range s.resource.Get("contained").Children() {
			if err := x.visit(1); err != nil {
				return err
			}
			if c.Get("id").Text() == id {
				r = fhir.Resource{Node: c}
			}
		}
	} else {
		if before, _, ok := strings.Cut(text, "/"); ok && typ != "" && before != typ {
			if _, named := x.s.reg.Resource(before); named {
				return nil
			}
		}
		var err error
		if r, err = x.resolve(text); err != nil && fhir.KindOf(err) != fhir.KindNotFound && fhir.KindOf(err) != fhir.KindGone && fhir.KindOf(err) != fhir.KindInvalid {
			return err
		}
	}
	if !r.Valid() {
		if optional {
			return nil
		}
		return fhir.NewError(fhir.KindUnprocessable, fhir.IssueNotFound, fhir.IDGraphQLReference,
			"a reference in "+g.key+" cannot be followed; resource(optional: true) leaves out those that cannot")
	}
	if typ != "" && r.Type() != typ {
		return nil
	}
	t, ok := x.s.reg.Resource(r.Type())
	if !ok {
		return nil
	}
	return x.list(g, []subject{{node: r.Node, typ: t, resource: r}}, 0, false, false, out, inherited, suffix)
}

// searched returns the resource type that a field [type]List or [type]Connection searches; nil for any other field.
func (x *executor) searched(name string) (t *definition.Type, connection bool) {
	typ, ok := strings.CutSuffix(name, "List")
	if !ok {
		if typ, connection = strings.CutSuffix(name, "Connection"); !connection {
			return nil, false
		}
	}
	t, _ = x.s.reg.Resource(typ)
	return t, connection
}

// parameters makes the search parameters of a field's arguments. GraphQL's names have no dash, so an underscore that is not the first character
// stands for one. from is the resource that _reference makes the search's target; the zero Resource at the root.
func (x *executor) parameters(f *ast.Field, from fhir.Resource) (pairs []search.Pair, cursor bool, err error) {
	for _, a := range f.Arguments {
		texts, err := x.texts(a.Value)
		if err != nil {
			return nil, false, err
		}
		name := a.Name
		switch name {
		case "_reference":
			if !from.Valid() {
				return nil, false, bad(a.Position, fhir.IDGraphQLArgument, "_reference is for searches within a resource")
			}
			if len(texts) != 1 {
				return nil, false, bad(a.Position, fhir.IDGraphQLArgument, "_reference is the name of a search parameter")
			}
			pairs = append(pairs, search.Pair{Name: dashed(texts[0]), Value: from.Key().String()})
			continue
		case "_cursor":
			if len(texts) != 1 {
				return nil, false, bad(a.Position, fhir.IDGraphQLArgument, "_cursor is one text")
			}
			query, err := search.ReadQuery(texts[0])
			if err != nil {
				return nil, false, err
			}
			return query, true, nil
		}
		for _, text := range texts {
			pairs = append(pairs, search.Pair{Name: dashed(name), Value: text})
		}
	}
	return pairs, false, nil
}

func dashed(name string) string {
	if name == "" {
		return ""
	}
	return name[:1] + strings.ReplaceAll(name[1:], "_", "-")
}

// page searches one page.
func (x *executor) page(t *definition.Type, pairs []search.Pair) (fhir.Resource, error) {
	if err := x.charge(); err != nil {
		return fhir.Resource{}, err
	}
	bundle, err := x.src.Search(x.ctx, t.Name, pairs)
	if err == nil {
		err = x.weigh(bundle)
	}
	return bundle, err
}

// search puts what a search finds into out.
func (x *executor) search(g group, t *definition.Type, connection bool, from fhir.Resource, out *object, inherited bool, suffix string) error {
	pairs, resumed, err := x.parameters(g.Field, from)
	if err != nil {
		return err
	}
	if connection {
		return x.connection(g, t, pairs, resumed, out, inherited, suffix)
	}
	// Each page goes into the result before the next one is read.
	one := resumed || slices.ContainsFunc(pairs, func(p search.Pair) bool { return p.Name == "_count" })
	first := g.Directives.ForName("first") != nil
	for found := 0; ; {
		bundle, err := x.page(t, pairs)
		if err != nil {
			return err
		}
		var items []subject
		for entry := range bundle.Get("entry").Children() {
			if mode := entry.Get("search").Get("mode").Text(); mode != "" && mode != "match" {
				continue
			}
			r := fhir.Resource{Node: entry.Get("resource")}
			items = append(items, subject{node: r.Node, typ: t, resource: r})
		}
		if err := x.list(g, items, found, true, false, out, inherited, suffix); err != nil {
			return err
		}
		found += len(items)
		next := link(bundle, "next")
		if one || next == "" || first && found > 0 {
			return nil
		}
		if pairs, err = search.ReadQuery(next); err != nil {
			return err
		}
	}
}

// link returns the query of a Bundle's link, which is the cursor of a connection; "" where there is none.
func link(bundle fhir.Resource, relations ...string) string {
	for l := range bundle.Get("link").Children() {
		if slices.Contains(relations, l.Get("relation").Text()) {
			_, query, _ := strings.Cut(l.Get("url").Text(), "?")
			return query
		}
	}
	return ""
}

// connection puts a page of a search into out, with its cursors (R4 graphql, Searching, Connections).
func (x *executor) connection(g group, t *definition.Type, pairs []search.Pair, resumed bool, out *object, inherited bool, suffix string) error {
	groups, err := x.groups(g.SelectionSet, nil)
	if err != nil {
		return err
	}
	counted := slices.ContainsFunc(groups, func(g group) bool { return g.Name == "count" })
	if has := slices.ContainsFunc(pairs, func(p search.Pair) bool { return p.Name == "_total" }); counted && !has && !resumed {
		pairs = append(pairs, search.Pair{Name: "_total", Value: "accurate"})
	}
	bundle, err := x.page(t, pairs)
	if err != nil {
		return err
	}
	o := &object{}
	if err := x.put(g, out, inherited, suffix, value{object: o}); err != nil {
		return err
	}
	for _, g := range groups {
		text := func(s string) error {
			if s == "" {
				return nil
			}
			return x.put(g, o, false, "", textValue(s))
		}
		switch g.Name {
		case "__typename":
			err = text(t.Name + "Connection")
		case "count":
			if total := bundle.Get("total"); total.Valid() {
				err = x.putNode(g, o, false, "", total)
			}
		case "offset":
			if !resumed {
				err = x.put(g, o, false, "", intValue(0))
			}
		case "pagesize":
			size := bundle.Get("entry").Len()
			if asked, e := search.ReadQuery(link(bundle, "self")); e == nil {
				for _, p := range append(asked, pairs...) {
					if n, e := strconv.Atoi(p.Value); e == nil && p.Name == "_count" {
						size = n
					}
				}
			}
			err = x.put(g, o, false, "", intValue(size))
		case "first", "next", "last":
			err = text(link(bundle, g.Name))
		case "previous":
			err = text(link(bundle, "previous", "prev"))
		case "edges":
			err = x.edges(g, t, bundle, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *executor) edges(g group, t *definition.Type, bundle fhir.Resource, out *object) error {
	groups, err := x.groups(g.SelectionSet, nil)
	if err != nil {
		return err
	}
	for entry := range bundle.Get("entry").Children() {
		if entry.Get("search").Get("mode").Text() == "outcome" {
			continue
		}
		o := &object{}
		if err := x.put(g, out, true, "", value{object: o}); err != nil {
			return err
		}
		for _, g := range groups {
			switch g.Name {
			case "__typename":
				err = x.put(g, o, false, "", textValue(t.Name+"Edge"))
			case "mode", "score":
				if n := entry.Get("search").Get(g.Name); n.Valid() {
					err = x.putNode(g, o, false, "", n)
				}
			case "resource":
				r := fhir.Resource{Node: entry.Get("resource")}
				any, _ := x.s.reg.Type("Resource")
				err = x.list(g, []subject{{node: r.Node, typ: any, resource: r}}, 0, false, false, o, false, "")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// system puts the fields of the system's root into out.
func (x *executor) system(set ast.SelectionSet, out *object) error {
	groups, err := x.groups(set, nil)
	if err != nil {
		return err
	}
	for _, g := range groups {
		switch g.Name {
		case "__typename":
			err = x.put(g, out, false, "", textValue("Query"))
		case "__schema", "__type":
			err = x.introspect(g, out)
		default:
			if t, connection := x.searched(g.Name); t != nil {
				err = x.search(g, t, connection, fhir.Resource{}, out, false, "")
				break
			}
			err = x.byID(g, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// byID reads the resource of a field [type](id: ...).
func (x *executor) byID(g group, out *object) error {
	var id string
	for _, a := range g.Arguments {
		if a.Name != "id" {
			return bad(a.Position, fhir.IDGraphQLArgument, "the field "+g.Name+" has no argument "+a.Name)
		}
		var err error
		if id, err = x.text(a.Value); err != nil {
			return err
		}
	}
	if !fhir.ValidID(id) {
		return bad(g.Position, fhir.IDInvalidID, "an id is 1 to 64 letters, digits, dashes and dots")
	}
	r, err := x.resolve(g.Name + "/" + id)
	if err != nil {
		return err
	}
	t, _ := x.s.reg.Resource(g.Name)
	return x.list(g, []subject{{node: r.Node, typ: t, resource: r}}, 0, false, false, out, false, "")
}
