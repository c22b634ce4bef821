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
		return nil, badValue(fhir.IDBadQuantity, `a quantity is "[prefix]number", "[prefix]number|system|code" or "[prefix]number||unit"`)
	}
	p, text, ok := cutPrefix(parts[0])
	if !ok {
		return nil, badPrefix()
	}
	n, ok := parseQueryNumber(text)
	if !ok {
		return nil, badComparison(text, fhir.IDBadQuantity, "a quantity begins with a decimal number")
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

// quantity appends a Quantity and its specializations, Money, a Range or SampledData: as given, under the text of its unit where that is
// not its code, and in canonical units.
func (x *extraction) quantity(it *fhirpath.Item) {
	n := it.Node()
	if n.Kind() != fhir.Object {
		x.number(it)
		return
	}
	m := x.measure(it.Type(), n)
	if m.given.lo >= m.given.hi {
		return
	}
	x.put(Entry{Param: x.rule.plain, System: m.system, Code: m.code, Lo: m.given.lo, Hi: m.given.hi})
	if m.text != "" && m.text != m.code {
		x.put(Entry{Param: x.rule.names.unit, System: m.system, Code: m.text, Lo: m.given.lo, Hi: m.given.hi})
	}
	if m.unit != "" {
		x.put(Entry{Param: x.rule.names.ucum, System: ucumSystem, Code: m.unit, Lo: m.canonical.lo, Hi: m.canonical.hi})
	}
}

// measure is a quantity as it is indexed; given is empty where it has no value.
type measure struct {
	node               fhir.Node
	given, canonical   interval
	system, code, text string
	unit               string // canonical; "" where there is none
}

// measure reads a quantity, with a short memory: several parameters read the same elements.
func (x *extraction) measure(typ string, n fhir.Node) *measure {
	for i := range x.measures {
		if x.measures[i].node == n {
			return &x.measures[i]
		}
	}
	m := &x.measures[x.nextMeasure%len(x.measures)]
	x.nextMeasure++
	*m = measure{node: n}
	low, high, unit := boundsOf(typ, n)
	if !low.known && !high.known {
		return m
	}
	m.given = quantityRange(low, high)
	if typ == "Money" {
		m.system, m.code = currencies, textOf(n.Get("currency"))
		return m
	}
	m.system, m.code, m.text = textOf(unit.Get("system")), textOf(unit.Get("code")), textOf(unit.Get("unit"))
	if m.system != ucumSystem || m.code == "" {
		return m
	}
	c, ok := "", true
	single := low == high
	if low.known {
		low.value, c, ok = canonical(low.value, m.code)
	}
	if single {
		high = low
	} else if ok && high.known {
		high.value, c, ok = canonical(high.value, m.code)
	}
	if ok {
		m.unit, m.canonical = c, quantityRange(low, high)
	}
	return m
}

// bound is one end of a quantity's range: open where it is not known, and with the value itself left out where it is excluded. A Quantity
// with the comparator "<" is known to lie anywhere below its value.
type bound struct {
	value    fhir.Decimal
	known    bool
	excluded bool
}

// boundsOf returns the range of a quantity of some type, and the object that states its unit. Nothing is known where it has no value.
func boundsOf(typ string, n fhir.Node) (low, high bound, unit fhir.Node) {
	switch typ {
	case "Range":
		low.value, low.known = decimalOf(n.Get("low").Get("value"))
		high.value, high.known = decimalOf(n.Get("high").Get("value"))
		if unit = n.Get("low"); !low.known {
			unit = n.Get("high")
		}
		return low, high, unit
	case "SampledData":
		low.value, high.value, low.known = sampled(n)
		high.known = low.known
		return low, high, n.Get("origin")
	}
	at := bound{}
	if at.value, at.known = decimalOf(n.Get("value")); !at.known {
		return at, at, n
	}
	switch textOf(n.Get("comparator")) {
	case "<":
		at.excluded = true
		return bound{}, at, n
	case "<=":
		return bound{}, at, n
	case ">":
		at.excluded = true
		return at, bound{}, n
	case ">=":
		return at, bound{}, n
	}
	return at, at, n
}

// quantityRange returns the interval between two bounds.
func quantityRange(low, high bound) interval {
	if low == high {
		return numberPoint(low.value)
	}
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
