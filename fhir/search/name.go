package search

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// listItem is the parameter that _list follows: "search for resources that are in the list".
const listItem = "http://hl7.org/fhir/SearchParameter/List-item"

// condition reads one parameter of resources of the given types: "code", "code:modifier", a chain "reference.name" or
// "reference:Type.name", and "_has:Type:reference:name". depth counts the references followed so far.
func (q *reading) condition(types []string, name, value string, depth int) (Expr, error) {
	if err := q.followed(depth); err != nil {
		return nil, err
	}
	if rest, ok := strings.CutPrefix(name, "_has"); ok && (rest == "" || rest[0] == ':') {
		return q.has(types, strings.TrimPrefix(rest, ":"), value, depth)
	}
	head, rest, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	switch {
	case name == "_filter":
		return q.filter(types, value)
	case code == "_filter":
		return nil, unknown(fhir.IDUnknownModifier, `"_filter" has no modifiers`, modifier, nil)
	}
	if err := q.typeInName(types, head, rest); err != nil {
		return nil, err
	}
	if code == "" || chained && rest == "" {
		return nil, badValue(fhir.IDUnknownParameter, "the name of a search parameter is missing")
	}
	if chained {
		return q.chain(types, code, modifier, rest, func(types []string) (Expr, error) { return q.condition(types, rest, value, depth+1) })
	}
	return q.leaf(types, code, modifier, value)
}

// followed counts a condition behind depth references against the limits.
func (q *reading) followed(depth int) error {
	if depth > q.limits.Depth {
		return tooCostly("a chain follows at most " + strconv.Itoa(q.limits.Depth) + " references")
	}
	return q.count(1)
}

// count counts n conditions against the limit.
func (q *reading) count(n int) error {
	if q.nodes += n; q.nodes > q.limits.Nodes {
		return tooCostly("a search has at most " + strconv.Itoa(q.limits.Nodes) + " conditions, which a chain multiplies by the types it may go through; name them")
	}
	return nil
}

// countAgain counts the conditions of an expression that stands in two places.
func (q *reading) countAgain(e Expr) error {
	if err := q.count(1); err != nil {
		return err
	}
	list := func(all []Expr) error {
		for _, c := range all {
			if err := q.countAgain(c); err != nil {
				return err
			}
		}
		return nil
	}
	switch e := e.(type) {
	case And:
		return list(e)
	case Or:
		return list(e)
	case Not:
		return q.countAgain(e.Expr)
	case Refers:
		return q.countAgain(e.Where)
	case Referred:
		return q.countAgain(e.Where)
	case Within:
		return q.countAgain(e.Where)
	}
	return nil
}

// lookup returns the parameters that the types have under code: one where they share it. Over all types of the server those of Resource and
// DomainResource are known; over some, what all of them have.
func (q *reading) lookup(types []string, code string) ([]*Parameter, error) {
	all := len(types) == len(q.params.registry.ResourceTypes())
	if all {
		types = []string{"Resource"}
		if _, ok := q.params.Lookup("Resource", code); !ok {
			types = []string{"DomainResource"}
		}
	}
	var out []*Parameter
	for _, typ := range types {
		p, ok := q.params.Lookup(typ, code)
		if !ok {
			var names []string
			for _, p := range q.params.Served(typ) {
				names = append(names, p.Code)
			}
			text := typ + " has no search parameter " + quote(code)
			if all {
				text = q.notOfAll(code)
			}
			return nil, unknown(fhir.IDUnknownParameter, text, code, append(names, "_filter", "_has", "_list", "_type"))
		}
		q.custom = q.custom || p.Custom
		if reason, no := p.Unsupported(); no {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnsupportedParameter, "not supported: "+reason)
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for _, p := range out[1:] {
		if p.Type != out[0].Type {
			return nil, badValue(fhir.IDAmbiguousParameter, "the types searched have different parameters of this name; search one type at a time")
		}
	}
	return out, nil
}

// notOfAll says of a parameter that not every resource type has it.
func (q *reading) notOfAll(code string) string {
	for _, typ := range q.params.registry.ResourceTypes() {
		if _, ok := q.params.Lookup(typ, code); ok {
			return "not every resource type has a search parameter " + quote(code) + "; name types that have it, in the path or with _type"
		}
	}
	return "no resource type has a search parameter " + quote(code)
}

// reference returns the parameters that the types have under code, which must be references that can be followed.
func (q *reading) reference(types []string, code string) ([]*Parameter, error) {
	list, err := q.lookup(types, code)
	if err != nil {
		return nil, err
	}
	if list[0].Type != "reference" {
		return nil, badValue(fhir.IDBadChain, "the parameter "+quote(code)+" is a "+list[0].Type+", and only references can be followed")
	}
	return list, nil
}

// canonicalOnly reports whether the parameters that share a code read canonicals alone.
func canonicalOnly(list []*Parameter) bool {
	return !slices.ContainsFunc(list, func(p *Parameter) bool { return !p.CanonicalOnly() })
}

// inPlace reports whether the parameters that share a code read resources that stand in place.
func inPlace(list []*Parameter) bool {
	return slices.ContainsFunc(list, (*Parameter).inPlace)
}

// byURL returns those of the targets that the references may name by their url.
func (q *reading) byURL(ref []*Parameter, targets []string) []string {
	if !slices.ContainsFunc(ref, (*Parameter).namesByURL) {
		return nil
	}
	var out []string
	for _, t := range targets {
		if q.params.Nameable(t) {
			out = append(out, t)
		}
	}
	return out
}

// canonicals returns the one of this search, or refuses to follow canonicals where it has none.
func (q *reading) canonicals() (*Canonicals, error) {
	if q.opt.Canonicals == nil {
		return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnsupportedParameter, "not supported: canonicals are not followed here")
	}
	return q.opt.Canonicals, nil
}

