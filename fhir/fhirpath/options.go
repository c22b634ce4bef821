package fhirpath

import (
	"context"
	"iter"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Limits bound what an evaluation may cost; each is an error of issue id fhirpath-limit when passed. A zero field means the default.
type Limits struct {
	Steps int // evaluated parts and visited items; default 20,000,000
	Items int // items held at a time; default 1,000,000
	Text  int // bytes of a computed string; default 4 MiB
	Regex int // bytes of a regular expression; default 1,000. Matching is linear in pattern and text, and costs steps.
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Steps, 20_000_000)
	def(&l.Items, 1_000_000)
	def(&l.Text, 4<<20)
	def(&l.Regex, 1_000)
	return l
}

// Resolver finds what references and canonicals point to, for resolve().
type Resolver interface {
	// Resolve returns the resource that url identifies: a relative reference ("Patient/1"), an absolute one, a urn: or a canonical. from is
	// the resource that states it. ok is false where there is none; an error ends the evaluation.
	Resolve(ctx context.Context, from fhir.Resource, url string) (r fhir.Resource, ok bool, err error)
}

// Code is a coded value for a Terminology.
type Code struct{ System, Code string }

// Terminology answers questions about code systems and value sets. known is false where it can't tell, which makes an empty answer.
type Terminology interface {
	// MemberOf says whether any of the codes is in the value set; a Code without a System is compared by its code alone.
	MemberOf(ctx context.Context, codes iter.Seq[Code], valueSet string) (member, known bool, err error)
	// Subsumes says whether a is equal to or above b in their common code system.
	Subsumes(ctx context.Context, a, b Code) (subsumes, known bool, err error)
}

// Conformance answers conformsTo() for profiles that are not base definitions. known is false for a profile that can't be found.
type Conformance interface {
	ConformsTo(ctx context.Context, it Item, profile string) (conforms, known bool, err error)
}

// Slicer is implemented by a Conformance that knows the slices of structures, for slice().
type Slicer interface {
	// InSlice says whether an element belongs to the slice of a structure. known is false for a structure or a slice that can't be found.
	InSlice(ctx context.Context, it Item, structure, slice string) (in, known bool, err error)
}

// Option changes how Compile reads an expression.
type Option func(*options)

type options struct {
	reg       *definition.Registry
	types     []string
	limits    Limits
	variables map[string]bool
	published bool
	search    bool
	ordered   bool
	plain     bool
}

// WithType states the type of the focus, "Patient", "Patient.contact" or "System.Integer", or the types that it may have, as a choice element does: paths are
// then checked against the definitions, and one that can't exist in any of them is an error of issue id fhirpath-element.
func WithType(names ...string) Option { return func(o *options) { o.types = names } }

// WithRegistry states the definitions; those of R4 are the default.
func WithRegistry(r *definition.Registry) Option { return func(o *options) { o.reg = r } }

// WithLimits states the limits of evaluations.
func WithLimits(l Limits) Option { return func(o *options) { o.limits = l } }

// WithVariables names external constants, "name" for %name, that Env.Variables will give. A constant that is neither named here nor defined
// by R4 is an error.
func WithVariables(names ...string) Option {
	return func(o *options) {
		for _, n := range names {
			if o.variables == nil {
				o.variables = map[string]bool{}
			}
			o.variables[n] = true
		}
	}
}

// ForPublished reads what HL7 has published the way it was meant. R4's own expressions need two liberties that N1 does not give: as() over
// several items filters them (invariant dom-3; SearchParameter Observation-component-value-quantity), and a System type's name stands for
// the FHIR primitive too (que-7: answer is Boolean; composites: value.as(DateTime)).
func ForPublished() Option { return func(o *options) { o.published = true } }

// ForSearch reads a SearchParameter's expression for one resource type, which WithType names: as ForPublished, with three differences.
// A path that begins with the name of another resource type yields nothing rather than being an error, as R4 states one expression for all
// bases of a parameter. "resolve() is X" is decided from the reference itself, without a Resolver: by Reference.type, by the type that a
// literal reference names, and for "#id" by the contained resource; a reference that names no type (a urn:, or an identifier alone) is not X.
// Functions that ask beyond the resource, as memberOf() and any other resolve(), are an error of issue id fhirpath-unsupported: an index
// would not see when their answer changes.
func ForSearch() Option { return func(o *options) { o.published, o.search = true, true } }

// WithOrderCheck makes functions that need an order, as skip() and first(), an error over collections that have none: children() and
// descendants().
func WithOrderCheck() Option { return func(o *options) { o.ordered = true } }

// withoutPlans compiles every step as it stands, for the tests that hold plans against plain evaluation.
func withoutPlans() Option { return func(o *options) { o.plain = true } }
