package interaction

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

func TestLinksOfPostedSearchesCarryTheParametersSealed(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	var ids []string
	for i := range 5000 {
		ids = append(ids, fmt.Sprintf("%d", i))
	}
	for _, form := range []string{"_id=" + strings.Join(ids, ",") + "&_count=2", "code=c0,c1&_count=2", "_count=2&_sort=-date"} {
		post := SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(form), Posted: true}
		out, err := s.Search(t.Context(), post)
		if err != nil {
			t.Fatal(err)
		}
		first := decode(t, out)
		_, want, _ := strings.Cut(form, "=")
		for _, l := range first.Link {
			if l.Relation == "self" { // "the search as it was processed", in the body and not to be followed
				if got, err := url.QueryUnescape(first.query("self")); err != nil || got != form {
					t.Errorf("%s: self is %.100s", form[:20], got)
				}
				continue
			}
			if query := first.query(l.Relation); !strings.HasPrefix(query, "_cursor=p.") || strings.Contains(query, "&") || strings.Contains(l.URL, want) {
				t.Errorf("%s: the link %s is %.100s", form[:20], l.Relation, l.URL)
			}
			if len(l.URL) > len(form)*3/4+400 {
				t.Errorf("%s: the link %s has %d bytes; the form %d", form[:20], l.Relation, len(l.URL), len(form))
			}
		}
		all := first.names()
		b := first
		for b.query("next") != "" {
			b = find(t, s, "Observation?"+b.query("next"))
			all = append(all, b.names()...)
		}
		slices.Sort(all)
		if fmt.Sprint(all) != "[Observation/0 Observation/1 Observation/2 Observation/3 Observation/4]" {
			t.Errorf("%s: %v", form[:20], all)
		}
		if again := find(t, s, "Observation?"+b.query("self")); fmt.Sprint(again.names()) != fmt.Sprint(b.names()) {
			t.Errorf("%s: the last page's self is another page: %v", form[:20], again.names())
		}
		back := find(t, s, "Observation?"+b.query("previous"))
		if names := find(t, s, "Observation?"+back.query("previous")).names(); fmt.Sprint(names) != fmt.Sprint(first.names()) {
			t.Errorf("%s: back from the last page is %v", form[:20], names)
		}
		for _, relation := range []string{"self", "first"} {
			if names := find(t, s, "Observation?"+first.query(relation)).names(); fmt.Sprint(names) != fmt.Sprint(first.names()) {
				t.Errorf("%s: %s is %v", form[:20], relation, names)
			}
		}
		_, err = try(t, s, "Observation?code=c1&"+first.query("first"))
		check(t, err, fhir.KindInvalid, "bad-cursor")
		_, err = try(t, s, "Patient?"+first.query("first"))
		check(t, err, fhir.KindInvalid, "bad-cursor")
	}
}

// TestFirstOfAPostedSearchIsItAgain follows the first link after something has come.
func TestFirstOfAPostedSearchIsItAgain(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	out, err := s.Search(t.Context(), SearchRequest{Base: base, Path: "Patient", Types: []string{"Patient"}, Parameters: pairs("gender=male"), Posted: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, `{"resourceType":"Patient","id":"c","gender":"male"}`)
	if names := find(t, s, "Patient?"+decode(t, out).query("first")).names(); fmt.Sprint(names) != "[Patient/b Patient/c]" {
		t.Errorf("%v", names)
	}
}

func TestApproximatelyIsAboutTheFirstPagesMoment(t *testing.T) {
	s := open(t, Options{})
	read := func(query string) (p searching) {
		q := SearchRequest{Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(query)}
		err := s.own.View(t.Context(), func(r storage.Reader) (err error) {
			p, err = s.parseSearch(t.Context(), r, q)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const query = "date=ap2020-01-01"
	today := read(query)
	at := func(year int) finding {
		c := cursor{made: time.Now(), moment: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), total: -1}
		return read(query + "&_cursor=" + s.sealer.seal(c, today.binding)).finding
	}
	if reflect.DeepEqual(at(2010), today.finding) || !reflect.DeepEqual(at(2010), at(2010)) || reflect.DeepEqual(at(2010), at(2015)) {
		t.Error("a later page's ap is not about the moment of the first page")
	}
}

func TestSelfShowsThePageSizeThatWasUsed(t *testing.T) {
	s := open(t, Options{MaxPage: 3})
	clinic(t, s)
	b := find(t, s, "Observation?_count=100000")
	if got := b.query("self"); got != "_count=3" || len(b.names()) != 3 {
		t.Errorf("self is %s, with %d resources", got, len(b.names()))
	}
	if n := len(find(t, s, "Observation?"+b.query("next")).names()); n != 2 {
		t.Errorf("the next page has %d resources", n)
	}
}
