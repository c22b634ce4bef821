package mongodb

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestResourceComesBackFromBSONByteForByte(t *testing.T) {
	for _, c := range []struct {
		name, json string
		same       bool
	}{
		{"strings, order and nesting", `{"resourceType":"Patient","z":"é\n\"","a":[{"b":true},null,[]],"c":{}}`, true},
		{"trailing zeros", `{"value":1.00,"other":-0.0010}`, true},
		{"integers", `{"value":9223372036854775807,"zero":0}`, true},
		{"34 digits", `{"value":1.234567890123456789012345678901234}`, true},
		{"40 digits", `{"value":1.2345678901234567890123456789012345678901}`, false},
		{"exponent", `{"value":1e3}`, false},
		{"escape", `{"value":"\u00e9"}`, false},
		{"planes", `{"value":"😀𝔘"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, err := fhir.Parse([]byte(c.json), fhir.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			doc, ok := appendBSON(nil, tree.Root(), 1)
			if !ok {
				t.Fatal("not stored as a document")
			}
			if got := string(appendJSON(nil, doc)); (got == c.json) != c.same {
				t.Errorf("came back as %s", got)
			}
		})
	}
}
