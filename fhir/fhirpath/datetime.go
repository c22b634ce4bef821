package fhirpath

import (
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// Functions and arithmetic of N1 on Date, DateTime and Time.

var _ = define(map[string]*function{
	"now": {result: answers(DateTimeKind), run: func(m *machine, x *callExpr, base int) error {
		return m.answer(base, DateTimeItem(fhir.DateTimeOf(m.clock(), fhir.PrecisionFraction)))
	}},
	"today": {result: answers(DateKind), run: func(m *machine, x *callExpr, base int) error {
		return m.answer(base, DateItem(fhir.DateTimeOf(m.clock(), fhir.PrecisionDay)))
	}},
	"timeOfDay": {result: answers(TimeKind), run: func(m *machine, x *callExpr, base int) error {
		return m.answer(base, TimeItem(fhir.DateTimeOf(m.clock(), fhir.PrecisionFraction).Time))
	}},
})

// unitTable maps the units that date arithmetic takes to calendar units. UCUM's year and month are not among them: they are fixed durations
// that no calendar has (N1, Date/Time Arithmetic).
var unitTable = map[string]string{"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}

// unitPrecision is the precision that each calendar unit moves.
var unitPrecision = map[string]fhir.Precision{
	"year": fhir.PrecisionYear, "month": fhir.PrecisionMonth, "week": fhir.PrecisionDay, "day": fhir.PrecisionDay, "hour": fhir.PrecisionHour,
	"minute": fhir.PrecisionMinute, "second": fhir.PrecisionSecond, "millisecond": fhir.PrecisionFraction,
}

// unitLength is the length of the units that have one.
var unitLength = map[string]time.Duration{
	"week": 7 * 24 * time.Hour, "day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute, "second": time.Second, "millisecond": time.Millisecond,
}

// maxShift is the longest duration that date arithmetic takes: past it every result is out of range.
const maxShift = 10_000 * 366 * 24 * int64(time.Hour/time.Millisecond)

// shift returns v + sign*q; ok is false where the result is out of range. Decimals are ignored but for seconds, which have them (N1). A unit
// finer than v's precision is converted to it and truncated; one month after January 31st is the last day of February.
func (m *machine) shift(v value, q Quantity, sign int, pos int) (r value, ok bool, err error) {
	unit := q.Unit
	if !q.Calendar {
		if unit = unitTable[q.Unit]; unit == "" && q.element {
			unit = map[string]string{"a": "year", "mo": "month"}[q.Unit]
		}
		if unit == "" {
			return r, false, m.fail(pos, fhir.IDFHIRPathType, "a date can only be moved by a calendar unit", "years, months, weeks, days, hours, minutes, seconds, milliseconds, or 'wk' 'd' 'h' 'min' 's' 'ms'")
		}
	}
	amount := q.Value
	if unit == "second" {
		amount, unit = amount.Mul(fhir.FromInt(1000)), "millisecond"
	}
	n, ok := amount.Truncate().Int64()
	limit := maxShift / max(1, int64(unitLength[unit]/time.Millisecond))
	if !ok || n > limit || n < -limit {
		return r, false, nil
	}
	n *= int64(sign)
	if v.kind == TimeKind {
		t, ok := shiftTime(v.t.Time, unit, n)
		return value{kind: TimeKind, t: fhir.DateTime{Time: t}}, ok, nil
	}
	t, ok := shiftMoment(v.t, unit, n)
	return value{kind: v.kind, t: t}, ok, nil
}

// shiftTime moves a time of day within its day, around midnight.
func shiftTime(t fhir.Time, unit string, n int64) (fhir.Time, bool) {
	length, ok := unitLength[unit]
	if !ok {
		return t, false
	}
	const day = int64(24 * time.Hour)
	// n may be large: reduce it to a day first, in units that divide it.
	perDay := max(1, day/int64(length))
	lo, _ := t.Range()
	d := (int64(lo) + (n%perDay)*int64(length)) % day
	if d < 0 {
		d += day
	}
	moved := fhir.DateTimeOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(d)), fhir.PrecisionFraction).Time
	return withPrecision(moved, t), true
}

