package definition

import (
	"sort"
	"strings"
)

// SearchParameter is a SearchParameter of R4, or one that a client has stored.
type SearchParameter struct {
	Code       string // as in the URL: "birthdate"
	URL        string
	Type       string // number date string token reference composite quantity uri special
	Base       []string
	Expression string // FHIRPath over all bases, as published
	Target     []string
	Components []Component // composites only
	// MultipleOr and MultipleAnd are false only where the definition says so: in R4 MultipleOr of the 46 composites.
	MultipleOr, MultipleAnd bool
}

// Component is a part of a composite SearchParameter.
type Component struct {
	Definition string // canonical of the part's SearchParameter
	Expression string // relative to the composite's element
}

// SearchParameter returns the parameter that resource type typ has under code: one on the type itself, on DomainResource or on Resource.
// typ may be an abstract resource type.
func (r *Registry) SearchParameter(typ, code string) (*SearchParameter, bool) {
	list := r.parametersByType[typ]
	i, ok := sort.Find(len(list), func(i int) int { return strings.Compare(code, list[i].Code) })
	if !ok {
		return nil, false
	}
	return list[i], true
}

// SearchParameters returns all parameters of a resource type, inherited ones included, sorted by code. The slice must not be changed.
func (r *Registry) SearchParameters(typ string) []*SearchParameter { return r.parametersByType[typ] }

// AllSearchParameters returns the R4 parameters, sorted by URL. The slice must not be changed.
func (r *Registry) AllSearchParameters() []*SearchParameter { return r.parameters }

// SearchParameterByURL returns the parameter with the canonical url.
func (r *Registry) SearchParameterByURL(url string) (*SearchParameter, bool) {
	i, ok := sort.Find(len(r.parameters), func(i int) int { return strings.Compare(url, r.parameters[i].URL) })
	if !ok {
		return nil, false
	}
	return r.parameters[i], true
}
