package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// maxNamedCodes is how many codes a warning names.
const maxNamedCodes = 20

// checkBinding warns of a code that no element of the parameter can have: all are of type code, and their required value sets do not have it.
func (q *reading) checkBinding(p *Parameter, raw string) {
	e := p.elements()
	if p.Type != "token" || e.unknown || !slices.Equal(e.types, []string{"code"}) {
		return
	}
	system, code, scoped := strings.Cut(raw, "|")
	if !scoped {
		system, code = "", raw
	}
	if code = foldCode(unescape(code)); code == "" || strings.Contains(raw, `\`) {
		return
	}
	var codes []string
	for _, typ := range q.types {
		sets := e.required[typ]
		if len(sets) == 0 {
			return
		}
		for _, set := range sets {
			members, ok := q.params.registry.Expand(set)
			if set == "" || !ok {
				return
			}
			for s, c := range members {
				if foldCode(c) == code && (system == "" || s == system) {
					return
				}
				codes = append(codes, c)
			}
		}
	}
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
