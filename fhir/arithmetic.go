package fhir

import (
	"math"
	"math/big"
)

// Comparison and arithmetic of decimals, exact but for quotients that do not end. Coefficients that stay within 63 bits cost no allocation.

// quoDigits and quoSignificant say how far Quo computes a quotient that does not end.
const (
	quoDigits      = 28
	quoSignificant = 18
)

// scaleUp returns coef * 10^by; false where it does not fit.
func scaleUp(coef int64, by int) (int64, bool) {
	if coef == 0 {
		return 0, true
	}
	if by >= len(pow10) || absInt(coef) > math.MaxInt64/pow10[by] {
		return 0, false
	}
	return coef * pow10[by], true
}

// rescale returns the digits of d at the exponent exp, which must not be above d's.
func rescale(d Decimal, exp int32) *big.Int {
	if d.exp == exp {
		return d.int()
	}
	p := new(big.Int).Exp(bigTen, big.NewInt(int64(d.exp-exp)), nil)
	return p.Mul(p, d.int())
}

// align returns both coefficients at the lower of the two exponents; ok is false where they do not fit into int64.
func align(a, b Decimal) (x, y int64, exp int32, ok bool) {
	if a.big != nil || b.big != nil {
		return 0, 0, 0, false
	}
	exp = min(a.exp, b.exp)
	x, okX := scaleUp(a.coef, int(a.exp-exp))
	y, okY := scaleUp(b.coef, int(b.exp-exp))
	return x, y, exp, okX && okY
}

