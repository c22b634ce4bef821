package fhirpath

import (
	"math"
	"math/bits"

	"github.com/fhirgate/fhirgate/fhir"
)

// runPower is exact where the exponent is whole, as far as a Decimal has digits, and computes in floating point where it is not.
func runPower(m *machine, x *callExpr, base int) error {
	v, ok, err := m.number(x, base)
	if err != nil || !ok {
		return err
	}
	e, ok, err := m.numberArgument(x, 0)
	if err != nil || !ok {
		return err
	}
	d, _ := v.decimal()
	f, _ := e.decimal()
	n, whole := f.Int64()
	if !whole {
		m.pushFloat(math.Pow(d.Float64(), f.Float64()))
		return nil
	}
	if err := m.step(powerSteps*bits.Len64(magnitude(n)), x.pos); err != nil {
		return err
	}
	r := value{kind: DecimalKind}
	if r.d, ok = wholePower(d, n); !ok {
		return nil
	}
	if r, ok = bounded(r); !ok {
		return nil
	}
	if v.kind == Integer && e.kind == Integer {
		if i, whole := r.d.Int64(); whole && (i != 0 || d.Sign() == 0) {
			r = value{kind: Integer, i: i}
		}
	}
	m.push(r.item())
	return nil
}

// powerSteps is what one squaring counts for against the limit on steps.
const powerSteps = 16

// powerDigits are kept of each product on the way to a power: enough that what is rounded off, with any exponent, does not reach the digits
// that the answer has. A product of a greater magnitude than powerMagnitude, 10 to its power either way, decides the answer alone.
const (
	powerDigits    = 2*maxDigits - 40
	powerMagnitude = 2 * maxDigits
)

// wholePower returns d to the power of n, by squaring; ok is false where there is no such number or it has more digits than a Decimal may
// have. What is too small for a Decimal is 0.
func wholePower(d fhir.Decimal, n int64) (fhir.Decimal, bool) {
	if d.Sign() == 0 && n != 0 {
		return d, n > 0
	}
	r := fhir.FromInt(1)
	for e := magnitude(n); e > 0; {
		if e&1 == 1 {
			r = significant(r.Mul(d))
		}
		if e >>= 1; e == 0 {
			break
		}
		d = significant(d.Mul(d))
		if exp := exponent(d); exp > powerMagnitude || exp < -powerMagnitude {
			return fhir.Decimal{}, (exp < 0) == (n > 0)
		}
	}
	if n >= 0 {
		return r, exponent(r) <= maxDigits
	}
	if exp := exponent(r); exp > powerMagnitude || exp < -powerMagnitude {
		return fhir.Decimal{}, exp > 0
	}
	return fhir.FromInt(1).Quo(r)
}

// exponent returns the places that the first digit of d stands left of the point; 0 and below for a fraction.
func exponent(d fhir.Decimal) int {
	var buf [powerDigits]byte
	_, exp := d.Significant(buf[:0])
	return exp
}

// significant rounds off the digits after the first powerDigits, as far as they stand after the point.
func significant(d fhir.Decimal) fhir.Decimal {
	if excess := d.Precision() - powerDigits; excess > 0 {
		return d.Round(d.Scale() - excess)
	}
	return d
}
