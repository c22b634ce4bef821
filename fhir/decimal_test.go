package fhir

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func mustDecimal(t testing.TB, s string) Decimal {
	t.Helper()
	d, err := ParseDecimal(s)
	if err != nil {
		t.Fatalf("ParseDecimal(%q): %v", s, err)
	}
	return d
}

func TestDecimalKeepsItsDigits(t *testing.T) {
	for _, c := range []struct {
		in, text, plain string
		scale           int
	}{
		{"0", "0", "0", 0}, {"0.00", "0.00", "0.00", 2}, {"1.00", "1.00", "1.00", 2}, {"-0.5", "-0.5", "-0.5", 1}, {"100", "100", "100", 0},
		{"1e2", "1e2", "100", 0}, {"1.50e1", "15.0", "15.0", 1}, {"5e-3", "0.005", "0.005", 3}, {"-1E+3", "-1e3", "-1000", 0},
		{"9223372036854775807", "9223372036854775807", "9223372036854775807", 0},
		{"9223372036854775808.10", "9223372036854775808.10", "9223372036854775808.10", 2},
		{"0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890", 40},
		{"0e5", "0e5", "0", 0}, {"-0", "0", "0", 0},
	} {
		d := mustDecimal(t, c.in)
		if d.String() != c.text || d.Plain() != c.plain || d.Scale() != c.scale {
			t.Errorf("%s: String %s, Plain %s, Scale %d; want %s, %s, %d", c.in, d, d.Plain(), d.Scale(), c.text, c.plain, c.scale)
		}
	}
}

