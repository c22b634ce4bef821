package interaction

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
)

// ward is a store of few Observations that change often, and what has become of them.
type ward struct {
	t *rapid.T
	s *Service
	// touched are the ids that were deleted or created since the first page.
	touched map[string]bool
}

func (w *ward) ids() []string { return []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} }

// change writes or deletes an Observation.
func (w *ward) change() {
	id := rapid.SampledFrom(w.ids()).Draw(w.t, "id")
	k := fhir.Key{Type: "Observation", ID: id}
	if rapid.IntRange(0, 4).Draw(w.t, "delete") == 0 {
		res, err := w.s.Delete(ctxOf(w.t), k, Conditions{})
		if err != nil {
			w.t.Fatal(err)
		}
		w.touched[id] = w.touched[id] || res.Action == Deleted
		return
	}
	var more strings.Builder
	if n := rapid.IntRange(0, 4).Draw(w.t, "date"); n > 0 {
		fmt.Fprintf(&more, `,"effectiveDateTime":"2024-01-0%d"`, n)
	}
	if n := rapid.IntRange(0, 3).Draw(w.t, "value"); n > 0 {
		fmt.Fprintf(&more, `,"valueString":"%c"`, 'A'+n)
	}
	subject := rapid.SampledFrom([]string{"p", "q", "none"}).Draw(w.t, "subject")
	r, err := fhir.ParseResource(fmt.Appendf(nil, `{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"code":"%d"}]},"subject":{"reference":"Patient/%s"}%s}`,
		id, rapid.IntRange(0, 2).Draw(w.t, "code"), subject, more.String()), fhir.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.s.Update(ctxOf(w.t), k, r, Conditions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.touched[id] = w.touched[id] || res.Action == Created
}

func (w *ward) search(query string) bundle {
	b, err := w.s.Search(ctxOf(w.t), SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(query)})
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return decodeBundle(b.Body)
}

// matches returns the ids and versions of a page's matches, and checks its includes: each patient of a match, once.
func (w *ward) matches(b bundle, included bool) (ids []string) {
	var want, got []string
	for _, e := range b.Entry {
		r, err := fhir.ParseResource(e.Resource, fhir.Limits{})
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Search.Mode == "include" {
			got = append(got, r.Key().String())
			continue
		}
		ids = append(ids, r.ID()+" "+r.Get("meta").Get("versionId").Text())
		if subject := r.Get("subject").Get("reference").Text(); included && subject != "Patient/none" && !slices.Contains(want, subject) {
			want = append(want, subject)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("a page includes %v; want %v", got, want)
	}
	return ids
}

// TestPagesTogetherAreTheSearch reads a search page by page, forwards and back, while resources are created, changed and deleted. Together the
// pages are what the search found at once when the first page was read: without what was deleted since, and with nothing that came since.
func TestPagesTogetherAreTheSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &ward{t: t, s: openRapid(t), touched: make(map[string]bool)}
		for _, id := range []string{"p", "q"} {
			r, _ := fhir.ParseResource([]byte(`{"resourceType":"Patient","id":"`+id+`","name":[{"family":"`+id+`"}]}`), fhir.Limits{})
			if _, err := w.s.Update(ctxOf(t), r.Key(), r, Conditions{}); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 25).Draw(t, "writes") {
			w.change()
		}
		values := url.Values{}
		if c := rapid.SampledFrom([]string{"", "code=0,1", "date=ge2024-01-02", "value-string:missing=true", "subject:Patient.family=p"}).Draw(t, "condition"); c != "" {
			name, value, _ := strings.Cut(c, "=")
			values.Set(name, value)
		}
		if sort := rapid.SampledFrom([]string{"", "date", "-date", "code,-date", "-_lastUpdated", "_lastUpdated", "-_id", "value-string", "subject:Patient.family", "-subject"}).Draw(t, "sort"); sort != "" {
			values.Set("_sort", sort)
		}
		included := rapid.Bool().Draw(t, "include")
		if included {
			values.Set("_include", "Observation:subject")
		}
		all := w.matches(w.search(values.Encode()+"&_count=100"), included)
		count := rapid.IntRange(1, 5).Draw(t, "count")
		values.Set("_count", strconv.Itoa(count))
		clear(w.touched)
		b := w.search(values.Encode())
		total := b.Total
		got := w.matches(b, included)
		var back []string
		for b.query("next") != "" {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				w.change()
			}
			back = append(back, w.matches(b, included)...)
			b = w.search(b.query("next"))
			if (total == nil) != (b.Total == nil) || total != nil && *total != *b.Total {
				t.Fatalf("the first page's total is not kept")
			}
			page := w.matches(b, included)
			if len(page) > count {
				t.Fatalf("%d matches on a page of %d", len(page), count)
			}
			got = append(got, page...)
		}
		stayed := func(list []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(s string) bool { id, _, _ := strings.Cut(s, " "); return w.touched[id] })
		}
		if want := stayed(all); !slices.Equal(stayed(got), want) {
			t.Fatalf("%s finds %v at once, and page by page %v; want %v", values.Encode(), all, got, want)
		}
		for _, s := range got {
			if !slices.Contains(all, s) {
				t.Fatalf("%s: %s came after the first page", values.Encode(), s)
			}
		}
		// Back to the beginning: the same, but for what has been deleted in between.
		var before []string
		for b.query("previous") != "" {
			b = w.search(b.query("previous"))
			before = append(w.matches(b, included), before...)
		}
		if want := stayed(back); !slices.Equal(stayed(before), want) {
			t.Fatalf("%s: forwards %v, and backwards %v", values.Encode(), want, before)
		}
	})
}

