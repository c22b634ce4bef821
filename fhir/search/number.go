package search

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Numbers (https://hl7.org/fhir/R4/search.html#number): a stored number is the point it states, whatever its precision; a number that is
// asked for stands for the range of its significant digits where it is asked for by eq, ne or ap, and for a point with the other prefixes.

// The bounds of ranges that are open: below and above every encoded number and moment.
const (
	openLo = "-"
	openHi = "~"
)

// afterPoint appended to an encoded number or moment makes the least string above it that is below every greater one: the exclusive upper
// bound of a point.
const afterPoint = "!"

// appendNumber appends an encoding of d whose bytes are ordered as the values are: equal values encode alike whatever their scale, and any
// two compare as Decimal.Cmp compares them. It is of printable ASCII. The forms are N for negative, O for zero, P for positive numbers; then
// four digits of exponent, then the significant digits. For negative numbers digits are complemented and "~" ends them, so that more digits
// are less. No encoding is a prefix of one that is not above it followed by afterPoint.
func appendNumber(dst []byte, d fhir.Decimal) []byte {
	sign := d.Sign()
	if sign == 0 {
		return append(dst, 'O')
	}
	var buf [24]byte
	digits, exp := d.Significant(buf[:0])
	exp += 5000
	if sign < 0 {
		exp = 9999 - exp
		dst = append(dst, 'N')
	} else {
		dst = append(dst, 'P')
	}
	dst = append(dst, byte('0'+exp/1000%10), byte('0'+exp/100%10), byte('0'+exp/10%10), byte('0'+exp%10))
	if sign > 0 {
		return append(dst, digits...)
	}
	for _, c := range digits {
		dst = append(dst, '0'+'9'-c)
	}
	return append(dst, '~')
}

// encodeNumber returns appendNumber as a string.
func encodeNumber(d fhir.Decimal) string {
	var buf [40]byte
	return string(appendNumber(buf[:0], d))
}

// interval is a half-open range of encoded values: lo belongs to it, hi does not.
type interval struct{ lo, hi string }

// isPoint reports whether the interval holds one number alone.
func (iv interval) isPoint() bool {
	return len(iv.hi) == len(iv.lo)+len(afterPoint) && iv.hi[len(iv.lo):] == afterPoint && iv.hi[:len(iv.lo)] == iv.lo
}

// numberPoint is the interval that holds d alone. Both bounds share one string.
func numberPoint(d fhir.Decimal) interval {
	var buf [40]byte
	s := string(append(appendNumber(buf[:0], d), afterPoint...))
	return interval{s[:len(s)-1], s}
}

// queryNumber is a number of a search with the text it was written in.
type queryNumber struct {
	value fhir.Decimal
	text  string
}

// parseQueryNumber reads a number of a search: JSON's grammar, and a leading plus sign.
func parseQueryNumber(s string) (queryNumber, bool) {
	text := strings.TrimPrefix(s, "+")
	d, err := fhir.ParseDecimal(text)
	return queryNumber{d, text}, err == nil
}

// bounds returns the range of the digits stated: [99.5, 100.5) for 100. A single digit with an exponent counts as two, which is how R4 reads
// its own example: "[parameter]=1e2 ... is actually searching for values in the range [95 ... 105)".
func (q queryNumber) bounds() (lo, hi fhir.Decimal) {
	lo, hi = q.value.Bounds()
	if q.value.Precision() == 1 && strings.ContainsAny(q.text, "eE") {
		half := hi.Sub(q.value).Mul(tenth)
		return q.value.Sub(half), q.value.Add(half)
	}
	return lo, hi
}

// tenth is 0.1.
var tenth, _ = fhir.FromInt(1).Quo(fhir.FromInt(10))

// around returns the closed range that ap accepts: within a tenth of the value to either side, and at least the range of its digits.
func (q queryNumber) around() (lo, hi fhir.Decimal) {
	lo, hi = q.bounds()
	share := q.value.Abs().Mul(tenth)
	if l := q.value.Sub(share); l.Cmp(lo) < 0 {
		lo = l
	}
	if h := q.value.Add(share); h.Cmp(hi) > 0 {
		hi = h
	}
	return lo, hi
}

// interval returns the range that the prefix p compares with.
func (q queryNumber) interval(p prefix) interval {
	switch p {
	case prefixEq, prefixNe:
		lo, hi := q.bounds()
		return interval{encodeNumber(lo), encodeNumber(hi)}
	case prefixAp:
		lo, hi := q.around()
		return interval{encodeNumber(lo), encodeNumber(hi) + afterPoint}
	}
	return numberPoint(q.value)
}

// number appends a number's point or a Range.
func (x *extraction) number(it *fhirpath.Item) {
	var iv interval
	if it.Type() == "Range" {
		low, high, _ := boundsOf("Range", it.Node())
		if !low.known && !high.known {
			return
		}
		iv = quantityRange(low, high)
	} else {
		d, err := fhir.ParseDecimal(it.Text())
		if err != nil {
			return
		}
		iv = numberPoint(d)
	}
	if iv.lo < iv.hi {
		x.put(Entry{Param: x.rule.plain, Lo: iv.lo, Hi: iv.hi})
	}
}

// decimalOf reads a JSON number.
func decimalOf(n fhir.Node) (fhir.Decimal, bool) {
	if n.Kind() != fhir.Number {
		return fhir.Decimal{}, false
	}
	d, err := fhir.ParseDecimal(n.Text())
	return d, err == nil
}

// numberCondition compares a number with a value.
func numberCondition(value string) ([]condition, error) {
	p, text, ok := cutPrefix(value)
	if !ok {
		return nil, badPrefix()
	}
	n, ok := parseQueryNumber(text)
	if !ok {
		return nil, badComparison(text, fhir.IDBadNumber, "a number is decimal, as 5.4 or 1e2")
	}
	return alternatives("", p.compare(n.interval(p))), nil
}
