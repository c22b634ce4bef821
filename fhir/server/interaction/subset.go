package interaction

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Subset returns a resource as _summary and _elements ask to see it (R4 search, 3.1.1.5.8 and 3.1.1.5.9,
// http://hl7.org/fhir/R4/search.html#summary). What is left out is told by the tag SUBSETTED. summary is "true", "text", "data", "false",
// "count" (which shapes Bundles only) or empty; another is KindInvalid. Names in elements that the resource does not have select nothing;
// one may be written as "Patient.name" to mean resources of that type only.
func (s *Service) Subset(body []byte, summary string, elements []string) ([]byte, error) {
	sub, err := newSubset(summary, elements)
	if err != nil || sub == nil {
		return body, failure("subset", fhir.Key{}, err)
	}
	out, err := s.subset(body, sub)
	return out, failure("subset", fhir.Key{}, err)
}

// subset is what a client asked to see; nil for everything.
type subset struct {
	summary  string
	elements []string
}

// summaries are the codes of _summary.
var summaries = []string{"true", "text", "data", "count", "false"}

func newSubset(summary string, elements []string) (*subset, error) {
	if summary != "" && !slices.Contains(summaries, summary) {
		return nil, errParameter("_summary", "is true, text, data, count or false")
	}
	if summary == "false" || summary == "count" {
		summary = ""
	}
	if summary != "" && len(elements) > 0 {
		return nil, errParameter("_elements", "and _summary can't be combined")
	}
	if summary == "" && len(elements) == 0 {
		return nil, nil
	}
	return &subset{summary: summary, elements: elements}, nil
}

// subset makes the subset of a resource.
func (s *Service) subset(body []byte, sub *subset) ([]byte, error) {
	r, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	typ, ok := s.registry.Resource(r.Type())
	if !ok {
		return body, nil
	}
	keep := sub.keeps(typ)
	if keep == nil {
		return body, nil
	}
	dst := make([]byte, 0, len(body)+120)
	dst = append(dst, '{')
	for c := range r.Children() {
		name := c.Name()
		if name == "meta" {
			dst = fhir.AppendName(dst, name)
			dst = appendSubsetted(dst, c)
			continue
		}
		if name != "resourceType" && name != "id" && !keep(name) {
			continue
		}
		dst = fhir.AppendName(dst, name)
		if sub.summary == "true" {
			dst = appendSummary(dst, c, jsonType(typ, name))
		} else {
			dst = c.AppendJSON(dst)
		}
		if name == "id" && !r.Get("meta").Valid() {
			dst = fhir.AppendName(dst, "meta")
			dst = appendSubsetted(dst, fhir.Node{})
		}
	}
	return append(dst, '}'), nil
}

// keeps returns which top-level members of a resource of type typ stay, beside resourceType, id and meta; nil for all.
func (sub *subset) keeps(typ *definition.Type) func(name string) bool {
	mandatory := func(name string) bool {
		e, _ := typ.JSONChild(strings.TrimPrefix(name, "_"))
		return e != nil && e.Min > 0
	}
	switch sub.summary {
	case "true":
		return func(name string) bool {
			e, _ := typ.JSONChild(strings.TrimPrefix(name, "_"))
			return e != nil && (e.Summary || e.Min > 0)
		}
	case "text":
		return func(name string) bool { return name == "text" || mandatory(name) }
	case "data":
		return func(name string) bool { return name != "text" }
	}
	var wanted []string
	for _, name := range sub.elements {
		if of, rest, qualified := strings.Cut(name, "."); qualified {
			if of != typ.Name {
				continue
			}
			name = rest
		}
		wanted = append(wanted, name)
	}
	if len(wanted) == 0 {
		// All names were of other types: this one is not asked for in parts.
		return nil
	}
	return func(name string) bool {
		e, _ := typ.JSONChild(strings.TrimPrefix(name, "_"))
		return e != nil && (e.Min > 0 || slices.Contains(wanted, e.Name) || slices.Contains(wanted, name) || slices.Contains(wanted, e.Name+"[x]"))
	}
}

// appendSummary appends a summary element, without what its own type marks as none: the data of an Attachment, or a backbone element's
// details. Elements without a summary element below them stay whole.
func appendSummary(dst []byte, n fhir.Node, typ *definition.Type) []byte {
	switch n.Kind() {
	case fhir.Array:
		dst = append(dst, '[')
		for c := range n.Children() {
			dst = appendSummary(fhir.AppendSeparator(dst), c, typ)
		}
		return append(dst, ']')
	case fhir.Object:
		if typ == nil || typ.Kind == definition.KindPrimitive || typ.Kind == definition.KindResource || !hasSummary(typ) {
			return n.AppendJSON(dst)
		}
		dst = append(dst, '{')
		for c := range n.Children() {
			e, ref := typ.JSONChild(strings.TrimPrefix(c.Name(), "_"))
			if e == nil || !e.Summary && e.Min == 0 && e.Name != "id" {
				continue
			}
			dst = fhir.AppendName(dst, c.Name())
			if ref != nil {
				dst = appendSummary(dst, c, ref.Type)
			} else {
				dst = c.AppendJSON(dst)
			}
		}
		return append(dst, '}')
	}
	return n.AppendJSON(dst)
}

// hasSummary reports whether any element of t, but for the modifierExtension that all have, is part of summaries.
func hasSummary(t *definition.Type) bool {
	return slices.ContainsFunc(t.Elements, func(e *definition.Element) bool { return e.Summary && e.Name != "modifierExtension" })
}

// jsonType returns the type of the member name of t; nil where t has none.
func jsonType(t *definition.Type, name string) *definition.Type {
	if _, ref := t.JSONChild(strings.TrimPrefix(name, "_")); ref != nil {
		return ref.Type
	}
	return nil
}

const subsettedTag = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// appendSubsetted appends a meta with the tag that tells that elements were left out.
func appendSubsetted(dst []byte, meta fhir.Node) []byte {
	dst = append(dst, '{')
	tagged := false
	for c := range meta.Children() {
		if c.Name() != "tag" || c.Kind() != fhir.Array || c.Len() == 0 {
			dst = fhir.AppendName(dst, c.Name())
			dst = c.AppendJSON(dst)
			continue
		}
		dst = fhir.AppendName(dst, "tag")
		dst = c.AppendJSON(dst)
		dst = append(dst[:len(dst)-1], ',')
		dst = append(append(dst, subsettedTag...), ']')
		tagged = true
	}
	if !tagged {
		dst = append(fhir.AppendName(dst, "tag"), "["+subsettedTag+"]"...)
	}
	return append(dst, '}')
}

// view returns a resource as the client wants to see it.
func (s *Service) view(body []byte, v *View) ([]byte, error) {
	if v.whole() {
		return body, nil
	}
	return s.Subset(body, v.Summary, v.Elements)
}
