package fhir

import (
	"errors"
	"strconv"
	"time"
)

// ErrDateTime is the answer to text that is no date, dateTime, instant or time.
var ErrDateTime = errors.New("not a date or time of R4")

// Precision is the last part that a partial date or time states.
type Precision uint8

// The precisions, from coarse to fine. A fraction's digits are DateTime.Digits.
const (
	PrecisionYear Precision = iota + 1
	PrecisionMonth
	PrecisionDay
	PrecisionHour
	PrecisionMinute
	PrecisionSecond
	PrecisionFraction
)

// Time is a time of day as R4's time has it, known to its Precision; parts past it are 0. Times are comparable.
type Time struct {
	Hour, Minute, Second uint8 // Second may be 60, a leap second
	// Digits is the number of fraction digits stated, at most 9.
	Digits    uint8
	Nano      int32
	Precision Precision // PrecisionHour to PrecisionFraction
}

// DateTime is a date, dateTime or instant (R4 datatypes), known to its Precision; parts past it are 0. It is a value of some 20 bytes, is
// comparable with == (same text, same value), and parsing it does not allocate.
type DateTime struct {
	Year       int16 // 1 to 9999
	Month, Day uint8
	Time       // Time.Precision is the precision of the whole, from PrecisionYear
	// HasZone is set where the text states an offset; Offset is minutes east of UTC.
	HasZone bool
	zulu    bool // stated as Z
	minus   bool // stated with a minus, which "-00:00" needs
	Offset  int16
}

// ParseDate reads an R4 date: YYYY, YYYY-MM or YYYY-MM-DD. A day that its month does not have is refused.
func ParseDate(s string) (DateTime, error) {
	d, rest, ok := scanDate(s)
	if !ok || rest != "" {
		return DateTime{}, ErrDateTime
	}
	return d, nil
}

// ParseDateTime reads an R4 dateTime: a date, or a date with a time to the second or finer and a zone. Second 60 is accepted, hour 24 is not.
// Fraction digits past nanoseconds are passed over.
func ParseDateTime(s string) (DateTime, error) {
	d, err := ParsePartial(s)
	if err != nil || d.Precision > PrecisionDay && (d.Precision < PrecisionSecond || !d.HasZone) {
		return DateTime{}, ErrDateTime
	}
	return d, nil
}

// ParseInstant reads an R4 instant: a dateTime to the second or finer, with a zone.
func ParseInstant(s string) (DateTime, error) {
	d, err := ParsePartial(s)
	if err != nil || d.Precision < PrecisionSecond || !d.HasZone {
		return DateTime{}, ErrDateTime
	}
	return d, nil
}

// ParseTime reads an R4 time: hh:mm:ss with an optional fraction and no zone.
func ParseTime(s string) (Time, error) {
	t, err := ParsePartialTime(s)
	if err != nil || t.Precision < PrecisionSecond {
		return Time{}, ErrDateTime
	}
	return t, nil
}

// ParsePartial reads a date with as much of a time as is stated, to the hour at least after a "T", and with or without a zone. It is the
// union of what dateTime, search parameters (R4 search, date) and FHIRPath literals allow, but for the bare "T" at the end of the latter.
func ParsePartial(s string) (DateTime, error) {
	d, rest, ok := scanDate(s)
	if !ok {
		return DateTime{}, ErrDateTime
	}
	if rest == "" {
		return d, nil
	}
	if rest[0] != 'T' || d.Precision != PrecisionDay {
		return DateTime{}, ErrDateTime
	}
	if d.Time, rest, ok = scanTime(rest[1:]); !ok || !d.scanZone(rest) {
		return DateTime{}, ErrDateTime
	}
	return d, nil
}

// ParsePartialTime reads hh, hh:mm, hh:mm:ss or hh:mm:ss with a fraction, as FHIRPath's time literals allow.
func ParsePartialTime(s string) (Time, error) {
	t, rest, ok := scanTime(s)
	if !ok || rest != "" {
		return Time{}, ErrDateTime
	}
	return t, nil
}

