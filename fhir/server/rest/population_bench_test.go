package rest_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

var (
	populationMillion = flag.Bool("population.million", false, "measure searches over 1,000,000 resources too")
	populationSize    = flag.Int("population.size", 1_000_000, "how many resources are measured beside 10,000 with -population.million")
	populationDir     = flag.String("population.dir", "", "keep the populations of the benchmarks in this folder")
	populationEngines = flag.String("population.engine", "embedded", "the engines that are measured: embedded, mongodb, or both with a comma between them")
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
	h := populated(t, p, openStore(t, nil))
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
		if bytes.Contains(explained, []byte("no index")) && os.Getenv("FHIRGATE_TEST_ENGINE") != "mongodb" {
			t.Errorf("%s: no index serves a condition: %s", s.name, explained[max(0, len(explained)-1000):])
		}
	}
}

// BenchmarkPopulation measures searches as clients ask them, through the handler but without sockets, over 10,000 resources and with
// -population.million over 1,000,000, on each engine of -population.engine. It prints a table with the ratio of the medians of each engine, which
// is to be at most 1.5 where the pages are the same. MongoDB is a mongod on the PATH, of which this makes a set of one.
//
//	go test ./fhir/server/rest -run '^$' -bench Population -benchtime 2000x -population.million -population.dir DIR -population.engine embedded,mongodb
func BenchmarkPopulation(b *testing.B) {
	sizes := []int{10_000}
	if *populationMillion {
		sizes = append(sizes, *populationSize)
	}
	engines := strings.Split(*populationEngines, ",")
	type world struct {
		name    string
		handler *rest.Handler
		paths   map[string][]string
	}
	var worlds []world
	var table strings.Builder
	table.WriteString("| shape |")
	for _, engine := range engines {
		for _, n := range sizes {
			dir := *populationDir
			if dir == "" {
				dir = b.TempDir()
			}
			p := population{n}
			begun := time.Now()
			h := populated(b, p, openPopulation(b, engine, p, dir))
			if d := time.Since(begun); d > time.Minute {
				b.Logf("%s: %d resources are there after %v", engine, n, d.Round(time.Second))
			}
			worlds = append(worlds, world{fmt.Sprintf("%s/%d", engine, n), h, populationPaths(b, h, p)})
			fmt.Fprintf(&table, " %s, %d: p50 | p99 |", engine, n)
		}
		if len(sizes) == 2 {
			table.WriteString(" ratio of p50 |")
		}
	}
	fmt.Fprintf(&table, "\n|%s\n", strings.Repeat("---|", strings.Count(table.String(), "|")-1))
	for _, s := range append(populationShapes(), populationShape{name: farPage}) {
		fmt.Fprintf(&table, "| %s |", s.name)
		var medians []time.Duration
		for i, w := range worlds {
			var p50, p99 time.Duration
			b.Run(strings.ReplaceAll(s.name, " ", "_")+"/"+w.name, func(b *testing.B) {
				p50, p99 = measure(b, w.handler, w.paths[s.name])
			})
			medians = append(medians, p50)
			fmt.Fprintf(&table, " %d us | %d us |", p50.Microseconds(), p99.Microseconds())
			if i%len(sizes) == 1 && medians[i-1] > 0 {
				fmt.Fprintf(&table, " %.2f |", float64(p50)/float64(medians[i-1]))
			}
		}
		table.WriteString("\n")
	}
	if len(worlds) > 1 {
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