func TestDecimalRefuses(t *testing.T) {
	for _, s := range []string{"", "-", "+1", "01", "-01", ".5", "5.", "1.2.3", "1e", "1e+", "e5", "1,5", " 1", "1 ", "0x1", "NaN", "1e1001", "1e-1001",
		"1e99999999999999999999", strings.Repeat("9", MaxDecimalDigits+1), "1.", "--1"} {
		if d, err := ParseDecimal(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
}

func TestDecimalArithmetic(t *testing.T) {
	type op func(a, b Decimal) (Decimal, bool)
	exact := func(f func(Decimal, Decimal) Decimal) op {
		return func(a, b Decimal) (Decimal, bool) { return f(a, b), true }
	}
	ops := map[string]op{"+": exact(Decimal.Add), "-": exact(Decimal.Sub), "*": exact(Decimal.Mul), "/": Decimal.Quo, "div": Decimal.Div, "mod": Decimal.Mod}
	for _, c := range []struct{ a, op, b, want string }{
		{"1.5", "+", "2.25", "3.75"}, {"1.50", "+", "1", "2.50"}, {"1e3", "+", "0.001", "1000.001"},
		{"9223372036854775807", "+", "1", "9223372036854775808"}, {"-9223372036854775807", "-", "1", "-9223372036854775808"},
		{"1.0", "-", "1.00", "0.00"}, {"1.20", "*", "0.5", "0.600"}, {"99999999999", "*", "99999999999", "9999999999800000000001"},
		{"1", "/", "2", "0.5"}, {"4.0", "/", "2.0", "2"}, {"1", "/", "3", "0.3333333333333333333333333333"}, {"2", "/", "3", "0.6666666666666666666666666667"},
		{"-2", "/", "3", "-0.6666666666666666666666666667"}, {"100", "/", "1e1", "10"}, {"0", "/", "7", "0"}, {"1", "/", "0", ""}, {"1.2", "/", "1.8", "0.6666666666666666666666666667"},
		{"1e-30", "/", "3", "0.000000000000000000000000000000333333333333333333"}, {"1e20", "/", "1", "100000000000000000000"},
		{"5", "div", "2", "2"}, {"-5", "div", "2", "-2"}, {"5.5", "div", "0.7", "7"}, {"1", "div", "0.0", ""}, {"1e30", "div", "7", "142857142857142857142857142857"},
		{"5", "mod", "2", "1"}, {"-5", "mod", "2", "-1"}, {"5.5", "mod", "0.7", "0.6"}, {"2.2", "mod", "0.0", ""}, {"1e30", "mod", "7", "1"},
	} {
		got, ok := ops[c.op](mustDecimal(t, c.a), mustDecimal(t, c.b))
		if !ok {
			if c.want != "" {
				t.Errorf("%s %s %s has no answer; want %s", c.a, c.op, c.b, c.want)
			}
			continue
		}
		if got.String() != c.want {
			t.Errorf("%s %s %s = %s; want %s", c.a, c.op, c.b, got, c.want)
		}
	}
}

func TestDecimalRounding(t *testing.T) {
	for _, c := range []struct {
		in                     string
		n                      int
		round, trunc, fl, ceil string
	}{
		{"2.5", 0, "3", "2", "2", "3"}, {"-2.5", 0, "-3", "-2", "-3", "-2"}, {"3.14159", 2, "3.14", "3", "3", "4"}, {"-0.001", 2, "0.00", "0", "-1", "0"},
		{"1.00", 1, "1.0", "1", "1", "1"}, {"1.5", 4, "1.5", "1", "1", "2"}, {"1e2", 0, "1e2", "1e2", "1e2", "1e2"},
		{"12345678901234567890.55", 1, "12345678901234567890.6", "12345678901234567890", "12345678901234567890", "12345678901234567891"},
		{"0.0000000000000000000000001", 3, "0.000", "0", "0", "1"},
	} {
		d := mustDecimal(t, c.in)
		if got := []string{d.Round(c.n).String(), d.Truncate().String(), d.Floor().String(), d.Ceil().String()}; got[0] != c.round || got[1] != c.trunc || got[2] != c.fl || got[3] != c.ceil {
			t.Errorf("%s: round(%d), truncate, floor, ceil = %v; want %v", c.in, c.n, got, []string{c.round, c.trunc, c.fl, c.ceil})
		}
	}
}

func TestDecimalBoundsFollowTheLastDigitWritten(t *testing.T) {
	for _, c := range []struct{ in, lo, hi string }{
		{"100", "99.5", "100.5"}, {"1.00", "0.995", "1.005"}, {"1e2", "50", "150"}, {"0", "-0.5", "0.5"}, {"-5.4", "-5.45", "-5.35"},
		{"9223372036854775807", "9223372036854775806.5", "9223372036854775807.5"},
	} {
		lo, hi := mustDecimal(t, c.in).Bounds()
		if lo.Plain() != c.lo || hi.Plain() != c.hi {
			t.Errorf("%s: [%s, %s); want [%s, %s)", c.in, lo.Plain(), hi.Plain(), c.lo, c.hi)
		}
	}
}

func TestDecimalIsWholeAndFits(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"5", 5, true}, {"5.00", 5, true}, {"5e2", 500, true}, {"5.5", 0, false}, {"1e30", 0, false}, {"-9223372036854775808", -1 << 63, true}, {"0e900", 0, true},
		{"9223372036854775808", 0, false},
	} {
		if got, ok := mustDecimal(t, c.in).Int64(); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %t; want %d, %t", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestDecimalSmallValuesDoNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		a, _ := ParseDecimal("120.50")
		b, _ := ParseDecimal("1e2")
		lo, hi := a.Bounds()
		_ = lo.Cmp(b) + hi.Cmp(a.Add(b).Mul(b))
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// FuzzDecimal holds Decimal to encoding/json's grammar and to math/big's arithmetic.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "1.00", "1e2", "-5.5e-3", "9223372036854775807", "-9223372036854775808", "123456789012345678901234567890.5", "1e-1000", "0.7"} {
		f.Add(s, "0.7")
		f.Add("-1e18", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := ParseDecimal(a)
		if err != nil {
			return
		}
		if !json.Valid([]byte(a)) {
			t.Fatalf("%q is no JSON number", a)
		}
		again := mustDecimal(t, x.String())
		if again.Cmp(x) != 0 || again.Scale() != x.Scale() {
			t.Fatalf("%q: String %s reads back as %s", a, x, again)
		}
		lo, hi := x.Bounds()
		if lo.Cmp(x) >= 0 || hi.Cmp(x) <= 0 {
			t.Fatalf("%s is not inside of [%s, %s)", x, lo, hi)
		}
		y, err := ParseDecimal(b)
		if err != nil {
			return
		}
		rx, _ := new(big.Rat).SetString(x.Plain())
		ry, _ := new(big.Rat).SetString(y.Plain())
		same := func(name string, d Decimal, want *big.Rat) {
			if got, _ := new(big.Rat).SetString(d.Plain()); got.Cmp(want) != 0 {
				t.Fatalf("%s %s %s = %s; want %s", x, name, y, d, want)
			}
		}
		if x.Cmp(y) != rx.Cmp(ry) {
			t.Fatalf("Cmp(%s, %s) = %d", x, y, x.Cmp(y))
		}
		same("+", x.Add(y), new(big.Rat).Add(rx, ry))
		same("-", x.Sub(y), new(big.Rat).Sub(rx, ry))
		same("*", x.Mul(y), new(big.Rat).Mul(rx, ry))
		sx, ex := x.Significant(nil)
		sy, ey := y.Significant(nil)
		if (string(sx) == string(sy) && ex == ey) != (rx.Abs(rx).Cmp(ry.Abs(ry)) == 0) {
			t.Fatalf("Significant(%s) = %s, %d and Significant(%s) = %s, %d", x, sx, ex, y, sy, ey)
		}
		div, ok := x.Div(y)
		if mod, _ := x.Mod(y); ok && mod.Add(div.Mul(y)).Cmp(x) != 0 {
			t.Fatalf("%s = %s * %s + %s does not hold", x, div, y, mod)
		}
		if q, ok := x.Quo(y); ok {
			diff := q.Mul(y).Sub(x).Abs()
			if limit, _ := ParseDecimal("1e-28"); diff.Cmp(limit.Mul(y.Abs())) > 0 {
				t.Fatalf("%s / %s = %s is off", x, y, q)
			}
		}
	})
}

func BenchmarkParseDecimal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDecimal("120.50"); err != nil {
			b.Fatal(err)
		}
	}
}