// digits2 reads two digits at s[i:]; -1 where there are none.
func digits2(s string, i int) int {
	if len(s) < i+2 || s[i]-'0' > 9 || s[i+1]-'0' > 9 {
		return -1
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0')
}

func scanDate(s string) (d DateTime, rest string, ok bool) {
	hi, lo := digits2(s, 0), digits2(s, 2)
	if hi < 0 || lo < 0 || hi+lo == 0 {
		return d, s, false
	}
	d.Year, d.Precision = int16(hi*100+lo), PrecisionYear
	if len(s) == 4 || s[4] != '-' {
		return d, s[4:], true
	}
	m := digits2(s, 5)
	if m < 1 || m > 12 {
		return d, s, false
	}
	d.Month, d.Precision = uint8(m), PrecisionMonth
	if len(s) == 7 || s[7] != '-' {
		return d, s[7:], true
	}
	day := digits2(s, 8)
	if day < 1 || day > DaysIn(int(d.Year), m) {
		return d, s, false
	}
	d.Day, d.Precision = uint8(day), PrecisionDay
	return d, s[10:], true
}

// DaysIn returns the number of days of a month, 1 to 12, in the Gregorian calendar.
func DaysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func scanTime(s string) (t Time, rest string, ok bool) {
	h := digits2(s, 0)
	if h < 0 || h > 23 {
		return t, s, false
	}
	t.Hour, t.Precision = uint8(h), PrecisionHour
	if len(s) == 2 || s[2] != ':' {
		return t, s[2:], true
	}
	m := digits2(s, 3)
	if m < 0 || m > 59 {
		return t, s, false
	}
	t.Minute, t.Precision = uint8(m), PrecisionMinute
	if len(s) == 5 || s[5] != ':' {
		return t, s[5:], true
	}
	sec := digits2(s, 6)
	if sec < 0 || sec > 60 {
		return t, s, false
	}
	t.Second, t.Precision = uint8(sec), PrecisionSecond
	if len(s) == 8 || s[8] != '.' {
		return t, s[8:], true
	}
	i, unit := 9, int32(1e8)
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if unit > 0 {
			t.Nano += int32(s[i]-'0') * unit
			unit /= 10
			t.Digits++
		}
	}
	if i == 9 {
		return t, s, false
	}
	t.Precision = PrecisionFraction
	return t, s[i:], true
}

// scanZone reads all of s as a zone: nothing, Z, or an offset of at most 14:00.
func (d *DateTime) scanZone(s string) bool {
	if s == "" {
		return true
	}
	d.HasZone = true
	if s == "Z" {
		d.zulu = true
		return true
	}
	h, m := digits2(s, 1), -1
	if len(s) == 6 && s[3] == ':' {
		m = digits2(s, 4)
	}
	if s[0] != '+' && s[0] != '-' || h < 0 || m < 0 || m > 59 || h > 14 || h == 14 && m > 0 {
		return false
	}
	d.Offset = int16(h*60 + m)
	if s[0] == '-' {
		d.Offset, d.minus = -d.Offset, true
	}
	return true
}

// DateTimeOf returns t, in t's location, known to precision p; PrecisionFraction means milliseconds.
func DateTimeOf(t time.Time, p Precision) DateTime {
	var d DateTime
	d.Precision = p
	d.Year = int16(t.Year())
	if p >= PrecisionMonth {
		d.Month = uint8(t.Month())
	}
	if p >= PrecisionDay {
		d.Day = uint8(t.Day())
	}
	if p < PrecisionHour {
		return d
	}
	d.Hour = uint8(t.Hour())
	if p >= PrecisionMinute {
		d.Minute = uint8(t.Minute())
	}
	if p >= PrecisionSecond {
		d.Second = uint8(t.Second())
	}
	if p == PrecisionFraction {
		d.Digits, d.Nano = 3, int32(t.Nanosecond()/1e6*1e6)
	}
	_, offset := t.Zone()
	d.HasZone, d.Offset = true, int16(offset/60)
	d.zulu, d.minus = offset == 0, offset < 0
	return d
}

