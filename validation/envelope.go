package validation

import (
	"github.com/fhirgate/fhirgate/fhir"
)

// The envelope of a batch or transaction is its Bundle without the resources that it carries: what the entries are asked to do
// (http://hl7.org/fhir/R4/bundle.html#bundle-request). It is a request, as a URL and its headers are: a member that nobody reads, as
// request.IfMatch, would lose what the client asked for. So it is walked as a resource is, at every level of validation; the libraries' phases,
// which find nothing that the walk does not (decision 7 of DECISIONS.md), are left out.

// The elements that an envelope leaves out.
const (
	bundleEntry    = "Bundle.entry"
	bundleResource = "Bundle.entry.resource"
)

// Envelope returns every fault of a Bundle's own members. Its entries are left out: each is checked by EnvelopeEntry, so that one does not hide
// the faults of another.
func (v *Validator) Envelope(b fhir.Resource) []fhir.Issue {
	return v.envelope(b.Node, "Bundle", "Bundle")
}

// EnvelopeEntry returns every fault of an entry's members, but for those of its resource. Expressions start behind the entry: ".request.method".
// n is an object.
func (v *Validator) EnvelopeEntry(n fhir.Node) []fhir.Issue { return v.envelope(n, bundleEntry, "") }

func (v *Validator) envelope(n fhir.Node, typ, path string) []fhir.Issue {
	t, _ := v.reg.Type(typ)
	w := walker{v: v, root: fhir.Resource{Node: n}, typ: t, path: path, envelope: true}
	w.object(n, t, path != "")
	return w.issues()
}

// leaves reports whether the member n of an envelope is not walked: what is carried, and modifier extensions, which nobody may pass over who
// does not know them (http://hl7.org/fhir/R4/extensibility.html#modifierExtension).
func (w *walker) leaves(n fhir.Node, m member) bool {
	switch m.element.Name {
	case "entry":
		return m.element.Path == bundleEntry
	case "resource":
		return m.element.Path == bundleResource
	case "modifierExtension":
		w.add(n, "", fhir.IssueExtension, fhir.IDModifierExtension, "a modifier extension changes the meaning of the request, and the server understands none")
		return true
	}
	return false
}
