package search_test

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestEveryEntryOfAContainedResourceFindsItsContainer holds that what official examples contain is found by _contained=true, and that what indexes
// begin with finds it too.
func TestEveryEntryOfAContainedResourceFindsItsContainer(t *testing.T) {
	s := newParameters()
	n := 0
	for _, r := range examples(t) {
		entries, err := s.Extract(r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			held := &entries[i]
			if held.Inner == nil || !strings.HasPrefix(held.Param, "#") {
				continue
			}
			for j := range held.Inner.Entries {
				e := &held.Inner.Entries[j]
				p, ok := s.Lookup(held.Type, e.Param)
				if !ok || p.Code == "phonetic" || p.Code == "_content" || p.Code == "_text" {
					continue
				}
				value := queryFor(p, e)
				if value == "" || e.Exact != "" && foldsToNothing(e) {
					continue
				}
				n++
				req, _, err := s.Parse([]string{held.Type}, []search.Pair{{Name: p.Code, Value: value}, {Name: "_contained", Value: "true"}}, search.ParseOptions{})
				if err != nil {
					t.Fatalf("%s?%s=%s: %v", held.Type, p.Code, value, err)
				}
				finds := s.Finds(req)
				q := finds[0]
				w, ok := q.Where.(search.Within)
				if !ok || len(finds) != 1 || !search.Match(w, r.Key(), entries, nil) || !search.Match(w.Needed(), r.Key(), entries, nil) {
					t.Errorf("%s?%s=%s&_contained=true does not find %s by %+v", held.Type, p.Code, value, r.Key(), q.Where)
				}
			}
		}
	}
	if n < 500 {
		t.Errorf("%d entries of contained resources were asked for", n)
	}
}
