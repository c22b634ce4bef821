package interaction

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

func TestCursorsComeBackAsTheyWere(t *testing.T) {
	s, err := openSealer(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "micros")).UTC() })
		c := cursor{
			made: time.Now().UTC().Truncate(time.Microsecond), moment: instant.Draw(t, "moment"), total: rapid.Int64Min(-1).Draw(t, "total"), back: rapid.Bool().Draw(t, "back"),
			mark:    storage.Mark(rapid.String().Draw(t, "mark")),
			version: rapid.Int64Min(0).Draw(t, "version"), updated: instant.Draw(t, "updated"),
			position: search.Position{Key: fhir.Key{Type: rapid.String().Draw(t, "type"), ID: rapid.String().Draw(t, "id")}},
		}
		for range rapid.IntRange(0, 4).Draw(t, "keys") {
			c.position.Sort = append(c.position.Sort, search.SortKey{Value: rapid.String().Draw(t, "value"), Missing: rapid.Bool().Draw(t, "missing")})
		}
		binding := rapid.String().Draw(t, "binding")
		text := s.seal(c, binding)
		got, err := s.open(text, binding)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, c, cmp.AllowUnexported(cursor{})); d != "" {
			t.Fatal(d)
		}
		if _, err := s.open(text, binding+"x"); err == nil {
			t.Fatal("it opens for another search")
		}
		if s.seal(c, binding) == text {
			t.Fatal("it is sealed the same way twice")
		}
	})
}

func TestCursorsExpire(t *testing.T) {
	s, err := openSealer(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.open(s.seal(cursor{made: time.Now().Add(-cursorLifetime - time.Minute)}, ""), "")
	check(t, err, fhir.KindInvalid, "bad-cursor")
}

func FuzzReadCursor(f *testing.F) {
	c := cursor{position: search.Position{Key: fhir.Key{Type: "Patient", ID: "1"}, Sort: []search.SortKey{{Value: "x"}}}}
	f.Add(c.append(nil))
	c.mark = "state"
	f.Add(c.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := readCursor(b); ok {
			if again, ok := readCursor(c.append(nil)); !ok || !cmp.Equal(again, c, cmp.AllowUnexported(cursor{})) {
				t.Fatalf("%+v becomes %+v", c, again)
			}
		}
	})
}

func FuzzHistoryQuery(f *testing.F) {
	f.Add("_since=2024-01-01T00:00:00%2B01:00&_count=5")
	f.Add("_at=2024-02&_format=json")
	f.Add("_at=2024-01-01T10:00 02:00&_cursor=AAAA")
	s := open(f, Options{})
	put(f, s, `{"resourceType":"Patient","id":"a"}`)
	f.Add("%")
	f.Fuzz(func(t *testing.T, query string) {
		p, err := search.ReadQuery(query)
		if err != nil {
			return // it is refused before a history is asked for
		}
		for _, q := range []HistoryRequest{{Base: base, Parameters: p}, {Base: base, Key: key("Patient/a"), Parameters: p}} {
			b, err := s.History(t.Context(), q)
			if err != nil {
				if fhir.KindOf(err) != fhir.KindInvalid {
					t.Fatal(err)
				}
				continue
			}
			decode(t, b)
		}
	})
}
