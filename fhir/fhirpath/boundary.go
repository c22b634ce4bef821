package fhirpath

import (
	"github.com/fhirgate/fhirgate/fhir"
)

// lowBoundary(), highBoundary(), precision() and comparable() of N1's successor, which R4's suite uses.

var precise = []Kind{Integer, DecimalKind, QuantityKind, DateKind, DateTimeKind, TimeKind}

var _ = define(map[string]*function{
	"lowBoundary":  {max: 1, input: precise, params: [][]Kind{{Integer}}, result: sameKindOrDecimal, run: boundary(false)},
	"highBoundary": {max: 1, input: precise, params: [][]Kind{{Integer}}, result: sameKindOrDecimal, run: boundary(true)},
	"precision":    {input: precise, result: answers(Integer), run: runPrecision},
	"comparable":   {min: 1, max: 1, input: []Kind{QuantityKind, Integer, DecimalKind}, result: answers(Boolean), run: runComparable},
})

func sameKindOrDecimal(c *compiler, in static, args []static) static {
	s := sameKind(c, in, args)
	for i := range s.types {
		if s.types[i].sys == Integer {
			s.types[i].sys = DecimalKind
		}
	}
	return s
}

// maxBoundaryScale is the greatest number of digits after the point that a boundary is given to.
const maxBoundaryScale = 28

// boundary returns lowBoundary() or highBoundary(): the least or greatest value that the input may stand for, to a precision: digits after
// the point of numbers (default 8), digits of dates and times as precision() counts them (default all).
func boundary(high bool) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		it, ok, err := m.single(base, x.pos)
		m.cut(base)
		if err != nil || !ok {
			return err
		}
		n, given, err := m.integerArgument(x, 0)
		if err != nil {
			return err
		}
		if n < 0 || n > 100 {
			return nil
		}
		v := it.value()
		switch v.kind {
		case NoKind:
			if valueless(&it) {
				return nil
			}
			return m.fail(x.pos, fhir.IDFHIRPathType, "the input has no boundaries", "a number, a Quantity, a date or a time")
		case Integer, DecimalKind, QuantityKind:
			if !given {
				n = 8
			}
			if v.kind == Integer {
				v.d, v.kind = fhir.FromInt(v.i), DecimalKind
			}
			v.d, ok = decimalBoundary(v.d, int(n), high)
		case TimeKind:
			if !given {
				n = 9
			}
			v.t.Time, ok = timeBoundary(v.t.Time, int(n), high)
		case DateKind:
			if !given {
				n = 8
			}
			v.t, ok = momentBoundary(v.t, int(min(n, 8)), high)
		case DateTimeKind:
			if !given {
				n = 17
			}
			v.t, ok = momentBoundary(v.t, int(n), high)
		default:
			return m.fail(x.pos, fhir.IDFHIRPathType, "the input has no boundaries", "a number, a Quantity, a date or a time")
		}
		if ok {
			m.push(v.item())
		}
		return nil
	}
}

// decimalBoundary is half a unit of the last digit below or above d, rounded outwards to n digits. A number that is zero at n digits has
// the boundary zero (suite, HighBoundaryDecimal15 and LowBoundaryDecimal15).
func decimalBoundary(d fhir.Decimal, n int, high bool) (fhir.Decimal, bool) {
	if n > maxBoundaryScale {
		return d, false
	}
	lo, hi := d.Bounds()
	b := lo
	if high {
		b = hi
	}
	if d.Round(n).Sign() == 0 && d.Sign() != 0 {
		return padded(fhir.Decimal{}, n), true
	}
	unit, _ := fhir.ParseDecimal("1e-" + itoa(n))
	q, ok := b.Quo(unit)
	if !ok {
		return d, false
	}
	if high {
		q = q.Ceil()
	} else {
		q = q.Floor()
	}
	return padded(q.Mul(unit), n), true
}

// padded returns d with exactly n digits after the point, where it has no more.
func padded(d fhir.Decimal, n int) fhir.Decimal {
	zero, _ := fhir.ParseDecimal("0e-" + itoa(n))
	return d.Add(zero)
}

func itoa(n int) string {
	s, _ := value{kind: Integer, i: int64(n)}.text()
	return s
}

// momentDigits are the digits of each precision: YYYY, YYYYMM, ... with the fraction as milliseconds.
var momentDigits = map[fhir.Precision]int{
	fhir.PrecisionYear: 4, fhir.PrecisionMonth: 6, fhir.PrecisionDay: 8, fhir.PrecisionHour: 10, fhir.PrecisionMinute: 12,
	fhir.PrecisionSecond: 14, fhir.PrecisionFraction: 17,
}

