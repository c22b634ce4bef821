package definition

import (
	"iter"

	"github.com/fhirgate/fhirgate/fhir"
)

// TypeKind says what kind of type a Type is (StructureDefinition.kind, with backbone elements told apart).
type TypeKind uint8

// The kinds of types.
const (
	KindPrimitive TypeKind = iota + 1
	KindComplex
	KindBackbone // an element with children of its own, as Patient.contact; its Name is its path
	KindResource
)

// Type is a resource type, a datatype or a backbone element, from the snapshot of its StructureDefinition. Types are immutable and shared:
// compare them by pointer.
type Type struct {
	// Name is "Patient", "HumanName", "string", or for a backbone element its path, "Patient.contact".
	Name string
	Kind TypeKind
	// Abstract is set for Element, BackboneElement, Resource, DomainResource.
	Abstract bool
	// Base is the type this one specializes; nil for Element and Resource. "code" has "string", "Patient" has "DomainResource".
	Base *Type
	// Elements are all children, inherited ones included, in the order of the snapshot. For primitives: id, extension (value is implied).
	Elements []*Element
	// Invariants are the constraints on the type itself (on the snapshot's first element), inherited ones included.
	Invariants []*Invariant
}

// Element is one element of a Type.
type Element struct {
	// Path is the full path in the StructureDefinition that defines it, as "Patient.deceased[x]".
	Path string
	// Name is the FHIRPath name: "deceased" for the choice element "deceased[x]".
	Name string
	// Choice is set for name[x]: in JSON it stands under Name plus the capitalized type, "deceasedBoolean".
	Choice bool
	// Min and Max are the cardinality; Max is -1 for "*".
	Min, Max int
	// Types are the allowed types. For a contentReference it is the one referred backbone type; for a backbone element its own.
	Types []TypeRef
	// Binding is the terminology binding; nil where there is none.
	Binding *Binding
	// Invariants are the constraints stated on this element, the ones of its types excluded.
	Invariants []*Invariant
	// Summary is isSummary; Modifier is isModifier.
	Summary, Modifier bool
	// Fixed and Pattern hold the JSON of fixed[x] and pattern[x]; nil where there is none.
	Fixed, Pattern []byte
}

// TypeRef is one of the types that an element may have.
type TypeRef struct {
	Type *Type
	// Targets are the resource types a Reference or canonical may point to; empty for any.
	Targets []string
	// JSON is the member name under which this type of the element stands, "deceasedBoolean"; Element.Name where it is no choice.
	JSON string
}

// Binding is the binding of an element to a value set (ElementDefinition.binding).
type Binding struct {
	Strength string // required, extensible, preferred, example
	ValueSet string // canonical, without a version
}

// Invariant is a constraint (ElementDefinition.constraint).
type Invariant struct {
	Key        string // "pat-1"
	Severity   string // "error" or "warning"
	Human      string
	Expression string // FHIRPath
	Source     string // canonical of the StructureDefinition that states it
}

// SearchParameter is a SearchParameter of R4, or one that a client has stored.
type SearchParameter struct {
	Code       string // as in the URL: "birthdate"
	URL        string
	Type       string // number date string token reference composite quantity uri special
	Base       []string
	Expression string // FHIRPath over all bases, as published
	Target     []string
	Components []Component // composites only
	MultipleOr, MultipleAnd bool
}

// Component is a part of a composite SearchParameter.
type Component struct {
	Definition string // canonical of the part's SearchParameter
	Expression string // relative to the composite's element
}

// Compartment is a CompartmentDefinition: for each resource type the codes of the parameters that link it to the compartment. A type that
// is absent is not in the compartment. The code "{def}" stands for the compartment's own resource.
type Compartment struct {
	Code  string // "Patient"
	Links map[string][]string
}

// Operation is an OperationDefinition of the base specification.
type Operation struct {
	Code, URL              string
	Resource               []string
	System, Type, Instance bool
}

// Child returns the element of t with the FHIRPath name; nil where t has none.
func (t *Type) Child(name string) *Element

// JSONChild returns the element of t that stands under the JSON member name, and which of its types that name chooses; nil where t has
// none. A leading underscore (the sibling of a primitive) is not stripped.
func (t *Type) JSONChild(name string) (*Element, *TypeRef)

// Is reports whether t is the type named name or specializes it.
func (t *Type) Is(name string) bool

// Resource returns a concrete resource type.
func (r *Registry) Resource(name string) (*Type, bool)

// Type returns any type by its name: resource types, abstract ones included, datatypes, primitives, and backbone elements by path.
func (r *Registry) Type(name string) (*Type, bool)

// ResourceTypes returns the names of the 146 concrete resource types, sorted. The slice must not be changed.
func (r *Registry) ResourceTypes() []string

// SearchParameter returns the parameter that resource type typ has under code: one on the type itself, on DomainResource or on Resource.
func (r *Registry) SearchParameter(typ, code string) (*SearchParameter, bool)

// SearchParameters returns all parameters of a resource type, inherited ones included, sorted by code. The slice must not be changed.
func (r *Registry) SearchParameters(typ string) []*SearchParameter

// AllSearchParameters returns the R4 parameters, sorted by URL. The slice must not be changed.
func (r *Registry) AllSearchParameters() []*SearchParameter

// SearchParameterByURL returns the parameter with the canonical url.
func (r *Registry) SearchParameterByURL(url string) (*SearchParameter, bool)

// Compartment returns the compartment of the code Patient, Encounter, RelatedPerson, Practitioner or Device.
func (r *Registry) Compartment(code string) (*Compartment, bool)

// Operations returns the operations of the base specification, sorted by URL.
func (r *Registry) Operations() []*Operation

// Schema returns the official JSON Schema definition of a type (the value of definitions[name] in fhir.schema.json); loaded at first use.
func (r *Registry) Schema(name string) ([]byte, bool)

// Definition returns a conformance or terminology resource of the base specification by canonical URL (StructureDefinition, ValueSet,
// CodeSystem, ConceptMap ...), as minified JSON without narrative; loaded at first use.
func (r *Registry) Definition(url string) (fhir.Resource, bool)

// Expand yields system and code of every member of a value set of the base specification that is enumerable from its embedded code systems.
// ok is false where it is not (SNOMED CT, LOINC, filters that are not understood).
func (r *Registry) Expand(valueSet string) (codes iter.Seq2[string, string], ok bool)
