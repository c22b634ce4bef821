package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// literal returns the value of a literal.
func (c *compiler) literal(a *ast) (Item, error) {
	bad := func(expected string) (Item, error) {
		return Item{}, c.fail(a.pos, fhir.IDFHIRPathSyntax, "a literal is out of range", expected)
	}
	switch a.kind {
	case astBool:
		return BooleanItem(a.text == "true"), nil
	case astString:
		return StringItem(a.text), nil
	case astNumber:
		if !strings.Contains(a.text, ".") {
			v := numberValue(a.text, Integer)
			if v.kind != Integer {
				return bad("an integer of 64 bits")
			}
			return v.item(), nil
		}
		fallthrough
	case astQuantity:
		d, err := fhir.ParseDecimal(trimZeros(a.text))
		if err != nil {
			return bad("a number of at most 1,000 digits")
		}
		if a.kind == astNumber {
			return DecimalItem(d), nil
		}
		q := Quantity{Value: d, Unit: a.unit}
		if a.word {
			q.Unit, q.Calendar = calendarUnits[a.unit], true
		}
		return QuantityItem(q), nil
	case astTime:
		t, err := fhir.ParsePartialTime(a.text)
		if err != nil {
			return bad("a time of day")
		}
		return TimeItem(t), nil
	}
	t, err := fhir.ParsePartial(strings.TrimSuffix(a.text, "T"))
	if err != nil {
		return bad("a date of the calendar, YYYY-MM-DD")
	}
	if strings.Contains(a.text, "T") {
		return DateTimeItem(t), nil
	}
	return DateItem(t), nil
}

// trimZeros drops leading zeros, which FHIRPath allows and JSON does not.
func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && isDigit(s[1]) {
		s = s[1:]
	}
	return s
}
