package interaction

import (
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// surveys stores Questionnaires of one url in three versions, answers to them, and a library that needs another.
func surveys(t testing.TB, s *Service) {
	t.Helper()
	for _, v := range []string{"1.9", "1.10", "2.0-ballot"} {
		put(t, s, `{"resourceType":"Questionnaire","id":"q%s","status":"active","url":"http://example.org/q","version":"%s","title":"Version %s"}`, v, v, v)
	}
	put(t, s, `{"resourceType":"QuestionnaireResponse","id":"any","status":"completed","questionnaire":"http://example.org/q"}`)
	put(t, s, `{"resourceType":"QuestionnaireResponse","id":"old","status":"completed","questionnaire":"http://example.org/q|1.9"}`)
	put(t, s, `{"resourceType":"QuestionnaireResponse","id":"gone","status":"completed","questionnaire":"http://example.org/q|7"}`)
	put(t, s, `{"resourceType":"Library","id":"base","status":"active","url":"http://example.org/base"}`)
	put(t, s, `{"resourceType":"Library","id":"top","status":"active","url":"http://example.org/top","relatedArtifact":[{"type":"depends-on","resource":"http://example.org/base"},{"type":"depends-on","resource":"%s/Library/near"}]}`, base)
	put(t, s, `{"resourceType":"Library","id":"near","status":"active"}`)
	put(t, s, `{"resourceType":"Measure","id":"m","status":"active","library":["http://example.org/top#part"]}`)
}

// around returns the keys of a page by search mode, sorted.
func around(b bundle) (matches, included string) {
	var m, i []string
	for _, name := range b.names() {
		if name, is := strings.CutSuffix(name, " include"); is {
			i = append(i, name)
		} else {
			m = append(m, name)
		}
	}
	slices.Sort(m)
	slices.Sort(i)
	return strings.Join(m, " "), strings.Join(i, " ")
}

func TestIncludesFollowCanonicals(t *testing.T) {
	s := open(t, Options{})
	surveys(t, s)
	for _, c := range []struct{ query, matches, included string }{
		{"QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire", "QuestionnaireResponse/any QuestionnaireResponse/gone QuestionnaireResponse/old", "Questionnaire/q1.9 Questionnaire/q2.0-ballot"},
		{"QuestionnaireResponse?_id=any&_include=*", "QuestionnaireResponse/any", "Questionnaire/q2.0-ballot"},
		{"QuestionnaireResponse?_id=gone&_include=QuestionnaireResponse:*", "QuestionnaireResponse/gone", ""},
		{"QuestionnaireResponse?_id=any&_include=QuestionnaireResponse:questionnaire:Questionnaire", "QuestionnaireResponse/any", "Questionnaire/q2.0-ballot"},
		{"Questionnaire?_revinclude=QuestionnaireResponse:questionnaire&_id=q1.9", "Questionnaire/q1.9", "QuestionnaireResponse/old"},
		{"Questionnaire?_revinclude=QuestionnaireResponse:questionnaire&_id=q1.10", "Questionnaire/q1.10", ""},
		{"Questionnaire?_revinclude=QuestionnaireResponse:questionnaire:Questionnaire&_id=q2.0-ballot", "Questionnaire/q2.0-ballot", "QuestionnaireResponse/any"},
		{"Questionnaire?_revinclude=*&_id=q2.0-ballot,q1.9", "Questionnaire/q1.9 Questionnaire/q2.0-ballot", "QuestionnaireResponse/any QuestionnaireResponse/old"},
		{"Measure?_include=Measure:depends-on", "Measure/m", "Library/top"},
		{"Measure?_include=Measure:depends-on&_include:iterate=Library:depends-on", "Measure/m", "Library/base Library/near Library/top"},
		{"Measure?_include=Measure:depends-on:Measure", "Measure/m", ""},
		{"Library?_id=base&_revinclude:iterate=Library:depends-on&_revinclude:iterate=Measure:depends-on", "Library/base", "Library/top Measure/m"},
		{"Library?_id=near&_revinclude=Library:depends-on", "Library/near", "Library/top"},
	} {
		matches, included := around(find(t, s, c.query))
		if matches != c.matches || included != c.included {
			t.Errorf("%s\nfinds    %s\nincludes %s\nwant     %s", c.query, matches, included, c.included)
		}
	}
	// What is latest changes with what is stored.
	put(t, s, `{"resourceType":"Questionnaire","id":"q2.0","status":"active","url":"http://example.org/q","version":"2.0"}`)
	if _, got := around(find(t, s, "QuestionnaireResponse?_id=any&_include=QuestionnaireResponse:questionnaire")); got != "Questionnaire/q2.0" {
		t.Errorf("the latest is %s", got)
	}
}

func TestPagesOfSearchesThroughCanonicalsAddUp(t *testing.T) {
	s := open(t, Options{})
	surveys(t, s)
	for i := range 7 {
		put(t, s, `{"resourceType":"QuestionnaireResponse","id":"r%d","status":"completed","questionnaire":"http://example.org/q|1.%d"}`, i, 9+i%2)
	}
	for _, query := range []string{
		"QuestionnaireResponse?questionnaire.title=version&_count=2",
		"QuestionnaireResponse?questionnaire.title=version&_count=3&_sort=-_id",
	} {
		var all []string
		for next, n := query, 0; next != ""; n++ {
			if n > 20 {
				t.Fatal("the pages have no end")
			}
			b := find(t, s, next)
			all = append(all, b.names()...)
			if next = b.query("next"); next != "" {
				next = "QuestionnaireResponse?" + next
			}
			// A version that comes between pages of another url changes nothing.
			put(t, s, `{"resourceType":"Questionnaire","id":"other","status":"active","url":"http://example.org/other","version":"%d"}`, n)
		}
		slices.Sort(all)
		want := "QuestionnaireResponse/any QuestionnaireResponse/old QuestionnaireResponse/r0 QuestionnaireResponse/r1 QuestionnaireResponse/r2 QuestionnaireResponse/r3 QuestionnaireResponse/r4 QuestionnaireResponse/r5 QuestionnaireResponse/r6"
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s\nfinds %s", query, got)
		}
	}
}

