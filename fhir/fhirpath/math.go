package fhirpath

import (
	"math"
	"math/bits"

	"github.com/fhirgate/fhirgate/fhir"
)

// Limits on decimals, so that chained arithmetic can't grow numbers without bound. Digits past maxScale are rounded off; a result of more than
// maxDigits digits is empty, as an overflow is (N1, Math).
const (
	maxScale  = 28
	maxDigits = 100
)

// arithmeticType says what an arithmetic operator yields; ok is false where no types of the operands fit it.
func arithmeticType(op string, a, b static) (s static, ok bool) {
	if a.never() || b.never() {
		return static{}, true
	}
	if a.any || b.any {
		return anything.one(), true
	}
	for _, x := range a.types {
		for _, y := range b.types {
			if x.fhir != nil && x.fhir.Abstract || y.fhir != nil && y.fhir.Abstract {
				return anything.one(), true
			}
			if k := arithmeticKind(op, x.kind(), y.kind()); k != NoKind {
				s, ok = s.join(system(k)), true
			}
		}
	}
	return s, ok
}

func arithmeticKind(op string, a, b Kind) Kind {
	number := func(k Kind) bool { return k == Integer || k == DecimalKind }
	switch {
	case number(a) && number(b):
		if op == "div" || a == Integer && b == Integer && op != "/" {
			return Integer
		}
		return DecimalKind
	case op == "+" && a == String && b == String:
		return String
	case (op == "+" || op == "-") && (a == DateKind || a == DateTimeKind || a == TimeKind) && b == QuantityKind:
		return a
	case op != "div" && op != "mod" && (a == QuantityKind && (b == QuantityKind || number(b)) || number(a) && b == QuantityKind):
		return QuantityKind
	}
	return NoKind
}

func (m *machine) arithmetic(x *binaryExpr, base, mid int) error {
	ia, ib, ok, err := m.operands(x, base, mid)
	if err != nil || !ok {
		return err
	}
	a, b := ia.value(), ib.value()
	if a.kind == NoKind && valueless(&ia) || b.kind == NoKind && valueless(&ib) {
		m.cut(base)
		return nil
	}
	k := arithmeticKind(x.op, a.kind, b.kind)
	switch k {
	case NoKind:
		return m.fail(x.pos, fhir.IDFHIRPathType, "the operator "+x.op+" is not defined for its operands", "operands of one type")
	case String:
		return m.answerText(base, a.s+b.s, x.pos)
	case DateKind, DateTimeKind, TimeKind:
		sign := 1
		if x.op == "-" {
			sign = -1
		}
		r, ok, err := m.shift(a, Quantity{b.d, b.s, b.b, b.i == 1}.normal(), sign, x.pos)
		if err != nil {
			return err
		}
		if !ok {
			m.cut(base)
			return nil
		}
		return m.answer(base, r.item())
	case QuantityKind:
		return m.quantityArithmetic(x, a, b, base)
	}
	var r value
	if a.kind == Integer && b.kind == Integer && x.op != "/" {
		r, ok = integerArithmetic(x.op, a.i, b.i)
	} else {
		r, ok = decimalArithmetic(x.op, a, b)
	}
	if !ok {
		m.cut(base)
		return nil
	}
	return m.answer(base, r.item())
}

// integerArithmetic computes in 64 bits; ok is false on overflow and where the divisor is 0.
func integerArithmetic(op string, a, b int64) (value, bool) {
	r := value{kind: Integer}
	switch op {
	case "+":
		r.i = a + b
		return r, (r.i > a) == (b > 0)
	case "-":
		r.i = a - b
		return r, (r.i < a) == (b > 0)
	case "*":
		hi, lo := bits.Mul64(magnitude(a), magnitude(b))
		r.i = a * b
		return r, hi == 0 && lo <= math.MaxInt64
	}
	if b == 0 || b == -1 && a == math.MinInt64 {
		return r, false
	}
	if op == "div" {
		r.i = a / b
	} else {
		r.i = a % b
	}
	return r, true
}

func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

// decimalArithmetic computes in decimals; ok is false on overflow and where the divisor is 0.
func decimalArithmetic(op string, a, b value) (value, bool) {
	x, _ := a.decimal()
	y, _ := b.decimal()
	r, ok := value{kind: DecimalKind}, true
	switch op {
	case "+":
		r.d = x.Add(y)
	case "-":
		r.d = x.Sub(y)
	case "*":
		r.d = x.Mul(y)
	case "/":
		r.d, ok = x.Quo(y)
	case "mod":
		r.d, ok = x.Mod(y)
	case "div":
		if r.d, ok = x.Div(y); ok {
			r.kind = Integer
			r.i, ok = r.d.Int64()
			return r, ok
		}
	}
	if !ok {
		return r, false
	}
	return bounded(r)
}

// bounded holds a decimal to the limits.
func bounded(v value) (value, bool) {
	if v.d.Scale() > maxScale {
		v.d = v.d.Round(maxScale)
	}
	return v, v.d.Precision() <= maxDigits
}

func (m *machine) quantityArithmetic(x *binaryExpr, a, b value, base int) error {
	p, _ := a.quantity()
	q, _ := b.quantity()
	var r Quantity
	var ok bool
	switch x.op {
	case "+":
		r, ok = addQuantities(p, q, 1)
	case "-":
		r, ok = addQuantities(p, q, -1)
	default:
		r, ok = multiply(p, q, x.op == "/")
	}
	v, fits := bounded(r.value())
	if !ok || !fits {
		m.cut(base)
		return nil
	}
	return m.answer(base, v.item())
}

