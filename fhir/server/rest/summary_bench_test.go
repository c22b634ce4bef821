package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkSummary makes the summaries of synthetic patients, through the whole server without sockets: of one with a short record and of the one with
// the longest in the corpus.
//
//	go test ./fhir/server/rest -run '^$' -bench Summary -cpu 2
func BenchmarkSummary(b *testing.B) {
	s := newServer(b)
	files := corpustest.Files(b, "synthea/*.json.gz")
	for _, c := range []struct {
		name string
		file int
	}{{"short", 0}, {"long", 18}} {
		a := s.do(b, "POST", "/fhir", ct(jsonType), string(corpustest.Read(b, files[c.file])))
		if a.status != 200 {
			b.Fatalf("%d %.300s", a.status, a.body)
		}
		_, rest, ok := strings.Cut(string(a.body), `"location":"Patient/`)
		id, _, _ := strings.Cut(rest, "/")
		if !ok {
			b.Fatal("the record has no Patient")
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "/fhir/Patient/"+id+"/$summary", nil)
				w := &discard{header: http.Header{}}
				s.handler.ServeHTTP(w, r)
				if w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}
