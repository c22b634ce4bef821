package fhirpath

import (
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
)

// Limits on the text of an expression. They bound what parsing, printing and compiling cost.
const (
	maxSource = 64 << 10
	maxNodes  = 8_000
	maxNested = 250
)

// Parse reads an expression of FHIRPath N1 (http://hl7.org/fhirpath/N1, Grammar). It checks the syntax alone: names are looked up by Compile.
// The error is an *fhir.Error of KindInvalid with the issue id fhirpath-syntax or fhirpath-limit, the place and what was expected there.
func Parse(expr string) (*Expression, error) {
	if len(expr) > maxSource {
		return nil, fail(expr, 0, fhir.IDFHIRPathLimit, fmt.Sprintf("the expression is longer than %d bytes", maxSource), "a shorter one")
	}
	p := parser{lex: lexer{src: expr}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.expression(bindImplies)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.unexpected("an operator or the end of the expression")
	}
	return &Expression{src: expr, root: root}, nil
}

// parser is a precedence climber with one token of look-ahead.
type parser struct {
	lex    lexer
	tok    token
	nodes  int
	nested int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) unexpected(expected string) error {
	return syntaxError(p.lex.src, p.tok.pos, "found "+p.tok.describe(), expected)
}

func (p *parser) is(symbol string) bool { return p.tok.kind == tokSymbol && p.tok.text == symbol }

// take passes over a symbol that must stand here.
func (p *parser) take(symbol string) error {
	if !p.is(symbol) {
		return p.unexpected("'" + symbol + "'")
	}
	return p.advance()
}

// make counts and returns a node.
func (p *parser) make(n ast) (*ast, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, fail(p.lex.src, n.pos, fhir.IDFHIRPathLimit, fmt.Sprintf("the expression has more than %d parts", maxNodes), "a shorter one")
	}
	return &n, nil
}

// operator returns the binary operator at the current token and its binding power; 0 where there is none.
func (p *parser) operator() (string, int) {
	if p.tok.kind == tokSymbol || p.tok.kind == tokWord {
		return p.tok.text, bindings[p.tok.text]
	}
	return "", 0
}

// expression parses operators that bind at least as tightly as bind.
func (p *parser) expression(bind int) (*ast, error) {
	if p.nested++; p.nested > maxNested {
		return nil, fail(p.lex.src, p.tok.pos, fhir.IDFHIRPathLimit, fmt.Sprintf("nested deeper than %d", maxNested), "a flatter expression")
	}
	defer func() { p.nested-- }()
	left, err := p.unary()
	for err == nil {
		op, power := p.operator()
		if power < bind || power == 0 {
			return left, nil
		}
		pos := p.tok.pos
		if err = p.advance(); err != nil {
			break
		}
		if power == bindType {
			var names []string
			if names, err = p.qualified(); err == nil {
				left, err = p.make(ast{kind: astType, pos: pos, text: op, in: left, names: names})
			}
			continue
		}
		var right *ast
		if right, err = p.expression(power + 1); err == nil {
			left, err = p.make(ast{kind: astBinary, pos: pos, text: op, args: []*ast{left, right}})
		}
	}
	return nil, err
}

func (p *parser) unary() (*ast, error) {
	if p.is("+") || p.is("-") {
		op, pos := p.tok.text, p.tok.pos
		if err := p.advance(); err != nil {
			return nil, err
		}
		arg, err := p.expression(bindUnary)
		if err != nil {
			return nil, err
		}
		return p.make(ast{kind: astUnary, pos: pos, text: op, args: []*ast{arg}})
	}
	return p.invocations()
}

// invocations parses a term and all that is invoked on it.
func (p *parser) invocations() (*ast, error) {
	left, err := p.term()
	for err == nil {
		switch {
		case p.is("."):
			if err = p.advance(); err == nil {
				left, err = p.invocation(left)
			}
		case p.is("["):
			pos := p.tok.pos
			if err = p.advance(); err != nil {
				break
			}
			var index *ast
			if index, err = p.expression(bindImplies); err != nil {
				break
			}
			if err = p.take("]"); err == nil {
				left, err = p.make(ast{kind: astIndex, pos: pos, in: left, args: []*ast{index}})
			}
		default:
			return left, nil
		}
	}
	return nil, err
}

