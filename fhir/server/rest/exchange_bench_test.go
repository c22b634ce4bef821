package rest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	fhirxml "github.com/fhirgate/fhirgate/fhir/xml"
)

// way is one way of doing something.
type way struct {
	name string // a word, for the unit of its figures
	do   func(b *testing.B)
}

// compare measures ways of doing the same in turns, each times in a turn, so that what else the machine does falls on all of them: the processor's
// time of each, its allocations, and the ratio of its time to that of the first.
func compare(b *testing.B, name string, each int, ways ...way) {
	b.Run(name, func(b *testing.B) {
		took, allocs := make([]time.Duration, len(ways)), make([]uint64, len(ways))
		var before, after runtime.MemStats
		for b.Loop() {
			for i, w := range ways {
				runtime.ReadMemStats(&before)
				start := processorTime()
				for range each {
					w.do(b)
				}
				took[i] += processorTime() - start
				runtime.ReadMemStats(&after)
				allocs[i] += after.Mallocs - before.Mallocs
			}
		}
		n := float64(b.N * each)
		b.ReportMetric(0, "ns/op")
		for i, w := range ways {
			b.ReportMetric(float64(took[i].Nanoseconds())/1000/n, "us/"+w.name)
			b.ReportMetric(float64(allocs[i])/n, "allocs/"+w.name)
			if i > 0 {
				b.ReportMetric(float64(took[i])/float64(max(took[0], 1)), w.name+"/"+ways[0].name)
			}
		}
	})
}

// BenchmarkExchange compares what comes and goes in XML with the same in JSON, patches with the update that does the same, and a GraphQL query with
// the search that finds the same: through the whole server without sockets, in the embedded store in memory.
//
//	go test ./fhir/server/rest -run '^$' -bench Exchange -cpu 2
func BenchmarkExchange(b *testing.B) {
	s := newServerOf(b, newValidating(b))
	// request is a way of sending a body of a type, each time the next of bodies.
	request := func(name, method, path, contentType, accept string, status int, bodies ...string) way {
		i := 0
		return way{name, func(b *testing.B) {
			body := ""
			if len(bodies) > 0 {
				body = bodies[i%len(bodies)]
				i++
			}
			r := httptest.NewRequest(method, path, io.NopCloser(bytes.NewReader([]byte(body))))
			r.ContentLength = int64(len(body))
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			r.Header.Set("Accept", accept)
			w := &discard{header: http.Header{}}
			s.handler.ServeHTTP(w, r)
			if w.status != status {
				b.Fatal(w.status)
			}
		}}
	}
	s.put(b, "Patient/bench", examplePatient)
	observation := func(id string, i int) string {
		return fmt.Sprintf(`{"resourceType":"Observation",%s"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"Hemoglobin A1c"}]},`+
			`"subject":{"reference":"Patient/bench"},"effectiveDateTime":"2020-01-%02dT10:00:00Z","valueQuantity":{"value":6.%d,"unit":"%%","system":"http://unitsofmeasure.org","code":"%%"}}`, id, i+1, i)
	}
	for i := range 20 {
		s.put(b, fmt.Sprintf("Observation/o%d", i), observation(fmt.Sprintf(`"id":"o%d",`, i), i))
	}
	bundle := corpustest.Read(b, corpustest.Files(b, "synthea/*.json.gz")[0])
	r, err := fhir.ParseResource(bundle, fhir.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	bundle = r.AppendJSON(nil)
	inXML := func(json string) string {
		doc, err := fhirxml.New(definition.R4()).AppendXML(nil, []byte(json), fhirxml.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return string(doc)
	}
	// Validation learns the forms of resources the first time.
	if a := s.do(b, "POST", "/fhir", ct(jsonType), string(bundle)); a.status != 200 {
		b.Fatal(a.status)
	}
	both := func(name string, each int, method, path string, status int, body string) {
		j, x := request("JSON", method, path, "", jsonType, status), request("XML", method, path, "", xmlType, status)
		if body != "" {
			j, x = request("JSON", method, path, jsonType, jsonType, status, body), request("XML", method, path, xmlType, xmlType, status, inXML(body))
		}
		compare(b, name, each, j, x)
	}
	both("read", 1000, "GET", "/fhir/Patient/bench", 200, "")
	both("page of 20", 300, "GET", "/fhir/Observation?patient=bench&_count=20", 200, "")
	query := url.QueryEscape(`{ id name { family } ObservationList(_reference: patient, _count: 20) { id status code { coding { code display } } valueQuantity { value unit } } }`)
	compare(b, "GraphQL of a patient with 20 Observations", 300, request("search", "GET", "/fhir/Observation?patient=bench&_count=20", "", jsonType, 200),
		request("GraphQL", "GET", "/fhir/Patient/bench/$graphql?query="+query, "", "application/json", 200))
	// Each request changes the resource back and forth.
	other := string(bytes.Replace([]byte(examplePatient), []byte(`"male"`), []byte(`"female"`), 1))
	path := func(code string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.gender"},{"name":"value","valueCode":"` + code + `"}]}]}`
	}
	pointer := func(code string) string { return `[{"op":"replace","path":"/gender","value":"` + code + `"}]` }
	compare(b, "patch", 200, request("update", "PUT", "/fhir/Patient/bench", jsonType, jsonType, 200, other, examplePatient),
		request("JSONPatch", "PATCH", "/fhir/Patient/bench", patchType, jsonType, 200, pointer("female"), pointer("male")),
		request("FHIRPathPatch", "PATCH", "/fhir/Patient/bench", jsonType, jsonType, 200, path("female"), path("male")),
		request("XMLPatch", "PATCH", "/fhir/Patient/bench", xmlType, xmlType, 200, inXML(path("female")), inXML(path("male"))))
	both("create", 200, "POST", "/fhir/Observation", 201, observation("", 1))
	both("transaction", 2, "POST", "/fhir", 200, string(bundle))
}
