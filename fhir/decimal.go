package fhir

import (
	"errors"
	"math"
	"math/big"
	"strconv"
)

// Limits on decimals. A literal past them is refused rather than rounded.
const (
	// MaxDecimalDigits is the greatest number of digits, leading zeros excluded, that ParseDecimal accepts.
	MaxDecimalDigits = 1000
	// MaxDecimalScale is the greatest distance, to either side, of the last digit from the point.
	MaxDecimalScale = 1000
)

// ErrDecimal is ParseDecimal's answer to text that is no decimal or is past the limits.
var ErrDecimal = errors.New("not a decimal of at most 1,000 digits")

// Decimal is a decimal number that keeps the digits it was written with: 1.0 and 1.00 are equal under Cmp and differ in Scale, as R4 asks
// (datatypes, decimal). It is immutable and passed by value. The zero Decimal is 0. Coefficients that fit into 63 bits cost no allocation.
// Values are compared with Cmp, not with ==.
type Decimal struct {
	coef int64    // the digits, where big is nil; never math.MinInt64
	big  *big.Int // the digits, where they do not fit into coef; never changed
	exp  int32    // the value is digits * 10^exp
}

// pow10 holds the powers of ten that fit into an int64.
var pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

var bigTen = big.NewInt(10)

// ParseDecimal reads a number in JSON's grammar, exponent included; a leading plus sign, leading zeros or a bare point are no decimals.
// It returns ErrDecimal where s is none or is past MaxDecimalDigits or MaxDecimalScale.
func ParseDecimal(s string) (Decimal, error) {
	i, neg := 0, false
	if i < len(s) && s[i] == '-' {
		neg, i = true, i+1
	}
	start := i
	var coef int64
	var digits, leading, point int
	wide := false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && point == 0 && digits > 0 {
			point = i
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if coef == 0 && c == '0' && !wide {
			leading++
		}
		if coef > (math.MaxInt64-9)/10 {
			wide = true
		} else if !wide {
			coef = coef*10 + int64(c-'0')
		}
	}
	end := i
	whole := end - start
	if point > 0 {
		whole = point - start
	}
	if whole == 0 || whole > 1 && s[start] == '0' || point == end-1 && point > 0 || digits-leading > MaxDecimalDigits {
		return Decimal{}, ErrDecimal
	}
	exp := 0
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		negExp := false
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			negExp, i = s[i] == '-', i+1
		}
		if i == len(s) {
			return Decimal{}, ErrDecimal
		}
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			if exp = exp*10 + int(s[i]-'0'); exp > 1<<20 {
				return Decimal{}, ErrDecimal
			}
		}
		if negExp {
			exp = -exp
		}
	}
	if i < len(s) {
		return Decimal{}, ErrDecimal
	}
	exp -= digits - whole
	if exp > MaxDecimalScale || exp < -MaxDecimalScale {
		return Decimal{}, ErrDecimal
	}
	if !wide {
		if neg {
			coef = -coef
		}
		return Decimal{coef: coef, exp: int32(exp)}, nil
	}
	text := make([]byte, 0, digits)
	for _, c := range []byte(s[start:end]) {
		if c != '.' {
			text = append(text, c)
		}
	}
	b, _ := new(big.Int).SetString(string(text), 10)
	if neg {
		b.Neg(b)
	}
	return makeDecimal(b, exp), nil
}

// FromInt returns i as a Decimal of scale 0.
func FromInt(i int64) Decimal {
	if i == math.MinInt64 {
		return makeDecimal(big.NewInt(i), 0)
	}
	return Decimal{coef: i}
}

// makeDecimal takes b over.
func makeDecimal(b *big.Int, exp int) Decimal {
	if b.IsInt64() && b.Int64() != math.MinInt64 {
		return Decimal{coef: b.Int64(), exp: int32(exp)}
	}
	return Decimal{big: b, exp: int32(exp)}
}

// int returns the digits as a big.Int, which the caller must not change.
func (d Decimal) int() *big.Int {
	if d.big != nil {
		return d.big
	}
	return big.NewInt(d.coef)
}

// String returns the number in JSON's grammar with its scale: "1.00", "-0.5", and "1e2" where the last digit stands left of the point, so
// that ParseDecimal gives an equal Decimal of equal scale. A number written as 5e-3 becomes "0.005".
func (d Decimal) String() string {
	var buf [32]byte
	return string(d.AppendText(buf[:0]))
}

