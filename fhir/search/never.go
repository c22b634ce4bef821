package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// compared are the complex data types that each type of search compares (https://hl7.org/fhir/R4/search.html#table). Primitives are comparedPrimitives'.
var compared = map[string][]string{
	"string":    {"HumanName", "Address", "CodeableConcept"},
	"token":     {"CodeableConcept", "Coding", "Identifier", "ContactPoint"},
	"date":      {"Period", "Timing"},
	"number":    {"Range"},
	"quantity":  {"Quantity", "SimpleQuantity", "MoneyQuantity", "Age", "Count", "Distance", "Duration", "Money", "Range", "SampledData"},
	"reference": {"Reference"},
}

// texts are the primitives that may hold the text of any other.
var texts = []string{"string", "markdown", "code", "id", "System.String"}

// comparedPrimitives are the primitives that each type of search compares; nil for all.
var comparedPrimitives = map[string][]string{
	"string":    nil,
	"token":     nil,
	"uri":       nil,
	"date":      append([]string{"date", "dateTime", "instant", "System.Date", "System.DateTime"}, texts...),
	"number":    append([]string{"integer", "decimal", "positiveInt", "unsignedInt", "System.Integer", "System.Decimal"}, texts...),
	"quantity":  {"System.Quantity"},
	"reference": {"canonical", "uri", "url", "oid", "uuid"},
}

// compares reports whether the parameter's type of search compares an element of one of the data types. None known means any.
func (p *Parameter) compares(reg *definition.Registry, types []string) bool {
	if len(types) == 0 || p.Type == "composite" || p.Type == "special" {
		return true
	}
	return slices.ContainsFunc(types, func(name string) bool {
		if slices.Contains(compared[p.Type], name) {
			return true
		}
		t, known := reg.Type(name)
		if strings.HasPrefix(name, "System.") || known && t.Kind == definition.KindPrimitive {
			list := comparedPrimitives[p.Type]
			return list == nil || slices.Contains(list, name)
		}
		return p.Type == "reference" && (!known || t.Kind == definition.KindResource) // a resource that stands in place
	})
}

// matches reports whether the rule can yield an entry.
func (r *rule) matches(reg *definition.Registry) bool {
	if r.parts == nil {
		return r.param.compares(reg, r.program.ResultTypes())
	}
	for _, parts := range r.parts {
		if !slices.ContainsFunc(parts, func(part rule) bool {
			return part.program.Empty() || !part.param.compares(reg, part.program.ResultTypes())
		}) {
			return true
		}
	}
	return false
}
