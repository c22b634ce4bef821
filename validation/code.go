package validation

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// codeSet holds the codes of an element of type code with a required binding.
type codeSet struct {
	list []string // in the order of the value set
	has  map[string]bool
}

// contains reports whether the element may have the code. A nil set has all.
func (s *codeSet) contains(code string) bool { return s == nil || s.has[code] }

// expected says for a message which codes there are, and that their case counts where a wrong code has another.
func (s *codeSet) expected(wrong string) string {
	for _, c := range s.list {
		if strings.EqualFold(c, wrong) {
			return listed(s.list) + "; codes are case-sensitive"
		}
	}
	return listed(s.list)
}

// listed lists words for a message, the first ones of many.
func listed(words []string) string {
	if len(words) > 20 {
		return strings.Join(words[:20], ", ") + " and others"
	}
	return strings.Join(words, ", ")
}

func required(e *definition.Element) bool {
	return e.Binding != nil && e.Binding.Strength == "required"
}

// codesOf returns the codes that an element of type code may have; nil for any, which is the case of media types and currencies: their code
// systems are not part of R4. Sets are made at first use and kept.
func (v *Validator) codesOf(e *definition.Element, t *definition.Type) *codeSet {
	if !required(e) || t.Name != "code" {
		return nil
	}
	if s, ok := v.codes.Load(e.Binding.ValueSet); ok {
		return s.(*codeSet)
	}
	var s *codeSet
	if codes, ok := v.reg.Expand(e.Binding.ValueSet); ok {
		s = &codeSet{has: map[string]bool{}}
		abstract := map[string]map[string]bool{}
		for system, code := range codes {
			if abstract[system] == nil {
				abstract[system] = v.notSelectable(system)
			}
			if !s.has[code] && !abstract[system][code] {
				s.list = append(s.list, code)
				s.has[code] = true
			}
		}
	}
	actual, _ := v.codes.LoadOrStore(e.Binding.ValueSet, s)
	return actual.(*codeSet)
}

// notSelectable returns the codes of a system that group others and are not for use (R4 CodeSystem, defined concept properties).
func (v *Validator) notSelectable(system string) map[string]bool {
	codes := map[string]bool{}
	cs, ok := v.reg.Definition(system)
	if !ok {
		return codes
	}
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		for c := range n.Get("concept").Children() {
			for p := range c.Get("property").Children() {
				if p.Get("code").Text() == "notSelectable" && p.Get("valueBoolean").Text() == "true" {
					codes[c.Get("code").Text()] = true
				}
			}
			walk(c)
		}
	}
	walk(cs.Node)
	return codes
}
