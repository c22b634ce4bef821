package validation

import (
	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/xhtml"
)

// The narrative's phase refuses a Narrative.div that package xhtml finds a fault in. An empty one breaks the invariant txt-2, harms nobody, and is left
// to the phase of the invariants.

// narrative notes what is wrong with the text of an xhtml value.
func (w *walker) narrative(n fhir.Node, text string) {
	switch f := xhtml.Check(text); f.Kind {
	case xhtml.Active:
		w.add(n, "", fhir.IssueSecurity, fhir.IDNarrativeScript, "the narrative can run a script or load content: "+f.Text)
	case xhtml.Markup:
		w.add(n, "", fhir.IssueInvalid, fhir.IDNarrativeMarkup, "the narrative is not the XHTML that R4 allows: "+f.Text)
	}
}

// narratives checks the narratives of the root and of what it contains, for levels that walk no elements.
func (w *walker) narratives() {
	check := func(r fhir.Node) {
		if div := r.Get("text").Get("div"); div.Kind() == fhir.String {
			w.narrative(div, div.Text())
		}
	}
	check(w.root.Node)
	for c := range w.root.Get("contained").Children() {
		check(c)
	}
}
