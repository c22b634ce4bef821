package fhirpath

import (
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// order compares two System values of types that have an order together. known is false where precision leaves it open; ok is false where the
// types do not compare.
func order(a, b value) (c int, known, ok bool) {
	switch {
	case a.kind == String && b.kind == String:
		return strings.Compare(a.s, b.s), true, true
	case a.kind == TimeKind && b.kind == TimeKind:
		c, known = orderTimes(a.t.Time, b.t.Time)
		return c, known, true
	case a.moment() && b.moment():
		c, known = orderMoments(a.t, b.t)
		return c, known, true
	}
	if a.kind == Integer && b.kind == Integer {
		switch {
		case a.i < b.i:
			return -1, true, true
		case a.i > b.i:
			return 1, true, true
		}
		return 0, true, true
	}
	x, okx := a.decimal()
	y, oky := b.decimal()
	if okx && oky {
		return x.Cmp(y), true, true
	}
	if a.kind == QuantityKind || b.kind == QuantityKind {
		qa, oka := a.quantity()
		qb, okb := b.quantity()
		if oka && okb {
			c, _, known := compareQuantities(qa, qb, false)
			return c, known, true
		}
	}
	return 0, false, false
}

// moment reports whether v is a Date or a DateTime.
func (v value) moment() bool { return v.kind == DateKind || v.kind == DateTimeKind }

// seconds takes a second and its fractions as one precision (N1, Equals).
func seconds(p fhir.Precision) fhir.Precision { return min(p, fhir.PrecisionSecond) }

// The offsets that a local time without a zone may be meant in.
const (
	westmost = 12 * time.Hour
	eastmost = 14 * time.Hour
)

// orderMoments compares two partial dates. The answer is open where one lies within the other, and where one has a zone and the other not
// and their difference is within what zones can make: N1 would read it in the zone of the evaluator, which says nothing about the record.
func orderMoments(a, b fhir.DateTime) (c int, known bool) {
	alo, ahi := a.Range(nil)
	blo, bhi := b.Range(nil)
	zoned := a.HasZone == b.HasZone
	if zoned && seconds(a.Precision) == seconds(b.Precision) {
		return alo.Compare(blo), true
	}
	if !zoned {
		if a.HasZone {
			blo, bhi = blo.Add(-eastmost), bhi.Add(westmost)
		} else {
			alo, ahi = alo.Add(-eastmost), ahi.Add(westmost)
		}
	}
	switch {
	case !ahi.After(blo):
		return -1, true
	case !bhi.After(alo):
		return 1, true
	}
	return 0, false
}

// orderTimes compares two partial times of day.
func orderTimes(a, b fhir.Time) (c int, known bool) {
	alo, ahi := a.Range()
	blo, bhi := b.Range()
	switch {
	case seconds(a.Precision) == seconds(b.Precision):
		switch {
		case alo < blo:
			return -1, true
		case alo > blo:
			return 1, true
		}
		return 0, true
	case ahi <= blo:
		return -1, true
	case bhi <= alo:
		return 1, true
	}
	return 0, false
}
