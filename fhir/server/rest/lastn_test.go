package rest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// observation stores an Observation about a patient. code is the content of its code, when its effective time or "".
func (s *server) observation(t testing.TB, id, patient, code, when string, more ...string) {
	t.Helper()
	if when != "" {
		more = append(more, `"effectiveDateTime":"`+when+`"`)
	}
	if code != "" {
		more = append(more, `"code":{`+code+`}`)
	}
	s.put(t, "Observation/"+id, `{"resourceType":"Observation","id":"`+id+`","status":"final","subject":{"reference":"Patient/`+patient+`"},"category":[{"coding":[{"code":"lab"}]}],`+strings.Join(more, ",")+`}`)
}

// codings is the content of a CodeableConcept with LOINC codes.
func codings(codes ...string) string {
	var list []string
	for _, c := range codes {
		list = append(list, `{"system":"http://loinc.org","code":"`+c+`"}`)
	}
	return `"coding":[` + strings.Join(list, ",") + `]`
}

// ids returns the ids of a searchset's matches, in its order, over all pages.
func (s *server) ids(t testing.TB, path string) (ids []string, pages int) {
	t.Helper()
	for next := path; next != ""; pages++ {
		b, after := s.page(t, next)
		for _, e := range b.Entry {
			if e.Search.Mode == "match" {
				ids = append(ids, e.Resource.ID)
			}
		}
		if next = after; pages > 50 {
			t.Fatal("the pages do not end")
		}
	}
	return ids, pages
}

func TestLastNGroupsByCode(t *testing.T) {
	s := newServer(t)
	day := func(d int) string { return fmt.Sprintf("2024-05-%02dT09:00:00Z", d) }
	// a and b become one group by ab, which is older than all.
	s.observation(t, "a1", "p", codings("a"), day(1))
	s.observation(t, "a3", "p", codings("A"), day(3))
	s.observation(t, "b2", "p", codings("b"), day(2))
	s.observation(t, "c4", "p", codings("c"), day(4))
	s.observation(t, "c4twin", "p", codings("c"), day(4))
	s.observation(t, "c3", "p", codings("c"), day(3))
	s.observation(t, "text", "p", `"text":"textM"`, day(5))
	s.observation(t, "Text", "p", `"text":"Text"`, day(5))
	s.observation(t, "spaced", "p", `"text":"t e x t"`, day(6))
	s.observation(t, "spacedOld", "p", `"text":"t e x t"`, day(2))
	s.observation(t, "codeless", "p", "", day(7))
	s.observation(t, "codelessOld", "p", `"id":"x"`, day(6))
	s.observation(t, "undated", "p", codings("d"), "")
	s.observation(t, "undated2", "p", codings("d"), "")
	s.observation(t, "other", "q", codings("c"), day(9))
	s.put(t, "Observation/wrong", `{"resourceType":"Observation","id":"wrong","status":"entered-in-error","subject":{"reference":"Patient/p"},"category":[{"coding":[{"code":"lab"}]}],"code":{`+codings("e")+`},"effectiveDateTime":"`+day(8)+`"}`)
	check := func(name, query string, want ...string) {
		t.Helper()
		ids, _ := s.ids(t, "/fhir/Observation/$lastn?"+query)
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", name, ids, want)
		}
	}
	check("one of each", "patient=p&category=lab", "wrong", "codeless", "spaced", "Text", "text", "c4", "c4twin", "a3", "b2", "undated")
	check("two of each", "patient=p&category=lab&max=2", "wrong", "codeless", "codelessOld", "spaced", "Text", "text", "c4", "c4twin", "a3", "b2", "spacedOld", "a1", "undated", "undated2")
	check("without what is in error", "patient=p&category=lab&status=final&code=c,d,e", "c4", "c4twin", "undated")
	check("one code", "subject=Patient/p&code=http://loinc.org|c", "c4", "c4twin")
	check("one code, three", "subject=Patient/p&code=http://loinc.org|c&max=3", "c4", "c4twin", "c3")
	check("one code, more than there are", "subject=Patient/p&code=http://loinc.org|c&max=30", "c4", "c4twin", "c3")
	check("one code, undated", "subject=Patient/p&code=http://loinc.org|d", "undated")
	check("codes apart", "patient=p&code=a,b", "a3", "b2")
	check("one code in the letters of the other", "patient=p&code=http://loinc.org|a", "a3")
	check("one code in the letters of the one", "patient=p&code=http://loinc.org|A", "a3")
	s.observation(t, "ab", "p", codings("a", "b"), day(1))
	check("codes that another connects", "patient=p&code=a,b", "a3")
	check("codes that another connects, of all", "patient=p&category=lab&max=3&status=final&code=a,b", "a3", "b2", "a1", "ab")
	check("until a day", "patient=p&category=lab&code=http://loinc.org|c&date=lt2024-05-04", "c3")
	check("nobody", "patient=nobody&category=lab")
	if ids, pages := s.ids(t, "/fhir/Observation/$lastn?patient=p&category=lab&max=2&_count=4"); pages != 4 || len(ids) != 13 || !slices.Equal(ids[:4], []string{"wrong", "codeless", "codelessOld", "spaced"}) {
		t.Errorf("%d pages: %v", pages, ids)
	}
	runOn(t, s, []call{
		{"by POST", "POST", "/fhir/Observation/$lastn", ct(jsonType), parameters(`{"name":"patient","valueString":"Patient/p"}`, `{"name":"code","valueString":"http://loinc.org|c"}`, `{"name":"max","valuePositiveInt":2}`), 200, nil, []string{`"total":2`, `"id":"c4twin"`}},
		{"with what it includes", "GET", "/fhir/Observation/$lastn?patient=p&code=http://loinc.org|c&_include=Observation:subject&_elements=status", nil, "", 200, nil, []string{`"total":2`, "SUBSETTED", "!valueQuantity"}},
		{"none to show", "GET", "/fhir/Observation/$lastn?patient=p&code=http://loinc.org|c&_count=0", nil, "", 200, nil, []string{`"total":2`, `!"entry"`}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/$lastn?patient=p&code=c"}}]}`, 200, nil, []string{`"id":"c4"`}},
		{"in XML", "GET", "/fhir/Observation/$lastn?patient=p&code=c&_format=xml", nil, "", 200, []string{"Content-Type", utf8XML}, []string{`<id value="c4"/>`}},
		{"without a subject", "GET", "/fhir/Observation/$lastn?code=c", nil, "", 400, nil, []string{"give patient or subject"}},
		{"without a code", "GET", "/fhir/Observation/$lastn?patient=p", nil, "", 400, nil, []string{"needs a category"}},
		{"max 0", "GET", "/fhir/Observation/$lastn?patient=p&code=c&max=0", nil, "", 400, nil, []string{"operation-parameter", "max is one whole number"}},
		{"max twice", "GET", "/fhir/Observation/$lastn?patient=p&code=c&max=1&max=2", nil, "", 400, nil, []string{"operation-parameter"}},
		{"an order", "GET", "/fhir/Observation/$lastn?patient=p&code=c&_sort=code", nil, "", 400, nil, []string{"operation-parameter"}},
		{"an unknown parameter", "GET", "/fhir/Observation/$lastn?patient=p&code=c&colour=red", nil, "", 400, nil, []string{"unknown-parameter"}},
		{"a bad value", "GET", "/fhir/Observation/$lastn?patient=p&code=c&date=soon", nil, "", 400, nil, nil},
		{"another type", "GET", "/fhir/Patient/$lastn?patient=p&code=c", nil, "", 404, nil, []string{"unknown-operation"}},
	})
}