// Range returns the half-open interval that d covers: lo its first moment, hi the first one after it. A d without a zone is read in loc, and
// as UTC where loc is nil. The answers are in UTC. A leap second covers the first second of the next minute.
func (d DateTime) Range(loc *time.Location) (lo, hi time.Time) {
	lo = d.at(loc, int(d.Year), int(max(d.Month, 1)), int(max(d.Day, 1)))
	switch d.Precision {
	case PrecisionYear:
		hi = d.at(loc, int(d.Year)+1, 1, 1)
	case PrecisionMonth:
		hi = d.at(loc, int(d.Year), int(d.Month)+1, 1)
	case PrecisionDay:
		hi = d.at(loc, int(d.Year), int(d.Month), int(d.Day)+1)
	default:
		hi = lo.Add(d.Time.unit())
	}
	return lo, hi
}

func (d DateTime) at(loc *time.Location, year, month, day int) time.Time {
	if d.HasZone || loc == nil {
		loc = time.UTC
	}
	t := time.Date(year, time.Month(month), day, int(d.Hour), int(d.Minute), int(d.Second), int(d.Nano), loc)
	if d.HasZone {
		return t.Add(-time.Duration(d.Offset) * time.Minute)
	}
	return t.UTC()
}

// unit returns the length of what a Time covers.
func (t Time) unit() time.Duration {
	switch t.Precision {
	case PrecisionHour:
		return time.Hour
	case PrecisionMinute:
		return time.Minute
	case PrecisionSecond:
		return time.Second
	}
	u := time.Second
	for range t.Digits {
		u /= 10
	}
	return u
}

// Range returns the half-open interval of the day, as durations since midnight, that t covers.
func (t Time) Range() (lo, hi time.Duration) {
	lo = time.Duration(t.Hour)*time.Hour + time.Duration(t.Minute)*time.Minute + time.Duration(t.Second)*time.Second + time.Duration(t.Nano)
	return lo, lo + t.unit()
}

// String returns the text that was parsed, but for fraction digits past nanoseconds.
func (d DateTime) String() string {
	var buf [40]byte
	return string(d.AppendText(buf[:0]))
}

// AppendText appends String.
func (d DateTime) AppendText(dst []byte) []byte {
	if d.Precision == 0 {
		return dst
	}
	dst = append2(append2(dst, int(d.Year)/100), int(d.Year)%100)
	if d.Precision >= PrecisionMonth {
		dst = append2(append(dst, '-'), int(d.Month))
	}
	if d.Precision >= PrecisionDay {
		dst = append2(append(dst, '-'), int(d.Day))
	}
	if d.Precision < PrecisionHour {
		return dst
	}
	dst = d.Time.AppendText(append(dst, 'T'))
	switch {
	case !d.HasZone:
		return dst
	case d.zulu:
		return append(dst, 'Z')
	}
	offset, c := int(d.Offset), byte('+')
	if d.minus || offset < 0 {
		c = '-'
	}
	if offset < 0 {
		offset = -offset
	}
	return append2(append(append2(append(dst, c), offset/60), ':'), offset%60)
}

// String returns the text that was parsed, but for fraction digits past nanoseconds.
func (t Time) String() string {
	var buf [20]byte
	return string(t.AppendText(buf[:0]))
}

// AppendText appends String.
func (t Time) AppendText(dst []byte) []byte {
	if t.Precision < PrecisionHour {
		return dst
	}
	dst = append2(dst, int(t.Hour))
	if t.Precision >= PrecisionMinute {
		dst = append2(append(dst, ':'), int(t.Minute))
	}
	if t.Precision >= PrecisionSecond {
		dst = append2(append(dst, ':'), int(t.Second))
	}
	if t.Precision == PrecisionFraction {
		dst = append(dst, '.')
		at := len(dst)
		dst = strconv.AppendInt(dst, 1e9+int64(t.Nano), 10)
		dst = append(dst[:at], dst[at+1:]...)[:at+int(t.Digits)]
	}
	return dst
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
