package validation

import (
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// schemaAllows are the members that the official schema allows and R4's StructureDefinitions do not, by the schema's definition: these elements of
// datatypes are of type Element, which has no modifier extensions. The walk refuses them.
var schemaAllows = []string{
	"DataRequirement_CodeFilter.modifierExtension", "DataRequirement_DateFilter.modifierExtension", "DataRequirement_Sort.modifierExtension",
	"Dosage_DoseAndRate.modifierExtension", "ElementDefinition_Base.modifierExtension", "ElementDefinition_Binding.modifierExtension",
	"ElementDefinition_Constraint.modifierExtension", "ElementDefinition_Discriminator.modifierExtension", "ElementDefinition_Example.modifierExtension",
	"ElementDefinition_Mapping.modifierExtension", "ElementDefinition_Slicing.modifierExtension", "ElementDefinition_Type.modifierExtension",
	"SubstanceAmount_ReferenceRange.modifierExtension", "Timing_Repeat.modifierExtension",
}

// TestSchemaHasTheMembersOfTheDefinitions compares, for every type and element of a type, what the schema in use allows with what the
// StructureDefinitions have: the same members, each an array where the element repeats, none required that may be absent.
func TestSchemaHasTheMembersOfTheDefinitions(t *testing.T) {
	reg := definition.R4()
	s := &shapes{reg: reg}
	seen := map[string]bool{}
	members, added, more := 0, 0, []string{}
	var compare func(ref partRef)
	compare = func(ref partRef) {
		if seen[ref.name] || ref.name == resourceList {
			return
		}
		seen[ref.name] = true
		p, err := s.part(ref)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := fhir.Parse(p.text, fhir.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", ref.name, err)
		}
		if ref.typ.Kind == definition.KindPrimitive {
			return
		}
		official, _ := reg.Schema(ref.name)
		before, err := fhir.Parse(official, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		properties := tree.Root().Get("properties")
		added += properties.Len() - before.Root().Get("properties").Len()
		want := map[string]*definition.Element{}
		for _, e := range ref.typ.Elements {
			for i := range e.Types {
				typ := &e.Types[i]
				want[typ.JSON] = e
				if typ.Type.Kind == definition.KindPrimitive && e.Name != "id" && typ.Type.Name != "xhtml" {
					want["_"+typ.JSON] = e
				}
			}
		}
		for name, e := range want {
			members++
			property := properties.Get(name)
			if !property.Valid() {
				t.Errorf("%s.%s is not in the schema", ref.name, name)
			} else if property.Get("items").Valid() != (e.Max != 1) {
				t.Errorf("%s.%s is an array in one of them only", ref.name, name)
			}
		}
		for property := range properties.Children() {
			if want[property.Name()] == nil && property.Name() != "resourceType" {
				more = append(more, ref.name+"."+property.Name())
			}
		}
		for name := range tree.Root().Get("required").Children() {
			if e := want[name.Text()]; name.Text() != "resourceType" && (e == nil || e.Min == 0) {
				t.Errorf("%s.%s is required by the schema alone", ref.name, name.Text())
			}
		}
		for _, next := range p.refs {
			if next.typ == nil && next.name != resourceList {
				t.Errorf("%s refers to %s, whose type is not known", ref.name, next.name)
				continue
			}
			compare(next)
		}
	}
	for _, name := range reg.ResourceTypes() {
		typ, _ := reg.Resource(name)
		compare(partRef{name, typ})
	}
	for _, name := range reg.Schemas() {
		if typ, ok := reg.Type(name); ok {
			compare(partRef{name, typ})
		}
	}
	if slices.Sort(more); !slices.Equal(more, schemaAllows) {
		t.Errorf("the schema alone has %q", more)
	}
	if members < 8000 || added != 72 {
		t.Errorf("%d members, %d of them added to the official schema", members, added)
	}
}
