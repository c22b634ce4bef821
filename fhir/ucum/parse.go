package ucum

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// parser reads a unit (UCUM section 2.1, grammar). depth bounds parentheses and definitions that refer to others.
type parser struct {
	s     string
	i     int
	depth int
}

const maxDepth = 24

// parse reads a whole unit.
func parse(s string) (unit, bool) { return parseAt(s, 0) }

func parseAt(s string, depth int) (unit, bool) {
	if depth > maxDepth {
		return unit{}, false
	}
	if s == "" {
		s = "1"
	}
	if u, ok := specials[s]; ok {
		return u.unit(), true
	}
	p := parser{s: s, depth: depth}
	u, ok := p.term(true)
	return u, ok && p.i == len(s)
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// term reads components joined by "." and "/". A leading "/" is allowed at the beginning of a unit.
func (p *parser) term(leading bool) (unit, bool) {
	u := unit{num: one, den: one, name: "1"}
	exp := 1
	if leading && p.peek() == '/' {
		p.i++
		exp = -1
	}
	for {
		c, ok := p.component()
		if !ok {
			return u, false
		}
		if u, ok = u.times(&c, exp); !ok {
			return u, false
		}
		switch p.peek() {
		case '.':
			exp = 1
		case '/':
			exp = -1
		default:
			return u, true
		}
		p.i++
	}
}

// component reads a unit with an exponent, a number, an annotation or a term in parentheses.
func (p *parser) component() (unit, bool) {
	switch c := p.peek(); {
	case c == '(':
		if p.depth++; p.depth > maxDepth {
			return unit{}, false
		}
		p.i++
		u, ok := p.term(true)
		if !ok || p.peek() != ')' {
			return u, false
		}
		p.i++
		return u, p.annotation()
	case c == '{':
		return unit{num: one, den: one, name: "1"}, p.annotation()
	case isDigit(c) && !strings.HasPrefix(p.s[p.i:], "10*") && !strings.HasPrefix(p.s[p.i:], "10^"):
		start := p.i
		for isDigit(p.peek()) {
			p.i++
		}
		d, err := fhir.ParseDecimal(p.s[start:p.i])
		if err != nil || d.Sign() == 0 || p.i-start > 30 {
			return unit{}, false
		}
		return unit{num: d, den: one, name: "1"}, p.annotation()
	}
	start := p.i
	p.symbol()
	u, ok := atom(p.s[start:p.i], p.depth)
	if !ok {
		return u, false
	}
	exp, ok := p.exponent()
	if !ok {
		return u, false
	}
	if exp != 1 {
		unity := unit{num: one, den: one}
		if u, ok = unity.times(&u, exp); !ok {
			return u, false
		}
	}
	return u, p.annotation()
}

// symbol passes over a unit's symbol: square brackets hold anything, and "10*" and "10^" begin with digits.
func (p *parser) symbol() {
	if strings.HasPrefix(p.s[p.i:], "10") {
		p.i += 3
		return
	}
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '[':
			n := strings.IndexByte(p.s[p.i:], ']')
			if n < 0 {
				return
			}
			p.i += n + 1
		case isDigit(c) || strings.IndexByte("./(){}+-", c) >= 0:
			return
		default:
			p.i++
		}
	}
}

// exponent reads an optional exponent; 1 where there is none.
func (p *parser) exponent() (int, bool) {
	sign := 1
	signed := p.peek() == '+' || p.peek() == '-'
	if signed {
		if p.peek() == '-' {
			sign = -1
		}
		p.i++
	}
	if !isDigit(p.peek()) {
		return 1, !signed
	}
	n := 0
	for isDigit(p.peek()) {
		if n = n*10 + int(p.s[p.i]-'0'); n > maxExponent {
			return 0, false
		}
		p.i++
	}
	return sign * n, true
}

// annotation passes over an annotation in braces, where one stands; it has no meaning.
func (p *parser) annotation() bool {
	if p.peek() != '{' {
		return true
	}
	n := strings.IndexByte(p.s[p.i:], '}')
	if n < 0 {
		return false
	}
	p.i += n + 1
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// atom looks a symbol up: as it stands, or as a prefix and a metric unit.
func atom(s string, depth int) (unit, bool) {
	if u, ok := define(s, false, depth); ok {
		return u, true
	}
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(s, p.code)
		if !ok || rest == "" {
			continue
		}
		if u, ok := define(rest, true, depth); ok {
			f := unit{num: decimal(p.factor), den: one}
			return f.times(&u, 1)
		}
	}
	return unit{}, false
}

// define returns the unit of a symbol of the table; with metric only where it takes prefixes.
func define(s string, metric bool, depth int) (unit, bool) {
	if baseUnits[s] {
		return base(s), true
	}
	if arbitrary[s] != "" && (!metric || metricArbitrary[s]) {
		return base(arbitrary[s]), true
	}
	if sp, ok := specials[s]; ok {
		u := sp.unit()
		u.special = false
		return u, !metric || s == "Cel"
	}
	d, ok := units[s]
	if !ok || metric && !d.metric {
		return unit{}, false
	}
	u, ok := parseAt(d.unit, depth+1)
	if !ok {
		return u, false
	}
	f := unit{num: decimal(d.value), den: one}
	return f.times(&u, 1)
}

func base(s string) unit { return unit{num: one, den: one, powers: []power{{s, 1}}, name: s} }

// decimal reads a number of the tables.
func decimal(s string) fhir.Decimal {
	d, err := fhir.ParseDecimal(s)
	if err != nil {
		panic("ucum: " + s + " is no decimal")
	}
	return d
}
