package search_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestEveryEntryFindsItsResource holds that each entry of each official example, those of modifiers included, is found by the search that
// asks for it, and that :not, ne and :missing answer the opposite where they should.
func TestEveryEntryFindsItsResource(t *testing.T) {
	s := newParameters()
	n := 0
	for _, r := range examples(t) {
		entries, err := s.Extract(r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			e := &entries[i]
			if strings.HasPrefix(e.Param, "#") || strings.HasPrefix(e.Param, "@") {
				continue // see TestEveryEntryOfAContainedResourceFindsItsContainer
			}
			code, suffix, _ := strings.Cut(e.Param, ":")
			p, ok := s.Lookup(r.Type(), code)
			if !ok {
				t.Fatalf("%s: %s is no parameter", r.Key(), code)
			}
			name, value := p.Code, ""
			switch {
			case p.Code == "phonetic":
			case e.Folded == "and" || e.Folded == "or" || e.Folded == "not":
				// These words are operators of _text and _content.
			case suffix == "":
				value = queryFor(p, e)
			case suffix == "text":
				name, value = e.Param, escapeValue(e.Exact)
			case suffix == "identifier" && e.Code != "":
				name, value = e.Param, escapeValue(e.System)+"|"+escapeValue(e.Code)
			case suffix == "of-type" && e.System != "":
				code, v, _ := strings.Cut(e.Code, "|")
				name, value = e.Param, escapeValue(e.System)+"|"+escapeValue(code)+"|"+escapeValue(v)
			case suffix == "unit" && p.Type == "quantity":
				value = "ge-1e300||" + escapeValue(e.Code)
			case suffix == "ucum" && p.Type == "quantity":
				value = "ge-1e300|http://unitsofmeasure.org|" + escapeValue(e.Code)
			}
			if value == "" || e.Exact != "" && foldsToNothing(e) {
				continue
			}
			n++
			for query, want := range map[string]bool{name + "=" + value: true, p.Code + ":not=" + value: false, p.Code + ":missing=true": false} {
				if strings.Contains(query, ":not=") && (p.Type != "token" || suffix != "") || strings.Contains(query, ":missing") && (p.Code == "_text" || p.Code == "_content" || p.Type == "composite") {
					continue
				}
				k, v, _ := strings.Cut(query, "=")
				req, _, err := s.Parse([]string{r.Type()}, []search.Pair{{Name: k, Value: v}}, search.ParseOptions{})
				if err != nil {
					t.Fatalf("%s?%s: %v", r.Type(), query, err)
				}
				if got := search.Match(req.Where, r.Key(), entries, nil); got != want {
					t.Errorf("%s?%s: %v on %s with %+v", r.Type(), query, got, r.Key(), *e)
				}
			}
		}
	}
	t.Logf("%d entries", n)
}

// foldsToNothing reports whether a string is of punctuation alone, which only :exact can ask for.
func foldsToNothing(e *search.Entry) bool { return e.Folded == "" }

func TestParametersMayChangeWhileTheyAreUsed(t *testing.T) {
	s := newParameters()
	param := resource(t, eyeColour)
	patient := resource(t, `{"resourceType":"Patient","id":"1","extension":[{"url":"http://example.org/eye","valueCode":"blue"}]}`)
	var wg sync.WaitGroup
	work := func(f func()) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 200 {
				f()
			}
		}()
	}
	work(func() {
		if _, err := s.Add(param); err != nil {
			t.Error(err)
		}
		s.Remove("http://example.org/eye")
	})
	for range 2 {
		work(func() {
			if entries, err := s.Extract(patient); err != nil || len(entries) > 2 {
				t.Errorf("%v %v", entries, err)
			}
		})
		work(func() {
			_, _, err := s.Parse([]string{"Patient"}, []search.Pair{{Name: "eye-colour", Value: "x"}}, search.ParseOptions{})
			if err != nil && fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
