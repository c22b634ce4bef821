package interaction

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// shelf stores Basics of about 1,000 bytes, of which i < long have ten times as many.
func shelf(t testing.TB, s *Service, n, long int) {
	t.Helper()
	for i := range n {
		text := strings.Repeat("x", 850)
		if i < long {
			text = strings.Repeat(text, 10)
		}
		put(t, s, `{"resourceType":"Basic","id":"%02d","code":{"text":"%s"},"subject":{"reference":"Patient/p%d"}}`, i, text, i%3)
	}
}

// leaf reads pages from a query on, forwards and back again, and returns the sizes of the pages forwards.
func leaf(t *testing.T, s *Service, path, query string, read func(bundle) []string) (sizes []int, forth, back []string) {
	t.Helper()
	b := find(t, s, path+"?"+query)
	for {
		got := read(b)
		sizes, forth = append(sizes, len(got)), append(forth, got...)
		if b.query("next") == "" {
			break
		}
		b = find(t, s, path+"?"+b.query("next"))
	}
	for back = read(b); b.query("previous") != ""; {
		b = find(t, s, path+"?"+b.query("previous"))
		back = append(read(b), back...)
	}
	return sizes, forth, back
}

func TestPagesEndWhereTheirBytesDo(t *testing.T) {
	s := open(t, Options{PageBytes: 4000})
	shelf(t, s, 20, 2)
	sizes, forth, back := leaf(t, s, "Basic", "_count=1000", bundle.names)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("Basic/%02d", i))
	}
	if !slices.Equal(forth, want) || !slices.Equal(back, want) {
		t.Errorf("forwards %v, and backwards %v; want %v", forth, back, want)
	}
	if !slices.Equal(sizes, []int{1, 1, 4, 4, 4, 4, 2}) && !slices.Equal(sizes, []int{1, 1, 3, 3, 3, 3, 3, 3}) {
		t.Errorf("pages of %v matches", sizes)
	}
	if b := find(t, s, "Basic?_count=1000"); b.Total == nil || *b.Total != 20 {
		t.Errorf("a page that ends early has another total")
	}
}

func TestPagesWithIncludesEndWhereTheirBytesDo(t *testing.T) {
	s := open(t, Options{PageBytes: 4000})
	shelf(t, s, 9, 0)
	for i := range 3 {
		put(t, s, `{"resourceType":"Patient","id":"p%d","name":[{"text":"%s"}]}`, i, strings.Repeat("x", 1500))
	}
	included := make(map[string]int)
	_, forth, back := leaf(t, s, "Basic", "_include=Basic:subject", func(b bundle) (matches []string) {
		var size int
		want, got := make(map[string]bool), make(map[string]bool)
		for i, name := range b.names() {
			size += len(b.Entry[i].Resource)
			if id, ok := strings.CutSuffix(name, " include"); ok {
				got[id] = true
				included[id]++
				continue
			}
			matches = append(matches, name)
			want[resource(t, "%s", b.Entry[i].Resource).Get("subject").Get("reference").Text()] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("a page includes %v; want %v", got, want)
		}
		if size > 4000 && len(matches) > 1 {
			t.Errorf("a page of %d bytes", size)
		}
		return matches
	})
	if len(forth) != 9 || !slices.Equal(forth, back) || !slices.IsSorted(forth) {
		t.Errorf("forwards %v, and backwards %v", forth, back)
	}
	if _, err := try(t, s, "Patient?_id=p0&_revinclude=Basic:subject"); err != nil {
		t.Errorf("a match with includes longer than a page: %v", err)
	}
}

func TestOneMatchIncludesTooMuch(t *testing.T) {
	s := open(t, Options{PageBytes: 500})
	put(t, s, `{"resourceType":"Patient","id":"p0"}`)
	shelf(t, s, 9, 0)
	_, err := try(t, s, "Patient?_revinclude=Basic:subject")
	check(t, err, fhir.KindInvalid, "too-many-includes")
}

func TestHistoriesEndWhereTheirBytesDo(t *testing.T) {
	s := open(t, Options{PageBytes: 4000})
	shelf(t, s, 10, 1)
	if _, err := s.Delete(t.Context(), key("Basic/05"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []HistoryRequest{{}, {Type: "Basic"}, {Parameters: pairs("_since=2020-01-01T00:00:00Z")}} {
		q.Base = base
		var got []string
		for pages := 1; ; pages++ {
			b, err := s.History(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			page := decode(t, b)
			if names := page.names(); len(names) > 5 || len(names) == 0 {
				t.Errorf("a page of %d versions", len(names))
			} else {
				got = append(got, names...)
			}
			if q.Parameters = pairs(page.query("next")); q.Parameters == nil {
				if pages < 3 {
					t.Errorf("%d pages", pages)
				}
				break
			}
		}
		if len(got) != 11 || got[0] != "Basic/05" || got[10] != "Basic/00" {
			t.Errorf("%v", got)
		}
	}
}

func TestReadsOfABundleAreBounded(t *testing.T) {
	s := open(t, Options{PageBytes: 1000})
	shelf(t, s, 1, 0)
	entries := strings.Repeat(`{"request":{"method":"GET","url":"Basic/00"}},`, 20)
	bundle := func(kind string) BundleRequest {
		return BundleRequest{Base: base, Bundle: resource(t, `{"resourceType":"Bundle","type":"%s","entry":[%s]}`, kind, entries[:len(entries)-1])}
	}
	_, err := s.Bundle(t.Context(), bundle("transaction"))
	var e *fhir.Error
	if !errors.As(err, &e) || e.Issues[0].ID != "too-much-read" {
		t.Errorf("transaction: %v", err)
	}
	b, err := s.Bundle(t.Context(), bundle("batch"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, e := range decode(t, b).Entry {
		if strings.Contains(string(e.Response.Outcome), "too-much-read") {
			refused++
		}
	}
	if refused == 0 || refused == 20 {
		t.Errorf("%d of 20 reads are refused", refused)
	}
}

func TestRepliesKeepBodiesOnlyWhereTheyAreAskedFor(t *testing.T) {
	res := Result{Action: Created, Record: storage.Record{Key: key("Patient/a"), Version: 1, Body: []byte(`{"resourceType":"Patient"}`)}}
	s := open(t, Options{})
	for prefer, want := range map[string]string{"minimal": "", "OperationOutcome": "", "representation": string(res.Record.Body)} {
		got, err := s.written(&Request{Code: CodeCreate, Prefer: Preferences{Return: prefer}}, res)
		if err != nil || got.Record.Body != nil || string(got.Resource) != want {
			t.Errorf("%s: %s %v", prefer, got.Resource, err)
		}
	}
}