// withPrecision gives moved the precision and the digits that the original has.
func withPrecision(moved, original fhir.Time) fhir.Time {
	moved.Precision = original.Precision
	moved.Digits = original.Digits
	if moved.Precision < fhir.PrecisionFraction {
		if moved.Precision == fhir.PrecisionSecond && moved.Nano != 0 {
			moved.Precision, moved.Digits = fhir.PrecisionFraction, 3
		} else {
			moved.Nano = 0
		}
	} else if moved.Digits < 3 && moved.Nano%int32(pow10(9-int(moved.Digits))) != 0 {
		moved.Digits = 3
	}
	if moved.Precision < fhir.PrecisionSecond {
		moved.Second = 0
	}
	if moved.Precision < fhir.PrecisionMinute {
		moved.Minute = 0
	}
	return moved
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// shiftMoment moves a partial date.
func shiftMoment(t fhir.DateTime, unit string, n int64) (fhir.DateTime, bool) {
	p := t.Precision
	unit, n = coarsen(p, unit, n)
	switch unit {
	case "year":
		return shiftMonths(t, n*12)
	case "month":
		return shiftMonths(t, n)
	case "week":
		unit, n = "day", n*7
	}
	at := time.Date(int(t.Year), time.Month(max(t.Month, 1)), int(max(t.Day, 1)), int(t.Hour), int(t.Minute), int(t.Second), int(t.Nano), time.UTC)
	const msPerDay = 86_400_000
	ms := n * int64(unitLength[unit]/time.Millisecond)
	at = at.AddDate(0, 0, int(ms/msPerDay)).Add(time.Duration(ms%msPerDay) * time.Millisecond)
	if y := at.Year(); y < 1 || y > 9999 {
		return t, false
	}
	r := t
	r.Year = int16(at.Year())
	if p >= fhir.PrecisionMonth {
		r.Month = uint8(at.Month())
	}
	if p >= fhir.PrecisionDay {
		r.Day = uint8(at.Day())
	}
	if p >= fhir.PrecisionHour {
		r.Time = withPrecision(fhir.DateTimeOf(at, fhir.PrecisionFraction).Time, t.Time)
		r.Nano = int32(at.Nanosecond())
		if r.Precision < fhir.PrecisionFraction {
			r.Nano = 0
		}
	}
	return r, true
}

// coarsen converts an amount to the precision of the date it moves, as N1 says: 24 hours a day, 30 days a month, 12 months a year.
func coarsen(p fhir.Precision, unit string, n int64) (string, int64) {
	if unitPrecision[unit] <= p || p >= fhir.PrecisionSecond {
		return unit, n
	}
	if unit == "month" {
		return "year", n / 12
	}
	ms := n * int64(unitLength[unit]/time.Millisecond)
	days := ms / 86_400_000
	switch p {
	case fhir.PrecisionYear:
		return "year", days / 365
	case fhir.PrecisionMonth:
		return "month", days / 30
	case fhir.PrecisionDay:
		return "day", days
	case fhir.PrecisionHour:
		return "hour", ms / 3_600_000
	}
	return "minute", ms / 60_000
}

func shiftMonths(t fhir.DateTime, n int64) (fhir.DateTime, bool) {
	if n > 120_000 || n < -120_000 {
		return t, false
	}
	months := int(t.Year)*12 + int(max(t.Month, 1)) - 1 + int(n)
	year := months / 12
	if months < 12 || year > 9999 {
		return t, false
	}
	t.Year = int16(year)
	if t.Precision >= fhir.PrecisionMonth {
		t.Month = uint8(months%12 + 1)
	}
	if t.Precision >= fhir.PrecisionDay {
		t.Day = min(t.Day, uint8(fhir.DaysIn(year, int(t.Month))))
	}
	return t, true
}
