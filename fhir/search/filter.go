package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// What _filter means (http://hl7.org/fhir/R4/search_filter.html). "The compareOp is always evaluated against the set of values produced by
// evaluating the param path": all operators but two ask whether one value of the set satisfies them, "pr false" and ni whether none does. They
// are built of what other searches are built of, and so mean the same.

// filterSystems "are predefined and can be used in place of their associated full namespace".
var filterSystems = map[string]string{
	"loinc": "http://loinc.org", "snomed": "http://snomed.info/sct", "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm", "ucum": ucumSystem,
}

// filterElements are the parameters that the page defines for filters: names of elements with a filter in brackets behind them, of which one
// and the same satisfies all. What they stand for are the components of a composite. Those of parameters that R4 has no more are not here.
var filterElements = map[string]struct {
	composite string
	children  []string // the components' names, in their order
}{
	"http://hl7.org/fhir/SearchParameter/Group-characteristic":        {"characteristic-value", []string{"code", "value"}},
	"http://hl7.org/fhir/SearchParameter/DocumentReference-relatesto": {"relationship", []string{"code", "target"}},
}

// filter reads a _filter over resources of the types.
func (q *reading) filter(types []string, text string) (Expr, error) {
	n, err := readFilter(text)
	if err != nil {
		return nil, err
	}
	return q.filterNode(types, n, 0)
}

// filterNode returns the condition of a filter; depth counts the references followed so far.
func (q *reading) filterNode(types []string, n *filterNode, depth int) (Expr, error) {
	if n.logic == "" {
		return q.filterTest(types, &n.test, depth)
	}
	list := make([]Expr, len(n.kids))
	for i, kid := range n.kids {
		var err error
		if list[i], err = q.filterNode(types, kid, depth); err != nil {
			return nil, err
		}
	}
	switch n.logic {
	case "not":
		return Not{Expr: list[0]}, nil
	case "or":
		return anyOf(list), nil
	}
	return allOf(list), nil
}

// filterTest returns the condition of one test.
func (q *reading) filterTest(types []string, t *filterTest, depth int) (Expr, error) {
	none := false
	test := *t
	switch test.compare {
	case "pr":
		if test.value != "true" && test.value != "false" {
			return nil, badFilter("the value of pr is true or false")
		}
		none, test.value = test.value == "false", "true"
	case "ni":
		none, test.compare = true, "in"
	}
	e, err := q.filterPath(types, test.path, &test, depth)
	if err == nil && none {
		e = Not{Expr: e}
	}
	return e, err
}

// filterPath follows a path to its last name, whose values are compared.
func (q *reading) filterPath(types []string, path []filterStep, t *filterTest, depth int) (Expr, error) {
	if err := q.followed(depth); err != nil {
		return nil, err
	}
	step := path[0]
	if name, ok := strings.CutPrefix(step.name, "_has:"); ok {
		return q.filterHas(types, name, path, t, depth)
	}
	if len(path) == 1 {
		return q.filterLeaf(types, step, t)
	}
	if e, ok, err := q.filterElement(types, path, t); ok || err != nil {
		return e, err
	}
	next := path[1].name
	if next == "id" {
		next = SortByID
	}
	return q.chain(types, step.name, step.of, next, func(types []string) (Expr, error) {
		e, err := q.filterPath(types, path[1:], t, depth+1)
		if err != nil || step.within == nil {
			return e, err
		}
		within, err := q.filterNode(types, step.within, depth+1)
		return And{within, e}, err
	})
}

// filterHas reads a path that begins with "_has:Type:reference:name".
func (q *reading) filterHas(types []string, name string, path []filterStep, t *filterTest, depth int) (Expr, error) {
	source, rest, _ := strings.Cut(name, ":")
	code, rest, _ := strings.Cut(rest, ":")
	if rest == "" || path[0].within != nil {
		return nil, badFilter(`_has is "_has:Type:reference:parameter"`)
	}
	further := slices.Clone(path)
	further[0] = filterStep{name: rest}
	if !strings.HasPrefix(rest, "_has:") {
		further[0].name, further[0].of, _ = strings.Cut(rest, ":")
	}
	return q.hasThrough(types, source, code, func(types []string) (Expr, error) {
		return q.filterPath(types, further, t, depth+1)
	})
}

