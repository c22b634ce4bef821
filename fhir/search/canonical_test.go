package search_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/search/searchtest"
)

func TestVersionsAreOrderedAsPeopleWriteThem(t *testing.T) {
	ordered := []string{"", "0.9", "1-draft", "1", "1.0-alpha", "1.0-beta2", "1.0-beta10", "1.0", "1.0.1", "1.2", "1.10", "2", "10", "2024", "2024-05", "2024-05-01", "2024-11-01", "20241101", "R4", "R5"}
	for i, a := range ordered {
		for j, b := range ordered {
			got, want := search.CompareVersions(a, b), i-j
			if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
	if search.CompareVersions("1.0", "1.00") != 0 {
		t.Error("zeros in front count")
	}
}

func TestTheOrderOfVersionsIsOne(t *testing.T) {
	draw := func() string {
		var b strings.Builder
		for range rand.IntN(5) {
			b.WriteString([]string{"0", "1", "10", "01", ".", "-", "-a", "b", "!", "é"}[rand.IntN(10)])
		}
		return b.String()
	}
	for range 20_000 {
		a, b, c := draw(), draw(), draw()
		if search.CompareVersions(a, b) > 0 != (search.CompareVersions(b, a) < 0) {
			t.Fatalf("%q and %q compare differently the other way round", a, b)
		}
		if search.CompareVersions(a, b) <= 0 && search.CompareVersions(b, c) <= 0 && search.CompareVersions(a, c) > 0 {
			t.Fatalf("%q, %q, %q are in no order", a, b, c)
		}
	}
}

// counting is a search.Finder that counts, and fails where it is told to.
type counting struct {
	o     *searchtest.Oracle
	asked int
	err   error
}

func (c *counting) Find(_ context.Context, q search.Query) ([]search.Row, error) {
	c.asked++
	return c.o.Find(q), c.err
}

// library is a store with n named Questionnaires, and answers to some of them.
func library(t *testing.T, n int, answered ...int) *counting {
	t.Helper()
	o := searchtest.NewOracle(newParameters())
	for i := range n {
		put(t, o, fmt.Sprintf(`{"resourceType":"Questionnaire","id":"q%d","status":"active","url":"http://example.org/q%d","version":"%d"}`, i, i/2, i))
	}
	for _, i := range answered {
		put(t, o, fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"r%d","status":"completed","questionnaire":"http://example.org/q%d|%d"}`, i, i/2, i))
	}
	return &counting{o: o}
}

func put(t *testing.T, o *searchtest.Oracle, body string) {
	t.Helper()
	r := resource(t, body)
	if err := o.Put(r.Key(), []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// parsed reads a search that follows canonicals in what finder finds.
func parsed(finder search.Finder, typ, name, value string) (search.Request, *search.Canonicals, error) {
	c := search.NewCanonicals(context.Background(), finder)
	req, _, err := newParameters().Parse([]string{typ}, []search.Pair{{Name: name, Value: value}}, search.ParseOptions{Canonicals: c})
	return req, c, err
}

func TestReferrersByURLAreFoundInFewQuestions(t *testing.T) {
	f := library(t, 400, 17, 305)
	req, c, err := parsed(f, "Questionnaire", "_has:QuestionnaireResponse:questionnaire:status", "completed")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range f.o.Find(search.Query{Types: []string{"Questionnaire"}, Where: req.Where}) {
		ids = append(ids, row.Key.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"q17", "q305"}) {
		t.Errorf("found %v", ids)
	}
	if f.asked > 50 {
		t.Errorf("asked %d times", f.asked)
	}
	if steps := c.Steps(); len(steps) != 2 || steps[0].Rows != 400 || steps[1].Rows != 2 || steps[1].Kind != "canonical" {
		t.Errorf("steps %+v", steps)
	}
}

func TestTooManyNamedResourcesAreRefused(t *testing.T) {
	f := library(t, 2_001)
	for name, value := range map[string]string{"questionnaire.status": "active", "questionnaire.title:missing": "true"} {
		_, _, err := parsed(f, "QuestionnaireResponse", name, value)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Issues[0].ID != "search-too-costly" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := parsed(f, "QuestionnaireResponse", "questionnaire._id", "q1"); err != nil {
		t.Errorf("a chain to one of many: %v", err)
	}
}

func TestManyStepsThroughCanonicalsAreRefused(t *testing.T) {
	f := library(t, 1)
	_, _, err := parsed(f, "Measure", "depends-on.depends-on.name", "x")
	if err != nil {
		t.Errorf("two steps: %v", err)
	}
	_, _, err = parsed(f, "Measure", strings.Repeat("depends-on.", 8)+"name", "x")
	var e *fhir.Error
	if !errors.As(err, &e) || e.Issues[0].ID != "search-too-costly" || f.asked > 2_000 {
		t.Errorf("eight steps: %v, after %d look-ups", err, f.asked)
	}
}

func TestCanonicalsAreRefusedWhereNothingCanFollowThem(t *testing.T) {
	for _, c := range [][2]string{{"QuestionnaireResponse", "questionnaire.title"}, {"Questionnaire", "_has:QuestionnaireResponse:questionnaire:status"}} {
		_, _, err := newParameters().Parse([]string{c[0]}, []search.Pair{{Name: c[1], Value: "x"}}, search.ParseOptions{})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Issues[0].ID != "unsupported-parameter" {
			t.Errorf("%s: %v", c[1], err)
		}
	}
}

func TestAFailureWhileCanonicalsAreFollowedIsKept(t *testing.T) {
	broken := errors.New("the engine is gone")
	f := library(t, 2)
	f.err = broken
	_, c, err := parsed(f, "QuestionnaireResponse", "questionnaire.title", "x")
	if err == nil || c.Err() != broken {
		t.Errorf("%v, kept %v", err, c.Err())
	}
}

func TestNamesOfResourcesAreTheirUrlsAndVersions(t *testing.T) {
	s := newParameters()
	for _, c := range []struct{ body, want string }{
		{`{"resourceType":"ValueSet","id":"a","url":"http://a","version":"1.0-Beta"}`, "http://a|1.0-Beta"},
		{`{"resourceType":"ValueSet","id":"a","url":"http://a"}`, "http://a|"},
		{`{"resourceType":"ValueSet","id":"a","version":"1"}`, ""},
		{`{"resourceType":"ValueSet","id":"a","url":"http://a|b","version":"1"}`, ""},
		{`{"resourceType":"Subscription","id":"a","channel":{"endpoint":"http://a"}}`, ""},
		{`{"resourceType":"Device","id":"a","url":"http://a"}`, ""},
	} {
		r := resource(t, c.body)
		entries, err := s.Extract(r)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range entries {
			if e.Param == "url:canonical" {
				got += e.URI
			}
		}
		if got != c.want {
			t.Errorf("%s: %q", c.body, got)
		}
	}
	if s.Nameable("Patient") || s.Nameable("Device") || !s.Nameable("Questionnaire") {
		t.Error("the wrong types are named by canonicals")
	}
}

// TestCanonicalsAgreeWithTheirDefinition compares chains and _has over random stores with what a canonical names, worked out resource by
// resource: all of a url and version, or without a version all of the greatest version of the url.
func TestCanonicalsAgreeWithTheirDefinition(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	versions := []string{"", "1", "1.2", "1.10", "2-draft", "2"}
	type questionnaire struct{ id, url, version, status string }
	for range 60 {
		o := searchtest.NewOracle(newParameters())
		var all []questionnaire
		for i := range r.IntN(8) {
			q := questionnaire{fmt.Sprintf("q%d", i), fmt.Sprintf("http://example.org/%d", r.IntN(3)), versions[r.IntN(len(versions))], []string{"active", "retired"}[r.IntN(2)]}
			version := ""
			if q.version != "" {
				version = fmt.Sprintf(`,"version":%q`, q.version)
			}
			put(t, o, fmt.Sprintf(`{"resourceType":"Questionnaire","id":%q,"url":%q,"status":%q%s}`, q.id, q.url, q.status, version))
			all = append(all, q)
		}
		named := func(canonical string) (out []questionnaire) {
			url, version, exact := strings.Cut(canonical, "|")
			for _, q := range all {
				latest := !slices.ContainsFunc(all, func(p questionnaire) bool {
					return p.url == q.url && slices.Index(versions, p.version) > slices.Index(versions, q.version)
				})
				if q.url == url && (exact && q.version == version || !exact && latest) {
					out = append(out, q)
				}
			}
			return out
		}
		var chained, had []string
		for i := range r.IntN(8) {
			canonical := fmt.Sprintf("http://example.org/%d", r.IntN(3))
			if v := versions[r.IntN(len(versions))]; v != "" {
				canonical += "|" + v
			}
			status := []string{"completed", "amended"}[r.IntN(2)]
			put(t, o, fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"r%d","status":%q,"questionnaire":%q}`, i, status, canonical))
			for _, q := range named(canonical) {
				if q.status == "active" {
					chained = append(chained, fmt.Sprintf("r%d", i))
				}
				if status == "completed" {
					had = append(had, q.id)
				}
			}
		}
		for search, want := range map[string][]string{
			"QuestionnaireResponse?questionnaire.status=active":                       chained,
			"Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed": had,
		} {
			keys, err := o.Search(search)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range keys {
				got = append(got, k.ID)
			}
			slices.Sort(got)
			slices.Sort(want)
			if want = slices.Compact(want); !slices.Equal(got, want) {
				t.Fatalf("%s finds %v, want %v among %+v", search, got, want, all)
			}
		}
	}
}
