package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// documentOf reports whether a version is a document about the patient that is erased, and holds nothing of another one: its first entry is of this server
// and has the patient as its subject, all its resources of the patient's type are the patient, and so are all references to that type.
func (p *purging) documentOf(rec storage.Record) (bool, error) {
	if rec.Key.Type != "Bundle" || rec.Deleted {
		return false, nil
	}
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil || r.Get("type").Text() != "document" {
		return false, err
	}
	first := r.Get("entry").First()
	if _, _, own := p.service.Local("", first.Get("fullUrl").Text()); !own || !p.names(first.Get("resource").Get("subject").Get("reference").Text()) {
		return false, nil
	}
	for entry := range r.Get("entry").Children() {
		if entry.Get("resource").Get("resourceType").Text() == p.key.Type && !p.names(entry.Get("fullUrl").Text()) {
			return false, nil
		}
	}
	for n := range literals(r.Node) {
		text := n.Text()
		if n.Name() == "reference" && (strings.Contains(text, p.key.Type+"/") || strings.Contains(text, p.key.Type+"?")) && !p.names(text) {
			return false, nil
		}
	}
	return true, nil
}

// names reports whether a reference names the patient.
func (p *purging) names(reference string) bool {
	key, _, ok := p.service.Local("", reference)
	return ok && key == p.key
}
