package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

const (
	structurePrefix = "http://hl7.org/fhir/StructureDefinition/"
	systemPrefix    = "http://hl7.org/fhirpath/System."
	fhirTypeURL     = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
	regexURL        = "http://hl7.org/fhir/StructureDefinition/regex"
)

// The kinds of types, as definition.TypeKind numbers them.
const (
	kindPrimitive = iota + 1
	kindComplex
	kindBackbone
	kindResource
)

// typeRow is an encoded Type; references are positions in the tables, with 0 for none where that can be.
type typeRow struct {
	name       string
	kind       int
	abstract   bool
	base       string
	regex      string
	elements   []int
	invariants []int
}

// elementRow is an encoded Element without its lists.
type elementRow struct {
	path, name                string
	choice, summary, modifier bool
	min, max                  int
	types                     []refRow
	binding                   int
	invariants                []int
	fixed, pattern            string
}

type refRow struct {
	typ     string
	targets string // joined by a space
	json    string
}

type bindingRow struct{ strength, valueSet string }

type invariantRow struct{ key, severity, human, expression, source string }

// structures collects the tables of types. Elements that say the same, as the inherited ones do, are one row.
type structures struct {
	defs       *definitions
	types      []typeRow
	elements   table[string, elementRow]
	bindings   table[bindingRow, bindingRow]
	invariants table[invariantRow, invariantRow]
}

// types writes every type: of StructureDefinitions by name, each followed by its backbone elements in document order.
func (x *index) types(d *definitions) error {
	s := structures{defs: d}
	for _, name := range d.names {
		if err := s.add(name, d.structures[name]); err != nil {
			return err
		}
	}
	slices.SortFunc(s.types, func(a, b typeRow) int { return strings.Compare(a.name, b.name) })
	number := map[string]int{"": 0}
	for i, t := range s.types {
		number[t.name] = i + 1
	}
	x.num(len(s.bindings.rows))
	for _, b := range s.bindings.rows {
		x.str(b.strength)
		x.str(b.valueSet)
	}
	x.num(len(s.invariants.rows))
	for _, c := range s.invariants.rows {
		x.str(c.key)
		x.str(c.severity)
		x.str(c.human)
		x.str(c.expression)
		x.str(c.source)
	}
	var targets table[string, string]
	for _, e := range s.elements.rows {
		for _, r := range e.types {
			targets.add(r.targets, func() string { return r.targets })
		}
	}
	x.num(len(targets.rows))
	for _, t := range targets.rows {
		x.strs(strings.Fields(t))
	}
	refs := 0
	for _, e := range s.elements.rows {
		refs += len(e.types)
	}
	x.num(len(s.types))
	x.num(refs)
	x.num(len(s.elements.rows))
	for _, e := range s.elements.rows {
		x.str(e.path)
		x.str(e.name)
		x.flag(e.choice)
		x.flag(e.summary)
		x.flag(e.modifier)
		x.num(e.min)
		x.num(e.max + 1)
		x.num(len(e.types))
		for _, r := range e.types {
			n, ok := number[r.typ]
			if !ok || n == 0 {
				return fmt.Errorf("%s: its type %q is not defined", e.path, r.typ)
			}
			x.num(n - 1)
			x.num(targets.known[r.targets])
			x.str(r.json)
		}
		x.num(e.binding)
		x.nums(e.invariants)
		x.str(e.fixed)
		x.str(e.pattern)
	}
	for _, t := range s.types {
		n, ok := number[t.base]
		if !ok {
			return fmt.Errorf("%s: its base %q is not defined", t.name, t.base)
		}
		x.str(t.name)
		x.num(t.kind)
		x.flag(t.abstract)
		x.num(n)
		x.str(t.regex)
		x.nums(t.elements)
		x.nums(t.invariants)
	}
	return nil
}

// add reads the snapshot of one StructureDefinition into a type and its backbone types.
func (s *structures) add(name string, r fhir.Node) error {
	own := r.Get("url").Text()
	root := typeRow{
		name:     name,
		abstract: r.Get("abstract").Text() == "true",
		base:     strings.TrimPrefix(r.Get("baseDefinition").Text(), structurePrefix),
	}
	switch kind := r.Get("kind").Text(); kind {
	case "primitive-type":
		root.kind = kindPrimitive
	case "complex-type":
		root.kind = kindComplex
	case "resource":
		root.kind = kindResource
	default:
		return fmt.Errorf("%s: unknown kind %q", name, kind)
	}
	types := []*typeRow{&root}
	byPath := map[string]*typeRow{name: &root}
	for e := range r.Get("snapshot").Get("element").Children() {
		path := e.Get("path").Text()
		constraints := s.constraints(e, own)
		if path == name {
			root.invariants = constraints
			continue
		}
		dot := strings.LastIndexByte(path, '.')
		parent := byPath[path[:dot]]
		if parent == nil {
			return fmt.Errorf("%s: its parent is no backbone element", path)
		}
		if root.kind == kindPrimitive && path == name+".value" {
			root.regex = extension(e.Get("type").At(0), regexURL, "valueString")
			continue
		}
		if code := e.Get("type").At(0).Get("code").Text(); e.Get("type").Len() == 1 && (code == "BackboneElement" || code == "Element") {
			// The constraints of a backbone element are those of its type, so that a contentReference brings them along.
			b := &typeRow{name: path, kind: kindBackbone, base: code, invariants: constraints}
			types = append(types, b)
			byPath[path] = b
			constraints = nil
		}
		n, err := s.element(e, constraints)
		if err != nil {
			return err
		}
		parent.elements = append(parent.elements, n)
	}
	for _, t := range types {
		s.types = append(s.types, *t)
	}
	return nil
}

