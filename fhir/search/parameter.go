package search

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Parameter is a search parameter as the server serves it.
type Parameter struct {
	*definition.SearchParameter
	// Custom is set where a client's SearchParameter resource defines it.
	Custom bool

	components []*Parameter // of a composite: what its parts are compared as; nil where one is not known
	names      derivedNames
	elements   func() elementSet
	rules      sync.Map // resource type to *compiled
}

// derivedNames are the parameter's names in entries.
type derivedNames struct{ text, identifier, ofType, unit, ucum, present, versioned, contained string }

// Derived names end in these.
const (
	suffixText       = ":text"       // strings: texts and displays of a token
	suffixIdentifier = ":identifier" // tokens: Reference.identifier
	suffixOfType     = ":of-type"    // tokens: type and value of an Identifier
	suffixUnit       = ":unit"       // quantities whose Code is the unit's text, where that is not its code
	suffixUCUM       = ":ucum"       // quantities in canonical UCUM units
	suffixPresent    = ":present"    // no fields: there is a value, and no entry for it
	suffixContained  = ":contained"  // references: to resources that the resource holds
	suffixVersioned  = ":versioned"  // tokens: a reference names a version
)

func newParameter(def *definition.SearchParameter, reg *definition.Registry, custom bool) *Parameter {
	c := def.Code
	return &Parameter{
		SearchParameter: def,
		Custom:          custom,
		names:           derivedNames{c + suffixText, c + suffixIdentifier, c + suffixOfType, c + suffixUnit, c + suffixUCUM, c + suffixPresent, c + suffixVersioned, c + suffixContained},
		elements:        sync.OnceValue(func() elementSet { return resolveElements(reg, def.Expression) }),
	}
}

// has reports whether the parameter may read elements of the data type; true where that can't be told from the expression.
func (p *Parameter) has(dataType string) bool {
	e := p.elements()
	return e.unknown || slices.Contains(e.types, dataType)
}

// CanonicalOnly reports whether a reference parameter reads canonicals and URIs alone, which name resources by their url.
func (p *Parameter) CanonicalOnly() bool {
	e := p.elements()
	return !e.unknown && len(e.types) > 0 && !slices.ContainsFunc(e.types, func(t string) bool { return !slices.Contains(canonicalTypes, t) })
}

// inPlace reports whether a reference parameter reads resources that stand in place, as the first entry of a Bundle.
func (p *Parameter) inPlace() bool { return slices.Contains(p.elements().types, "Resource") }

// specialValues is the system of true and false, "though this is never actually used" (R4 search, token).
const specialValues = "http://terminology.hl7.org/CodeSystem/special-values"

// implies reports whether system is the one that the parameter's elements of type code (by their required value set) or boolean leave unsaid.
func (p *Parameter) implies(s *Parameters, system, code string) bool {
	e := p.elements()
	if system == specialValues {
		return slices.Contains(e.types, "boolean")
	}
	for _, vs := range e.valueSets {
		if system == mimeTypeSystem && isMimeTypeSet(vs) {
			return true
		}
		if member, ok := s.registry.ValueSetContains(vs, system, code); ok && member {
			return true
		}
	}
	return false
}

// Options set what the meaning of parameters depends on besides the definitions.
type Options struct {
	// BaseURLs are the URLs under which clients see this server, without a trailing slash: references that start with one are local.
	BaseURLs []string
	// Zone is the time zone of dates without one, stored or asked for; nil for UTC.
	Zone *time.Location
	// Terminology serves :in, :not-in, :above and :below of tokens; nil for the definitions alone.
	Terminology Terminology
	// OnSkipped, where not nil, is called by Extract for a parameter that a resource of type typ is not found by because its expression failed on
	// it, or passed a limit. err repeats nothing of the resource. It may be called from several goroutines at the same time, many times for one
	// resource, and must not wait.
	OnSkipped func(typ, param string, err error)
}

// Parameters are the search parameters that a server serves: those of R4, which never change, and those that clients add while it runs. All
// methods may be called at the same time.
type Parameters struct {
	registry    *definition.Registry
	terminology Terminology
	zone        *time.Location
	onSkipped   func(typ, param string, err error)
	bases       []string // each with a slash; ownBases are the same without
	ownBases    []string

	write sync.Mutex // held by Add and Remove
	set   atomic.Pointer[parameterSet]
}

// parameterSet is one state of Parameters; it is immutable but for the extractors, which are made at first use.
type parameterSet struct {
	byType     map[string][]*Parameter // own and inherited, by code; abstract types have their own
	custom     map[string]*Parameter   // by URL
	extractors sync.Map                // resource type to *extractor
}

