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

// standIns are the stand-ins by primitive type. code has none: elements with a required binding take only its codes.
var standIns = map[string]string{
	"string": `"x"`, "markdown": `"x"`, "uri": `"x"`, "url": `"x"`, "canonical": `"x"`, "id": `"x"`, "base64Binary": `"AAAA"`,
	"xhtml": `"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"`,
	"oid":   `"urn:oid:1.2"`, "uuid": `"urn:uuid:00000000-0000-0000-0000-000000000000"`,
	"date": `"2000"`, "dateTime": `"2000"`, "instant": `"2000-01-01T00:00:00Z"`, "time": `"00:00:00"`,
	"decimal": `1`, "integer": `1`, "unsignedInt": `1`, "positiveInt": `1`, "boolean": `true`,
}

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

// standIn notes that the value n of a primitive type is stood in for.
func (w *walker) standIn(n fhir.Node, typ string) {
	if text, ok := standIns[typ]; ok {
		start, end := n.Span()
		w.standIns = append(w.standIns, fhir.Edit{Start: start, End: end, Text: []byte(text)})
	}
}
