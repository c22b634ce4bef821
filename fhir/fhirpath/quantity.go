package fhirpath

import (
	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/ucum"
)

// quantity returns the value as a Quantity: numbers have the unit '1'.
func (v value) quantity() (Quantity, bool) {
	switch v.kind {
	case QuantityKind:
		return Quantity{v.d, v.s, v.b, v.i == 1}, true
	case Integer, DecimalKind:
		d, _ := v.decimal()
		return Quantity{Value: d, Unit: "1"}, true
	}
	return Quantity{}, false
}

// calendarCodes are the UCUM units of the calendar units that have a fixed length. A year and a month have none.
var calendarCodes = map[string]string{"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}

// calendarDays are N1's conversion factors of the calendar units above a week.
var calendarDays = map[string]int64{"year": 365, "month": 30}

// normal reads a calendar word in quotes, which UCUM does not know, as the calendar unit.
func (q Quantity) normal() Quantity {
	if !q.Calendar {
		if unit := calendarUnits[q.Unit]; unit != "" {
			return Quantity{Value: q.Value, Unit: unit, Calendar: true}
		}
	}
	return q
}

// compareQuantities compares in the canonical units of UCUM. same says whether the dimensions are the same; known is false where that can't
// be told, as for units that UCUM does not know and for a calendar year against a UCUM year, which only ~ takes for one another.
func compareQuantities(a, b Quantity, equivalent bool) (c int, same, known bool) {
	a, b = a.normal(), b.normal()
	if a.Unit == b.Unit && a.Calendar == b.Calendar {
		if equivalent && !equivalentDecimals(a.Value, b.Value) || !equivalent {
			return a.Value.Cmp(b.Value), true, true
		}
		return 0, true, true
	}
	x, unitX, okX := a.canonical(b, equivalent)
	y, unitY, okY := b.canonical(a, equivalent)
	if !okX || !okY {
		return 0, true, false
	}
	if unitX != unitY {
		return 0, false, false
	}
	if equivalent && a.equivalentTo(b, x, y) {
		return 0, true, true
	}
	return x.Cmp(y), true, true
}

// equivalentTo compares at the precision of the less precise of the two, each in its own unit, where x and y are the canonical values.
func (q Quantity) equivalentTo(o Quantity, x, y fhir.Decimal) bool {
	in := func(d, from, to fhir.Decimal) (fhir.Decimal, bool) {
		if from.Sign() == 0 {
			return fhir.Decimal{}, false
		}
		r, ok := to.Mul(d).Quo(from)
		return r, ok
	}
	// The value of o in q's unit, and of q in o's: rounded to the digits of the less precise.
	if v, ok := in(q.Value, x, y); ok && equivalentDecimals(q.Value, v) {
		return true
	}
	if v, ok := in(o.Value, y, x); ok && equivalentDecimals(o.Value, v) {
		return true
	}
	return x.Cmp(y) == 0
}

// canonical returns the value in canonical units for a comparison with other.
func (q Quantity) canonical(other Quantity, equivalent bool) (fhir.Decimal, string, bool) {
	if !q.Calendar {
		return ucum.Canonical(q.Value, q.Unit)
	}
	if code, ok := calendarCodes[q.Unit]; ok {
		return ucum.Canonical(q.Value, code)
	}
	if other.Calendar {
		if q.Unit == "year" && other.Unit == "month" {
			return q.Value.Mul(fhir.FromInt(12)), "month", true
		}
		if q.Unit == "month" && other.Unit == "year" {
			return q.Value, "month", true
		}
		return ucum.Canonical(q.Value.Mul(fhir.FromInt(calendarDays[q.Unit])), "d")
	}
	if equivalent || other.element {
		return ucum.Canonical(q.Value, map[string]string{"year": "a", "month": "mo"}[q.Unit])
	}
	return fhir.Decimal{}, "", false
}

// multiply returns a * b, or a / b where divide is set; ok is false where UCUM does not know a unit.
func multiply(a, b Quantity, divide bool) (Quantity, bool) {
	one := func(q Quantity) bool { return !q.Calendar && (q.Unit == "1" || q.Unit == "") }
	if divide && b.Value.Sign() == 0 {
		return Quantity{}, false
	}
	apply := func(x, y fhir.Decimal) fhir.Decimal {
		if divide {
			r, _ := x.Quo(y)
			return r
		}
		return x.Mul(y)
	}
	switch {
	case one(b):
		return Quantity{Value: apply(a.Value, b.Value), Unit: a.Unit, Calendar: a.Calendar}, true
	case one(a) && !divide:
		return Quantity{Value: apply(a.Value, b.Value), Unit: b.Unit, Calendar: b.Calendar}, true
	case divide && a.Unit == b.Unit && a.Calendar == b.Calendar:
		return Quantity{Value: apply(a.Value, b.Value), Unit: "1"}, true
	}
	x, unitX, okX := a.definite()
	y, unitY, okY := b.definite()
	if !okX || !okY || y.Sign() == 0 && divide {
		return Quantity{}, false
	}
	unit, ok := ucum.Product(unitX, unitY, divide)
	return Quantity{Value: apply(x, y), Unit: unit}, ok
}

// definite returns the quantity in canonical units; false for a calendar year or month.
func (q Quantity) definite() (fhir.Decimal, string, bool) {
	q = q.normal()
	if !q.Calendar {
		return ucum.Canonical(q.Value, q.Unit)
	}
	code, ok := calendarCodes[q.Unit]
	if !ok {
		return fhir.Decimal{}, "", false
	}
	return ucum.Canonical(q.Value, code)
}

// months returns calendar years and months in months.
func (q Quantity) months() (fhir.Decimal, bool) {
	switch q = q.normal(); {
	case q.Calendar && q.Unit == "year":
		return q.Value.Mul(fhir.FromInt(12)), true
	case q.Calendar && q.Unit == "month":
		return q.Value, true
	}
	return fhir.Decimal{}, false
}

// addQuantities returns a + b in the unit of a, or where they differ in months or in canonical units; ok is false where the dimensions differ.
func addQuantities(a, b Quantity, sign int) (Quantity, bool) {
	if sign < 0 {
		b.Value = b.Value.Neg()
	}
	if a.normal().Unit == b.normal().Unit && a.normal().Calendar == b.normal().Calendar {
		return Quantity{Value: a.Value.Add(b.Value), Unit: a.Unit, Calendar: a.Calendar}, true
	}
	if x, ok := a.months(); ok {
		if y, ok := b.months(); ok {
			return Quantity{Value: x.Add(y), Unit: "month", Calendar: true}, true
		}
	}
	x, unitX, okX := a.definite()
	y, unitY, okY := b.definite()
	if !okX || !okY || unitX != unitY {
		return Quantity{}, false
	}
	return Quantity{Value: x.Add(y), Unit: unitX}, true
}
