package rest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// together calls f n times at once and returns how often each status came.
func together(n int, f func(i int) int) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts := map[int]int{}
	start := make(chan struct{})
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			status := f(i)
			mu.Lock()
			counts[status]++
			mu.Unlock()
		}()
	}
	close(start)
	wg.Wait()
	return counts
}

func TestIdenticalConditionalCreatesMakeOne(t *testing.T) {
	s := newServer(t)
	got := together(64, func(int) int {
		return s.do(t, "POST", "/fhir/Patient", ct(jsonType, "If-None-Exist", "identifier=http://example.org/mrn|1"), withNames).status
	})
	if got[201] != 1 || got[200] != 63 {
		t.Errorf("statuses %v, want one 201 and 63 of 200", got)
	}
	if b, _ := s.page(t, "/fhir/Patient?_count=0"); b.Total == nil || *b.Total != 1 {
		t.Errorf("total %v", b.Total)
	}
}

func TestManyClientsUpdateOneResource(t *testing.T) {
	s := newServer(t)
	body := func(n int) string {
		return fmt.Sprintf(`{"resourceType":"Patient","id":"one","name":[{"family":"f%d"}]}`, n)
	}
	s.put(t, "Patient/one", body(0))
	if got := together(64, func(i int) int { return s.do(t, "PUT", "/fhir/Patient/one", ct(jsonType), body(i+1)).status }); got[200] != 64 {
		t.Errorf("statuses %v, want 64 of 200", got)
	}
	for v := 1; v <= 65; v++ {
		if a := s.do(t, "GET", fmt.Sprintf("/fhir/Patient/one/_history/%d", v), nil, ""); a.status != 200 {
			t.Errorf("version %d: %d", v, a.status)
		}
	}
	for round := range 3 {
		etag := s.do(t, "GET", "/fhir/Patient/one", nil, "").header.Get("Etag")
		got := together(32, func(i int) int {
			return s.do(t, "PUT", "/fhir/Patient/one", ct(jsonType, "If-Match", etag), body(1000*(round+1)+i)).status
		})
		if got[200] != 1 || got[412] != 31 {
			t.Errorf("round %d: %v, want one 200 and 31 of 412", round, got)
		}
	}
}

// TestCostlySearchesAreAnsweredInTime asks for what would take hours if it cost the product of its parts: it would be given up with a 503, much
// later than the slowest machine needs.
func TestCostlySearchesAreAnsweredInTime(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Limits.Search = patience / 2 })
	for i := range 50 {
		s.put(t, fmt.Sprintf("Patient/p%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","link":[{"other":{"reference":"Patient/p%d"},"type":"seealso"}]}`, i, (i+1)%50))
	}
	form := ct("application/x-www-form-urlencoded")
	for _, c := range []struct {
		name, query string
		status      int
	}{
		{"ten thousand values", "identifier=" + strings.Repeat("http://example.org|a,", 9_999) + "b", 0},
		{"a million values", "_id=" + strings.Repeat("a,", 1_000_000), 400},
		{"a thousand parameters", strings.Repeat("family=a&", 1000) + "family=b", 0},
		{"a chain of twenty", strings.Repeat("link:Patient.", 20) + "family=a", 0},
		{"_has in _has in _has ...", strings.Repeat("_has:Patient:link:", 20) + "family=a", 0},
		{"an include that goes in circles", "_id=p0&_include:iterate=Patient:link", 200},
		{"a megabyte of one value", "family=" + strings.Repeat("a", 1<<20), 0},
		{"regular expressions", "family:contains=(a%2B)%2B$.*[", 200},
		{"wildcards", "family=*%25_?", 0},
		{"a sort by everything", "_sort=" + strings.TrimSuffix(strings.Repeat("family,", 500), ","), 0},
	} {
		a := s.do(t, "POST", "/fhir/Patient/_search", form, c.query)
		if c.status != 0 && a.status != c.status || a.status >= 500 {
			t.Errorf("%s: %d %.200s", c.name, a.status, a.body)
		}
		if len(a.body) > 8<<20 {
			t.Errorf("%s: %d bytes", c.name, len(a.body))
		}
	}
}
