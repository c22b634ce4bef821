package fhirpath

import (
	"strings"
	"unicode/utf8"
)

// String prints the expression so that Parse gives an equal one: one space around operators, parentheses only where precedence needs them,
// identifiers in back-quotes only where they must be.
func (e *Expression) String() string {
	var b strings.Builder
	printAST(&b, e.root, bindImplies)
	return b.String()
}

// binding returns how tightly a node holds together.
func (a *ast) binding() int {
	switch a.kind {
	case astBinary, astType:
		return bindings[a.text]
	case astUnary:
		return bindUnary
	}
	return bindInvocation
}

// printAST prints a where at least the binding power bind is needed.
func printAST(b *strings.Builder, a *ast, bind int) {
	if a.binding() < bind {
		b.WriteByte('(')
		printAST(b, a, bindImplies)
		b.WriteByte(')')
		return
	}
	switch a.kind {
	case astEmpty:
		b.WriteString("{}")
	case astBool, astNumber:
		b.WriteString(a.text)
	case astDollar:
		if a.in != nil {
			printAST(b, a.in, bindInvocation)
			b.WriteByte('.')
		}
		b.WriteString(a.text)
	case astString:
		printQuoted(b, a.text, '\'')
	case astQuantity:
		b.WriteString(a.text)
		b.WriteByte(' ')
		if a.word {
			b.WriteString(a.unit)
		} else {
			printQuoted(b, a.unit, '\'')
		}
	case astDate:
		b.WriteByte('@')
		b.WriteString(a.text)
	case astTime:
		b.WriteString("@T")
		b.WriteString(a.text)
	case astExternal:
		b.WriteByte('%')
		printIdentifier(b, a.text)
	case astMember, astCall:
		if a.in != nil {
			printAST(b, a.in, bindInvocation)
			b.WriteByte('.')
		}
		printIdentifier(b, a.text)
		if a.kind == astCall {
			b.WriteByte('(')
			for i, arg := range a.args {
				if i > 0 {
					b.WriteString(", ")
				}
				printAST(b, arg, bindImplies)
			}
			b.WriteByte(')')
		}
	case astIndex:
		printAST(b, a.in, bindInvocation)
		b.WriteByte('[')
		printAST(b, a.args[0], bindImplies)
		b.WriteByte(']')
	case astUnary:
		b.WriteString(a.text)
		printAST(b, a.args[0], bindUnary)
	case astBinary:
		printAST(b, a.args[0], a.binding())
		b.WriteByte(' ')
		b.WriteString(a.text)
		b.WriteByte(' ')
		printAST(b, a.args[1], a.binding()+1)
	case astType:
		printAST(b, a.in, a.binding())
		b.WriteByte(' ')
		b.WriteString(a.text)
		b.WriteByte(' ')
		for i, n := range a.names {
			if i > 0 {
				b.WriteByte('.')
			}
			printIdentifier(b, n)
		}
	}
}

func printIdentifier(b *strings.Builder, name string) {
	if isIdentifier(name) && !reserved[name] {
		b.WriteString(name)
		return
	}
	printQuoted(b, name, '`')
}

// printQuoted prints a string or a delimited identifier with the escapes it needs.
func printQuoted(b *strings.Builder, s string, quote byte) {
	b.WriteByte(quote)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < utf8.RuneSelf:
			b.WriteByte(c)
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+size])
			i += size
			continue
		}
		i++
	}
	b.WriteByte(quote)
}
