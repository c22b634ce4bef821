package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Tokens (https://hl7.org/fhir/R4/search.html#token): a code and the system that it belongs to. Codes compare without letter case ("When in
// doubt, servers SHOULD treat tokens in a case-insensitive manner"); systems are URIs and compare as they are.

// foldCode returns a code as it is stored and compared.
func foldCode(code string) string { return strings.ToLower(code) }

// tokenCondition compares a token with "code", "system|code", "|code" (no system) or "system|" (any code of it).
func (q *reading) tokenCondition(p *Parameter, raw string) ([]condition, error) {
	parts := splitEscaped(raw, '|')
	switch len(parts) {
	case 1:
		code, err := q.text(parts[0])
		if err != nil {
			return nil, err
		}
		return one(Comparison{Field: Code, Op: Eq, Value: foldCode(code)}), nil
	case 2:
		if p.unscoped() {
			return nil, badValue(fhir.IDBadToken, "the elements of this parameter have no system: give the value alone")
		}
		system, code := unescape(parts[0]), unescape(parts[1])
		if system == "" && code == "" {
			return nil, badValue(fhir.IDBadToken, `a token is "code", "system|code", "|code" or "system|"`)
		}
		return q.codingCondition(p, system, code), nil
	}
	return nil, badValue(fhir.IDBadToken, `a token has at most one "|"; write "\|" for one that belongs to the code`)
}

// unscoped reports whether a token parameter reads elements alone for which "the presence of the pipe symbol SHALL NOT be used". Of the true
// and false of booleans, to which R4 gives a system all the same, it may be.
func (p *Parameter) unscoped() bool {
	e := p.elements()
	return p.Type == "token" && !e.unknown && len(e.types) > 0 &&
		!slices.ContainsFunc(e.types, func(t string) bool { return t != "ContactPoint" && !slices.Contains(canonicalTypes, t) })
}

// codingCondition compares with a system and a code; an empty code stands for any. Elements of type code and boolean have an implicit system,
// which their entries leave out: a question that names it finds them.
func (q *reading) codingCondition(p *Parameter, system, code string) []condition {
	where := []Comparison{{Field: System, Op: Eq, Value: system}}
	if code != "" {
		where = append(where, Comparison{Field: Code, Op: Eq, Value: foldCode(code)})
	}
	out := one(where...)
	if system != "" && code != "" && p.implies(q.params, system, code) {
		out = append(out, condition{where: []Comparison{{Field: System, Op: Eq, Value: ""}, {Field: Code, Op: Eq, Value: foldCode(code)}}})
	}
	return out
}

// ofTypeSeparator stands between the type's code and the value in entries of :of-type.
const ofTypeSeparator = "|"

// ofTypeCondition compares an Identifier with "system|code|value" of its type and value (modifier :of-type); all three are needed.
func ofTypeCondition(raw string) ([]condition, error) {
	parts := splitEscaped(raw, '|')
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return nil, badValue(fhir.IDBadToken, `with :of-type a value is "system|code|value"`)
	}
	return []condition{{":of-type", []Comparison{
		{Field: System, Op: Eq, Value: unescape(parts[0])},
		{Field: Code, Op: Eq, Value: foldCode(unescape(parts[1])) + ofTypeSeparator + foldCode(unescape(parts[2]))},
	}}}, nil
}

// token appends a code with its system. The table is R4's "Interpreting token parameters".
func (x *extraction) token(it *fhirpath.Item) {
	switch n := it.Node(); it.Type() {
	case "CodeableConcept":
		for c := n.Get("coding").First(); c.Valid(); c = c.Next() {
			x.coding(x.rule.plain, c, "code")
			x.display(c)
		}
		if t := n.Get("text"); t.Kind() == fhir.String {
			x.putString(x.rule.names.text, t.Text())
		}
	case "Coding":
		x.coding(x.rule.plain, n, "code")
		x.display(n)
	case "Identifier":
		x.identifier(x.rule.plain, n)
	case "ContactPoint":
		x.putToken(x.rule.plain, "", n.Get("value").Text())
	case "Range", "Quantity", "Period", "Reference":
	default:
		if it.HasValue() {
			x.putToken(x.rule.plain, "", it.Text())
		}
	}
}

// putToken appends a token under a name, unless it is empty.
func (x *extraction) putToken(name, system, code string) {
	if system != "" || code != "" {
		x.put(Entry{Param: name, System: system, Code: foldCode(code)})
	}
}

// coding appends a token under a name from the members system and code (or value) of an object.
func (x *extraction) coding(name string, n fhir.Node, code string) {
	x.putToken(name, textOf(n.Get("system")), textOf(n.Get(code)))
}

func (x *extraction) display(coding fhir.Node) {
	if d := coding.Get("display"); d.Kind() == fhir.String {
		x.putString(x.rule.names.text, d.Text())
	}
}

// identifier appends an Identifier under a name, with its type for :of-type and its type's text for :text.
func (x *extraction) identifier(name string, n fhir.Node) {
	x.coding(name, n, "value")
	t := n.Get("type")
	if !t.Valid() {
		return
	}
	if text := t.Get("text"); text.Kind() == fhir.String {
		x.putString(x.rule.names.text, text.Text())
	}
	value := textOf(n.Get("value"))
	if value == "" {
		return
	}
	for c := t.Get("coding").First(); c.Valid(); c = c.Next() {
		if code := textOf(c.Get("code")); code != "" {
			x.put(Entry{Param: x.rule.names.ofType, System: textOf(c.Get("system")), Code: foldCode(code) + ofTypeSeparator + foldCode(value)})
		}
	}
}

// textOf returns the text of a string; "" for anything else.
func textOf(n fhir.Node) string {
	if n.Kind() != fhir.String {
		return ""
	}
	return n.Text()
}