// filterElement reads a path over one of filterElements, "relatesTo[code eq replaces].target re X"; ok is false for any other.
func (q *reading) filterElement(types []string, path []filterStep, t *filterTest) (e Expr, ok bool, err error) {
	if len(types) != 1 || len(path) != 2 || path[0].within == nil {
		return nil, false, nil
	}
	p, ok := q.params.Lookup(types[0], strings.ToLower(path[0].name))
	if !ok {
		return nil, false, nil
	}
	of, ok := filterElements[p.URL]
	if !ok {
		return nil, false, nil
	}
	composite, ok := q.params.Lookup(types[0], of.composite)
	if !ok || composite.components == nil {
		return nil, false, nil
	}
	q.types = types
	child := func(n *filterTest) ([]condition, error) {
		i := -1
		if len(n.path) == 1 {
			i = slices.Index(of.children, strings.ToLower(n.path[0].name))
		}
		if i < 0 {
			return nil, badFilter("inside and behind these brackets stand " + strings.Join(of.children, " and "))
		}
		list, err := q.compared(composite.components[i], n)
		for j := range list {
			list[j].suffix = ""
			where := slices.Clone(list[j].where)
			for k := range where {
				where[k].Part = i + 1
			}
			list[j].where = where
		}
		return list, err
	}
	within, err := elementConditions(path[0].within, child)
	if err != nil {
		return nil, false, err
	}
	last := *t
	last.path = path[1:]
	if t.compare == "pr" {
		return expr(composite.Code, within), true, nil
	}
	list, err := child(&last)
	if err == nil {
		err = q.count(len(within) * len(list))
	}
	if err != nil {
		return nil, false, err
	}
	return expr(composite.Code, bothOf(within, list)), true, nil
}

// elementConditions returns what one element must satisfy for a filter in brackets.
func elementConditions(n *filterNode, child func(*filterTest) ([]condition, error)) ([]condition, error) {
	switch n.logic {
	case "":
		return child(&n.test)
	case "not":
		return nil, badFilter("not is not served inside the brackets of an element; put it in front")
	}
	var out []condition
	for i, kid := range n.kids {
		list, err := elementConditions(kid, child)
		if err != nil {
			return nil, err
		}
		both := i > 0 && n.logic != "or"
		alternatives := len(out) + len(list)
		if both {
			alternatives = len(out) * len(list)
		}
		if alternatives > maxFilterTests {
			return nil, tooCostly("the brackets of an element have at most " + strconv.Itoa(maxFilterTests) + " alternatives")
		}
		if both {
			out = bothOf(out, list)
		} else {
			out = append(out, list...)
		}
	}
	return out, nil
}

// bothOf returns the combinations of conditions of two lists.
func bothOf(a, b []condition) []condition {
	out := make([]condition, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, condition{where: slices.Concat(x.where, y.where)})
		}
	}
	return out
}

// filterLeaf compares the values of one parameter.
func (q *reading) filterLeaf(types []string, step filterStep, t *filterTest) (Expr, error) {
	code := step.name
	if step.of != "" {
		return nil, badFilter("a type behind a colon says where a chain goes on")
	}
	if _, own := q.params.Lookup(types[0], code); code == "id" && !own {
		code = SortByID
	}
	if code == "_filter" {
		return nil, badFilter("a filter has no filters but in brackets")
	}
	if code == "_list" && t.compare == "eq" {
		return q.list("", t.value)
	}
	list, err := q.lookup(types, code)
	if err != nil {
		return nil, err
	}
	q.types = types
	var out []Expr
	for _, p := range list {
		e, err := q.filterValues(p, t)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err := q.count(1); err != nil {
		return nil, err
	}
	if len(out) > 1 && list[0].Type == "token" {
		return nil, badValue(fhir.IDAmbiguousParameter, "the value means something else for each of the types searched; search one type at a time")
	}
	return anyOf(out), nil
}

// filterValues compares the values of a parameter with an operator.
func (q *reading) filterValues(p *Parameter, t *filterTest) (Expr, error) {
	switch {
	case t.compare == "pr":
		if p.Type == "composite" {
			return Some{Param: p.Code}, nil
		}
		return missing(p, "false")
	case p.Code == SortByID && (t.compare == "eq" || t.compare == "ne"):
		m := modifierNone
		if t.compare == "ne" {
			m = modifierNot
		}
		return keys(m, []string{t.value})
	case t.compare == "eq" && p.Code == phonetic:
		return phoneticExpr(p, t.value)
	case (t.compare == "eq" || t.compare == "co") && (p.Code == "_text" || p.Code == "_content"):
		return textExpr(p.Code, t.value)
	case p.Code == SortByID || p.Code == phonetic || p.Code == "_text" || p.Code == "_content":
		return nil, badOperator(p, t.compare)
	}
	if t.compare == "eq" {
		q.checkBinding(p, t.value)
	}
	if p.Type == "reference" {
		if err := q.checkIDs(p, []string{t.value}); err != nil {
			return nil, err
		}
	}
	list, err := q.compared(p, t)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return Or{}, nil // a value set without members
	}
	return expr(p.Code, list), q.count(len(list))
}

func badOperator(p *Parameter, operator string) error {
	ops := filterOperators[p.Type]
	return unknown(fhir.IDBadFilter, "the "+p.Type+" parameter "+quote(p.Code)+" has no operator "+quote(operator)+", it has "+strings.Join(ops, " ")+" pr", operator, ops)
}

