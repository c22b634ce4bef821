package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestWidthsOfRanges tells ranges apart as fhir/search encodes them.
func TestWidthsOfRanges(t *testing.T) {
	for _, c := range []struct {
		lo, hi string
		want   width
	}{
		{"P500215", "P500215!", point},
		{"P500215", "P500216", wide},
		{"-", "~", wide},
		{"20240501093", "20240501093001", inSecond},
		{"20240501093059", "202405010931", inSecond},
		{"20240501095959", "202405011", inSecond},
		{"20240501235959", "20240502", inSecond},
		{"20231231235959", "20240101", inSecond},
		{"20240501093000123", "20240501093000124", inSecond},
		{"20240501093000999", "20240501093001", inSecond},
		{"20240501093000999", "202405010930011", inDay},
		{"20240501093000123456", "20240501093000123457", inMicrosecond},
		{"20240501093000123459", "2024050109300012346", inMicrosecond},
		{"20240501095959999999", "202405011", inMicrosecond},
		{"20241231235959999999", "20250101", inMicrosecond},
		{"20240501093", "20240501093000000001", inMicrosecond},
		{"20240501093000123456", "20240501093000123458", inSecond},
		{"202405010930", "202405010931", inDay},
		{"20240501", "20240502", inDay},
		{"20240531", "20240601", inDay},
		{"20240228", "20240229", inDay},
		{"20230228", "20230301", inDay},
		{"20240228", "20240301", wide},
		{"19991231", "20000101", inDay},
		{"20240501233", "202405020015", wide},
		{"20240501", "20240601", wide},
		{"20240101", "20250101", wide},
		{"20241301", "20241302", wide},
		{"99991231", ":00000101", wide},
		{"", "20240502", wide},
		{"2024", "20240502", wide},
		{"20240501", "20240501", inMicrosecond},
	} {
		if got := widthOf(c.lo, c.hi); got != c.want {
			t.Errorf("%s to %s has the width %d, want %d", c.lo, c.hi, got, c.want)
		}
	}
}

// TestNothingNarrowReachesOverItsStart compares, for random ranges and values, where ranges that reach over a value may begin with where they
// do, and the nodes of the wide ones with the beginnings of the value.
func TestNothingNarrowReachesOverItsStart(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	moment := func() string {
		d := time.Date(2024, time.Month(1+r.IntN(3)), 1+r.IntN(31), r.IntN(24), r.IntN(2)*59, r.IntN(2)*59, r.IntN(2)*1e6, time.UTC)
		return trimmed(d.Format("20060102150405.000000")[:secondDigits] + strings.Repeat("0", r.IntN(2)) + d.Format("20060102150405.000000")[secondDigits+1:])
	}
	value := func() string {
		switch r.IntN(4) {
		case 0:
			v := fmt.Sprintf("P5002%d", r.IntN(30))
			return v + strings.Repeat("!", r.IntN(2))
		case 1:
			return fmt.Sprintf("%d", r.IntN(30))
		case 2:
			return moment()[:dayDigits]
		}
		return moment()
	}
	reached := map[width]int{}
	for range 300_000 {
		lo, x := value(), value()
		hi := value()
		switch r.IntN(3) {
		case 0:
			hi = lo + "!"
		case 1:
			if isDay(lo) {
				at := padded(lo)
				from, err := time.Parse("20060102150405.000000", string(at[:secondDigits])+"."+string(at[secondDigits:]))
				if err != nil {
					continue
				}
				hi = search.LastUpdated(from.Add([]time.Duration{time.Microsecond, time.Second, time.Minute, 24 * time.Hour}[r.IntN(4)])).Lo
			}
		}
		if r.IntN(2) == 0 {
			x = lo + []string{"!", "5", "!!", "03", "\x00", "0000005", "0000000000005"}[r.IntN(7)]
		}
		if lo >= hi || hi <= x || lo >= x {
			continue
		}
		w := widthOf(lo, hi)
		reached[w]++
		over := bounds{low: x, hasLow: true, above: true}
		switch {
		case w == wide:
			if !strings.HasPrefix(x, nodeOf(lo, hi)) {
				t.Fatalf("seed %d: %s to %s reaches over %s, and its node %s is no beginning of it", seed, lo, hi, x, nodeOf(lo, hi))
			}
		case lo < earliest(over, w.shape()):
			t.Fatalf("seed %d: %s to %s reaches over %s, and begins before %s", seed, lo, hi, x, earliest(over, w.shape()))
		}
	}
	for _, w := range []width{point, inMicrosecond, inSecond, inDay, wide} {
		if reached[w] == 0 {
			t.Errorf("seed %d: no range of width %d reached over a value", seed, w)
		}
	}
}