func TestCursorsThatAreForgedOrOfAnotherSearch(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	next := find(t, s, "Observation?_count=1&code=c0").query("next")
	cursor := next[strings.Index(next, "_cursor=")+len("_cursor="):]
	for _, query := range []string{
		"Observation?_count=1&code=c1&_cursor=" + cursor, "Observation?_count=2&code=c0&_cursor=" + cursor, "Observation?_cursor=" + cursor,
		"Patient?_count=1&_cursor=" + cursor, "Observation?_count=1&code=c0&_cursor=" + cursor[:len(cursor)-2], "Observation?_count=1&code=c0&_cursor=",
		"Observation?_count=1&code=c0&_cursor=" + cursor + "&_cursor=" + cursor,
	} {
		if _, err := try(t, s, query); query[len(query)-1] != '=' {
			check(t, err, fhir.KindInvalid, "bad-cursor")
		}
	}
	for i := range cursor {
		c := byte('A')
		if cursor[i] == c {
			c = 'B'
		}
		if _, err := s.sealer.open(cursor[:i]+string(c)+cursor[i+1:], "Observation?_count=1&code=c0"); err == nil && i < len(cursor)-1 {
			t.Fatalf("a cursor with another character %d opens", i)
		}
	}
	find(t, s, "Observation?"+next)
}

func TestCursorsOfTwoGatewaysOnOneStore(t *testing.T) {
	store := openStore(t)
	a, b := openOn(t, store, Options{}), openOn(t, store, Options{})
	clinic(t, a)
	next := find(t, a, "Observation?_count=2").query("next")
	if got := find(t, b, "Observation?"+next).names(); !slices.Equal(got, []string{"Observation/2", "Observation/3"}) {
		t.Errorf("%v", got)
	}
}

func TestPagesOfManyTypes(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	for _, q := range []SearchRequest{
		{Parameters: pairs("_type=Patient,Observation,Organization&")},
		{Parameters: pairs("_type=Patient,Observation,Organization&_sort=-_lastUpdated&")},
		{Parameters: pairs("_lastUpdated=gt2020&")},
		{Compartment: key("Practitioner/d"), Path: "Practitioner/d/*"},
		{Compartment: key("Practitioner/d"), Path: "Practitioner/d/*", Parameters: pairs("_sort=_lastUpdated&")},
		{Compartment: key("Patient/a"), Path: "Patient/a/Observation", Types: []string{"Observation"}, Parameters: pairs("_sort=-date&")},
	} {
		q.Base = base
		page := func(query string) bundle {
			q := q
			q.Parameters = pairs(query)
			b, err := s.Search(t.Context(), q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			return decode(t, b)
		}
		want := page(encodePairs(q.Parameters) + "&_count=100").names()
		for _, count := range []int{1, 2, 3, 5} {
			b := page(fmt.Sprintf("%s&_count=%d", encodePairs(q.Parameters), count))
			got := b.names()
			for b.query("next") != "" {
				b = page(b.query("next"))
				got = append(got, b.names()...)
			}
			if len(want) < 3 || !slices.Equal(got, want) {
				t.Errorf("%+v: pages of %d are %v; want %v", q, count, got, want)
			}
			back := b.names()
			for b.query("previous") != "" {
				b = page(b.query("previous"))
				back = append(b.names(), back...)
			}
			if !slices.Equal(back, want) {
				t.Errorf("%+v: pages of %d backwards are %v; want %v", q, count, back, want)
			}
		}
	}
}
