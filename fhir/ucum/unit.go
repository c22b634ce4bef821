package ucum

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// Limits on the text of a unit. What passes them is a unit that is not known.
const (
	maxLength   = 256
	maxExponent = 40
	maxDigits   = 400
	maxCached   = 4096
)

// power is a base unit with its exponent.
type power struct {
	base string
	exp  int
}

// unit is a factor and the powers of base units, in the order of baseOrder and then by name, none with exponent 0.
type unit struct {
	num, den fhir.Decimal
	powers   []power
	// special is set where the unit stands alone and its zero is not that of its base unit: canonical = (value + offset) * num / den.
	special bool
	offset  fhir.Decimal
	name    string // canonical text of powers
}

var one = fhir.FromInt(1)

// Canonical returns value in canonical units, and the text of these: "g.m-3" for mg/dL. The text is itself a unit of UCUM. ok is false for a
// unit that UCUM does not know, or that is past the limits on length and exponents; an empty unit is the unit 1.
func Canonical(value fhir.Decimal, code string) (canonical fhir.Decimal, unit string, ok bool) {
	u, ok := lookup(code)
	if !ok {
		return fhir.Decimal{}, "", false
	}
	if u.special {
		value = value.Add(u.offset)
	}
	if u.num != one {
		value = value.Mul(u.num)
	}
	if u.den != one {
		value, ok = value.Quo(u.den)
	}
	return value, u.name, ok
}

// Convert returns value, which is in the unit from, in the unit to. ok is false for units that UCUM does not know, and for those that measure something
// else.
func Convert(value fhir.Decimal, from, to string) (converted fhir.Decimal, ok bool) {
	canonical, name, ok := Canonical(value, from)
	u, known := lookup(to)
	if !ok || !known || u.name != name {
		return fhir.Decimal{}, false
	}
	if u.den != one {
		canonical = canonical.Mul(u.den)
	}
	if u.num != one {
		if canonical, ok = canonical.Quo(u.num); !ok {
			return fhir.Decimal{}, false
		}
	}
	if u.special {
		canonical = canonical.Sub(u.offset)
	}
	return canonical, true
}

// Product returns the canonical unit of a product or, with divide, a quotient of two canonical units.
func Product(a, b string, divide bool) (unit string, ok bool) {
	x, okX := lookup(a)
	y, okY := lookup(b)
	if !okX || !okY {
		return "", false
	}
	exp := 1
	if divide {
		exp = -1
	}
	z, ok := x.times(y, exp)
	return z.name, ok
}

// cache keeps parsed units, failures included. It is emptied when full: units are few, and a client that sends many gains nothing by it.
var cache = struct {
	sync.RWMutex
	units map[string]*unit
}{units: map[string]*unit{}}

func lookup(code string) (*unit, bool) {
	if len(code) > maxLength {
		return nil, false
	}
	cache.RLock()
	u, ok := cache.units[code]
	cache.RUnlock()
	if ok {
		return u, u != nil
	}
	parsed, ok := parse(code)
	if ok {
		u = &parsed
	}
	cache.Lock()
	if len(cache.units) >= maxCached {
		clear(cache.units)
	}
	cache.units[strings.Clone(code)] = u
	cache.Unlock()
	return u, ok
}

// times returns u * o^exp; ok is false past the limits.
func (u *unit) times(o *unit, exp int) (r unit, ok bool) {
	num, den := o.num, o.den
	n := exp
	if n < 0 {
		num, den, n = den, num, -n
	}
	r = unit{num: u.num, den: u.den, powers: slices.Clone(u.powers)}
	for range n {
		r.num, r.den = r.num.Mul(num), r.den.Mul(den)
		if past(r.num) || past(r.den) {
			return unit{}, false
		}
	}
	for _, p := range o.powers {
		p.exp *= exp
		at := slices.IndexFunc(r.powers, func(q power) bool { return q.base == p.base })
		if at < 0 {
			r.powers = append(r.powers, p)
		} else {
			r.powers[at].exp += p.exp
		}
	}
	r.powers = slices.DeleteFunc(r.powers, func(p power) bool { return p.exp == 0 })
	for _, p := range r.powers {
		if p.exp > maxExponent || p.exp < -maxExponent {
			return unit{}, false
		}
	}
	r.finish()
	return r, true
}

// past reports whether a factor has too many digits or is too far from 1.
func past(d fhir.Decimal) bool {
	digits, exp := d.Significant(nil)
	return len(digits) > maxDigits || exp > maxDigits || exp < -maxDigits
}

// finish orders the powers and writes the canonical text.
func (u *unit) finish() {
	slices.SortFunc(u.powers, func(a, b power) int {
		if c := slices.Index(baseOrder, a.base) - slices.Index(baseOrder, b.base); c != 0 {
			return c
		}
		return strings.Compare(a.base, b.base)
	})
	var b strings.Builder
	for i, p := range u.powers {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(p.base)
		if p.exp != 1 {
			b.WriteString(strconv.Itoa(p.exp))
		}
	}
	if b.Len() == 0 {
		b.WriteByte('1')
	}
	u.name = b.String()
	// Powers of ten in both parts cancel, so that the common units are a single multiplication.
	if f, ok := u.num.Quo(u.den); ok && f.Mul(u.den).Cmp(u.num) == 0 {
		u.num, u.den = f, one
	}
}
