package search

import (
	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Reference is what one value of a reference parameter points to: a resource of this server by its key, and where the reference names a version
// by that too, or anything else by its URI.
type Reference struct {
	Param   string
	Key     fhir.Key
	Version string
	URI     string
}

// AppendReferences appends what the reference parameter code of r's type points to; for all its reference parameters where code is empty. It
// costs as much as these parameters alone. What is pointed to several times is there several times.
func (s *Parameters) AppendReferences(dst []Reference, r fhir.Resource, code string) ([]Reference, error) {
	ex := s.set.Load().extractor(s.registry, r.Type())
	if ex == nil {
		return dst, fhir.NewError(fhir.KindInvalid, fhir.IssueStructure, fhir.IDUnknownType, "the resource's type is none of R4")
	}
	x := extractions.Get().(*extraction)
	defer x.release()
	x.params, x.typ = s, ex.typ.Name
	focus := fhirpath.ElementItem(r.Node, fhir.Node{}, ex.typ)
	x.collects, x.references, x.valued = true, dst, true
	for i := range ex.rules {
		if p := ex.rules[i].param; p.Type == "reference" && (code == "" || p.Code == code) {
			x.run(&ex.rules[i], focus)
		}
	}
	return x.references, nil
}

// namesVersion is the code of the entry that a reference names a version. It has one so that the question is one for a single term.
const namesVersion = "true"

// NamesVersions is the condition that one of the references of a parameter names a version of a resource.
func NamesVersions(param string) Expr {
	return Some{Param: param + suffixVersioned, Where: []Comparison{{Field: Code, Op: Eq, Value: namesVersion}}}
}
