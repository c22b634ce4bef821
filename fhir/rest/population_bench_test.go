package rest_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/rest"
)

var (
	populationMillion = flag.Bool("population.million", false, "measure searches over 1,000,000 resources too")
	populationDir     = flag.String("population.dir", "", "keep the populations of the benchmarks in this folder")
)

// variants is how many searches of each shape take turns.
const variants = 40

// get answers a request from the handler.
func get(t testing.TB, h *rest.Handler, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%.200s: %d %.500s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// matches is how many matches a searchset has.
func matches(bundle []byte) int { return bytes.Count(bundle, []byte(`"mode":"match"`)) }

// pathTo follows next links from a search's first page, and returns the path of another page.
func pathTo(t testing.TB, h *rest.Handler, path string, page int) string {
	t.Helper()
	for range page - 1 {
		b := get(t, h, path)
		_, link, ok := bytes.Cut(b, []byte(`"relation":"next","url":"`))
		if !ok {
			t.Fatalf("no next link after %.100s", path)
		}
		link, _, _ = bytes.Cut(link, []byte(`"`))
		u, err := url.Parse(string(link))
		if err != nil {
			t.Fatal(err)
		}
		path = u.RequestURI()
	}
	return path
}

// populationPaths returns the requests that are measured, by shape.
func populationPaths(t testing.TB, h *rest.Handler, p population) map[string][]string {
	out := map[string][]string{}
	for _, s := range populationShapes() {
		for k := range variants {
			out[s.name] = append(out[s.name], "/fhir/"+s.path(p, k))
		}
	}
	out[farPage] = []string{pathTo(t, h, "/fhir/Observation?status=final", min(1000, p.n/30))}
	return out
}

// farPage is the shape of a page far from the first: the thousandth, or of 10,000 resources the 333rd.
const farPage = "page 1,000"

// TestPopulationPagesAreFull holds the premise of the benchmark, and that an index serves each condition of each shape.
func TestPopulationPagesAreFull(t *testing.T) {
	p := population{10_000}
	h := populated(t, p, t.TempDir())
	paths := populationPaths(t, h, p)
	for _, s := range append(populationShapes(), populationShape{name: farPage, rows: 20}) {
		for _, path := range paths[s.name] {
			if n := matches(get(t, h, path)); n != s.rows {
				t.Errorf("%s: %d matches: %.200s", s.name, n, path)
			}
		}
		if s.name == farPage {
			continue
		}
		explained := get(t, h, paths[s.name][0]+"&_explain=true")
		if bytes.Contains(explained, []byte("no index")) {
			t.Errorf("%s: no index serves a condition: %s", s.name, explained[max(0, len(explained)-1000):])
		}
	}
}

// BenchmarkPopulation measures searches as clients ask them, through the handler but without sockets, over 10,000 resources and with
// -population.million over 1,000,000. It prints a table with the ratio of the medians, which is to be at most 1.5 where the pages are the same.
//
//	go test ./fhir/rest -run '^$' -bench Population -benchtime 2000x -population.million -population.dir DIR
func BenchmarkPopulation(b *testing.B) {
	sizes := []int{10_000}
	if *populationMillion {
		sizes = append(sizes, 1_000_000)
	}
	handlers := make([]*rest.Handler, len(sizes))
	paths := make([]map[string][]string, len(sizes))
	for i, n := range sizes {
		dir := *populationDir
		if dir == "" {
			dir = b.TempDir()
		}
		handlers[i] = populated(b, population{n}, filepath.Join(dir, fmt.Sprint(n)))
		paths[i] = populationPaths(b, handlers[i], population{n})
	}
	var table strings.Builder
	table.WriteString("| shape | p50 at 10,000 | p99 | p50 at 1,000,000 | p99 | ratio of p50 |\n|---|---|---|---|---|---|\n")
	for _, s := range append(populationShapes(), populationShape{name: farPage}) {
		fmt.Fprintf(&table, "| %s |", s.name)
		var medians []time.Duration
		for i, n := range sizes {
			var p50, p99 time.Duration
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(s.name, " ", "_"), n), func(b *testing.B) {
				p50, p99 = measure(b, handlers[i], paths[i][s.name])
			})
			medians = append(medians, p50)
			fmt.Fprintf(&table, " %d us | %d us |", p50.Microseconds(), p99.Microseconds())
		}
		if len(medians) == 2 && medians[0] > 0 {
			fmt.Fprintf(&table, " %.2f |", float64(medians[1])/float64(medians[0]))
		}
		table.WriteString("\n")
	}
	if len(sizes) == 2 {
		fmt.Print("\n", table.String())
	}
}

// measure asks the paths in turn and reports the median and the 99th percentile of one request.
func measure(b *testing.B, h *rest.Handler, paths []string) (p50, p99 time.Duration) {
	requests := make([]*http.Request, len(paths))
	for i, path := range paths {
		get(b, h, path)
		requests[i] = httptest.NewRequest(http.MethodGet, path, nil)
	}
	w := &discard{header: http.Header{}}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		clear(w.header)
		r := requests[i%len(requests)]
		start := time.Now()
		h.ServeHTTP(w, r)
		took = append(took, time.Since(start))
		if w.status != http.StatusOK {
			b.Fatalf("%.200s: %d", r.URL, w.status)
		}
	}
	slices.Sort(took)
	p50, p99 = took[len(took)/2], took[len(took)*99/100]
	b.ReportMetric(float64(p50.Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(p99.Nanoseconds())/1e3, "p99-us")
	return p50, p99
}