// filterOperators are the operators of each search type, beside pr.
var filterOperators = map[string][]string{
	"string":    {"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"},
	"uri":       {"eq", "ne", "co", "sw", "ew"},
	"number":    {"eq", "ne", "co", "gt", "lt", "ge", "le", "ap", "sa", "eb"},
	"date":      {"eq", "ne", "co", "gt", "lt", "ge", "le", "ap", "sa", "eb", "po"},
	"quantity":  {"eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"},
	"token":     {"eq", "ne", "ss", "sb", "in", "ni"},
	"reference": {"eq", "re"},
	"composite": {"eq"},
	"special":   {"eq"},
}

// filterOps are the operators of fields that compare as strings.
var filterOps = map[string]Op{"eq": Eq, "co": Contains, "sw": Prefix, "ew": Suffix, "gt": Gt, "lt": Lt, "ge": Ge, "le": Le}

// maxEnding bounds the value of ew.
const maxEnding = 4 << 10

// compared returns what an entry must satisfy to stand in the operator's relation to the value.
func (q *reading) compared(p *Parameter, t *filterTest) ([]condition, error) {
	if !slices.Contains(filterOperators[p.Type], t.compare) {
		return nil, badOperator(p, t.compare)
	}
	value := t.value
	switch p.Type {
	case "string", "uri":
		field := URI
		if p.Type == "string" {
			field = Folded
			if value = fold(value); value == "" {
				return nil, badValue(fhir.IDBadString, "a text of punctuation or spaces alone matches nothing")
			}
		}
		if t.compare == "ne" {
			return one(Comparison{Field: field, Op: Eq, Value: value}).unequal(), nil
		}
		if t.compare == "ew" && len(value) > maxEnding {
			return nil, tooCostly("the value of ew has at most " + strconv.Itoa(maxEnding) + " bytes")
		}
		return one(Comparison{Field: field, Op: filterOps[t.compare], Value: value}), nil
	}
	if !wellEscaped(value) {
		return nil, badValue(fhir.IDBadEscape, `a backslash stands before "," "$" "|" or "\"; write "\\" for one that belongs to the value`)
	}
	value = fullSystems(value)
	switch p.Type {
	case "date":
		if t.compare == "co" || t.compare == "po" {
			d, ok := parseQueryDate(unescape(value))
			if !ok {
				return nil, badValue(fhir.IDBadDate, "a date is yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss[.fff]][zone], with a day that its month has")
			}
			iv := queryDateInterval(prefixEq, d, q.params.zone, q.now)
			if t.compare == "po" {
				return alternatives("", prefixAp.compare(iv)), nil // which is what overlaps
			}
			return includes(iv), nil
		}
		value = t.compare + value
	case "number":
		if t.compare == "co" {
			n, ok := parseQueryNumber(value)
			if !ok {
				return nil, badValue(fhir.IDBadNumber, "a number is decimal, as 5.4 or 1e2")
			}
			return includes(numberPoint(n.value)), nil
		}
		value = t.compare + value
	case "quantity":
		value = t.compare + value
	case "token":
		switch t.compare {
		case "ne":
			list, err := q.value(p, modifierNone, "", value)
			return conditions(list).unequal(), err
		case "ss":
			return q.value(p, modifierBelow, "", value)
		case "sb":
			return q.value(p, modifierAbove, "", value)
		case "in":
			return q.value(p, modifierIn, "", value)
		}
	}
	return q.value(p, modifierNone, "", value)
}

// includes returns the condition that a stored range includes another.
func includes(iv interval) []condition {
	return one(Comparison{Field: Lo, Op: Le, Value: iv.lo}, Comparison{Field: Hi, Op: Ge, Value: iv.hi})
}

// fullSystems replaces the short names of systems in a token, a quantity or a composite of them.
func fullSystems(value string) string {
	parts := splitEscaped(value, '$')
	for i, part := range parts {
		of := splitEscaped(part, '|')
		for j := range of[:len(of)-1] {
			if full, ok := filterSystems[of[j]]; ok {
				of[j] = full
			}
		}
		parts[i] = strings.Join(of, "|")
	}
	return strings.Join(parts, "$")
}

// unequal returns what an entry must satisfy to satisfy none of the conditions, which are of equalities on an entry's own fields.
func (list conditions) unequal() []condition {
	out := []condition{{}}
	for _, c := range list {
		var next []condition
		for _, have := range out {
			for _, cmp := range c.where {
				for _, op := range [...]Op{Lt, Gt} {
					if op == Lt && cmp.Value == "" {
						continue // nothing is less
					}
					next = append(next, condition{suffix: c.suffix, where: append(slices.Clone(have.where), Comparison{Field: cmp.Field, Op: op, Value: cmp.Value})})
				}
			}
		}
		out = next
	}
	return out
}
