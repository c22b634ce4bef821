package search

import (
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Dates (https://hl7.org/fhir/R4/search.html#date): stored and asked for, each is the range of moments that its precision covers.

// appendMoment appends an encoding of t whose bytes are ordered as moments are: the UTC digits of year, month, day, hour, minute, second and
// fraction, from the hour on without zeros at their end: "20140501" for midnight of 2014-05-01. Where one encoding is a prefix of another it is
// the earlier moment. Years past 9999 begin with ":", which sorts above digits.
func appendMoment(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year := t.Year()
	if year > 9999 {
		dst = append(dst, ':')
		year -= 10000
	}
	start := len(dst)
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(dst, int(t.Month()), 2)
	dst = appendDigits(dst, t.Day(), 2)
	dst = appendDigits(dst, t.Hour(), 2)
	dst = appendDigits(dst, t.Minute(), 2)
	dst = appendDigits(dst, t.Second(), 2)
	dst = appendDigits(dst, t.Nanosecond(), 9)
	for len(dst) > start+8 && dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendDigits appends n with leading zeros to the given width.
func appendDigits(dst []byte, n, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at && n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// moments returns the interval from lo to hi. Both bounds share one string's memory.
func moments(lo, hi time.Time) interval {
	var buf [56]byte
	b := appendMoment(buf[:0], lo)
	n := len(b)
	s := string(appendMoment(b, hi))
	return interval{s[:n], s[n:]}
}

// dateInterval returns the range that d covers. A date without a zone is read in loc.
func dateInterval(d fhir.DateTime, loc *time.Location) interval {
	lo, hi := d.Range(loc)
	return moments(lo, hi)
}

// parseQueryDate reads a date of a search: yyyy, yyyy-mm, yyyy-mm-dd, or with hours and minutes at least. A zone is optional. A space where
// the zone's sign stands is a plus sign that was not escaped in the URL.
func parseQueryDate(s string) (fhir.DateTime, bool) {
	if len(s) > 6 && s[len(s)-6] == ' ' {
		s = s[:len(s)-6] + "+" + s[len(s)-5:]
	}
	d, err := fhir.ParsePartial(s)
	return d, err == nil && d.Precision != fhir.PrecisionHour && !strings.HasSuffix(s, "T")
}

// queryDateInterval returns the range that the prefix p compares with. For ap it is widened to either side by a tenth of the time between
// now and the date ("for a date, 10% of the gap between now and the date").
func queryDateInterval(p prefix, d fhir.DateTime, loc *time.Location, now time.Time) interval {
	lo, hi := d.Range(loc)
	if p == prefixAp {
		// In seconds, because a time.Duration ends after 292 years.
		gap := now.Unix() - lo.Unix()
		if gap < 0 {
			gap = -gap
		}
		lo, hi = time.Unix(lo.Unix()-gap/10, int64(lo.Nanosecond())).UTC(), time.Unix(hi.Unix()+gap/10, int64(hi.Nanosecond())).UTC()
		if lo.Year() < 0 {
			lo = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	return moments(lo, hi)
}

// dateCondition compares a date with a value.
func (q *reading) dateCondition(value string) ([]condition, error) {
	p, text, ok := cutPrefix(value)
	if !ok {
		return nil, badPrefix()
	}
	d, ok := parseQueryDate(text)
	if !ok {
		return nil, badComparison(text, fhir.IDBadDate, "a date is yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss[.fff]][zone], with a day that its month has")
	}
	q.usesNow = q.usesNow || p == prefixAp
	return alternatives("", p.compare(queryDateInterval(p, d, q.params.zone, q.now))), nil
}

// LastUpdated returns the entry of _lastUpdated for a version stamped with t. Extract leaves it out, because a version gets its instant only
// when it is written.
func LastUpdated(t time.Time) Entry {
	t = t.UTC().Truncate(time.Microsecond)
	iv := moments(t, t.Add(time.Microsecond))
	return Entry{Param: lastUpdated, Lo: iv.lo, Hi: iv.hi}
}

// lastUpdated is the parameter whose entry LastUpdated makes.
const lastUpdated = "_lastUpdated"

// date appends a date's, a Period's or a Timing's range.
func (x *extraction) date(it *fhirpath.Item) {
	iv, ok := interval{}, false
	switch n := it.Node(); it.Type() {
	case "Period":
		iv, ok = x.params.period(n)
	case "Timing":
		iv, ok = x.params.timing(n)
	default:
		iv, ok = x.params.moment(it.Text())
	}
	if ok {
		x.put(Entry{Param: x.rule.plain, Lo: iv.lo, Hi: iv.hi})
	}
}

// moment returns the range of a date, dateTime or instant.
func (s *Parameters) moment(text string) (interval, bool) {
	d, err := fhir.ParsePartial(text)
	if err != nil {
		return interval{}, false
	}
	return dateInterval(d, s.zone), true
}

// period returns the range of a Period: from its start's first moment to its end's last. A bound that is missing is open; one that is no date
// makes the whole unknown, and so does an end before the start.
func (s *Parameters) period(n fhir.Node) (interval, bool) {
	iv := interval{openLo, openHi}
	start, end := n.Get("start"), n.Get("end")
	if !start.Valid() && !end.Valid() {
		return iv, false
	}
	if start.Valid() {
		m, ok := s.moment(start.Text())
		if !ok {
			return iv, false
		}
		iv.lo = m.lo
	}
	if end.Valid() {
		m, ok := s.moment(end.Text())
		if !ok {
			return iv, false
		}
		iv.hi = m.hi
	}
	return iv, iv.lo < iv.hi
}

// timing returns the outer limits of a Timing's events and bounds: "the specified scheduling details are ignored and only the outer limits
// matter".
func (s *Parameters) timing(n fhir.Node) (interval, bool) {
	var iv interval
	found := false
	extend := func(m interval, ok bool) {
		switch {
		case !ok:
		case !found:
			iv, found = m, true
		default:
			iv.lo, iv.hi = min(iv.lo, m.lo), max(iv.hi, m.hi)
		}
	}
	for e := n.Get("event").First(); e.Valid(); e = e.Next() {
		extend(s.moment(e.Text()))
	}
	if bounds := n.Get("repeat").Get("boundsPeriod"); bounds.Valid() {
		extend(s.period(bounds))
	}
	return iv, found
}
