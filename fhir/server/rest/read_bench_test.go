package rest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// examplePatient is of the size of a Synthea patient.
var examplePatient = `{"resourceType":"Patient","id":"bench","identifier":[{"system":"http://example.org/mrn","value":"1"}],"name":[{"family":"Chalmers","given":["Peter","James"]}],"gender":"male","birthDate":"1974-12-25","address":[` +
	strings.TrimSuffix(strings.Repeat(`{"use":"home","type":"both","line":["534 Erewhon St"],"city":"PleasantVille","district":"Rainbow","state":"Vic","postalCode":"3999","country":"AU"},`, 12), ",") + `]}`

// BenchmarkRead reads one Patient over loopback; BenchmarkConstant is answered with as many constant bytes by a Gin handler. The budget is
// 60 % of its requests.
//
//	go test ./fhir/server/rest -run '^$' -bench 'Read|Constant' -cpu 2
func BenchmarkRead(b *testing.B) {
	s := newServer(b)
	s.put(b, "Patient/bench", examplePatient)
	benchmarkGet(b, s.url+"/fhir/Patient/bench")
}

// BenchmarkConstant is the measure of BenchmarkRead.
func BenchmarkConstant(b *testing.B) {
	s := newServer(b)
	s.put(b, "Patient/bench", examplePatient)
	body := s.do(b, "GET", "/fhir/Patient/bench", nil, "").body
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.GET("/fhir/:type/:id", func(c *gin.Context) { c.Data(http.StatusOK, jsonType, body) })
	constant := httptest.NewUnstartedServer(g)
	constant.Config = rest.NewServer(g, 0, nil)
	constant.Start()
	defer constant.Close()
	benchmarkGet(b, constant.URL+"/fhir/Patient/bench")
}

// BenchmarkReadHandler measures the handler alone, without HTTP: its time and allocations are the edge's.
func BenchmarkReadHandler(b *testing.B) {
	s := newServer(b)
	s.put(b, "Patient/bench", examplePatient)
	r := httptest.NewRequest("GET", "/fhir/Patient/bench", nil)
	r.Header.Set("Accept", jsonType)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		s.handler.ServeHTTP(w, r)
	}
	if w.status != 200 {
		b.Fatal(w.status)
	}
}

// discard is a ResponseWriter that keeps nothing but the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func benchmarkGet(b *testing.B, url string) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r, err := http.NewRequestWithContext(context.Background(), "GET", url, nil)
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Accept", jsonType)
		for pb.Next() {
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || n == 0 {
				b.Error(fmt.Sprint(resp.StatusCode, " ", err))
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
