package definition

// Element is one element of a Type. Types that inherit an element share it.
type Element struct {
	// Path is the full path in the StructureDefinition that defines it, as "Patient.deceased[x]"; an inherited element keeps the path of
	// its origin, as "Resource.id" or "BackboneElement.modifierExtension".
	Path string
	// Name is the FHIRPath name: "deceased" for the choice element "deceased[x]".
	Name string
	// Choice is set for name[x]: in JSON it stands under Name plus the capitalized type, "deceasedBoolean".
	Choice bool
	// Min and Max are the cardinality; Max is -1 for "*".
	Min, Max int
	// Types are the allowed types, at least one. For a contentReference it is the one referred backbone type; for a backbone element its own.
	Types []TypeRef
	// Binding is the terminology binding; nil where there is none.
	Binding *Binding
	// Invariants are the constraints stated on this element, the ones of its types excluded (for a backbone element see Type.Invariants).
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
