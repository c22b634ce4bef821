package fhir_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestLiteralReferences(t *testing.T) {
	types := slices.Values([]string{"Group", "Patient", "Practitioner"})
	for reference, want := range map[string]string{
		"Patient/1": "", "Patient/1/_history/2": "", "#part": "", "#": "", "Patient?identifier=x": "",
		"http://example.org/Patient/1": "", "https://example.org/x?y": "", "urn:uuid:0d9b": "", "urn:oid:1.2": "", "mailto:x": "", "http://example.org/Patient/1#part": "", "HTTPS://example.org": "", "https://localhost?x": "", "Patient?identifier=x#y": "", "urn:ietf:rfc:3986": "", "ActorDefinition/x": "", "PatientHistory/x": "",
		"Patiant/1":                 "did you mean Patient?",
		"patient/x":                 "did you mean Patient?",
		"patient":                   "did you mean Patient?",
		"Patiant?identifier=x":      "did you mean Patient?",
		"nd1":                       "no resource type; a relative one is Group/[id]",
		"Patient":                   "no id; it is Patient/[id]",
		"Patient/":                  "no id; it is Patient/[id]",
		"Patient/nd1/":              "ends with a slash; it is Patient/[id]",
		"/Patient/1":                "begins with a slash",
		"":                          "empty",
		"Patient/1#part":            "without a fragment",
		"Patient/1/_history/2#part": "without a fragment",
		"Patient/1#":                "without a fragment",
		"http://":                   "no host",
		"https:///Patient/1":        "no host",
		"http:Patient/1":            "no host",
		"http://?x":                 "no host",
		"http://#x":                 "no host",
		"urn:uuid:":                 "names nothing",
		"urn:x":                     "names nothing",
		"Patient/a b":               "Patient/[id] or Patient/[id]/_history/[version]",
		"Patient/1/_history/":       "Patient/[id] or Patient/[id]/_history/[version]",
		"ActorDefinition/":          "no id", "Patient/1/2": "Patient/[id] or Patient/[id]/_history/[version]",
		"fhir/Patient/1":                     "does not begin with a resource type",
		"http:":                              "no resource type",
		":x":                                 "no resource type",
		"Patient/" + strings.Repeat("x", 65): "1 to 64 letters",
	} {
		got := fhir.LiteralFault(reference, types, []string{"Group"})
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", reference, got, want)
		}
	}
}
