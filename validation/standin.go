package validation

import (
	"bytes"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// A stand-in is a short value of the same primitive type that the libraries' phases are given in the place of one that they can't read, whether
// R4 allows it or not, or that would cost them more than its size. The elements' phase has checked the real value by then, so nothing passes
// unseen; and because the libraries stop at what they can't read, the stand-in lets them go on to everything else.

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

// longText is the length from which a text is stood in for: gojsonschema matches it with a regular expression at some 30 MB/s, and google/fhir
// copies it once for each object around it.
const longText = 1024

// needsStandIn reports whether a valid value is one that a library fails on. TestBaseFinds has a case for each reason.
func needsStandIn(typ, text string, n fhir.Node) bool {
	switch typ {
	case "dateTime", "instant", "time":
		// Leap seconds: R4's regular expressions allow second 60; google/fhir's do not.
		return strings.Contains(text, ":60")
	case "base64Binary":
		// Base64 with white space or escapes: google/fhir wants gaps of equal length at equal distances and does not read "\/".
		return len(text) > longText || hasSpace(text) || bytes.IndexByte(n.Raw(), '\\') >= 0
	case "uri", "url", "canonical":
		// An escape in the host: RFC 3986 allows it (section 3.2.2), net/url, which google/fhir asks, does not.
		_, rest, _ := strings.Cut(text, "//")
		host, _, _ := strings.Cut(rest, "/")
		return len(text) > longText || strings.Contains(host, "%")
	case "string", "markdown", "xhtml":
		return len(text) > longText
	}
	return false
}

// standIn notes that the value n of the primitive m is stood in for.
func (w *walker) standIn(n fhir.Node, m member) {
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
	start, end := n.Span()
	w.standIns = append(w.standIns, fhir.Edit{Start: start, End: end, Text: text})
}