// TestLastNIsWhatAModelSays compares random Observations with groups that are made by hand.
func TestLastNIsWhatAModelSays(t *testing.T) {
	s := newServer(t)
	r := rand.New(rand.NewPCG(7, 11))
	type observed struct {
		id, when string
		codes    []string
	}
	var all []observed
	for i := range 120 {
		o := observed{id: fmt.Sprintf("o%03d", i), when: fmt.Sprintf("2024-%02d-%02d", 1+r.IntN(6), 1+r.IntN(9)), codes: []string{fmt.Sprint("c", r.IntN(12))}}
		if r.IntN(12) == 0 {
			o.codes = append(o.codes, fmt.Sprint("c", r.IntN(12)))
		}
		s.observation(t, o.id, "p", codings(o.codes...), o.when)
		all = append(all, o)
	}
	for _, most := range []int{1, 2, 5} {
		// Groups, by merging until nothing changes.
		var groups [][]observed
		for _, o := range all {
			joined := []observed{o}
			groups = slices.DeleteFunc(groups, func(g []observed) bool {
				common := slices.ContainsFunc(g, func(x observed) bool {
					return slices.ContainsFunc(x.codes, func(c string) bool { return slices.Contains(o.codes, c) })
				})
				if common {
					joined = append(joined, g...)
				}
				return common
			})
			groups = append(groups, joined)
		}
		var want []string
		for _, g := range groups {
			slices.SortFunc(g, func(a, b observed) int { return strings.Compare(b.when, a.when) })
			for i, o := range g {
				if i < most || o.when == g[most-1].when {
					want = append(want, o.id)
				}
			}
		}
		got, _ := s.ids(t, fmt.Sprintf("/fhir/Observation/$lastn?patient=p&category=lab&max=%d&_count=7", most))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("max %d: %v, want %v", most, got, want)
		}
	}
}
