package search

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// Compartment returns the condition that a resource of type typ belongs to the compartment of a resource, as the patient compartment of
// "Patient/1" (https://hl7.org/fhir/R4/compartmentdefinition.html). ok is false where R4 defines no such compartment or typ is not in it.
func (s *Parameters) Compartment(of fhir.Key, typ string) (e Expr, ok bool) {
	c, ok := s.registry.Compartment(of.Type)
	if !ok {
		return nil, false
	}
	var list Or
	if typ == of.Type {
		list = append(list, KeyIn{IDs: []string{of.ID}})
	}
	for _, code := range c.Links[typ] {
		if p, ok := s.Lookup(typ, code); ok && p.Type == "reference" {
			list = append(list, Some{Param: code, Where: localTarget(of.Type, of.ID).where})
		}
	}
	if len(list) == 0 {
		return nil, false
	}
	return anyOf(list), true
}

// CompartmentTypes returns the resource types that belong to a compartment, sorted; nil where R4 defines none of that code.
func (s *Parameters) CompartmentTypes(code string) []string {
	c, ok := s.registry.Compartment(code)
	if !ok {
		return nil
	}
	var out []string
	for _, typ := range s.registry.ResourceTypes() {
		if _, in := s.Compartment(fhir.Key{Type: c.Code, ID: "x"}, typ); in {
			out = append(out, typ)
		}
	}
	return slices.Compact(out)
}
