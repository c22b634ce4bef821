package ips

import (
	"github.com/fhirgate/fhirgate/fhir"
)

// absent is the extension for an element that must be there and of which nothing is known
// (http://hl7.org/fhir/uv/ips/STU2/Empty-Sections-and-Missing-Data.html).
const absent = `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`

// complete returns the patient with that extension where the profile demands a name or a date of birth and the resource has none.
func complete(r fhir.Resource) (fhir.Resource, error) {
	var edits []fhir.Edit
	add := ""
	if !r.Get("birthDate").Valid() && !r.Get("_birthDate").Valid() {
		add += `,"_birthDate":` + absent
	}
	if names := r.Get("name"); !names.Valid() {
		add += `,"name":[{"_text":` + absent + `}]`
	} else if names.Kind() == fhir.Array {
		for n := range names.Children() {
			if n.Kind() != fhir.Object || hasName(n) {
				continue
			}
			_, end := n.Span()
			text := `"_text":` + absent + `}`
			if n.First().Valid() {
				text = "," + text
			}
			edits = append(edits, fhir.Edit{Start: end - 1, End: end, Text: []byte(text)})
		}
	}
	if add != "" {
		_, end := r.Span()
		edits = append(edits, fhir.Edit{Start: end - 1, End: end, Text: []byte(add + "}")})
	}
	if len(edits) == 0 {
		return r, nil
	}
	return fhir.ParseResource(r.Splice(edits), fhir.Limits{})
}

// hasName reports whether a HumanName has what ips-pat-1 asks for.
func hasName(n fhir.Node) bool {
	for _, part := range []string{"family", "_family", "given", "_given", "text", "_text"} {
		if n.Get(part).Valid() {
			return true
		}
	}
	return false
}