// NewParameters returns the parameters of reg's definitions.
func NewParameters(reg *definition.Registry, opt Options) *Parameters {
	s := &Parameters{registry: reg, terminology: opt.Terminology, zone: opt.Zone, onSkipped: opt.OnSkipped}
	if s.terminology == nil {
		s.terminology = NewTerminology(reg)
	}
	if s.zone == nil {
		s.zone = time.UTC
	}
	for _, b := range opt.BaseURLs {
		if b = strings.TrimRight(b, "/"); b != "" {
			s.bases, s.ownBases = append(s.bases, b+"/"), append(s.ownBases, b)
		}
	}
	known := make(map[*definition.SearchParameter]*Parameter)
	for _, def := range reg.AllSearchParameters() {
		known[def] = newParameter(def, reg, false)
	}
	set := &parameterSet{byType: make(map[string][]*Parameter), custom: map[string]*Parameter{}}
	for _, typ := range append([]string{"Resource", "DomainResource"}, reg.ResourceTypes()...) {
		defs := reg.SearchParameters(typ)
		list := make([]*Parameter, 0, len(defs)+2)
		for _, def := range defs {
			list = append(list, known[def])
		}
		set.byType[typ] = list
	}
	for _, p := range known {
		p.components = componentsOf(p, func(url string) *Parameter {
			def, _ := reg.SearchParameterByURL(url)
			return known[def]
		})
	}
	s.set.Store(set)
	return s
}

// swapped are the composites of R4 whose components name each other's definition. "Combination of relation and relatesTo" reads code, then
// target, and gives code the definition of a reference and target that of a token.
var swapped = map[string]bool{"http://hl7.org/fhir/SearchParameter/DocumentReference-relationship": true}

// componentsOf returns what the parts of a composite are compared as; nil where one is not known.
func componentsOf(p *Parameter, lookup func(url string) *Parameter) []*Parameter {
	if p.Type != "composite" {
		return nil
	}
	out := make([]*Parameter, len(p.Components))
	if swapped[p.URL] {
		out[0], out[1] = lookup(p.Components[1].Definition), lookup(p.Components[0].Definition)
		return out
	}
	for i, c := range p.Components {
		if out[i] = lookup(c.Definition); out[i] == nil {
			return nil
		}
	}
	return out
}

// Registry returns the definitions that the parameters belong to.
func (s *Parameters) Registry() *definition.Registry { return s.registry }

// Lookup returns the parameter that resource type typ has under code, one that stands in the unsupported list included. The abstract types
// Resource and DomainResource have what all have.
func (s *Parameters) Lookup(typ, code string) (*Parameter, bool) {
	list := s.set.Load().byType[typ]
	i, ok := slices.BinarySearchFunc(list, code, func(p *Parameter, code string) int { return strings.Compare(p.Code, code) })
	if !ok {
		return nil, false
	}
	return list[i], true
}

// Of returns the parameters of a resource type, inherited ones included, sorted by code. The slice must not be changed.
func (s *Parameters) Of(typ string) []*Parameter { return s.set.Load().byType[typ] }

// Served returns the parameters of a resource type that searches may use: Of without those in the unsupported list. It is what a
// CapabilityStatement states.
func (s *Parameters) Served(typ string) []*Parameter {
	var out []*Parameter
	for _, p := range s.Of(typ) {
		if _, no := p.Unsupported(); !no {
			out = append(out, p)
		}
	}
	return out
}

// Custom returns the parameters that clients have added, sorted by URL.
func (s *Parameters) Custom() []*Parameter {
	set := s.set.Load()
	out := make([]*Parameter, 0, len(set.custom))
	for _, p := range set.custom {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Parameter) int { return strings.Compare(a.URL, b.URL) })
	return out
}

// PointsTo reports whether a reference parameter may point to typ.
func (p *Parameter) PointsTo(typ string) bool {
	return len(p.Targets()) == 0 || slices.Contains(p.Targets(), typ) || slices.Contains(p.Targets(), "Resource")
}

// Targets returns the resource types that a reference parameter may point to; empty for any.
func (p *Parameter) Targets() []string {
	if slices.Contains(p.SearchParameter.Target, "Resource") {
		return nil
	}
	return p.SearchParameter.Target
}

// targetsOn returns the resource types that the parameter may point to on a resource of type typ: its Targets without those that the elements
// it reads there exclude; empty for any.
func (p *Parameter) targetsOn(typ string) []string {
	all := p.Targets()
	e := p.elements()
	on := e.targets[typ]
	if e.unknown || len(on) == 0 || slices.Contains(on, "") || slices.Contains(on, "Resource") {
		return all
	}
	out := slices.DeleteFunc(slices.Clone(on), func(t string) bool { return len(all) > 0 && !slices.Contains(all, t) })
	if len(out) == 0 {
		return all
	}
	slices.Sort(out)
	return out
}

// Unsupported says why a parameter that the definitions have is not served; ok is false for one that is.
func (p *Parameter) Unsupported() (reason string, ok bool) {
	for _, u := range unsupported {
		if u.URL == p.URL {
			return u.Reason, true
		}
	}
	if p.Type == "composite" && p.components == nil {
		return "a component's definition is not known", true
	}
	return "", false
}

// Component returns what the i-th part of a composite is compared as.
func (p *Parameter) Component(i int) *Parameter { return p.components[i] }