// chainTargets returns the types that a chain over the references ref may go on with: of, where the chain names it, else those of the
// references' targets that know what follows.
func (q *reading) chainTargets(types []string, ref []*Parameter, of, rest string) ([]string, error) {
	var targets []string
	q.types = types
	for _, p := range ref {
		t := q.targets(p)
		if len(t) == 0 {
			t = q.params.registry.ResourceTypes()
		}
		targets = append(targets, t...)
	}
	slices.Sort(targets)
	targets = slices.Compact(targets)
	if of != "" {
		if !slices.Contains(targets, of) {
			return nil, unknown(fhir.IDUnknownModifier, "the parameter "+quote(ref[0].Code)+" does not point to "+quote(of), of, targets)
		}
		return []string{of}, nil
	}
	if strings.HasPrefix(rest, "_has:") || rest == "_filter" {
		return targets, nil
	}
	head, _, _ := strings.Cut(rest, ".")
	code, _, _ := strings.Cut(head, ":")
	var known, names []string
	for _, t := range targets {
		if _, ok := q.params.Lookup(t, code); ok || code == "_list" {
			known = append(known, t)
			continue
		}
		if len(targets) < 8 {
			for _, p := range q.params.Of(t) {
				names = append(names, p.Code)
			}
		}
	}
	if len(known) == 0 {
		return nil, unknown(fhir.IDUnknownParameter, "nothing that "+quote(ref[0].Code)+" points to has a search parameter "+quote(code), code, names)
	}
	return known, nil
}

// chainCost is how many conditions following one reference to one type counts as.
const chainCost = 20

// chain reads "code.rest" (https://hl7.org/fhir/R4/search.html#chaining), of which inner reads the rest for one type.
func (q *reading) chain(types []string, code, of, rest string, inner func(types []string) (Expr, error)) (Expr, error) {
	ref, err := q.reference(types, code)
	if err != nil {
		return nil, err
	}
	targets, err := q.chainTargets(types, ref, of, rest)
	if err != nil {
		return nil, err
	}
	named := q.byURL(ref, targets)
	if canonicalOnly(ref) {
		if targets = named; len(targets) == 0 {
			return nil, badValue(fhir.IDBadChain, "the parameter "+quote(code)+" names resources by their url, and none that could be meant has one")
		}
	}
	var list []Expr
	var first error
	for _, t := range targets {
		if err := q.count(chainCost); err != nil {
			return nil, err
		}
		where, err := inner([]string{t})
		if err == nil {
			if err := q.countAgain(where); err != nil {
				return nil, err
			}
			if inPlace(ref) {
				list = append(list, Within{Param: code, Target: t, InPlace: true, Where: where})
				continue
			}
			list = append(list, Refers{Param: code, Target: t, Where: where}, Within{Param: code, Target: t, Where: where})
			if slices.Contains(named, t) {
				e, err := q.throughURL(code, t, where)
				if err != nil {
					return nil, err
				}
				list = append(list, e)
			}
			continue
		}
		if found := issuesOf("", err); fatal(found) {
			return nil, err
		}
		if first == nil {
			first = err
		}
	}
	// A target for which the value makes no sense can't match. Where it makes none for any, that is an error.
	if len(list) == 0 {
		return nil, first
	}
	return anyOf(list), nil
}

// throughURL returns the condition that a canonical of the parameter code names a resource of type t that satisfies where.
func (q *reading) throughURL(code, t string, where Expr) (Expr, error) {
	c, err := q.canonicals()
	if err != nil {
		return nil, err
	}
	if err := q.count(namesCost); err != nil {
		return nil, err
	}
	names, err := c.Names(t, where)
	if err == nil {
		err = q.count(len(names))
	}
	return CanonicalIn(code, names), err
}

