package rest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	fhirxml "github.com/fhirgate/fhirgate/fhir/xml"
)

// BenchmarkExchange compares what comes and goes in XML with the same in JSON, patches with the update that does the same, and a GraphQL query with
// the search that finds the same: through the whole server without sockets, in the embedded store in memory.
//
//	go test ./fhir/server/rest -run '^$' -bench Exchange -cpu 2
func BenchmarkExchange(b *testing.B) {
	s := newServerOf(b, newValidating(b))
	do := func(b *testing.B, method, path, contentType, accept, body string) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			r := httptest.NewRequest(method, path, io.NopCloser(bytes.NewReader([]byte(body))))
			r.ContentLength = int64(len(body))
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			r.Header.Set("Accept", accept)
			w := &discard{header: http.Header{}}
			s.handler.ServeHTTP(w, r)
			if w.status != 200 {
				b.Fatal(w.status)
			}
		}
	}
	s.put(b, "Patient/bench", examplePatient)
	for i := range 20 {
		s.put(b, fmt.Sprintf("Observation/o%d", i), fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"Hemoglobin A1c"}]},`+
			`"subject":{"reference":"Patient/bench"},"effectiveDateTime":"2020-01-%02dT10:00:00Z","valueQuantity":{"value":6.%d,"unit":"%%","system":"http://unitsofmeasure.org","code":"%%"}}`, i, i+1, i))
	}
	bundle := corpustest.Read(b, corpustest.Files(b, "synthea/*.json.gz")[0])
	r, err := fhir.ParseResource(bundle, fhir.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	doc, err := fhirxml.New(definition.R4()).AppendXML(nil, r.Raw(), fhirxml.Options{})
	if err != nil {
		b.Fatal(err)
	}
	// Validation learns the forms of resources the first time.
	if a := s.do(b, "POST", "/fhir", ct(jsonType), string(bundle)); a.status != 200 {
		b.Fatal(a.status)
	}
	for _, f := range []struct{ name, typ, bundle string }{{"JSON", jsonType, string(r.AppendJSON(nil))}, {"XML", xmlType, string(doc)}} {
		b.Run("read/"+f.name, func(b *testing.B) { do(b, "GET", "/fhir/Patient/bench", "", f.typ, "") })
		b.Run("search/"+f.name, func(b *testing.B) { do(b, "GET", "/fhir/Observation?patient=bench&_count=20", "", f.typ, "") })
		b.Run("transaction/"+f.name, func(b *testing.B) {
			b.SetBytes(int64(len(bundle)))
			do(b, "POST", "/fhir", f.typ, f.typ, f.bundle)
		})
	}
	// Each request changes the resource back and forth.
	flip := func(b *testing.B, method, contentType, one, other string) {
		b.ReportAllocs()
		bodies := [2]string{one, other}
		for i := 0; b.Loop(); i++ {
			body := bodies[i%2]
			r := httptest.NewRequest(method, "/fhir/Patient/bench", io.NopCloser(bytes.NewReader([]byte(body))))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Type", contentType)
			w := &discard{header: http.Header{}}
			s.handler.ServeHTTP(w, r)
			if w.status != 200 {
				b.Fatal(w.status)
			}
		}
	}
	other := string(bytes.Replace([]byte(examplePatient), []byte(`"male"`), []byte(`"female"`), 1))
	path := func(code string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.gender"},{"name":"value","valueCode":"` + code + `"}]}]}`
	}
	pointer := func(code string) string { return `[{"op":"replace","path":"/gender","value":"` + code + `"}]` }
	b.Run("write/update", func(b *testing.B) { flip(b, "PUT", jsonType, other, examplePatient) })
	b.Run("write/JSON Patch", func(b *testing.B) { flip(b, "PATCH", patchType, pointer("female"), pointer("male")) })
	b.Run("write/FHIRPath Patch", func(b *testing.B) { flip(b, "PATCH", jsonType, path("female"), path("male")) })
	query := url.QueryEscape(`{ id name { family } ObservationList(_reference: patient, _count: 20) { id status code { coding { code display } } valueQuantity { value unit } } }`)
	b.Run("GraphQL/patient with 20 Observations", func(b *testing.B) {
		do(b, "GET", "/fhir/Patient/bench/$graphql?query="+query, "", "application/json", "")
	})
}