// TestPagesAboveAValueReadAboutTheirRows asks for first pages of what ends above a value, in the order of the value, of a small and a large
// population: what is read does not grow.
func TestPagesAboveAValueReadAboutTheirRows(t *testing.T) {
	for _, n := range []int{1_000, 10_000} {
		s := openMemory(t)
		defer s.Close()
		p := newPopulation(n)
		p.Fill(t, s)
		// Encounters, of which some pass midnight, and conditions: dated by the day, or lasting for years.
		var recs []storage.Record
		for i := range n / 4 {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			from := p.From.Add(time.Duration(r.Int64N(int64(13 * 365 * 24 * time.Hour))))
			add := func(typ string, e search.Entry) {
				recs = append(recs, storage.Record{Key: fhir.Key{Type: typ, ID: p.ID(typ, i)}, Version: 1, Method: "PUT", Body: []byte("{}"), Entries: []search.Entry{e}})
			}
			add("Procedure", date("date", from, 30*time.Minute))
			if i%500 == 0 {
				add("Condition", date("onset-date", from, 2*365*24*time.Hour))
			} else {
				add("Condition", date("onset-date", from.Truncate(24*time.Hour), 24*time.Hour))
			}
		}
		putAll(t, s, recs)
		var before string
		if err := s.View(context.Background(), func(r storage.Reader) error {
			before = search.LastUpdated(r.Moment()).Hi
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		p.Put(t, s, n, n+100)
		above := func(param, v string) search.Expr {
			return search.Some{Param: param, Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: v}}}
		}
		for _, c := range []struct {
			name  string
			typ   string
			where search.Expr
			sort  string
		}{
			{"a code and a value", "Observation", search.And{eq("code", loinc, code0), above("value-quantity", "P5002140!")}, "value-quantity"},
			{"a value", "Observation", above("value-quantity", "P5002140!"), "value-quantity"},
			{"a day", "Observation", from("date", "20150321"), "date"},
			{"a code and a day", "Observation", search.And{eq("code", loinc, code0), from("date", "20150321")}, "date"},
			{"a moment", "Observation", from("date", "20150321093011"), "date"},
			{"the moment of a load", "Observation", above("_lastUpdated", before), "_lastUpdated"},
			{"a day, of periods of half an hour", "Procedure", from("date", "20150321"), "date"},
			{"a day, of days", "Condition", from("onset-date", "20150321"), "onset-date"},
		} {
			if err := s.View(context.Background(), func(r storage.Reader) error {
				q := search.Query{Types: []string{c.typ}, Where: c.where, Sort: []search.Sort{{Param: c.sort}}, Limit: 20}
				rows, plan, err := r.Explain(context.Background(), q)
				if read := plan.Examined; len(rows) < 20 || read > 30 || plan.Fetched > 25 {
					t.Errorf("%s, %d resources: a page of %d read %d rows and %d resources: %v", c.name, n, len(rows), read, plan.Fetched, plan.Steps)
				} else {
					t.Logf("%s, %d resources: a page of %d read %d rows and %d resources", c.name, n, len(rows), read, plan.Fetched)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
