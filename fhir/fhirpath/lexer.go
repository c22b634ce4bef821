package fhirpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenKind is the lexical class of a token (FHIRPath N1, Lexical Elements).
type tokenKind uint8

const (
	tokEnd       tokenKind = iota
	tokSymbol              // operators and punctuation: text says which
	tokWord                // an identifier or a keyword, as written
	tokDelimited           // an identifier in back-quotes, unescaped
	tokString              // a string literal, unescaped
	tokNumber              // digits with an optional fraction, as written
	tokDate                // a date or dateTime literal without its @
	tokTime                // a time literal without its @T
	tokDollar              // $this, $index or $total
)

// token is one lexical element of an expression. pos and end are byte offsets.
type token struct {
	kind     tokenKind
	text     string
	pos, end int
}

// describe names the token for messages without repeating literals, which may hold anything.
func (t token) describe() string {
	switch t.kind {
	case tokEnd:
		return "the end of the expression"
	case tokString:
		return "a string"
	case tokNumber:
		return "a number"
	case tokDate:
		return "a date"
	case tokTime:
		return "a time"
	}
	if len(t.text) > 40 {
		return "a name"
	}
	return "'" + t.text + "'"
}

// lexer reads tokens one by one. White space and comments are passed over.
type lexer struct {
	src string
	i   int
}

// space passes over white space and comments. A block comment that does not end is an error.
func (l *lexer) space() error {
	for l.i < len(l.src) {
		switch c := l.src[l.i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			l.i++
		case strings.HasPrefix(l.src[l.i:], "//"):
			if n := strings.IndexAny(l.src[l.i:], "\r\n"); n >= 0 {
				l.i += n
			} else {
				l.i = len(l.src)
			}
		case strings.HasPrefix(l.src[l.i:], "/*"):
			n := strings.Index(l.src[l.i+2:], "*/")
			if n < 0 {
				return syntaxError(l.src, l.i, "a comment does not end", "*/")
			}
			l.i += n + 4
		default:
			return nil
		}
	}
	return nil
}

// next returns the next token.
func (l *lexer) next() (token, error) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	start := l.i
	if start >= len(l.src) {
		return token{kind: tokEnd, pos: start, end: start}, nil
	}
	made := func(kind tokenKind, text string) (token, error) {
		return token{kind, text, start, l.i}, nil
	}
	switch c := l.src[start]; {
	case isLetter(c):
		for l.i < len(l.src) && (isLetter(l.src[l.i]) || isDigit(l.src[l.i])) {
			l.i++
		}
		return made(tokWord, l.src[start:l.i])
	case isDigit(c):
		l.digits()
		if l.i+1 < len(l.src) && l.src[l.i] == '.' && isDigit(l.src[l.i+1]) {
			l.i++
			l.digits()
		}
		return made(tokNumber, l.src[start:l.i])
	case c == '\'' || c == '`':
		text, err := l.quoted(c)
		if err != nil {
			return token{}, err
		}
		if c == '`' {
			return made(tokDelimited, text)
		}
		return made(tokString, text)
	case c == '@':
		return l.moment()
	case c == '$':
		l.i++
		for l.i < len(l.src) && isLetter(l.src[l.i]) {
			l.i++
		}
		switch text := l.src[start:l.i]; text {
		case "$this", "$index", "$total":
			return made(tokDollar, text)
		}
		return token{}, syntaxError(l.src, start, "an unknown name after $", "$this, $index or $total")
	}
	for _, s := range [...]string{"<=", ">=", "!=", "!~"} {
		if strings.HasPrefix(l.src[start:], s) {
			l.i += 2
			return made(tokSymbol, s)
		}
	}
	if strings.IndexByte("+-*/&|<>=~.,()[]{}%", l.src[start]) >= 0 {
		l.i++
		return made(tokSymbol, l.src[start:l.i])
	}
	return token{}, syntaxError(l.src, start, "a character that no token begins with", "an operator, a name or a literal")
}

func (l *lexer) digits() {
	for l.i < len(l.src) && isDigit(l.src[l.i]) {
		l.i++
	}
}