// AppendText appends String.
func (d Decimal) AppendText(dst []byte) []byte {
	dst = d.appendDigits(dst)
	if d.exp > 0 {
		dst = append(dst, 'e')
		dst = strconv.AppendInt(dst, int64(d.exp), 10)
	}
	return dst
}

// Plain returns the number without an exponent: "100" for 1e2.
func (d Decimal) Plain() string {
	var buf [32]byte
	dst := d.appendDigits(buf[:0])
	if d.Sign() != 0 {
		for i := int32(0); i < d.exp; i++ {
			dst = append(dst, '0')
		}
	}
	return string(dst)
}

// appendDigits appends sign and digits, with the point where the scale puts it.
func (d Decimal) appendDigits(dst []byte) []byte {
	if d.Sign() < 0 {
		dst = append(dst, '-')
	}
	var buf [24]byte
	var digits []byte
	if d.big != nil {
		digits = new(big.Int).Abs(d.big).Append(nil, 10)
	} else {
		digits = strconv.AppendInt(buf[:0], absInt(d.coef), 10)
	}
	scale := d.Scale()
	if scale == 0 {
		return append(dst, digits...)
	}
	if n := len(digits); n > scale {
		dst = append(dst, digits[:n-scale]...)
		dst = append(dst, '.')
		return append(dst, digits[n-scale:]...)
	}
	dst = append(dst, '0', '.')
	for i := len(digits); i < scale; i++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

func absInt(i int64) int64 {
	if i < 0 {
		return -i
	}
	return i
}

// Significant appends the significant digits of |d| to dst, without leading and trailing zeros, and returns the exponent of the fraction they
// make: |d| = 0.DIGITS * 10^exp. For 0 it appends nothing and exp is 0. Equal decimals give equal answers, whatever their scale; it is the
// base of encodings that keep order.
func (d Decimal) Significant(dst []byte) (digits []byte, exp int) {
	if d.Sign() == 0 {
		return dst, 0
	}
	start := len(dst)
	if d.big != nil {
		dst = new(big.Int).Abs(d.big).Append(dst, 10)
	} else {
		dst = strconv.AppendInt(dst, absInt(d.coef), 10)
	}
	exp = len(dst) - start + int(d.exp)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst, exp
}

// Scale returns the digits after the point; 0 where the last digit stands left of it.
func (d Decimal) Scale() int { return max(0, -int(d.exp)) }

// InLimits reports whether d is one that ParseDecimal could have made. Arithmetic is exact and so its answers grow; whoever chains operations
// over input stops where this is false.
func (d Decimal) InLimits() bool {
	return d.exp <= MaxDecimalScale && d.exp >= -MaxDecimalScale && (d.big == nil || d.Precision() <= MaxDecimalDigits)
}

// Precision returns the number of digits written, leading zeros excluded: 3 for 1.00 and for 100, 1 for 1e2 and for 0.
func (d Decimal) Precision() int {
	if d.big != nil {
		return len(new(big.Int).Abs(d.big).Append(nil, 10))
	}
	n := 1
	for c := absInt(d.coef); c >= 10; c /= 10 {
		n++
	}
	return n
}

// Sign returns -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.big != nil:
		return d.big.Sign()
	case d.coef < 0:
		return -1
	case d.coef > 0:
		return 1
	}
	return 0
}

// Int64 returns the value where it is whole and fits into an int64.
func (d Decimal) Int64() (int64, bool) {
	if d.exp == 0 && d.big == nil {
		return d.coef, true
	}
	if d.Sign() == 0 {
		return 0, true
	}
	t := d.Truncate()
	if t.Cmp(d) != 0 || t.Precision()+int(t.exp) > 20 {
		return 0, false
	}
	b := rescale(t, 0)
	if !b.IsInt64() {
		return 0, false
	}
	return b.Int64(), true
}

// Float64 returns the nearest float64, for functions that have no decimal form (FHIRPath sqrt, ln, power).
func (d Decimal) Float64() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// FromFloat returns f as its shortest decimal; false for NaN, infinities and what is past the limits.
func FromFloat(f float64) (Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, false
	}
	d, err := ParseDecimal(strconv.FormatFloat(f, 'f', -1, 64))
	return d, err == nil
}

// Bounds returns the range that the number stands for in a search (R4 search, number): half a unit of the last digit written to either side,
// lo included and hi excluded. 100 is [99.5, 100.5), 1.00 is [0.995, 1.005), 1e2 is [50, 150).
func (d Decimal) Bounds() (lo, hi Decimal) {
	half := Decimal{coef: 5, exp: d.exp - 1}
	return d.Sub(half), d.Add(half)
}
