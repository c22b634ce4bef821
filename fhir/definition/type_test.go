package definition

import (
	"regexp"
	"slices"
	"testing"
)

func mustType(t *testing.T, name string) *Type {
	t.Helper()
	typ, ok := R4().Type(name)
	if !ok {
		t.Fatalf("no type %s", name)
	}
	return typ
}

func TestTypesNameTheirBases(t *testing.T) {
	for _, chain := range [][]string{
		{"code", "string", "Element"},
		{"positiveInt", "integer", "Element"},
		{"canonical", "uri", "Element"},
		{"Age", "Quantity", "Element"},
		{"Dosage", "BackboneElement", "Element"},
		{"Patient", "DomainResource", "Resource"},
		{"Bundle", "Resource"},
		{"Patient.contact", "BackboneElement", "Element"},
		{"Timing.repeat", "Element"},
	} {
		typ := mustType(t, chain[0])
		for _, name := range chain {
			if typ == nil || typ.Name != name {
				t.Errorf("%v: the chain breaks before %s", chain, name)
				break
			}
			if !mustType(t, chain[0]).Is(name) {
				t.Errorf("%s is no %s", chain[0], name)
			}
			typ = typ.Base
		}
		if typ != nil {
			t.Errorf("%v: the chain goes on with %s", chain, typ.Name)
		}
	}
	if mustType(t, "string").Is("code") || mustType(t, "Bundle").Is("DomainResource") {
		t.Error("Is finds what is no base")
	}
}

func TestOnlyFourTypesAreAbstract(t *testing.T) {
	var abstract []string
	for name, typ := range R4().types {
		if typ.Abstract {
			abstract = append(abstract, name)
		}
	}
	slices.Sort(abstract)
	if want := []string{"BackboneElement", "DomainResource", "Element", "Resource"}; !slices.Equal(abstract, want) {
		t.Errorf("abstract are %v, want %v", abstract, want)
	}
}

func TestKindsOfTypes(t *testing.T) {
	count := map[TypeKind]int{}
	for _, typ := range R4().types {
		count[typ.Kind]++
	}
	// 20 primitives; 41 datatypes with Element and BackboneElement; 146 + 2 resource types; the rest have elements of their own.
	for kind, want := range map[TypeKind]int{KindPrimitive: 20, KindComplex: 41, KindResource: 148, KindBackbone: 473} {
		if count[kind] != want {
			t.Errorf("kind %d: %d types, want %d", kind, count[kind], want)
		}
	}
}

// TestMembersAndElementsAgree checks for every type that JSONChild is the inverse of TypeRef.JSON, and Child that of Element.Name.
func TestMembersAndElementsAgree(t *testing.T) {
	elements := 0
	for _, typ := range R4().types {
		members := map[string]bool{}
		for _, e := range typ.Elements {
			elements++
			if typ.Child(e.Name) != e {
				t.Errorf("%s.Child(%q) is not the element %s", typ.Name, e.Name, e.Path)
			}
			if len(e.Types) == 0 {
				t.Errorf("%s.%s has no type", typ.Name, e.Name)
			}
			for i := range e.Types {
				ref := &e.Types[i]
				if members[ref.JSON] {
					t.Errorf("%s has two members %s", typ.Name, ref.JSON)
				}
				members[ref.JSON] = true
				if got, gotRef := typ.JSONChild(ref.JSON); got != e || gotRef != ref {
					t.Errorf("%s.JSONChild(%q) is not the type %s of %s", typ.Name, ref.JSON, ref.Type.Name, e.Path)
				}
				if named, ok := R4().Type(ref.Type.Name); !ok || named != ref.Type {
					t.Errorf("%s.%s: the type %q is not that of the registry", typ.Name, e.Name, ref.Type.Name)
				}
				if !e.Choice && ref.JSON != e.Name {
					t.Errorf("%s.%s is no choice and stands under %s", typ.Name, e.Name, ref.JSON)
				}
				for _, target := range ref.Targets {
					if _, ok := R4().Resource(target); !ok {
						t.Errorf("%s.%s refers to the unknown type %s", typ.Name, e.Name, target)
					}
				}
			}
			if e.Choice {
				if got, ref := typ.JSONChild(e.Name); got != nil || ref != nil {
					t.Errorf("%s.JSONChild(%q) finds a choice element by its FHIRPath name", typ.Name, e.Name)
				}
				if len(e.Types) > 1 && typ.Child(e.Types[0].JSON) != nil {
					t.Errorf("%s.Child(%q) finds a choice element by its JSON name", typ.Name, e.Types[0].JSON)
				}
			}
		}
	}
	if elements < 6000 {
		t.Errorf("%d elements in all; too few", elements)
	}
}

