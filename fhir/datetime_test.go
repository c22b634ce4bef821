package fhir

import (
	"regexp"
	"testing"
	"time"
)

// The regular expressions of R4 datatypes, word for word but for the anchors.
const reYear = `([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)`
const reTime = `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`
const reZone = `(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))`

var (
	reDate     = regexp.MustCompile(`^` + reYear + `(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1]))?)?$`)
	reDateTime = regexp.MustCompile(`^` + reYear + `(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])(T` + reTime + reZone + `)?)?)?$`)
	reInstant  = regexp.MustCompile(`^` + reYear + `-(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])T` + reTime + reZone + `$`)
	reTimeOnly = regexp.MustCompile(`^` + reTime + `$`)
)

func TestDateTimeCovers(t *testing.T) {
	zurich := time.FixedZone("", 3600)
	for _, c := range []struct{ in, lo, hi string }{
		{"2024", "2023-12-31T23:00:00Z", "2024-12-31T23:00:00Z"},
		{"2024-02", "2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z"},
		{"2024-12", "2024-11-30T23:00:00Z", "2024-12-31T23:00:00Z"},
		{"2024-02-29", "2024-02-28T23:00:00Z", "2024-02-29T23:00:00Z"},
		{"2024-02-29T10:00:00Z", "2024-02-29T10:00:00Z", "2024-02-29T10:00:01Z"},
		{"2024-02-29T10:00:00+14:00", "2024-02-28T20:00:00Z", "2024-02-28T20:00:01Z"},
		{"2024-02-29T10:00:00.5-05:30", "2024-02-29T15:30:00.5Z", "2024-02-29T15:30:00.6Z"},
		{"2024-02-29T10:00:00.123456789Z", "2024-02-29T10:00:00.123456789Z", "2024-02-29T10:00:00.12345679Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"},
		{"2024-02-29T10", "2024-02-29T09:00:00Z", "2024-02-29T10:00:00Z"},
		{"2024-02-29T10:30", "2024-02-29T09:30:00Z", "2024-02-29T09:31:00Z"},
		{"2024-02-29T10:30Z", "2024-02-29T10:30:00Z", "2024-02-29T10:31:00Z"},
		{"0001", "0000-12-31T23:00:00Z", "0001-12-31T23:00:00Z"},
		{"9999-12-31", "9999-12-30T23:00:00Z", "9999-12-31T23:00:00Z"},
	} {
		d, err := ParsePartial(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		lo, hi := d.Range(zurich)
		if got := lo.Format(time.RFC3339Nano) + " " + hi.Format(time.RFC3339Nano); got != c.lo+" "+c.hi {
			t.Errorf("%s covers %s; want %s %s", c.in, got, c.lo, c.hi)
		}
		if d.String() != c.in {
			t.Errorf("%s is written %s", c.in, d)
		}
	}
}

func TestDateTimeFormsByType(t *testing.T) {
	for _, c := range []struct {
		in                                     string
		date, dateTime, instant, time, partial bool
	}{
		{in: "2024", date: true, dateTime: true, partial: true},
		{in: "2024-05-17", date: true, dateTime: true, partial: true},
		{in: "2024-05-17T10:00:00Z", dateTime: true, instant: true, partial: true},
		{in: "2024-05-17T10:00:00.000-00:00", dateTime: true, instant: true, partial: true},
		{in: "2024-05-17T10:00:00", partial: true}, {in: "2024-05-17T10:00Z", partial: true}, {in: "2024T"}, {in: "2024-05-17T"},
		{in: "10:00:00", time: true}, {in: "10:00:00.12", time: true},
		{in: "0000"}, {in: "24"}, {in: ""}, {in: "2024-"}, {in: "2024-13"}, {in: "2024-00"}, {in: "2024-02-30"}, {in: "2023-02-29"}, {in: "1900-02-29"}, {in: "2024-04-31"},
		{in: "2024-05-17T24:00:00Z"}, {in: "2024-05-17T10:60:00Z"}, {in: "2024-05-17T10:00:61Z"}, {in: "2024-05-17T10:00:00+14:01"}, {in: "2024-05-17T10:00:00+15:00"},
		{in: "2024-05-17T10:00:00.Z"}, {in: "2024-05-17t10:00:00Z"}, {in: "2024-05-17T10:00:00z"}, {in: "2024-05-17 10:00:00Z"}, {in: "2024-05T10:00:00Z"},
		{in: "24:00:00"}, {in: "10:00:00Z"}, {in: "20240517"}, {in: " 2024"}, {in: "2024 "}, {in: "-2024"}, {in: "2024-05-17T10:00:00+1:00"}, {in: "2024-05-17T10:00:00+0100"},
	} {
		_, date := ParseDate(c.in)
		_, dateTime := ParseDateTime(c.in)
		_, instant := ParseInstant(c.in)
		_, timeOnly := ParseTime(c.in)
		_, partial := ParsePartial(c.in)
		if (date == nil) != c.date || (dateTime == nil) != c.dateTime || (instant == nil) != c.instant || (timeOnly == nil) != c.time || (partial == nil) != c.partial {
			t.Errorf("%q: date %v, dateTime %v, instant %v, time %v, partial %v", c.in, date, dateTime, instant, timeOnly, partial)
		}
	}
}

func TestTimeCovers(t *testing.T) {
	for in, want := range map[string][2]time.Duration{
		"10":         {10 * time.Hour, 11 * time.Hour},
		"10:30":      {630 * time.Minute, 631 * time.Minute},
		"00:00:01.5": {1500 * time.Millisecond, 1600 * time.Millisecond},
	} {
		v, err := ParsePartialTime(in)
		if lo, hi := v.Range(); err != nil || [2]time.Duration{lo, hi} != want || v.String() != in {
			t.Errorf("%s: %v %v %v", in, lo, hi, err)
		}
	}
}

func TestDateTimeOfAMoment(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 30, 0, 123456789, time.FixedZone("", -5*3600))
	for p, want := range map[Precision]string{PrecisionYear: "2026", PrecisionDay: "2026-11-23", PrecisionSecond: "2026-11-23T09:30:00-05:00", PrecisionFraction: "2026-11-23T09:30:00.123-05:00"} {
		if got := DateTimeOf(at, p).String(); got != want {
			t.Errorf("precision %d: %s; want %s", p, got, want)
		}
	}
	if got := DateTimeOf(at.UTC(), PrecisionSecond).String(); got != "2026-11-23T14:30:00Z" {
		t.Error(got)
	}
}

func TestDateTimeParsingDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		d, _ := ParseDateTime("2024-05-17T10:00:00.123+02:00")
		d.Range(nil)
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// FuzzDateTime holds the parsers to the regular expressions of the specification, which only days that do not exist may narrow.
func FuzzDateTime(f *testing.F) {
	for _, s := range []string{"2024", "2024-05", "2024-05-17", "2024-05-17T10:00:00Z", "2024-05-17T10:00:00.123456789012-14:00", "2016-12-31T23:59:60+00:00", "10:30:00.5", "2024T", "2024-05-17T10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(name string, err error, re *regexp.Regexp, d DateTime) {
			match := re.MatchString(s)
			if err == nil && !match {
				t.Fatalf("%s accepts %q", name, s)
			}
			if err != nil && match {
				if _, bad := time.Parse("2006-01-02", s[:min(len(s), 10)]); len(s) < 10 || bad == nil {
					t.Fatalf("%s refuses %q", name, s)
				}
			}
			if err == nil {
				if lo, hi := d.Range(nil); !lo.Before(hi) {
					t.Fatalf("%q covers nothing", s)
				}
				if again, err := ParsePartial(d.String()); err != nil || again != d {
					t.Fatalf("%q is written %s", s, d)
				}
			}
		}
		d, err := ParseDate(s)
		check("ParseDate", err, reDate, d)
		d, err = ParseDateTime(s)
		check("ParseDateTime", err, reDateTime, d)
		d, err = ParseInstant(s)
		check("ParseInstant", err, reInstant, d)
		if _, err := ParseTime(s); (err == nil) != reTimeOnly.MatchString(s) {
			t.Fatalf("ParseTime(%q): %v", s, err)
		}
		if d, err := ParsePartial(s); err == nil {
			if again, err := ParsePartial(d.String()); err != nil || again != d {
				t.Fatalf("%q is written %s", s, d)
			}
		}
	})
}
