package definition

import (
	"slices"
	"strings"
	"testing"
)

func TestR4HasEveryConcreteResourceType(t *testing.T) {
	names := R4().ResourceTypes()
	if len(names) != 146 || !slices.IsSorted(names) {
		t.Errorf("%d concrete resource types (sorted: %t), want 146 sorted", len(names), slices.IsSorted(names))
	}
	for _, name := range names {
		if typ, ok := R4().Resource(name); !ok || typ.Name != name || !typ.Is("Resource") {
			t.Errorf("%s is listed, but no resource type", name)
		}
	}
	for _, name := range []string{"Resource", "DomainResource", "MetadataResource", "HumanName", "Patient.contact", "string", "", "patient"} {
		if _, ok := R4().Resource(name); ok {
			t.Errorf("%q passes for a concrete resource type", name)
		}
	}
}

func TestR4IsOneRegistry(t *testing.T) {
	if R4() != R4() {
		t.Error("two calls of R4 returned two registries")
	}
}

func TestOperationsOfTheBaseSpecification(t *testing.T) {
	ops := R4().Operations()
	if len(ops) != 46 {
		t.Errorf("%d operations, want 46", len(ops))
	}
	if !slices.IsSortedFunc(ops, func(a, b *Operation) int { return strings.Compare(a.URL, b.URL) }) {
		t.Error("the operations are not sorted by URL")
	}
	i := slices.IndexFunc(ops, func(o *Operation) bool { return o.URL == "http://hl7.org/fhir/OperationDefinition/Patient-everything" })
	if i < 0 {
		t.Fatal("Patient/$everything is missing")
	}
	if o := ops[i]; o.Code != "everything" || !slices.Equal(o.Resource, []string{"Patient"}) || o.System || !o.Type || !o.Instance {
		t.Errorf("Patient/$everything is %+v", *o)
	}
}

func TestCompartments(t *testing.T) {
	for code, types := range map[string]int{"Patient": 66, "Encounter": 25, "RelatedPerson": 32, "Practitioner": 59, "Device": 32} {
		c, ok := R4().Compartment(code)
		if !ok {
			t.Errorf("no compartment %s", code)
			continue
		}
		if len(c.Links) != types {
			t.Errorf("the compartment %s has %d types, want %d", code, len(c.Links), types)
		}
		for typ, codes := range c.Links {
			if _, ok := R4().Resource(typ); !ok {
				t.Errorf("the compartment %s has the unknown type %s", code, typ)
			}
			for _, param := range codes {
				if _, ok := R4().SearchParameter(typ, param); !ok && param != "{def}" {
					t.Logf("the compartment %s links %s by %s, which is no parameter of it", code, typ, param)
				}
			}
		}
	}
	patient, _ := R4().Compartment("Patient")
	if got := patient.Links["Observation"]; !slices.Equal(got, []string{"subject", "performer"}) {
		t.Errorf("Observation is in the Patient compartment by %v", got)
	}
	if _, in := patient.Links["Organization"]; in {
		t.Error("Organization is in the Patient compartment")
	}
	if _, ok := R4().Compartment("Organization"); ok {
		t.Error("there is a compartment Organization")
	}
}

func TestDocumentsAreFoundByCanonical(t *testing.T) {
	for _, c := range []struct{ url, typ, id string }{
		{"http://hl7.org/fhir/StructureDefinition/Patient", "StructureDefinition", "Patient"},
		{"http://hl7.org/fhir/StructureDefinition/bp", "StructureDefinition", "bp"},
		{"http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "StructureDefinition", "patient-birthPlace"},
		{"http://hl7.org/fhir/ValueSet/administrative-gender", "ValueSet", "administrative-gender"},
		{"http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", "ValueSet", "administrative-gender"},
		{"http://terminology.hl7.org/CodeSystem/v2-0203", "CodeSystem", "v2-0203"},
		{"http://terminology.hl7.org/CodeSystem/v3-ActCode", "CodeSystem", "v3-ActCode"},
		{"http://hl7.org/fhir/ConceptMap/cm-address-use-v2", "ConceptMap", "cm-address-use-v2"},
		{"http://hl7.org/fhir/SearchParameter/Patient-active", "SearchParameter", "Patient-active"},
		{"http://hl7.org/fhir/OperationDefinition/Resource-validate", "OperationDefinition", "Resource-validate"},
		{"http://hl7.org/fhir/CompartmentDefinition/patient", "CompartmentDefinition", "patient"},
	} {
		res, ok := R4().Definition(c.url)
		if !ok || res.Type() != c.typ || res.ID() != c.id {
			t.Errorf("%s: found %t, %s/%s", c.url, ok, res.Type(), res.ID())
		}
		if res.Get("text").Valid() {
			t.Errorf("%s carries its narrative", c.url)
		}
	}
	for _, url := range []string{"", "http://hl7.org/fhir/StructureDefinition/Nothing", "zzz", "|4.0.1"} {
		if _, ok := R4().Definition(url); ok {
			t.Errorf("%q is found", url)
		}
	}
}

func TestEveryDocumentUnpacks(t *testing.T) {
	for _, e := range R4().documents {
		if res, ok := R4().Definition(e.name); !ok || res.Get("url").Text() != e.name {
			t.Errorf("%s does not unpack to itself", e.name)
		}
	}
}

func TestSchemasCoverEveryResourceType(t *testing.T) {
	if n := len(R4().Schemas()); n != 680 {
		t.Errorf("%d schemas, want 680", n)
	}
	for _, name := range append([]string{"ResourceList", "Patient_Contact", "string", "Extension"}, R4().ResourceTypes()...) {
		schema, ok := R4().Schema(name)
		if !ok || schema[0] != '{' || schema[len(schema)-1] != '}' {
			t.Errorf("no schema of %s", name)
		}
	}
	if s, _ := R4().Schema("id"); string(s) != `{"pattern":"^[A-Za-z0-9\\-\\.]{1,64}$","type":"string"}` {
		t.Errorf("the schema of id is %s", s)
	}
	// An element that is called description keeps its place among the properties.
	if s, _ := R4().Schema("ValueSet"); !strings.Contains(string(s), `"description":{"$ref":"#/definitions/markdown"}`) {
		t.Error("the schema of ValueSet lost its element description")
	}
	if _, ok := R4().Schema("Nothing"); ok {
		t.Error("there is a schema of Nothing")
	}
}

// BenchmarkDecode is what the first call of R4 costs.
func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decode(indexFile, documentsFile)
	}
}

// BenchmarkDefinition is what a call of Definition costs when the frame is not the last one used.
func BenchmarkDefinition(b *testing.B) {
	b.ReportAllocs()
	r := R4()
	i := 0
	for b.Loop() {
		r.Definition(r.documents[i*997%len(r.documents)].name)
		i++
	}
}