// quoted reads a string or a delimited identifier and resolves its escapes.
func (l *lexer) quoted(quote byte) (string, error) {
	start := l.i
	l.i++
	var b strings.Builder
	from := l.i
	for l.i < len(l.src) {
		switch c := l.src[l.i]; c {
		case quote:
			if b.Len() == 0 {
				s := l.src[from:l.i]
				l.i++
				return s, nil
			}
			b.WriteString(l.src[from:l.i])
			l.i++
			return b.String(), nil
		case '\\':
			b.WriteString(l.src[from:l.i])
			r, size := escaped(l.src[l.i:])
			if r == utf8.RuneError && size == 0 {
				return "", syntaxError(l.src, l.i, "an escape sequence for half of a character", "both halves, such as \\ud83d\\ude00")
			}
			if size == 0 {
				return "", syntaxError(l.src, l.i, "an unknown escape sequence", "\\' \\\" \\` \\\\ \\/ \\f \\n \\r \\t or \\uXXXX")
			}
			b.WriteRune(r)
			l.i += size
			from = l.i
		default:
			l.i++
		}
	}
	return "", syntaxError(l.src, start, "a quoted literal does not end", "a closing "+string(quote))
}

// escaped decodes the escape sequence that s begins with; size is 0 where it is none, and r then
// utf8.RuneError for half of a surrogate pair. A pair of \u escapes that are surrogates is one rune.
func escaped(s string) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case '\'', '"', '`', '\\', '/':
		return rune(c), 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hexRune(s[2:])
		if !ok {
			return 0, 0
		}
		if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(s[6:], `\u`) {
			if low, ok := hexRune(s[8:]); ok && low >= 0xDC00 && low < 0xE000 {
				return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, 12
			}
		}
		if !utf8.ValidRune(r) {
			return utf8.RuneError, 0
		}
		return r, 6
	}
	return 0, 0
}

// hexRune reads four hexadecimal digits.
func hexRune(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		switch c := s[i]; {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// moment reads the longest date, dateTime or time literal at an @.
func (l *lexer) moment() (token, error) {
	start := l.i
	l.i++
	if l.i < len(l.src) && l.src[l.i] == 'T' {
		l.i++
		if !l.time() {
			return token{}, syntaxError(l.src, start, "a time literal without hours", "@Thh:mm:ss.fff")
		}
		return token{tokTime, l.src[start+2 : l.i], start, l.i}, nil
	}
	if !l.run(4) {
		return token{}, syntaxError(l.src, start, "a date literal without a year", "@YYYY-MM-DDThh:mm:ss.fff")
	}
	for range 2 {
		if l.i < len(l.src) && l.src[l.i] == '-' {
			if l.i++; !l.run(2) {
				l.i--
				break
			}
		}
	}
	if l.i < len(l.src) && l.src[l.i] == 'T' {
		l.i++
		if l.time() {
			l.zone()
		}
	}
	return token{tokDate, l.src[start+1 : l.i], start, l.i}, nil
}

// run passes over exactly n digits.
func (l *lexer) run(n int) bool {
	if l.i+n > len(l.src) {
		return false
	}
	for k := range n {
		if !isDigit(l.src[l.i+k]) {
			return false
		}
	}
	l.i += n
	return true
}

// time passes over hh, hh:mm, hh:mm:ss or hh:mm:ss.f, the longest that stands there; false where there are no hours.
func (l *lexer) time() bool {
	if !l.run(2) {
		return false
	}
	for range 2 {
		if l.i >= len(l.src) || l.src[l.i] != ':' {
			return true
		}
		if l.i++; !l.run(2) {
			l.i--
			return true
		}
	}
	if l.i+1 < len(l.src) && l.src[l.i] == '.' && isDigit(l.src[l.i+1]) {
		l.i++
		l.digits()
	}
	return true
}

// zone passes over Z or an offset, where one stands.
func (l *lexer) zone() {
	if l.i >= len(l.src) {
		return
	}
	back := l.i
	switch l.src[l.i] {
	case 'Z':
		l.i++
	case '+', '-':
		l.i++
		if !l.run(2) || l.i >= len(l.src) || l.src[l.i] != ':' {
			l.i = back
			return
		}
		if l.i++; !l.run(2) {
			l.i = back
		}
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isIdentifier reports whether s can stand as an identifier without back-quotes.
func isIdentifier(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// place renders a byte offset for messages: the column, with the line where the expression has several.
func place(src string, pos int) string {
	pos = min(pos, len(src))
	line := 1 + strings.Count(src[:pos], "\n")
	column := 1 + utf8.RuneCountInString(src[strings.LastIndexByte(src[:pos], '\n')+1:pos])
	if strings.Contains(src, "\n") {
		return fmt.Sprintf("line %d column %d", line, column)
	}
	return fmt.Sprintf("column %d", column)
}