// element returns the row number of an element; constraints are all that its snapshot states.
func (s *structures) element(e fhir.Node, constraints []int) (int, error) {
	path := e.Get("path").Text()
	name := path[strings.LastIndexByte(path, '.')+1:]
	row := elementRow{
		path:     path,
		name:     strings.TrimSuffix(name, "[x]"),
		choice:   strings.HasSuffix(name, "[x]"),
		summary:  e.Get("isSummary").Text() == "true",
		modifier: e.Get("isModifier").Text() == "true",
		max:      -1,
	}
	if base := e.Get("base").Get("path"); base.Valid() {
		row.path = base.Text()
	}
	var err error
	if row.min, err = strconv.Atoi(e.Get("min").Text()); err != nil {
		return 0, fmt.Errorf("%s: min: %w", path, err)
	}
	if most := e.Get("max").Text(); most != "*" {
		if row.max, err = strconv.Atoi(most); err != nil {
			return 0, fmt.Errorf("%s: max: %w", path, err)
		}
	}
	if row.types, err = elementTypes(e, row); err != nil {
		return 0, err
	}
	if b := e.Get("binding"); b.Valid() {
		url, _, _ := strings.Cut(b.Get("valueSet").Text(), "|")
		key := bindingRow{b.Get("strength").Text(), url}
		row.binding = 1 + s.bindings.add(key, func() bindingRow { return key })
	}
	for _, n := range constraints {
		// Every element repeats these two, which are its type's.
		if c := s.invariants.rows[n]; c.source != structurePrefix+"Element" && c.source != structurePrefix+"Extension" {
			row.invariants = append(row.invariants, n)
		}
	}
	for c := range e.Children() {
		switch {
		case strings.HasPrefix(c.Name(), "fixed"):
			row.fixed = string(c.AppendJSON(nil))
		case strings.HasPrefix(c.Name(), "pattern"):
			row.pattern = string(c.AppendJSON(nil))
		}
	}
	return s.elements.add(fmt.Sprintf("%+v", row), func() elementRow { return row }), nil
}

// elementTypes returns the types of an element: for a contentReference and a backbone element the backbone type.
func elementTypes(e fhir.Node, row elementRow) ([]refRow, error) {
	path := e.Get("path").Text()
	if ref := e.Get("contentReference"); ref.Valid() {
		return []refRow{{typ: strings.TrimPrefix(ref.Text(), "#"), json: row.name}}, nil
	}
	var out []refRow
	for t := range e.Get("type").Children() {
		r := refRow{typ: t.Get("code").Text(), json: row.name}
		switch {
		case row.path == "Resource.id":
			// The definitions say string; the page of Resource and the JSON Schema say id.
			r.typ = "id"
		case strings.HasPrefix(r.typ, systemPrefix):
			if r.typ = extension(t, fhirTypeURL, "valueUrl"); r.typ == "" {
				r.typ = "string"
			}
		case r.typ == "BackboneElement" || r.typ == "Element":
			r.typ = path
		}
		if row.choice {
			r.json += strings.ToUpper(r.typ[:1]) + r.typ[1:]
		}
		var targets []string
		for p := range t.Get("targetProfile").Children() {
			target, ok := strings.CutPrefix(p.Text(), structurePrefix)
			if !ok {
				return nil, fmt.Errorf("%s: unknown target %s", path, p.Text())
			}
			if target == "Resource" {
				targets = nil
				break
			}
			targets = append(targets, target)
		}
		r.targets = strings.Join(targets, " ")
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: it has no type", path)
	}
	if len(out) > 1 && !row.choice {
		return nil, fmt.Errorf("%s: several types, and no choice", path)
	}
	return out, nil
}

// extension returns the member of the extension of n that has the url.
func extension(n fhir.Node, url, member string) string {
	for x := range n.Get("extension").Children() {
		if x.Get("url").Text() == url {
			return x.Get(member).Text()
		}
	}
	return ""
}

// constraints returns the row numbers of an element's constraints. One without a source is stated by own.
func (s *structures) constraints(e fhir.Node, own string) []int {
	var out []int
	for c := range e.Get("constraint").Children() {
		row := invariantRow{c.Get("key").Text(), c.Get("severity").Text(), c.Get("human").Text(), c.Get("expression").Text(), c.Get("source").Text()}
		if row.source == "" {
			row.source = own
		}
		out = append(out, s.invariants.add(row, func() invariantRow { return row }))
	}
	return out
}