// explained returns the diagnostics of how a search ran.
func explained(t testing.TB, s *Service, query string) string {
	t.Helper()
	b := find(t, s, query+"&_explain=true")
	last := b.Entry[len(b.Entry)-1]
	if last.Search.Mode != "outcome" {
		t.Fatalf("%s: not explained", query)
	}
	var out []string
	for issue := range resource(t, "%s", last.Resource).Get("issue").Children() {
		out = append(out, issue.Get("diagnostics").Text())
	}
	return strings.Join(out, "\n")
}

func TestExplainTellsOfCountsIdsAndCanonicals(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	surveys(t, s)
	for _, c := range []struct {
		query string
		told  []string
	}{
		{"Observation?code=c0&_summary=count", []string{"count"}},
		{"Observation?code=c0&subject=Patient/a&_count=0", []string{"Observation"}},
		{"Observation?code=c0&_summary=count&_total=estimate", []string{"count"}},
		{"QuestionnaireResponse?questionnaire.title=version", []string{"1. canonical Questionnaire: url", "(3 rows)"}},
		{"Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", []string{"canonical Questionnaire: url", "canonical QuestionnaireResponse: url", "(2 rows)"}},
	} {
		got := explained(t, s, c.query)
		for _, want := range c.told {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", c.query, want, got)
			}
		}
		if strings.Contains(got, "does not tell") || strings.Contains(got, "example.org") {
			t.Errorf("%s\n%s", c.query, got)
		}
	}
	for i := range 60 {
		put(t, s, `{"resourceType":"Patient","id":"p%d"}`, i)
	}
	if got := explained(t, s, "Patient?_id=a,b,none"); strings.Contains(got, "(0 rows)") || strings.Contains(got, "index rows read 0, resources looked up 0,") {
		t.Errorf("an id list\n%s", got)
	}
}

func TestConditionsSeeStoredTerminologyAndCanonicals(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	clinic(t, s)
	surveys(t, s)
	put(t, s, `{"resourceType":"ValueSet","id":"vs","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"x"}]}]}}`)
	make := func(code string) fhir.Resource {
		return resource(t, `{"resourceType":"Basic","code":{"coding":[{"system":"http://example.org/cs","code":"%s"}]}}`, code)
	}
	const in = "code:in=http://example.org/vs"
	if res, err := s.Create(ctx, "Basic", make("x"), in); err != nil || res.Action != Created {
		t.Fatalf("%+v, %v", res, err)
	}
	if res, err := s.Create(ctx, "Basic", make("x"), in); err != nil || res.Action != Unchanged {
		t.Fatalf("%+v, %v", res, err)
	}
	// The value set of the moment counts.
	put(t, s, `{"resourceType":"ValueSet","id":"vs","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"y"}]}]}}`)
	if res, err := s.UpdateConditional(ctx, "Basic", make("y"), in, Conditions{}); err != nil || res.Action != Created {
		t.Fatalf("%+v, %v", res, err)
	}
	if res, err := s.UpdateConditional(ctx, "Basic", make("y"), in, Conditions{}); err != nil || res.Action != Unchanged {
		t.Fatalf("%+v, %v", res, err)
	}
	b := must(t, s, request("POST", "Observation", "", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"focus":[{"reference":"Basic?`+in+`"},{"reference":"QuestionnaireResponse?questionnaire.version=1.9"}]}`),
		request("PUT", "Basic?"+in, "", string(make("y").Raw())))
	if got := body(t, s, b.location(0)); strings.Contains(got, "?") || !strings.Contains(got, "QuestionnaireResponse/old") {
		t.Errorf("%s", got)
	}
	if out, err := s.DeleteConditional(ctx, "Basic", in, Conditions{}); err != nil || len(out) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	_, err := s.Create(ctx, "Basic", make("x"), "code:in=http://example.org/none")
	check(t, err, fhir.KindInvalid, "unknown-value-set")
	_, err = transact(t, s, request("DELETE", "Basic?code:in=http://example.org/none", "", ""))
	check(t, err, fhir.KindInvalid, "unknown-value-set")
}