// momentBoundary fills the parts that t does not state with their least or greatest value, and gives it the precision of n digits. Where it
// gets a time and has no zone, it gets the zone that makes it earliest, or latest.
func momentBoundary(t fhir.DateTime, n int, high bool) (fhir.DateTime, bool) {
	var to fhir.Precision
	for p, digits := range momentDigits {
		if digits == n {
			to = p
		}
	}
	if to == 0 {
		return t, false
	}
	fill := func(p fhir.Precision, part *uint8, low, greatest int) {
		if t.Precision < p {
			*part = uint8(low)
			if high {
				*part = uint8(greatest)
			}
		}
	}
	fill(fhir.PrecisionMonth, &t.Month, 1, 12)
	fill(fhir.PrecisionDay, &t.Day, 1, fhir.DaysIn(int(t.Year), int(max(t.Month, 1))))
	fill(fhir.PrecisionHour, &t.Hour, 0, 23)
	fillTime(&t.Time, high)
	r := fhir.DateTime{Year: t.Year, Time: fhir.Time{Precision: to}}
	if to >= fhir.PrecisionMonth {
		r.Month = t.Month
	}
	if to >= fhir.PrecisionDay {
		r.Day = t.Day
	}
	if to < fhir.PrecisionHour {
		return r, true
	}
	r = t
	r.Time = atPrecision(t.Time, to)
	if !t.HasZone {
		// The earliest moment of a local time is east of Greenwich, the latest west.
		zone := "+14:00"
		if high {
			zone = "-12:00"
		}
		z, err := fhir.ParsePartial("2000-01-01T00:00:00" + zone)
		if err != nil {
			return t, false
		}
		z.Year, z.Month, z.Day, z.Time = r.Year, r.Month, r.Day, r.Time
		r = z
	}
	return r, true
}

// fillTime sets the parts of a time that it does not state, the fraction to milliseconds.
func fillTime(t *fhir.Time, high bool) {
	if !high {
		if t.Precision < fhir.PrecisionFraction {
			t.Digits = 3
		}
		return
	}
	if t.Precision < fhir.PrecisionMinute {
		t.Minute = 59
	}
	if t.Precision < fhir.PrecisionSecond {
		t.Second = 59
	}
	if t.Precision < fhir.PrecisionFraction {
		t.Nano, t.Digits = 999_000_000, 3
	}
}

// atPrecision cuts a full time to a precision.
func atPrecision(t fhir.Time, p fhir.Precision) fhir.Time {
	t.Precision = p
	if p < fhir.PrecisionFraction {
		t.Nano, t.Digits = 0, 0
	} else if t.Digits < 3 {
		t.Digits = 3
	}
	if p < fhir.PrecisionSecond {
		t.Second = 0
	}
	if p < fhir.PrecisionMinute {
		t.Minute = 0
	}
	return t
}

// timeDigits are the digits of each precision of a time: hh, hhmm, hhmmss, hhmmssfff.
var timeDigits = map[int]fhir.Precision{2: fhir.PrecisionHour, 4: fhir.PrecisionMinute, 6: fhir.PrecisionSecond, 9: fhir.PrecisionFraction}

func timeBoundary(t fhir.Time, n int, high bool) (fhir.Time, bool) {
	to, ok := timeDigits[n]
	if !ok {
		return t, false
	}
	fillTime(&t, high)
	return atPrecision(t, to), true
}

// runPrecision counts digits: those of a number, or those of the parts that a date or time states.
func runPrecision(m *machine, x *callExpr, base int) error {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	v := it.value()
	n := 0
	switch v.kind {
	case Integer:
		n = 0
	case DecimalKind, QuantityKind:
		n = v.d.Scale()
	case DateKind, DateTimeKind:
		n = momentDigits[v.t.Precision]
	case TimeKind:
		n = momentDigits[v.t.Precision] - 8
	default:
		return nil
	}
	m.push(IntegerItem(int64(n)))
	return nil
}

// runComparable answers whether two quantities have the same dimension.
func runComparable(m *machine, x *callExpr, base int) error {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	v, ok, err := m.argument(x, 0)
	if err != nil || !ok {
		return err
	}
	a, okA := it.value().quantity()
	b, okB := v.quantity()
	if !okA || !okB {
		m.push(BooleanItem(false))
		return nil
	}
	_, same, known := compareQuantities(a, b, false)
	m.push(BooleanItem(same && known))
	return nil
}