var numberOrQuantity = []Kind{Integer, DecimalKind, QuantityKind}

var number = []Kind{Integer, DecimalKind}

var _ = define(map[string]*function{
	"abs":      {input: numberOrQuantity, result: sameKind, run: runAbs},
	"ceiling":  {input: number, result: answers(Integer), run: rounding(fhir.Decimal.Ceil)},
	"floor":    {input: number, result: answers(Integer), run: rounding(fhir.Decimal.Floor)},
	"truncate": {input: number, result: answers(Integer), run: rounding(fhir.Decimal.Truncate)},
	"exp":      {input: number, result: answers(DecimalKind), run: float(math.Exp)},
	"ln":       {input: number, result: answers(DecimalKind), run: float(math.Log)},
	"sqrt":     {input: number, result: answers(DecimalKind), run: float(math.Sqrt)},
	"log":      {min: 1, max: 1, input: number, params: [][]Kind{number}, result: answers(DecimalKind), run: runLog},
	"power":    {min: 1, max: 1, input: number, params: [][]Kind{number}, result: answers(Integer, DecimalKind), run: runPower},
	"round":    {max: 1, input: number, params: [][]Kind{{Integer}}, result: answers(DecimalKind), run: runRound},
})

// sameKind is the result rule of functions that answer with the System type of their input.
func sameKind(_ *compiler, in static, _ []static) static {
	if in.any {
		return anything.one()
	}
	var s static
	for _, t := range in.types {
		s = s.join(system(t.kind()))
	}
	return s
}

// number reads the input as one number; ok is false, and the input gone, where there is none.
func (m *machine) number(x *callExpr, base int) (v value, ok bool, err error) {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return v, false, err
	}
	v = it.value()
	switch v.kind {
	case Integer, DecimalKind:
		return v, true, nil
	case NoKind:
		if valueless(&it) {
			return v, false, nil
		}
	}
	return v, false, m.fail(x.pos, fhir.IDFHIRPathType, "the input is not a number", "an Integer or a Decimal")
}

func runAbs(m *machine, x *callExpr, base int) error {
	if it, ok, err := m.single(base, x.pos); err == nil && ok {
		if v := it.value(); v.kind == QuantityKind {
			v.d = v.d.Abs()
			return m.answer(base, v.item())
		}
	}
	v, ok, err := m.number(x, base)
	if err != nil || !ok || v.kind == Integer && v.i == math.MinInt64 {
		return err
	}
	v.i, v.d = max(v.i, -v.i), v.d.Abs()
	m.push(v.item())
	return nil
}

// rounding returns a function that makes an Integer of a number.
func rounding(f func(fhir.Decimal) fhir.Decimal) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		v, ok, err := m.number(x, base)
		if err != nil || !ok {
			return err
		}
		if v.kind == DecimalKind {
			if v.i, ok = f(v.d).Int64(); !ok {
				return nil
			}
		}
		m.push(IntegerItem(v.i))
		return nil
	}
}

// float returns a function that computes in floating point, and answers emptily where there is no real result. Results are rounded to 8
// digits after the point, as N1 asks of Decimal.
func float(f func(float64) float64) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		v, ok, err := m.number(x, base)
		if err != nil || !ok {
			return err
		}
		d, _ := v.decimal()
		m.pushFloat(f(d.Float64()))
		return nil
	}
}

func (m *machine) pushFloat(f float64) {
	if d, ok := fhir.FromFloat(f); ok {
		if v, ok := bounded(value{kind: DecimalKind, d: d.Round(8)}); ok {
			m.push(v.item())
		}
	}
}

// argument evaluates the i-th argument as a single System value; ok is false where it is absent or yields nothing.
func (m *machine) argument(x *callExpr, i int) (v value, ok bool, err error) {
	if i >= len(x.args) {
		return v, false, nil
	}
	return m.value(x.args[i], x.pos)
}

// numberArgument is argument for numbers.
func (m *machine) numberArgument(x *callExpr, i int) (v value, ok bool, err error) {
	v, ok, err = m.argument(x, i)
	if err == nil && ok && v.kind != Integer && v.kind != DecimalKind {
		err = m.fail(x.pos, fhir.IDFHIRPathType, "an argument is not a number", "an Integer or a Decimal")
	}
	return v, ok, err
}

func runLog(m *machine, x *callExpr, base int) error {
	v, ok, err := m.number(x, base)
	if err != nil || !ok {
		return err
	}
	b, ok, err := m.numberArgument(x, 0)
	if err != nil || !ok {
		return err
	}
	d, _ := v.decimal()
	e, _ := b.decimal()
	if e.Sign() <= 0 {
		return nil // no power of such a base is the input
	}
	m.pushFloat(math.Log(d.Float64()) / math.Log(e.Float64()))
	return nil
}

func runRound(m *machine, x *callExpr, base int) error {
	v, ok, err := m.number(x, base)
	if err != nil || !ok {
		return err
	}
	n, ok, err := m.numberArgument(x, 0)
	if err != nil {
		return err
	}
	if ok && (n.kind != Integer || n.i < 0) {
		return m.fail(x.pos, fhir.IDFHIRPathType, "the precision is not a whole number of digits", "an Integer of 0 or above")
	}
	d, _ := v.decimal()
	m.push(DecimalItem(d.Round(int(min(n.i, maxDigits)))))
	return nil
}
