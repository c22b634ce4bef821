package interaction

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
)

// walk follows next links from a first page and returns what the entries hold, as "Type/id v". Each page must have at most count entries.
func walk(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Service, q HistoryRequest, count int, between func()) []string {
	t.Helper()
	var all []string
	for {
		b, err := s.History(ctxOf(t), q)
		if err != nil {
			t.Fatalf("%s: %v", encodePairs(q.Parameters), err)
		}
		page := decodeBundle(b.Body)
		if len(page.Entry) > count {
			t.Fatalf("%d entries on a page of %d", len(page.Entry), count)
		}
		for _, e := range page.Entry {
			all = append(all, strings.TrimPrefix(e.FullURL, base+"/")+" "+strings.Trim(e.Response.Etag, `W/"`))
		}
		if q.Parameters = pairs(page.query("next")); q.Parameters == nil {
			return all
		}
		if between != nil {
			between()
		}
	}
}

func TestHistoryOfAnInstance(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	made, err := s.Create(ctx, "Patient", resource(t, `{"resourceType":"Patient"}`), "")
	if err != nil {
		t.Fatal(err)
	}
	k := made.Record.Key
	put(t, s, `{"resourceType":"Patient","id":"%s","active":true}`, k.ID)
	if _, err := s.Delete(ctx, k, Conditions{}); err != nil {
		t.Fatal(err)
	}
	put(t, s, `{"resourceType":"Patient","id":"other"}`)
	b, err := s.History(ctx, HistoryRequest{Base: base, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, b)
	if got.Type != "history" || got.Total == nil || *got.Total != 3 || len(got.Entry) != 3 {
		t.Fatalf("%s", b.Body)
	}
	for i, want := range []struct {
		method, url, status, etag string
		resource                  bool
	}{
		{"DELETE", k.String(), "204 No Content", `W/"3"`, false},
		{"PUT", k.String(), "200 OK", `W/"2"`, true},
		{"POST", "Patient", "201 Created", `W/"1"`, true},
	} {
		e := got.Entry[i]
		if e.Request.Method != want.method || e.Request.URL != want.url || e.Response.Status != want.status || e.Response.Etag != want.etag ||
			(e.Resource != nil) != want.resource || e.FullURL != base+"/"+k.String() || e.Response.LastModified == "" {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
	_, err = s.History(ctx, HistoryRequest{Base: base, Key: key("Patient/none")})
	check(t, err, fhir.KindNotFound, "not-found")
}

// TestHistoryTellsWhatEachWriteWasAnswered compares the statuses of histories with those that the writes themselves had: 201 each time that the
// resource came into being, and came back.
func TestHistoryTellsWhatEachWriteWasAnswered(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	k := key("Patient/a")
	n := 0
	content := func() fhir.Resource {
		n++
		return resource(t, `{"resourceType":"Patient","id":"a","multipleBirthInteger":%d}`, n)
	}
	update := func() (Result, error) { return s.Update(ctx, k, content(), Conditions{}) }
	remove := func() (Result, error) { return s.Delete(ctx, k, Conditions{}) }
	conditional := func() (Result, error) {
		return s.UpdateConditional(ctx, "Patient", content(), "_id=a", Conditions{})
	}
	patch := func() (Result, error) {
		return s.Patch(ctx, k, func(fhir.Resource) ([]byte, error) { return content().Raw(), nil }, Conditions{})
	}
	bundled := func(kind string) func() (Result, error) {
		return func() (Result, error) {
			b, err := send(t, s, kind, "", request("PUT", "Patient/a", "", string(content().Raw())))
			if err == nil && b.Entry[0].Response.Status == "201 Created" {
				return Result{Action: Created}, nil
			}
			return Result{Action: Updated}, err
		}
	}
	var want []string
	for i, write := range []func() (Result, error){update, update, remove, update, patch, remove, conditional, conditional, remove, bundled("transaction"), bundled("transaction"), remove, bundled("batch"), update} {
		res, err := write()
		if err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		want = append([]string{map[Action]string{Created: "201 Created", Updated: "200 OK", Deleted: "204 No Content"}[res.Action]}, want...)
	}
	if n := strings.Count(strings.Join(want, " "), "201"); n != 5 {
		t.Fatalf("%d writes made the resource: %v", n, want)
	}
	for _, q := range []HistoryRequest{{Key: k}, {Type: "Patient"}, {}} {
		var got []string
		for q.Base, q.Parameters = base, pairs("_count=2"); q.Parameters != nil; {
			b, err := s.History(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			page := decode(t, b)
			for _, e := range page.Entry {
				got = append(got, e.Response.Status)
			}
			q.Parameters = pairs(page.query("next"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the history of %q %q says\n%v, and the writes were answered\n%v", q.Key, q.Type, got, want)
		}
	}
}

func TestHistoryRefusesWhatItDoesNotKnow(t *testing.T) {
	s := open(t, Options{})
	for query, issue := range map[string]fhir.IssueID{
		"_since=yesterday": "invalid-parameter", "_since=2024-01-01": "invalid-parameter", "_at=x": "invalid-parameter", "_count=-1": "invalid-parameter",
		"_count=1&_count=2": "repeated-parameter", "code=x": "unknown-parameter", "_cursor=AAAA": "bad-cursor",
	} {
		_, err := s.History(t.Context(), HistoryRequest{Base: base, Parameters: pairs(query)})
		check(t, err, fhir.KindInvalid, issue)
	}
	_, err := s.History(t.Context(), HistoryRequest{Base: base, Type: "Nothing"})
	check(t, err, fhir.KindNotFound, "unknown-type")
}

func TestHistoryCursorIsBoundToItsHistory(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	for i := range 3 {
		put(t, s, `{"resourceType":"Patient","id":"b","multipleBirthInteger":%d}`, i)
	}
	b, err := s.History(ctx, HistoryRequest{Base: base, Key: key("Patient/b"), Parameters: pairs("_count=1")})
	if err != nil {
		t.Fatal(err)
	}
	next := decode(t, b).query("next")
	for _, q := range []HistoryRequest{{Key: key("Patient/a"), Parameters: pairs(next)}, {Type: "Patient", Parameters: pairs(next)}, {Key: key("Patient/b"), Parameters: pairs(strings.Replace(next, "_count=1", "_count=2", 1))}} {
		_, err := s.History(ctx, q)
		check(t, err, fhir.KindInvalid, "bad-cursor")
	}
	if _, err := s.History(ctx, HistoryRequest{Key: key("Patient/b"), Parameters: pairs(next)}); err != nil {
		t.Error(err)
	}
}

// TestHistoryAgainstAModel makes random versions, and asks for histories page by page while more versions are made.
func TestHistoryAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := openRapid(t)
		type version struct {
			name    string
			key     fhir.Key
			updated time.Time
			deleted bool
		}
		var model []version
		n := 0
		write := func() {
			k := fhir.Key{Type: rapid.SampledFrom([]string{"Patient", "Group"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id")}
			n++
			var res Result
			var err error
			if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
				res, err = s.Delete(ctxOf(t), k, Conditions{})
			} else {
				r, _ := fhir.ParseResource(fmt.Appendf(nil, `{"resourceType":"%s","id":"%s","language":"%d"}`, k.Type, k.ID, n), fhir.Limits{})
				res, err = s.Update(ctxOf(t), k, r, Conditions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			if res.Action != Unchanged {
				model = append(model, version{fmt.Sprintf("%s %d", k, res.Record.Version), k, res.Record.Updated, res.Action == Deleted})
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "versions") {
			write()
		}
		if len(model) == 0 {
			return
		}
		var q HistoryRequest
		values := url.Values{}
		count := rapid.IntRange(1, 4).Draw(t, "count")
		values.Set("_count", fmt.Sprint(count))
		switch rapid.IntRange(0, 2).Draw(t, "of") {
		case 0:
			q.Key = rapid.SampledFrom(model).Draw(t, "key").key
		case 1:
			q.Type = "Patient"
		}
		pivot := rapid.SampledFrom(model).Draw(t, "pivot").updated
		bound := rapid.SampledFrom([]string{"", "_since", "_at"}).Draw(t, "bound")
		if bound != "" {
			values.Set(bound, fhir.FormatInstant(pivot))
		}
		var want []string
		for i, v := range slices.Backward(model) {
			if q.Key != (fhir.Key{}) && v.key != q.Key || q.Type != "" && v.key.Type != q.Type {
				continue
			}
			switch bound {
			case "_since":
				if v.updated.Before(pivot) {
					continue
				}
			case "_at":
				later := slices.IndexFunc(model[i+1:], func(o version) bool { return o.key == v.key })
				ended := later >= 0 && !model[i+1+later].updated.After(pivot)
				if v.updated.After(pivot) || v.updated.Before(pivot) && (v.deleted || ended) {
					continue
				}
			}
			want = append(want, v.name)
		}
		q.Base, q.Parameters = base, pairs(values.Encode())
		if b, err := s.History(ctxOf(t), q); err == nil && q.Key != (fhir.Key{}) {
			if got := decodeBundle(b.Body).Total; got == nil || *got != int64(len(want)) {
				t.Fatalf("total of %s?%s is not %d: %s", q.Key, encodePairs(q.Parameters), len(want), b.Body)
			}
		}
		if got := walk(t, s, q, count, write); !slices.Equal(got, want) {
			t.Fatalf("history of %v %s?%s\nis   %v\nwant %v", q.Key, q.Type, values.Encode(), got, want)
		}
	})
}

func TestHistoryWithoutEntries(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	b, err := s.History(t.Context(), HistoryRequest{Base: base, Key: key("Patient/a"), Parameters: pairs("_count=0")})
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, b); got.Total == nil || *got.Total != 1 || got.Entry != nil || got.query("next") != "" {
		t.Errorf("%s", b.Body)
	}
}

// TestLenientHistoriesReportWhatTheyIgnore asks for all kinds of history, of versions and of none.
func TestLenientHistoriesReportWhatTheyIgnore(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	put(t, s, `{"resourceType":"Patient","id":"a","active":true}`)
	for path, q := range map[string]HistoryRequest{
		"Patient/a/_history": {Key: key("Patient/a")}, "Patient/_history": {Type: "Patient"}, "Observation/_history": {Type: "Observation"}, "_history": {},
	} {
		versions := 2
		if q.Type == "Observation" {
			versions = 0
		}
		q.Base, q.Lenient, q.Parameters = base, true, pairs("nonsense=x&_count=10&other=y")
		b, err := s.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got := decode(t, b)
		if len(got.Entry) != versions+1 || got.Total == nil || *got.Total != int64(versions) || strings.Contains(got.query("self"), "nonsense") {
			t.Fatalf("%s: %s", path, b.Body)
		}
		r, err := fhir.ParseResource(b.Body, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		told := r.Get("entry").At(versions)
		issues := told.Get("response").Get("outcome").Get("issue")
		if told.Get("resource").Valid() || told.Get("fullUrl").Valid() || told.Get("request").Get("method").Text() != "GET" || told.Get("request").Get("url").Text() != path ||
			issues.Len() != 2 || issues.First().Get("severity").Text() != "warning" || !strings.Contains(issues.First().Get("diagnostics").Text(), "'nonsense'") {
			t.Errorf("%s: %s", path, told.Raw())
		}
		q.Lenient = false
		_, err = s.History(t.Context(), q)
		check(t, err, fhir.KindInvalid, "unknown-parameter")
	}
}
