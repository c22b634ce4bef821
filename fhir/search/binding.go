package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// maxNamedCodes is how many codes a warning names.
const maxNamedCodes = 20

// checkBinding warns, once a parameter, of a code that no element of the parameter can have: all are of type code, and their required value sets do
// not have it.
func (q *reading) checkBinding(p *Parameter, raw string) {
	if p.Type != "token" || slices.Contains(q.warned, p) {
		return
	}
	e := p.elements()
	if e.unknown || len(e.types) != 1 || e.types[0] != "code" {
		return
	}
	system, code, scoped := strings.Cut(raw, "|")
	if !scoped {
		system, code = "", raw
	}
	if code == "" || strings.Contains(raw, `\`) {
		return
	}
	folded := foldCode(code)
	for _, typ := range q.types {
		sets := e.required[typ]
		if len(sets) == 0 {
			return
		}
		for _, set := range sets {
			if set == "" || q.params.hasCode(set, system, code) || folded != code && q.params.hasCode(set, system, folded) {
				return
			}
		}
	}
	var codes []string
	for _, typ := range q.types {
		for _, set := range e.required[typ] {
			members, ok := q.params.registry.Expand(set)
			if !ok {
				return
			}
			for s, c := range members {
				if foldCode(c) == folded && (system == "" || s == system) {
					return
				}
				codes = append(codes, c)
			}
		}
	}
	q.warned = append(q.warned, p)
	slices.Sort(codes)
	codes = slices.Compact(codes)
	more := ""
	if n := len(codes); n > maxNamedCodes {
		codes, more = codes[:maxNamedCodes], " and "+strconv.Itoa(n-maxNamedCodes)+" more"
	}
	q.warnings = append(q.warnings, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueCodeInvalid, ID: fhir.IDUnknownCode,
		Text: "parameter " + quote(p.Code) + ": the value is not a code of the element's required value set, so nothing valid has it; the codes are " +
			strings.Join(codes, ", ") + more})
}

// hasCode reports whether a value set of R4 has a code as it is spelled, of any system where system is "".
func (s *Parameters) hasCode(set, system, code string) bool {
	member, known := s.registry.ValueSetContains(set, system, code)
	return known && member
}