func (p *parser) term() (*ast, error) {
	t := p.tok
	switch t.kind {
	case tokString:
		return p.literal(ast{kind: astString, pos: t.pos, text: t.text})
	case tokNumber:
		return p.number()
	case tokDate:
		return p.literal(ast{kind: astDate, pos: t.pos, text: t.text})
	case tokTime:
		return p.literal(ast{kind: astTime, pos: t.pos, text: t.text})
	case tokWord:
		if t.text == "true" || t.text == "false" {
			return p.literal(ast{kind: astBool, pos: t.pos, text: t.text})
		}
		return p.invocation(nil)
	case tokDelimited, tokDollar:
		return p.invocation(nil)
	case tokSymbol:
		switch t.text {
		case "(":
			if err := p.advance(); err != nil {
				return nil, err
			}
			inner, err := p.expression(bindImplies)
			if err != nil {
				return nil, err
			}
			return inner, p.take(")")
		case "{":
			if err := p.advance(); err != nil {
				return nil, err
			}
			if err := p.take("}"); err != nil {
				return nil, err
			}
			return p.make(ast{kind: astEmpty, pos: t.pos})
		case "%":
			return p.external()
		}
	}
	return nil, p.unexpected("a literal, a name, a variable or '('")
}

// literal makes a node of the current token.
func (p *parser) literal(n ast) (*ast, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.make(n)
}

// number parses a number or a quantity.
func (p *parser) number() (*ast, error) {
	n := ast{kind: astNumber, pos: p.tok.pos, text: p.tok.text}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch {
	case p.tok.kind == tokString:
		n.kind, n.unit = astQuantity, p.tok.text
		return p.literal(n)
	case p.tok.kind == tokWord && calendarUnits[p.tok.text] != "":
		n.kind, n.unit, n.word = astQuantity, p.tok.text, true
		return p.literal(n)
	}
	return p.make(n)
}

func (p *parser) external() (*ast, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch p.tok.kind {
	case tokWord, tokDelimited, tokString:
		return p.literal(ast{kind: astExternal, pos: pos, text: p.tok.text})
	}
	return nil, p.unexpected("a name after %")
}

// identifier returns the identifier at the current token and passes over it.
func (p *parser) identifier() (string, error) {
	t := p.tok
	if t.kind == tokDelimited || t.kind == tokWord && !reserved[t.text] {
		return t.text, p.advance()
	}
	if t.kind == tokWord {
		return "", fail(p.lex.src, t.pos, fhir.IDFHIRPathSyntax, "`"+t.text+"` is a keyword", "a name; write the keyword in backquotes to use it as one")
	}
	return "", p.unexpected("a name")
}

// invocation parses a member, a call or a $variable on in. Behind a dot a keyword can only be a name, as in Patient.text.div, which published
// paths write without back-quotes.
func (p *parser) invocation(in *ast) (*ast, error) {
	pos := p.tok.pos
	if p.tok.kind == tokDollar {
		return p.literal(ast{kind: astDollar, pos: pos, text: p.tok.text, in: in})
	}
	var name string
	var err error
	if in != nil && p.tok.kind == tokWord && reserved[p.tok.text] {
		name = p.tok.text
		err = p.advance()
	} else {
		name, err = p.identifier()
	}
	if err != nil {
		return nil, err
	}
	if !p.is("(") {
		return p.make(ast{kind: astMember, pos: pos, text: name, in: in})
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var args []*ast
	for !p.is(")") {
		if len(args) > 0 {
			if err := p.take(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.expression(bindImplies)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.make(ast{kind: astCall, pos: pos, text: name, in: in, args: args})
}

// qualified parses the names of a type specifier.
func (p *parser) qualified() ([]string, error) {
	name, err := p.identifier()
	names := []string{name}
	for err == nil && p.is(".") {
		if err = p.advance(); err == nil {
			name, err = p.identifier()
			names = append(names, name)
		}
	}
	return names, err
}
