package search

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// References returns the entries that Extract makes for the reference parameter code of r's type; for all its reference parameters where
// code is empty. It costs as much as these parameters alone.
func (s *Parameters) References(r fhir.Resource, code string) ([]Entry, error) {
	ex := s.set.Load().extractor(s.registry, r.Type())
	if ex == nil {
		return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueStructure, fhir.IDUnknownType, "the resource's type is none of R4")
	}
	x := extractions.Get().(*extraction)
	defer x.release()
	x.params, x.typ = s, ex.typ.Name
	focus := fhirpath.ElementItem(r.Node, fhir.Node{}, ex.typ)
	for i := range ex.rules {
		if p := ex.rules[i].param; p.Type == "reference" && (code == "" || p.Code == code) {
			x.run(&ex.rules[i], focus)
		}
	}
	return slices.Clone(x.entries), nil
}
