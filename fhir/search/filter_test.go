package search_test

import (
	"iter"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestFiltersAreEvaluatedFromLeftToRight compares random filters with what a walk over their words says: "with no precedence between and and or".
func TestFiltersAreEvaluatedFromLeftToRight(t *testing.T) {
	s := newParameters()
	entries := []search.Entry{{Param: "gender", Code: "male"}}
	truth := map[string]bool{"gender eq male": true, `gender eq "MALE"`: true, "gender eq other": false, "gender ne male": false, "gender ne other": true, "gender pr false": false, "birthdate pr false": true}
	var tests []string
	for test := range truth {
		tests = append(tests, test)
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		var make func(depth int) (string, bool)
		operand := func(depth int) (string, bool) {
			switch n := r.IntN(4); {
			case n == 0 && depth < 3:
				text, holds := make(depth + 1)
				return "(" + text + ")", holds
			case n == 1 && depth < 3:
				text, holds := make(depth + 1)
				return "not (" + text + ")", !holds
			}
			test := tests[r.IntN(len(tests))]
			return test, truth[test]
		}
		make = func(depth int) (string, bool) {
			text, holds := operand(depth)
			for range r.IntN(4) {
				right, also := operand(depth)
				if r.IntN(2) == 0 {
					text, holds = text+" and "+right, holds && also
				} else {
					text, holds = text+" or "+right, holds || also
				}
			}
			return text, holds
		}
		text, want := make(0)
		req, _, err := s.Parse([]string{"Patient"}, []search.Pair{{Name: "_filter", Value: text}}, search.ParseOptions{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := search.Match(req.Where, fhir.Key{Type: "Patient", ID: "x"}, entries, nil); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

func TestHostileFiltersAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"long":        "family eq " + strings.Repeat("x", 40<<10),
		"many tests":  strings.Repeat("family eq x and ", 600) + "family eq x",
		"parentheses": strings.Repeat("(", 10_000),
		"not":         strings.Repeat("not ", 5000) + "(family eq x)",
		"brackets":    strings.Repeat("link[", 4000),
		"turns":       strings.Repeat("family eq x and given eq y or ", 100) + "family eq x",
		"chain":       strings.Repeat("link.", 200) + "family eq x",
	} {
		_, _, err := parse(t, newParameters(), "Patient?_filter="+strings.NewReplacer(" ", "%20").Replace(text), search.ParseOptions{Lenient: true})
		if ids := issueIDs(err); len(ids) != 1 || ids[0] != "search-too-costly" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// manyCodes is a Terminology of value sets with very many codes.
type manyCodes struct{ search.Terminology }

// Expand implements search.Terminology.
func (manyCodes) Expand(string) (iter.Seq2[string, string], bool) {
	return func(yield func(string, string) bool) {
		for i := range 8000 {
			if !yield("http://x", strconv.Itoa(i)) {
				return
			}
		}
	}, true
}

// TestCombinationsAreCountedBeforeTheyAreMade has elements of which two parts are each one of very many.
func TestCombinationsAreCountedBeforeTheyAreMade(t *testing.T) {
	s := newParameters()
	for _, text := range []string{
		"characteristic[code in http://x].value in http://x",
		"characteristic[code in http://x and value in http://x].value eq x",
		"characteristic[code eq x and value in http://x].value in http://x",
		"characteristic[(code in http://x or code eq y) and (value in http://x or value eq z)].code eq x",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := parse(t, s, "Group?_filter="+strings.ReplaceAll(text, " ", "%20"), search.ParseOptions{Terminology: manyCodes{}})
		runtime.ReadMemStats(&after)
		if ids := issueIDs(err); len(ids) != 1 || ids[0] != "search-too-costly" {
			t.Errorf("%s: %v", text, err)
		}
		if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 100 {
			t.Errorf("%s: %d MB were taken", text, made)
		}
	}
	// One part of very many alone is no combination.
	if _, _, err := parse(t, s, "Group?_filter=characteristic[code%20in%20http://x].value%20eq%20x", search.ParseOptions{Terminology: manyCodes{}}); err != nil {
		t.Error(err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		`name co "pet"`, `given eq "peter" and birthdate ge 2014-10-10`, "subject[gender eq male].name co pet or not (status eq final)", "code in http://x",
		"_has:Observation:patient:code eq 1|2", `family ew "\u00e9\"\\"`, "characteristic[code eq a].value eq b", "a[b[c[d eq e].f pr true].g eq h].i eq j", "((id eq x))",
	} {
		f.Add("Patient", text)
		f.Add("Observation", text)
		f.Add("Group", text)
	}
	s := newParameters()
	entries := []search.Entry{{Param: "family", Folded: "x", Exact: "X"}, {Param: "gender", Code: "male"}}
	f.Fuzz(func(t *testing.T, typ, text string) {
		if _, ok := s.Registry().Resource(typ); !ok {
			typ = "Patient"
		}
		req, _, err := s.Parse([]string{typ}, []search.Pair{{Name: "_filter", Value: text}}, search.ParseOptions{})
		if err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid || len(issueIDs(err)) == 0 {
				t.Fatal(err)
			}
			return
		}
		search.Match(req.Where, fhir.Key{Type: typ, ID: "x"}, entries, nil)
	})
}
