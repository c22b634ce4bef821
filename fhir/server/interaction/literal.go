package interaction

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// literalFaults returns the references of r that are of no form that R4 has, at every level of validation: they point to nothing, and nobody would
// ever find what they mean. A Bundle that is stored keeps its own, which are for whoever reads it.
func (s *Service) literalFaults(r fhir.Resource) (issues []fhir.Issue) {
	types := slices.Values(s.registry.ResourceTypes())
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		for c := n.First(); c.Valid(); c = c.Next() {
			switch c.Kind() {
			case fhir.Object, fhir.Array:
				if !isBundle(c) {
					walk(c)
				}
			case fhir.String:
				if c.Name() != "reference" {
					continue
				}
				fault := fhir.LiteralFault(c.Text(), types, nil)
				if fault == "" {
					continue
				}
				if t := typeOf(s.registry, c.Parent()); t == nil || t.Name == "Reference" {
					issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueValue, ID: fhir.IDReferenceFormat, Text: fault, Expression: c.Path()})
				}
			}
		}
	}
	if !isBundle(r.Node) {
		walk(r.Node)
	}
	return issues
}
