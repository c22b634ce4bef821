package search

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// The modifier :missing (https://hl7.org/fhir/R4/search.html#modifiers): "all the resources that don't have a value for the gender parameter
// (which usually equates to not having the relevant element in the resource)". Most values have entries. A value that nothing can be compared
// with, as a reference to a contained resource or a date that is none, has an entry without fields under a derived name.

// missing reads the value of :missing. Every resource has an id.
func missing(p *Parameter, value string) (Expr, error) {
	if value != "true" && value != "false" {
		return nil, badValue(fhir.IDBadMissing, ":missing is true or false")
	}
	if p.Code == SortByID {
		if value == "true" {
			return Or{}, nil
		}
		return Not{Expr: Or{}}, nil
	}
	var present Or
	var absent And
	for _, name := range p.valueNames() {
		s := Some{Param: name}
		present, absent = append(present, s), append(absent, Not{Expr: s})
	}
	if value == "true" {
		return allOf(absent), nil
	}
	return anyOf(present), nil
}

// valueNames returns the names under which a value of the parameter has an entry, whatever it is.
func (p *Parameter) valueNames() []string {
	names := []string{p.Code}
	switch p.Type {
	case "token":
		names = append(names, p.names.text)
	case "reference":
		names = append(names, p.names.identifier)
	}
	if p.Code != lastUpdated {
		names = append(names, p.names.present)
	}
	return names
}

// isValue reports whether an item that has no entry is a value of a parameter all the same. "For simple data type elements, :missing=true will
// match ... where the element is present with extensions but no @value is specified"; other elements, too, are no value where all that they
// hold are extensions, or where the search type is not used with their data type.
func isValue(p *Parameter, it *fhirpath.Item) bool {
	if slices.Contains(foreignTypes[p.Type], it.Type()) {
		return false
	}
	if it.IsSystem() {
		return it.Text() != ""
	}
	if r, err := fhir.AsResource(it.Node()); err == nil && p.Type == "reference" && !p.PointsTo(r.Type()) {
		return false
	}
	return hasContent(it.Node())
}

// foreignTypes are data types that elements of parameters have besides those that R4's "Cross-map between search parameter types and Data types"
// gives to the search type.
var foreignTypes = map[string][]string{
	"date":      {"string", "Age", "Range"},
	"token":     {"Quantity", "Range", "Period", "Reference"},
	"reference": {"Attachment"},
}

// hasContent reports whether an element holds a primitive with a value outside of extensions.
func hasContent(n fhir.Node) bool {
	switch n.Kind() {
	case fhir.String:
		return n.Text() != ""
	case fhir.Number, fhir.Bool:
		return true
	case fhir.Object:
		for c := n.First(); c.Valid(); c = c.Next() {
			switch c.Name() {
			case "id", "extension", "modifierExtension":
			default:
				if hasContent(c) {
					return true
				}
			}
		}
	case fhir.Array:
		for c := n.First(); c.Valid(); c = c.Next() {
			if hasContent(c) {
				return true
			}
		}
	}
	return false
}
