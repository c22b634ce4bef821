package xml

import (
	"bytes"
	"encoding/binary"
	"html"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// reference reads the entity or character reference at the beginning of b; n is 0 where there is none.
func reference(b []byte) (r rune, n int) {
	end := bytes.IndexByte(b[:min(len(b), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := string(b[1:end]); name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		digits, base := strings.CutPrefix(name, "#x")
		if !base {
			if digits, base = strings.CutPrefix(name, "#"); !base {
				return 0, 0
			}
			r = number(digits, 10)
		} else {
			r = number(digits, 16)
		}
	}
	if !isChar(r) {
		return 0, 0
	}
	return r, end + 1
}

// number reads digits; 0 where they are none or stand for more than a character.
func number(digits string, base rune) rune {
	var r rune
	for i := 0; i < len(digits); i++ {
		var d rune
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f' && base == 16:
			d = rune(c|0x20-'a') + 10
		default:
			return 0
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0
		}
	}
	return r
}

// isChar reports whether r is a character of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < 0xd800 || r > 0xdfff && r != 0xfffe && r != 0xffff && r <= utf8.MaxRune
}

// namedEntity reads an entity of HTML, as &nbsp;, at the beginning of b; n is 0 where there is none.
func namedEntity(b []byte) (chars string, n int) {
	end := bytes.IndexByte(b[:min(len(b), 40)], ';')
	if end < 2 {
		return "", 0
	}
	name := string(b[:end+1])
	if chars = html.UnescapeString(name); chars == name || strings.HasSuffix(chars, ";") && len(chars) > 1 || strings.HasPrefix(name, "&#") {
		return "", 0
	}
	return chars, end + 1
}

// appendDecoded appends the value of an attribute: references decoded, and white space normalized as XML asks (a tab or line break that is
// not a reference is a space).
func appendDecoded(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '&':
			r, n := reference(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		case class[c]&isBreak != 0:
			if c == '\r' && i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
			dst = append(dst, ' ')
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// appendJSONString appends the value of an attribute as a JSON string. mask is the attribute's.
func appendJSONString(dst, b []byte, mask byte) []byte {
	dst = append(dst, '"')
	if mask&(isEntity|isBreak|isQuoted) == 0 {
		dst = append(dst, b...)
		return append(dst, '"')
	}
	for i := 0; i < len(b); {
		c := b[i]
		if class[c]&(isEntity|isBreak|isQuoted) == 0 {
			j := i + 1
			for j < len(b) && class[b[j]]&(isEntity|isBreak|isQuoted) == 0 {
				j++
			}
			dst = append(dst, b[i:j]...)
			i = j
			continue
		}
		switch c {
		case '&':
			r, n := reference(b[i:])
			dst = appendJSONRune(dst, r)
			i += n
			continue
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\r':
			if i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
			dst = append(dst, ' ')
		default:
			dst = append(dst, ' ')
		}
		i++
	}
	return append(dst, '"')
}

func appendJSONRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return utf8.AppendRune(dst, r)
}

// appendJSONBytes appends checked characters to a JSON string as they are, but for line ends, which are line feeds in XML.
func appendJSONBytes(dst, b []byte) []byte {
	for len(b) > 0 {
		j := plainText(b)
		dst = append(dst, b[:j]...)
		if j < len(b) {
			c := b[j]
			j++
			if c == '\r' {
				if j < len(b) && b[j] == '\n' {
					j++
				}
				c = '\n'
			}
			dst = appendJSONRune(dst, rune(c))
		}
		b = b[j:]
	}
	return dst
}

// plainText returns the offset of the first byte of b that a JSON string does not hold as it is; len(b) where there is none.
func plainText(b []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		if m := ((w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && class[b[i]]&(isBreak|isQuoted) == 0 {
		i++
	}
	return i
}

// isJSONNumber reports whether b is a number in JSON's grammar.
func isJSONNumber(b []byte) bool {
	if len(b) == 0 || b[0] != '-' && (b[0] < '0' || b[0] > '9') {
		return false
	}
	digits := func(i int) int {
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if b[0] == '-' {
		i = 1
	}
	from := i
	if i = digits(i); i == from || b[from] == '0' && i > from+1 {
		return false
	}
	if i < len(b) && b[i] == '.' {
		if from, i = i+1, digits(i+1); i == from {
			return false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if from, i = i, digits(i); i == from {
			return false
		}
	}
	return i == len(b)
}