// What looking up the names of resources, and which resources are named, counts as.
const (
	namesCost = 100
	namedCost = 1_000
)

// has reads what follows "_has:": "Type:reference:name" (https://hl7.org/fhir/R4/search.html#has).
func (q *reading) has(types []string, name, value string, depth int) (Expr, error) {
	parts := strings.SplitN(name, ":", 3)
	if len(parts) < 3 || parts[2] == "" {
		return nil, badValue(fhir.IDBadChain, `_has is "_has:Type:reference:parameter"`)
	}
	return q.hasThrough(types, parts[0], parts[1], func(types []string) (Expr, error) { return q.condition(types, parts[2], value, depth+1) })
}

// hasThrough reads "_has:source:code:" of which inner reads what follows.
func (q *reading) hasThrough(types []string, source, code string, inner func(types []string) (Expr, error)) (Expr, error) {
	if _, ok := q.params.registry.Resource(source); !ok {
		return nil, unknown(fhir.IDUnknownType, "there is no resource type "+quote(source), source, q.params.registry.ResourceTypes())
	}
	ref, err := q.reference([]string{source}, code)
	if err != nil {
		return nil, err
	}
	named := slices.DeleteFunc(q.byURL(ref, types), func(t string) bool { return !ref[0].PointsTo(t) })
	if !slices.ContainsFunc(types, ref[0].PointsTo) || len(named) == 0 && canonicalOnly(ref) {
		return nil, badValue(fhir.IDBadChain, "the parameter "+quote(code)+" of "+source+" does not point to what is searched")
	}
	if len(named) > 0 && len(types) > 1 {
		return nil, badValue(fhir.IDAmbiguousParameter, "the parameter "+quote(code)+" of "+source+" names resources by their url; search one type at a time")
	}
	where, err := inner([]string{source})
	if err != nil {
		return nil, err
	}
	referred := Referred{Source: source, Param: code, Where: where}
	if len(named) == 0 {
		return referred, nil
	}
	c, err := q.canonicals()
	if err != nil {
		return nil, err
	}
	if err := q.count(namedCost); err != nil {
		return nil, err
	}
	ids, err := c.Named(types[0], source, code, where)
	if err != nil {
		return nil, err
	}
	return Or{referred, KeyIn{IDs: ids}}, nil
}

// leaf reads a parameter that no chain leads on from.
func (q *reading) leaf(types []string, code, modifier, value string) (Expr, error) {
	if !wellEscaped(value) {
		return nil, badValue(fhir.IDBadEscape, `a backslash stands before "," "$" "|" or "\"; write "\\" for one that belongs to the value`)
	}
	if code == "_list" {
		return q.list(modifier, value)
	}
	if _, no := unsupportedCode(code); no {
		return nil, unsupportedName(code)
	}
	list, err := q.lookup(types, code)
	if err != nil {
		return nil, err
	}
	var out []Expr
	q.types = types
	for _, p := range list {
		e, err := q.values(p, modifier, value)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o Expr) bool { return reflect.DeepEqual(o, e) }) {
			out = append(out, e)
		}
	}
	if len(out) > 1 && list[0].Type == "token" {
		// The required value sets of the types' elements imply other systems: what finds one type's codes would find another's, too.
		return nil, badValue(fhir.IDAmbiguousParameter, "the value means something else for each of the types searched; search one type at a time")
	}
	return anyOf(out), nil
}

func unsupportedCode(code string) (Unsupported, bool) {
	i := slices.IndexFunc(unsupported, func(u Unsupported) bool { return u.Name == code })
	if i < 0 {
		return Unsupported{}, false
	}
	return unsupported[i], true
}

// list reads _list: the ids of the lists that have the resource as an item (https://hl7.org/fhir/R4/search.html#list).
func (q *reading) list(modifier, value string) (Expr, error) {
	def, ok := q.params.registry.SearchParameterByURL(listItem)
	if modifier != "" || !ok {
		return nil, unknown(fhir.IDUnknownModifier, `"_list" has no modifiers`, modifier, nil)
	}
	var ids []string
	for _, raw := range splitEscaped(value, ',') {
		if strings.HasPrefix(raw, "$") {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDBadList, "not supported: "+functionalLists.Reason)
		}
		id := unescape(raw)
		if typ, local, ok := splitLocal(id); ok && typ == def.Base[0] {
			id = local
		}
		if !fhir.ValidID(id) {
			return nil, badValue(fhir.IDBadList, "_list has ids of lists")
		}
		ids = append(ids, id)
	}
	return Referred{Source: def.Base[0], Param: def.Code, Where: KeyIn{IDs: ids}}, nil
}