func TestChoiceMemberTellsItsType(t *testing.T) {
	for _, c := range []struct{ typ, member, element, chosen string }{
		{"Patient", "deceasedDateTime", "deceased", "dateTime"},
		{"Observation", "valueQuantity", "value", "Quantity"},
		{"Observation", "valueCodeableConcept", "value", "CodeableConcept"},
		{"Extension", "valueBase64Binary", "value", "base64Binary"},
		{"Extension", "valueUuid", "value", "uuid"},
		{"Extension", "valueDosage", "value", "Dosage"},
		{"Dosage.doseAndRate", "rateRatio", "rate", "Ratio"},
		{"ElementDefinition", "fixedInstant", "fixed", "instant"},
		{"ElementDefinition.example", "valueMeta", "value", "Meta"},
		{"Parameters.parameter", "valueUsageContext", "value", "UsageContext"},
		{"Timing.repeat", "boundsPeriod", "bounds", "Period"},
	} {
		e, ref := mustType(t, c.typ).JSONChild(c.member)
		if e == nil || e.Name != c.element || !e.Choice || ref.Type.Name != c.chosen {
			t.Errorf("%s.%s is not %s as %s", c.typ, c.member, c.element, c.chosen)
		}
	}
	for _, c := range [][2]string{{"Patient", "deceased"}, {"Patient", "deceasedString"}, {"Patient", "_birthDate"}, {"Patient", "Name"}, {"Observation", "valueAddress"}} {
		if e, _ := mustType(t, c[0]).JSONChild(c[1]); e != nil {
			t.Errorf("%s has a member %s", c[0], c[1])
		}
	}
}

func TestContentReferenceIsTheReferredType(t *testing.T) {
	for _, c := range [][3]string{
		{"Bundle.entry", "link", "Bundle.link"},
		{"Questionnaire.item", "item", "Questionnaire.item"},
		{"QuestionnaireResponse.item.answer", "item", "QuestionnaireResponse.item"},
		{"Observation.component", "referenceRange", "Observation.referenceRange"},
		{"Parameters.parameter", "part", "Parameters.parameter"},
		{"ValueSet.compose", "exclude", "ValueSet.compose.include"},
		{"SubstanceSpecification", "molecularWeight", "SubstanceSpecification.structure.isotope.molecularWeight"},
	} {
		e := mustType(t, c[0]).Child(c[1])
		if e == nil || len(e.Types) != 1 || e.Types[0].Type != mustType(t, c[2]) {
			t.Errorf("%s.%s is not of type %s", c[0], c[1], c[2])
		}
	}
}

func TestElementsCarryWhatTheDefinitionSays(t *testing.T) {
	gender := mustType(t, "Patient").Child("gender")
	if gender.Path != "Patient.gender" || gender.Min != 0 || gender.Max != 1 || !gender.Summary || gender.Modifier {
		t.Errorf("Patient.gender is %+v", gender)
	}
	if b := gender.Binding; b == nil || b.Strength != "required" || b.ValueSet != "http://hl7.org/fhir/ValueSet/administrative-gender" {
		t.Errorf("Patient.gender is bound to %+v", b)
	}
	status := mustType(t, "Observation").Child("status")
	if status.Min != 1 || !status.Modifier || !status.Summary {
		t.Errorf("Observation.status is %+v", status)
	}
	if name := mustType(t, "Patient").Child("name"); name.Max != -1 || name.Types[0].Type.Name != "HumanName" {
		t.Errorf("Patient.name is %+v", name)
	}
	if c := mustType(t, "Patient").Child("contained"); c.Types[0].Type.Name != "Resource" || c.Path != "DomainResource.contained" {
		t.Errorf("Patient.contained is %+v", c)
	}
	if c := mustType(t, "Patient").Child("contained"); c != mustType(t, "Observation").Child("contained") {
		t.Error("Patient and Observation do not share the inherited element contained")
	}
	gp := mustType(t, "Patient").Child("generalPractitioner").Types[0]
	if !slices.Equal(gp.Targets, []string{"Organization", "Practitioner", "PractitionerRole"}) {
		t.Errorf("Patient.generalPractitioner refers to %v", gp.Targets)
	}
	if focus := mustType(t, "Observation").Child("focus").Types[0]; len(focus.Targets) != 0 {
		t.Errorf("Observation.focus refers to %v, want anything", focus.Targets)
	}
	if m := mustType(t, "PlanDefinition.action").Child("definition"); len(m.Types) != 2 || len(m.Types[0].Targets) != 3 {
		t.Errorf("PlanDefinition.action.definition[x] has the types %+v", m.Types)
	}
	if v := mustType(t, "xhtml").Child("extension"); v.Max != 0 {
		t.Errorf("xhtml.extension has max %d, want 0", v.Max)
	}
	if url := mustType(t, "Extension").Child("url"); url.Types[0].Type.Name != "uri" || url.Min != 1 {
		t.Errorf("Extension.url is %+v", url)
	}
	if id := mustType(t, "HumanName").Child("id"); id.Types[0].Type.Name != "string" {
		t.Errorf("Element.id is %+v", id)
	}
	for _, typ := range R4().types {
		for _, e := range typ.Elements {
			if e.Binding != nil && e.Binding.Strength == "" {
				t.Errorf("%s has a binding without strength", e.Path)
			}
			if typ.Kind == KindPrimitive && e.Name != "id" && e.Name != "extension" {
				t.Errorf("the primitive %s has the element %s", typ.Name, e.Name)
			}
		}
	}
}

