package search_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// span is a half-open range of moments in the terms of the time package alone, so that the table below shares nothing with what it tests.
type span struct{ from, to time.Time }

var (
	everBefore = time.Date(-100000, 1, 1, 0, 0, 0, 0, time.UTC)
	everAfter  = time.Date(100000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// spanOf reads a date or dateTime by trying the layouts of R4; zoneless ones are in loc.
func spanOf(t *testing.T, s string, loc *time.Location) span {
	t.Helper()
	for _, f := range []struct {
		layout string
		next   func(time.Time) time.Time
	}{
		{"2006", func(x time.Time) time.Time { return x.AddDate(1, 0, 0) }},
		{"2006-01", func(x time.Time) time.Time { return x.AddDate(0, 1, 0) }},
		{"2006-01-02", func(x time.Time) time.Time { return x.AddDate(0, 0, 1) }},
		{"2006-01-02T15:04", func(x time.Time) time.Time { return x.Add(time.Minute) }},
		{"2006-01-02T15:04Z07:00", func(x time.Time) time.Time { return x.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(x time.Time) time.Time { return x.Add(time.Second) }},
		{"2006-01-02T15:04:05Z07:00", func(x time.Time) time.Time { return x.Add(time.Second) }},
		{"2006-01-02T15:04:05.000Z07:00", func(x time.Time) time.Time { return x.Add(time.Millisecond) }},
	} {
		if x, err := time.ParseInLocation(f.layout, s, loc); err == nil && len(s) >= len(f.layout)-5 && strings.Contains(s, ".") == strings.Contains(f.layout, ".") {
			return span{x, f.next(x)}
		}
	}
	t.Fatalf("%q is no date", s)
	return span{}
}

// holds is R4's table of prefixes over spans: q is what is asked for, v what is stored.
func holds(prefix string, q, v span, now time.Time) bool {
	contains := !v.from.Before(q.from) && !v.to.After(q.to)
	above := v.to.After(q.to)
	below := v.from.Before(q.from)
	switch prefix {
	case "", "eq":
		return contains
	case "ne":
		return !contains
	case "gt":
		return above
	case "lt":
		return below
	case "ge":
		return above || contains
	case "le":
		return below || contains
	case "sa":
		return !v.from.Before(q.to)
	case "eb":
		return !v.to.After(q.from)
	}
	tenth := (now.Unix() - q.from.Unix()) / 10
	if tenth < 0 {
		tenth = -tenth
	}
	shift := func(t time.Time, seconds int64) time.Time { return time.Unix(t.Unix()+seconds, int64(t.Nanosecond())) }
	return v.from.Before(shift(q.to, tenth)) && v.to.After(shift(q.from, -tenth))
}

// TestDatesByTheTable compares every stored date with every date asked for under every prefix, and every period made of two stored dates.
func TestDatesByTheTable(t *testing.T) {
	dates := []string{
		"2013", "2014", "2015", "2013-12", "2014-01", "2014-02", "2014-12", "2013-12-31", "2014-01-01", "2014-02-28", "2014-12-31", "2015-01-01", "2016-02-29",
		"2013-12-31T23:59:59Z", "2014-01-01T00:00:00Z", "2014-01-01T00:00:00.000Z", "2014-01-01T00:00:00.001Z", "2014-01-01T00:00:00.999Z",
		"2014-01-01T00:00:01Z", "2014-01-01T01:00:00+01:00", "2013-12-31T19:00:00-05:00", "2014-01-01T13:59:59+14:00", "2014-12-31T23:59:59-12:00",
		"2014-06-15T12:30:45Z", "2014-06-15T12:30:45.123Z", "0001", "9999", "9999-12-31T23:59:59Z",
	}
	asked := append([]string{"2014-06-15T12:30", "2014-06-15T12:30Z", "2014-06-15T12:30:45", "2014-01-01T00:00"}, dates...)
	now := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	utc := newParameters()
	check := func(s *search.Parameters, element, label string, stored span, loc *time.Location) {
		r, err := fhir.ParseResource([]byte(`{"resourceType":"Observation","id":"x",`+element+`}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := s.Extract(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range asked {
			q := spanOf(t, a, loc)
			for _, prefix := range []string{"", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
				req, _, err := s.Parse([]string{"Observation"}, []search.Pair{{Name: "date", Value: prefix + a}}, search.ParseOptions{Now: now})
				if err != nil {
					t.Fatalf("date=%s%s: %v", prefix, a, err)
				}
				if got, want := search.Match(req.Where, r.Key(), entries, nil), holds(prefix, q, stored, now); got != want {
					t.Errorf("%s in %s, date=%s%s: %v, want %v", label, loc, prefix, a, got, want)
				}
			}
		}
	}
	for _, d := range dates {
		check(utc, fmt.Sprintf(`"effectiveDateTime":%q`, d), d, spanOf(t, d, time.UTC), time.UTC)
	}
	periods := []string{"2013", "2014-01", "2014-02-28", "2014-01-01T00:00:00Z", "2014-06-15T12:30:45.123Z", "2015"}
	for _, from := range append(periods, "") {
		for _, to := range append(periods, "") {
			stored := span{everBefore, everAfter}
			var members []string
			if from != "" {
				stored.from = spanOf(t, from, time.UTC).from
				members = append(members, fmt.Sprintf(`"start":%q`, from))
			}
			if to != "" {
				stored.to = spanOf(t, to, time.UTC).to
				members = append(members, fmt.Sprintf(`"end":%q`, to))
			}
			if len(members) > 0 && stored.from.Before(stored.to) {
				check(utc, `"effectivePeriod":{`+strings.Join(members, ",")+`}`, from+" to "+to, stored, time.UTC)
			}
		}
	}
	// A server whose zoneless dates are local.
	loc := time.FixedZone("", -7*3600)
	local := search.NewParameters(utc.Registry(), search.Options{Zone: loc})
	for _, d := range dates {
		check(local, fmt.Sprintf(`"effectiveDateTime":%q`, d), d, spanOf(t, d, loc), loc)
	}
}
