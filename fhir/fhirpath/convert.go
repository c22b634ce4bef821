package fhirpath

import (
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Functions of N1, Conversion.

var _ = define(map[string]*function{
	"iif":                {min: 2, max: 3, compile: compileIif, run: runIif},
	"toBoolean":          {result: answers(Boolean), run: converts(toBoolean)},
	"toInteger":          {result: answers(Integer), run: converts(toInteger)},
	"toDecimal":          {result: answers(DecimalKind), run: converts(toDecimal)},
	"toString":           {result: answers(String), run: converts(toText)},
	"toDate":             {result: answers(DateKind), run: converts(toDate)},
	"toDateTime":         {result: answers(DateTimeKind), run: converts(toDateTime)},
	"toTime":             {result: answers(TimeKind), run: converts(toTime)},
	"toQuantity":         {max: 1, params: oneText, result: answers(QuantityKind), run: runToQuantity},
	"convertsToBoolean":  {result: answers(Boolean), run: convertible(toBoolean)},
	"convertsToInteger":  {result: answers(Boolean), run: convertible(toInteger)},
	"convertsToDecimal":  {result: answers(Boolean), run: convertible(toDecimal)},
	"convertsToString":   {result: answers(Boolean), run: convertible(toText)},
	"convertsToDate":     {result: answers(Boolean), run: convertible(toDate)},
	"convertsToDateTime": {result: answers(Boolean), run: convertible(toDateTime)},
	"convertsToTime":     {result: answers(Boolean), run: convertible(toTime)},
	"convertsToQuantity": {max: 1, params: oneText, result: answers(Boolean), run: runConvertsToQuantity},
})

// compileIif compiles iif(): criterion and branches see the input's single item as $this.
func compileIif(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	var s static
	for i, arg := range a.args {
		ax, as, err := c.lambda(arg, in)
		if err != nil {
			return nil, in, err
		}
		x.args = append(x.args, ax)
		if i > 0 {
			s = s.join(as)
			continue
		}
		if !as.any && len(as.types) > 0 && !as.may(Boolean) {
			return nil, in, c.fail(arg.pos, fhir.IDFHIRPathType, "the criterion is "+as.describe(), "a Boolean")
		}
	}
	return x, s, nil
}

func runIif(m *machine, x *callExpr, base int) error {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil {
		return err
	}
	saved := m.frame
	m.frame.this, m.frame.hasThis = it, ok
	defer func() { m.frame = saved }()
	is, err := m.tri(x.args[0], x.pos)
	if err != nil {
		return err
	}
	if is == yes {
		return x.args[1].eval(m)
	}
	if len(x.args) > 2 {
		return x.args[2].eval(m)
	}
	return nil
}

// converts returns a function that converts the single item of the input; the answer is empty where it does not convert.
func converts(to func(value) (value, bool)) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		it, ok, err := m.single(base, x.pos)
		m.cut(base)
		if err != nil || !ok {
			return err
		}
		if v, ok := to(it.value()); ok {
			m.push(v.item())
		}
		return nil
	}
}

// convertible returns the function that says whether converts would answer.
func convertible(to func(value) (value, bool)) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		it, ok, err := m.single(base, x.pos)
		m.cut(base)
		if err != nil || !ok {
			return err
		}
		_, ok = to(it.value())
		m.push(BooleanItem(ok))
		return nil
	}
}

func toBoolean(v value) (value, bool) {
	switch v.kind {
	case Boolean:
		return v, true
	case Integer, DecimalKind:
		d, _ := v.decimal()
		for i := range int64(2) {
			if d.Cmp(fhir.FromInt(i)) == 0 {
				return value{kind: Boolean, b: i == 1}, true
			}
		}
	case String:
		switch strings.ToLower(v.s) {
		case "true", "t", "yes", "y", "1", "1.0":
			return value{kind: Boolean, b: true}, true
		case "false", "f", "no", "n", "0", "0.0":
			return value{kind: Boolean}, true
		}
	}
	return v, false
}

func toInteger(v value) (value, bool) {
	switch v.kind {
	case Integer:
		return v, true
	case Boolean:
		if v.b {
			return value{kind: Integer, i: 1}, true
		}
		return value{kind: Integer}, true
	case String:
		if s := strings.TrimPrefix(strings.TrimPrefix(v.s, "+"), "-"); s == "" || !isDigit(s[0]) || len(v.s)-len(s) > 1 {
			return v, false
		}
		i, err := strconv.ParseInt(v.s, 10, 64)
		return value{kind: Integer, i: i}, err == nil
	}
	return v, false
}

func toDecimal(v value) (value, bool) {
	switch v.kind {
	case DecimalKind:
		return v, true
	case Integer:
		return value{kind: DecimalKind, d: fhir.FromInt(v.i)}, true
	case Boolean:
		d, ok := parseNumber("0.0")
		if v.b {
			d, ok = parseNumber("1.0")
		}
		return value{kind: DecimalKind, d: d}, ok
	case String:
		d, ok := parseNumber(v.s)
		return value{kind: DecimalKind, d: d}, ok
	}
	return v, false
}

