package validation

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// A stand-in is a value of the same primitive type that the libraries' phases are given in the place of the one in the resource: one value for
// all texts, all dates, all numbers, all references to a type. The elements' phase has checked the real value by then, so nothing passes unseen;
// and what the libraries are left with is the resource's form, which most records share with many others (form.go). Stand-ins are also what lets
// them go on behind a value that they can't read, and what keeps long ones from costing more than their size.

// parameterResource is the element whose resources google/fhir has no model for: its type there is Any, and it reads Any in "contained" alone.
// It is given an empty object in their place, and reads each of them by itself.
const parameterResource = "Parameters.parameter.resource"

// standIns are the stand-ins by primitive type. An element with a required binding takes its first code instead.
var standIns = map[string][]byte{
	"string": []byte(`"x"`), "markdown": []byte(`"x"`), "uri": []byte(`"x"`), "url": []byte(`"x"`), "canonical": []byte(`"x"`), "id": []byte(`"x"`), "code": []byte(`"x"`),
	"base64Binary": []byte(`"AAAA"`), "xhtml": []byte(`"<div>x</div>"`), "oid": []byte(`"urn:oid:1.2"`), "uuid": []byte(`"urn:uuid:00000000-0000-0000-0000-000000000000"`),
	"date": []byte(`"2000"`), "dateTime": []byte(`"2000"`), "instant": []byte(`"2000-01-01T00:00:00Z"`), "time": []byte(`"00:00:00"`),
	"decimal": []byte(`1`), "integer": []byte(`1`), "unsignedInt": []byte(`1`), "positiveInt": []byte(`1`), "boolean": []byte(`true`),
}

// emptyObject stands in for resources that are read apart, and for nulls among the siblings of primitives: google/fhir reads those as values.
var emptyObject = []byte(`{}`)

// longText is the length from which a URI is stood in for: gojsonschema matches it with a regular expression at some 30 MB/s, and google/fhir
// copies it once for each object around it.
const longText = 1024

// needsStandIn reports whether a value that the elements' phase has found valid is stood in for. Most are: see forms. Left in place are codes of
// bindings and true and false, which the libraries decide on as well, and URIs, where they know reserved ones.
func needsStandIn(m member, text string) bool {
	switch m.ref.Type.Name {
	case "boolean":
		return false
	case "string":
		return m.element.Path != reference
	case "code":
		return m.element.Path == "Coding.code" || m.element.Path == "Quantity.code"
	case "uri", "url", "canonical":
		// An escape in the host: RFC 3986 allows it (section 3.2.2), net/url, which google/fhir asks, does not.
		_, rest, _ := strings.Cut(text, "//")
		host, _, _ := strings.Cut(rest, "/")
		return len(text) > longText || strings.Contains(host, "%")
	}
	return true
}

// reference is the element that holds a literal reference.
const reference = "Reference.reference"

// standInReference returns what stands in for a literal reference: the same with another id, because the libraries decide on types as well. nil
// for references of other forms.
func standInReference(text string) []byte {
	if isUUID(text) {
		return standIns["uuid"]
	}
	typ, id, ok := strings.Cut(text, "/")
	if !ok || !fhir.ValidID(id) || !elementName(typ) {
		return nil
	}
	return fhir.AppendString(nil, typ+"/x")
}

// standIn notes that the value n of the primitive m is stood in for, unless no library will see it.
func (w *walker) standIn(n fhir.Node, m member) {
	if w.envelope {
		return
	}
	text := standIns[m.ref.Type.Name]
	if m.codes != nil {
		text = fhir.AppendString(nil, m.codes.list[0])
	}
	if text != nil {
		w.replace(n, text)
	}
}

// replace notes that text stands in for n. Nodes must come in document order.
func (w *walker) replace(n fhir.Node, text []byte) {
	if w.envelope {
		return
	}
	start, end := n.Span()
	w.standIns = append(w.standIns, fhir.Edit{Start: start, End: end, Text: text})
}
