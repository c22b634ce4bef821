package xml

import (
	"bytes"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkFormat compares XML with JSON: the parse of the JSON, the reading of the same resource's XML with the parse of the JSON that it makes,
// and writing. MB/s are of the JSON in all of them, so that they are ratios of time.
func BenchmarkFormat(b *testing.B) {
	for _, file := range []string{"synthea/*.json.gz", "r4-examples/Patient-example.json", "r4-examples/Observation-f001.json", "r4-examples/Bundle-bundle-example.json"} {
		path := corpustest.Files(b, file)[0]
		src := corpustest.Read(b, path)
		r := resourceOf(b, src)
		json := r.AppendJSON(nil)
		r = resourceOf(b, json)
		doc, err := r4.AppendXML(nil, r.Raw(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		name := r.Type()
		if len(json) > 100_000 {
			name = "PatientRecord"
		}
		run := func(what string, f func() error) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.SetBytes(int64(len(json)))
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("parse JSON", func() error { _, err := fhir.Parse(json, fhir.Limits{}); return err })
		run("read XML and parse", func() error {
			out, err := r4.AppendJSON(make([]byte, 0, len(json)), bytes.NewReader(doc), Limits{})
			if err == nil {
				_, err = fhir.Parse(out, fhir.Limits{})
			}
			return err
		})
		out := make([]byte, 0, 2*len(doc))
		run("write XML", func() error { _, err := r4.AppendXML(out[:0], json, Options{}); return err })
	}
}
