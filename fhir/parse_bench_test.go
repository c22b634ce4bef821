package fhir

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkParse reads one patient's bundle, indented as published and minified, and a single resource; beside each, what encoding/json takes
// to say whether it is valid.
func BenchmarkParse(b *testing.B) {
	indented := corpustest.Read(b, corpustest.Path(b, "synthea/patient-001.json.gz"))
	var minified bytes.Buffer
	if err := json.Compact(&minified, indented); err != nil {
		b.Fatal(err)
	}
	patient := corpustest.Read(b, corpustest.Path(b, "r4-examples/Patient-example.json"))
	for _, c := range []struct {
		name string
		src  []byte
	}{{"bundle", indented}, {"bundle-minified", minified.Bytes()}, {"patient", patient}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.src, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/encoding-json-valid", func(b *testing.B) {
			b.SetBytes(int64(len(c.src)))
			for b.Loop() {
				if !json.Valid(c.src) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