func TestResourceIDIsAnID(t *testing.T) {
	for _, name := range R4().ResourceTypes() {
		if id := mustType(t, name).Child("id").Types[0].Type.Name; id != "id" {
			t.Errorf("%s.id is of type %s", name, id)
		}
	}
}

func keys(list []*Invariant) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Key)
	}
	slices.Sort(out)
	return out
}

func TestInvariantsStandWhereTheyAreChecked(t *testing.T) {
	for _, c := range []struct {
		typ  string
		want []string
	}{
		{"Patient", []string{"dom-2", "dom-3", "dom-4", "dom-5", "dom-6"}},
		{"Patient.contact", []string{"ele-1", "pat-1"}},
		{"Bundle.entry", []string{"bdl-5", "bdl-8", "ele-1"}},
		{"Age", []string{"age-1", "ele-1", "qty-3"}},
		{"Extension", []string{"ele-1", "ext-1"}},
		{"Reference", []string{"ele-1", "ref-1"}},
		{"Observation.component", []string{"ele-1"}},
	} {
		if got := keys(mustType(t, c.typ).Invariants); !slices.Equal(got, c.want) {
			t.Errorf("%s has the invariants %v, want %v", c.typ, got, c.want)
		}
	}
	if got := keys(mustType(t, "Narrative").Child("div").Invariants); !slices.Equal(got, []string{"txt-1", "txt-2"}) {
		t.Errorf("Narrative.div has the invariants %v", got)
	}
	if got := keys(mustType(t, "Patient").Child("contact").Invariants); len(got) > 0 {
		t.Errorf("Patient.contact repeats the invariants %v of its type", got)
	}
	for _, typ := range R4().types {
		for _, c := range typ.Invariants {
			if c.Expression == "" || c.Source == "" || c.Human == "" || c.Severity != "error" && c.Severity != "warning" {
				t.Errorf("%s: the invariant %s is incomplete", typ.Name, c.Key)
			}
		}
	}
}

func TestRegularExpressionsOfPrimitives(t *testing.T) {
	for _, typ := range R4().types {
		if typ.Regex != "" && typ.Kind != KindPrimitive {
			t.Errorf("%s is no primitive and has a regular expression", typ.Name)
		}
		if _, err := regexp.Compile("^(?:" + typ.Regex + ")$"); err != nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
	for name, c := range map[string][2]string{
		"id":      {"a-1.B", "a_1"},
		"date":    {"2024-02", "2024-13"},
		"oid":     {"urn:oid:1.2.3", "1.2.3"},
		"boolean": {"true", "True"},
	} {
		re := regexp.MustCompile("^(?:" + mustType(t, name).Regex + ")$")
		if !re.MatchString(c[0]) || re.MatchString(c[1]) {
			t.Errorf("%s: %s does not tell %q from %q", name, re, c[0], c[1])
		}
	}
}

func BenchmarkJSONChild(b *testing.B) {
	b.ReportAllocs()
	typ, _ := R4().Type("Observation")
	for b.Loop() {
		if e, _ := typ.JSONChild("valueQuantity"); e == nil {
			b.Fatal("not found")
		}
	}
}
