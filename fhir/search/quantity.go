package search

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/ucum"
)

// Quantities (https://hl7.org/fhir/R4/search.html#quantity): a number with a unit. Each is found as it was given, and those in UCUM units
// also in canonical units, so that 5.4 g finds 5400 mg.

// ucumSystem is the code system of UCUM units.
const ucumSystem = "http://unitsofmeasure.org"

// quantityCondition compares a quantity with "number", "number|system|code" or "number||unit"; "number|system|" is any unit of the system.
func quantityCondition(raw string) ([]condition, error) {
	parts := splitEscaped(raw, '|')
	if len(parts) != 1 && len(parts) != 3 {
		return nil, badValue("bad-quantity", `a quantity is "[prefix]number", "[prefix]number|system|code" or "[prefix]number||unit"`)
	}
	p, text, ok := cutPrefix(parts[0])
	if !ok {
		return nil, badPrefix()
	}
	n, ok := parseQueryNumber(text)
	if !ok {
		return nil, badValue("bad-quantity", "a quantity begins with a decimal number")
	}
	iv := n.interval(p)
	if len(parts) == 1 {
		return alternatives("", p.compare(iv)), nil
	}
	system, code := unescape(parts[1]), unescape(parts[2])
	switch {
	case system == "" && code == "":
		return alternatives("", p.compare(iv)), nil
	case system == "":
		unit := Comparison{Field: Code, Op: Eq, Value: code}
		return append(alternatives("", p.compare(iv), unit), alternatives(suffixUnit, p.compare(iv), unit)...), nil
	case code == "":
		return alternatives("", p.compare(iv), Comparison{Field: System, Op: Eq, Value: system}), nil
	case system == ucumSystem:
		if unit, civ, ok := n.canonical(p, code); ok {
			return alternatives(suffixUCUM, p.compare(civ), Comparison{Field: Code, Op: Eq, Value: unit}), nil
		}
	}
	return alternatives("", p.compare(iv), Comparison{Field: System, Op: Eq, Value: system}, Comparison{Field: Code, Op: Eq, Value: code}), nil
}

// canonical returns what interval does, in the canonical unit of a UCUM unit; ok is false for units that have none.
func (q queryNumber) canonical(p prefix, code string) (unit string, iv interval, ok bool) {
	convert := func(d fhir.Decimal) fhir.Decimal {
		c, u, converted := canonical(d, code)
		unit, ok = u, converted
		return c
	}
	switch p {
	case prefixEq, prefixNe:
		lo, hi := q.bounds()
		iv = interval{encodeNumber(convert(lo)), encodeNumber(convert(hi))}
	case prefixAp:
		lo, hi := q.around()
		iv = interval{encodeNumber(convert(lo)), encodeNumber(convert(hi)) + afterPoint}
	default:
		iv = numberPoint(convert(q.value))
	}
	return unit, iv, ok
}

// canonicalDigits is to how many significant digits canonical values are rounded, so that one value reached from several units compares as
// equal where a conversion does not end.
const canonicalDigits = 24

// canonical converts a value in a UCUM unit to the canonical unit of its dimension.
func canonical(value fhir.Decimal, code string) (c fhir.Decimal, unit string, ok bool) {
	c, unit, ok = ucum.Canonical(value, code)
	if extra := c.Precision() - canonicalDigits; extra > 0 && c.Scale() >= extra {
		c = c.Round(c.Scale() - extra)
	}
	return c, unit, ok && c.InLimits()
}

// currencies is the code system of Money's currency.
const currencies = "urn:iso:std:iso:4217"