// Cmp returns -1, 0 or 1 as d is less than, equal to or greater than o in value: 1.0 equals 1.00.
func (d Decimal) Cmp(o Decimal) int {
	if x, y, _, ok := align(d, o); ok {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	s, so := d.Sign(), o.Sign()
	if s != so || s == 0 {
		return sign(s - so)
	}
	// The position of the first digit decides most pairs without arithmetic.
	if m, mo := d.Precision()+int(d.exp), o.Precision()+int(o.exp); m != mo {
		return s * sign(m-mo)
	}
	exp := min(d.exp, o.exp)
	return rescale(d, exp).Cmp(rescale(o, exp))
}

func sign(i int) int {
	switch {
	case i < 0:
		return -1
	case i > 0:
		return 1
	}
	return 0
}

// Neg returns -d.
func (d Decimal) Neg() Decimal {
	if d.big != nil {
		return makeDecimal(new(big.Int).Neg(d.big), int(d.exp))
	}
	return Decimal{coef: -d.coef, exp: d.exp}
}

// Abs returns |d|.
func (d Decimal) Abs() Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// Add returns d + o, with the greater of the two scales.
func (d Decimal) Add(o Decimal) Decimal {
	x, y, exp, ok := align(d, o)
	if sum := x + y; ok && (x^sum)&(y^sum) >= 0 && sum != math.MinInt64 {
		return Decimal{coef: sum, exp: exp}
	}
	exp = min(d.exp, o.exp)
	return makeDecimal(new(big.Int).Add(rescale(d, exp), rescale(o, exp)), int(exp))
}

// Sub returns d - o, with the greater of the two scales.
func (d Decimal) Sub(o Decimal) Decimal { return d.Add(o.Neg()) }

// Mul returns the exact product; its scale is the sum of the scales.
func (d Decimal) Mul(o Decimal) Decimal {
	exp := int(d.exp) + int(o.exp)
	if d.big == nil && o.big == nil {
		if d.coef == 0 || o.coef == 0 {
			return Decimal{exp: int32(exp)}
		}
		if absInt(d.coef) <= math.MaxInt64/absInt(o.coef) {
			return Decimal{coef: d.coef * o.coef, exp: int32(exp)}
		}
	}
	return makeDecimal(new(big.Int).Mul(d.int(), o.int()), exp)
}

// Quo returns d / o; false where o is 0. A quotient that ends within 28 digits after the point is exact; any other is rounded, half away
// from zero, to 28 digits after the point, or to as many more as make 18 significant digits. Zeros at the end of the fraction are dropped,
// so 1/2 is 0.5 and 4.0/2.0 is 2.
func (d Decimal) Quo(o Decimal) (Decimal, bool) {
	if o.Sign() == 0 {
		return Decimal{}, false
	}
	if d.Sign() == 0 {
		return Decimal{}, true
	}
	if d.big == nil && o.big == nil && d.coef%o.coef == 0 {
		return Decimal{coef: d.coef / o.coef, exp: d.exp - o.exp}.trim(), true
	}
	digits := quoDigits
	// The first digit of the quotient stands at first or first-1 places left of the point.
	first := d.Precision() + int(d.exp) - o.Precision() - int(o.exp)
	if digits+first < quoSignificant {
		digits = quoSignificant - first
	}
	num, den := d.int(), o.int()
	if shift := digits + int(d.exp) - int(o.exp); shift >= 0 {
		num = new(big.Int).Mul(num, new(big.Int).Exp(bigTen, big.NewInt(int64(shift)), nil))
	} else {
		den = new(big.Int).Mul(den, new(big.Int).Exp(bigTen, big.NewInt(int64(-shift)), nil))
	}
	return makeDecimal(quoRound(num, den), -digits).trim(), true
}

// quoRound returns num/den rounded half away from zero.
func quoRound(num, den *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(num, den, new(big.Int))
	if r.Lsh(r.Abs(r), 1).CmpAbs(den) >= 0 {
		q.Add(q, big.NewInt(int64(num.Sign()*den.Sign())))
	}
	return q
}

// trim drops zeros at the end of the fraction, and writes a whole value with exponent 0.
func (d Decimal) trim() Decimal {
	if d.exp > 0 {
		return makeDecimal(rescale(d, 0), 0)
	}
	for d.big != nil && d.exp < 0 {
		q, r := new(big.Int).QuoRem(d.big, bigTen, new(big.Int))
		if r.Sign() != 0 {
			return d
		}
		d = makeDecimal(q, int(d.exp)+1)
	}
	for d.big == nil && d.exp < 0 && d.coef%10 == 0 {
		d.coef, d.exp = d.coef/10, d.exp+1
	}
	return d
}

// Div returns the whole part of d / o, as FHIRPath's div does; false where o is 0.
func (d Decimal) Div(o Decimal) (Decimal, bool) {
	if o.Sign() == 0 {
		return Decimal{}, false
	}
	if x, y, _, ok := align(d, o); ok {
		return Decimal{coef: x / y}, true
	}
	exp := min(d.exp, o.exp)
	return makeDecimal(new(big.Int).Quo(rescale(d, exp), rescale(o, exp)), 0), true
}

// Mod returns d - o * Div(o), whose sign is d's; false where o is 0.
func (d Decimal) Mod(o Decimal) (Decimal, bool) {
	if o.Sign() == 0 {
		return Decimal{}, false
	}
	if x, y, exp, ok := align(d, o); ok {
		return Decimal{coef: x % y, exp: exp}, true
	}
	exp := min(d.exp, o.exp)
	return makeDecimal(new(big.Int).Rem(rescale(d, exp), rescale(o, exp)), int(exp)), true
}

// Truncate returns d without its fraction.
func (d Decimal) Truncate() Decimal {
	if d.exp >= 0 {
		return d
	}
	if d.big == nil {
		if int(-d.exp) >= len(pow10) {
			return Decimal{}
		}
		return Decimal{coef: d.coef / pow10[-d.exp]}
	}
	p := new(big.Int).Exp(bigTen, big.NewInt(int64(-d.exp)), nil)
	return makeDecimal(p.Quo(d.big, p), 0)
}

// Floor returns the greatest whole number that is not above d.
func (d Decimal) Floor() Decimal {
	t := d.Truncate()
	if d.Sign() < 0 && t.Cmp(d) != 0 {
		return t.Sub(FromInt(1))
	}
	return t
}

// Ceil returns the least whole number that is not below d.
func (d Decimal) Ceil() Decimal {
	t := d.Truncate()
	if d.Sign() > 0 && t.Cmp(d) != 0 {
		return t.Add(FromInt(1))
	}
	return t
}

// Round returns d rounded to n digits after the point, half away from zero. A Decimal of n or fewer is returned as it is; n below 0 counts
// as 0.
func (d Decimal) Round(n int) Decimal {
	n = max(n, 0)
	if d.Scale() <= n {
		return d
	}
	drop := d.Scale() - n
	if d.big == nil {
		if drop >= len(pow10) {
			return Decimal{exp: int32(-n)}
		}
		p := pow10[drop]
		q, r := d.coef/p, absInt(d.coef%p)
		if r >= p-r {
			q += int64(d.Sign())
		}
		return Decimal{coef: q, exp: int32(-n)}
	}
	return makeDecimal(quoRound(d.big, new(big.Int).Exp(bigTen, big.NewInt(int64(drop)), nil)), -n)
}
