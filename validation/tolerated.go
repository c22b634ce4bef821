package validation

import "github.com/fhirgate/fhirgate/fhir"

// tolerance is a class of faults that a library finds and R4 does not: it is dropped. What a stand-in can prevent is in standin.go.
type tolerance struct {
	id      fhir.IssueID // of the issue that it would be
	reason  string
	applies func(w *walker, n fhir.Node, child string) bool
}

// tolerances are all there are. TestBaseFinds has a case for each.
var tolerances = []tolerance{
	{fhir.IDModelUnknown, "google/fhir's Extension has no value of type Meta", func(w *walker, n fhir.Node, child string) bool {
		_, t := w.elementOf(n)
		return t != nil && t.Name == "Extension" && (child == "valueMeta" || n.Name() == "valueMeta")
	}},
}

// tolerated reports whether a library's fault of the id at n, or at a child of it, is one to drop.
func (w *walker) tolerated(id fhir.IssueID, n fhir.Node, child string) bool {
	for _, t := range tolerances {
		if t.id == id && t.applies(w, n, child) {
			return true
		}
	}
	return false
}