// parseNumber reads (+|-)? digits with an optional fraction, leading zeros allowed.
func parseNumber(s string) (fhir.Decimal, bool) {
	body := s
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		body = s[1:]
	}
	if body == "" || !isDigit(body[0]) || strings.ContainsAny(body, "eE") {
		return fhir.Decimal{}, false
	}
	d, err := fhir.ParseDecimal(trimZeros(body))
	if neg {
		d = d.Neg()
	}
	return d, err == nil
}

func toText(v value) (value, bool) {
	s, ok := v.text()
	return value{kind: String, s: s}, ok
}

func toDate(v value) (value, bool) {
	switch v.kind {
	case DateKind:
		return v, true
	case DateTimeKind:
		return value{kind: DateKind, t: dateOf(v.t)}, true
	case String:
		t, err := fhir.ParsePartial(v.s)
		if err != nil || strings.Contains(v.s, "T") && t.Precision < fhir.PrecisionHour {
			return v, false
		}
		return value{kind: DateKind, t: dateOf(t)}, true
	}
	return v, false
}

// dateOf drops the time and the zone.
func dateOf(t fhir.DateTime) fhir.DateTime {
	d := fhir.DateTime{Year: t.Year, Month: t.Month, Day: t.Day}
	d.Precision = min(t.Precision, fhir.PrecisionDay)
	return d
}

func toDateTime(v value) (value, bool) {
	switch v.kind {
	case DateTimeKind:
		return v, true
	case DateKind:
		return value{kind: DateTimeKind, t: v.t}, true
	case String:
		t, err := fhir.ParsePartial(v.s)
		return value{kind: DateTimeKind, t: t}, err == nil
	}
	return v, false
}

func toTime(v value) (value, bool) {
	switch v.kind {
	case TimeKind:
		return v, true
	case String:
		t, err := fhir.ParsePartialTime(strings.TrimPrefix(v.s, "T"))
		return value{kind: TimeKind, t: fhir.DateTime{Time: t}}, err == nil
	}
	return v, false
}

func toQuantity(v value) (value, bool) {
	switch v.kind {
	case QuantityKind:
		return v, true
	case Integer, DecimalKind, Boolean:
		v, _ = toDecimal(v)
		return value{kind: QuantityKind, d: v.d, s: "1"}, true
	case String:
		return parseQuantity(v.s)
	}
	return v, false
}

// parseQuantity reads a number, and a unit in quotes or a calendar word behind it (N1, toQuantity).
func parseQuantity(s string) (value, bool) {
	n := strings.IndexFunc(s, func(r rune) bool { return r != '+' && r != '-' && r != '.' && (r < '0' || r > '9') })
	if n < 0 {
		n = len(s)
	}
	d, ok := parseNumber(s[:n])
	if !ok {
		return value{}, false
	}
	unit := strings.TrimSpace(s[n:])
	q := value{kind: QuantityKind, d: d, s: "1"}
	switch {
	case unit == "":
		return q, n == len(s)
	case len(unit) > 2 && unit[0] == '\'' && unit[len(unit)-1] == '\'':
		q.s = unit[1 : len(unit)-1]
		return q, !strings.Contains(q.s, "'")
	}
	q.s, q.b = calendarUnits[unit], true
	return q, q.s != ""
}

// quantityIn converts the input to a Quantity, and to the unit of the argument where there is one.
func (m *machine) quantityIn(x *callExpr, base int) (q value, ok, some bool, err error) {
	it, some, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !some {
		return q, false, false, err
	}
	q, ok = toQuantity(it.value())
	unit, given, err := m.textArgument(x, 0)
	if err != nil || !ok || !given {
		return q, ok, true, err
	}
	r, ok := convertQuantity(Quantity{Value: q.d, Unit: q.s, Calendar: q.b}, unit)
	return r.value(), ok, true, nil
}

// convertQuantity returns q in another unit of its dimension.
func convertQuantity(q Quantity, unit string) (Quantity, bool) {
	to := Quantity{Value: fhir.FromInt(1), Unit: unit}.normal()
	q = q.normal()
	if to.Unit == q.Unit && to.Calendar == q.Calendar {
		return q, true
	}
	x, unitX, okX := q.canonical(to, false)
	y, unitY, okY := to.canonical(q, false)
	if !okX || !okY || unitX != unitY {
		return q, false
	}
	r, ok := x.Quo(y)
	to.Value = r
	return to, ok
}

func runToQuantity(m *machine, x *callExpr, base int) error {
	q, ok, _, err := m.quantityIn(x, base)
	if err == nil && ok {
		m.push(q.item())
	}
	return err
}

func runConvertsToQuantity(m *machine, x *callExpr, base int) error {
	_, ok, some, err := m.quantityIn(x, base)
	if err == nil && some {
		m.push(BooleanItem(ok))
	}
	return err
}