// quantity appends a Quantity and its specializations, Money, a Range or SampledData.
func (x *extraction) quantity(it *fhirpath.Item) {
	n := it.Node()
	switch it.Type() {
	case "Money":
		if d, ok := decimalOf(n.Get("value")); ok {
			iv := numberPoint(d)
			x.put(Entry{Param: x.rule.plain, System: currencies, Code: textOf(n.Get("currency")), Lo: iv.lo, Hi: iv.hi})
		}
	case "Range":
		low, okLow := decimalOf(n.Get("low").Get("value"))
		high, okHigh := decimalOf(n.Get("high").Get("value"))
		unit := n.Get("low")
		if !okLow {
			unit = n.Get("high")
		}
		x.putQuantity(unit, bound{low, okLow, false}, bound{high, okHigh, false})
	case "SampledData":
		low, high, ok := sampled(n)
		x.putQuantity(n.Get("origin"), bound{low, ok, false}, bound{high, ok, false})
	default:
		if n.Kind() != fhir.Object {
			x.number(it)
			return
		}
		d, ok := decimalOf(n.Get("value"))
		if !ok {
			return
		}
		at, open := bound{value: d, known: true}, bound{}
		switch textOf(n.Get("comparator")) {
		case "":
			x.putQuantity(n, at, at)
		case "<":
			at.excluded = true
			x.putQuantity(n, open, at)
		case "<=":
			x.putQuantity(n, open, at)
		case ">":
			at.excluded = true
			x.putQuantity(n, at, open)
		case ">=":
			x.putQuantity(n, at, open)
		}
	}
}

// bound is one end of a quantity's range: open where it is not known, and with the value itself left out where it is excluded. A Quantity
// with the comparator "<" is known to lie anywhere below its value.
type bound struct {
	value    fhir.Decimal
	known    bool
	excluded bool
}

// quantityRange returns the interval between two bounds.
func quantityRange(low, high bound) interval {
	iv := interval{openLo, openHi}
	if low.known {
		iv.lo = encodeNumber(low.value)
		if low.excluded {
			iv.lo += afterPoint
		}
	}
	if high.known {
		iv.hi = encodeNumber(high.value)
		if !high.excluded {
			iv.hi += afterPoint
		}
	}
	return iv
}

// putQuantity appends a range in the unit that an object states, under its code, under the text of its unit where that is another, and in
// canonical units.
func (x *extraction) putQuantity(unit fhir.Node, low, high bound) {
	if !low.known && !high.known {
		return
	}
	var iv interval
	if low.known && high.known && low == high {
		iv = numberPoint(low.value)
	} else if iv = quantityRange(low, high); iv.lo >= iv.hi {
		return
	}
	system, code, text := textOf(unit.Get("system")), textOf(unit.Get("code")), textOf(unit.Get("unit"))
	x.put(Entry{Param: x.rule.plain, System: system, Code: code, Lo: iv.lo, Hi: iv.hi})
	if text != "" && text != code {
		x.put(Entry{Param: x.rule.names.unit, System: system, Code: text, Lo: iv.lo, Hi: iv.hi})
	}
	if system != ucumSystem || code == "" {
		return
	}
	c, ok := "", true
	single := low.known && high.known && low == high
	if low.known {
		low.value, c, ok = canonical(low.value, code)
	}
	if single {
		high = low
	} else if ok && high.known {
		high.value, c, ok = canonical(high.value, code)
	}
	if !ok {
		return
	}
	if single {
		iv = numberPoint(low.value)
	} else {
		iv = quantityRange(low, high)
	}
	x.put(Entry{Param: x.rule.names.ucum, System: ucumSystem, Code: c, Lo: iv.lo, Hi: iv.hi})
}

// sampled returns the least and the greatest value of SampledData: origin + factor * data, in the origin's unit. Marks for samples that are
// off the scale or in error ("E", "U", "L") are passed over.
func sampled(n fhir.Node) (low, high fhir.Decimal, ok bool) {
	factor, has := decimalOf(n.Get("factor"))
	if !has {
		factor = fhir.FromInt(1)
	}
	origin, _ := decimalOf(n.Get("origin").Get("value"))
	for _, s := range strings.Fields(textOf(n.Get("data"))) {
		d, err := fhir.ParseDecimal(s)
		if err != nil {
			continue
		}
		d = d.Mul(factor).Add(origin)
		if !ok || d.Cmp(low) < 0 {
			low = d
		}
		if !ok || d.Cmp(high) > 0 {
			high = d
		}
		ok = true
	}
	return low, high, ok && low.InLimits() && high.InLimits()
}
