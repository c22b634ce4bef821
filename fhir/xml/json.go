package xml

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// The JSON that the writer reads. It is what Parse has accepted, or accepts, so a look at each byte is enough.

// bad is an error at an offset of the JSON.
type bad struct {
	at   int
	text string
	null bool // null is where a list has no sibling for it, as far as it was read
}

func (b *bad) Error() string { return b.text }

func (e *encoder) bad(at int, text string) error { return &bad{at: at, text: text} }

// explained makes an *fhir.Error of an error: that of JSON that cannot be parsed, or one that names the element.
func (e *encoder) explained(err error) error {
	b, ok := err.(*bad)
	if !ok {
		return err
	}
	r, err := fhir.ParseResource(e.src, fhir.Limits{Depth: 4 * maxWritten})
	if err != nil {
		return err
	}
	n := r.Node
	for found := true; found; {
		found = false
		for c := range n.Children() {
			if start, end := c.Span(); start <= b.at && b.at < end {
				n, found = c, true
				break
			}
		}
	}
	return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueStructure, ID: fhir.IDXMLUnrepresentable,
		Text: "the resource cannot be written as XML: " + b.text, Expression: n.Path()}}}
}

// resourceType returns the type of the resource that begins at i; nil where it has none.
func (e *encoder) resourceType() []byte {
	const first = `{"resourceType":"`
	if rest := e.src[e.i:]; len(rest) > len(first) && string(rest[:len(first)]) == first {
		rest = rest[len(first):]
		return rest[:max(bytes.IndexByte(rest, '"'), 0)]
	}
	begin := e.i
	defer func() { e.i = begin }()
	e.i++
	for e.next() == '"' {
		from := e.i
		e.skip()
		name := e.src[from:e.i]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = appendUnescaped(nil, name)
		}
		if e.next() != ':' {
			return nil
		}
		e.i++
		e.next()
		value := e.i
		e.skip()
		if string(name) == `"resourceType"` {
			if e.is(value, '"') && e.i-1 > value {
				return appendUnescaped(nil, e.src[value+1:e.i-1])
			}
			return nil
		}
		if e.next() != ',' {
			return nil
		}
		e.i++
	}
	return nil
}

// skip skips a value. At the end of the JSON it stops.
func (e *encoder) skip() {
	src, i := e.src, e.i
	depth := 0
	for i < len(src) {
		switch c := src[i]; c {
		case '"':
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default:
			for i+1 < len(src) && src[i+1] > ' ' && src[i+1] != ',' && src[i+1] != ']' && src[i+1] != '}' {
				i++
			}
		}
		if i++; depth <= 0 {
			break
		}
	}
	e.i = min(i, len(src))
}

// text writes the characters of a primitive, which comes next, as the value of an attribute.
func (e *encoder) text() error {
	c := e.next()
	if c == '"' {
		return e.characters()
	}
	if c != 't' && c != 'f' && c != '-' && (c < '0' || c > '9') {
		return e.bad(e.i, "the value is not a primitive")
	}
	i := e.i
	for i < len(e.src) && (class[e.src[i]]&isName != 0 || e.src[i] == '+') {
		i++
	}
	e.out = append(e.out, e.src[e.i:i]...)
	e.i = i
	return nil
}

// characters writes a string. Eight bytes are copied at a time up to one that is not written as it is.
func (e *encoder) characters() error {
	at, src, i, out := e.i, e.src, e.i+1, e.out
	for {
		if cap(out)-len(out) < 8 {
			out = slices.Grow(out, 64)
		}
		room, n, found := out[:cap(out)], len(out), false
		for i+8 <= len(src) && n+8 <= len(room) {
			w := binary.LittleEndian.Uint64(src[i:])
			binary.LittleEndian.PutUint64(room[n:], w)
			if m := specialBytes(w); m != 0 {
				k := bits.TrailingZeros64(m) / 8
				i, n, found = i+k, n+k, true
				break
			}
			i, n = i+8, n+8
		}
		out = room[:n]
		if !found {
			if i+8 <= len(src) {
				continue // there was no more room
			}
			for i < len(src) && !special[src[i]] {
				out = append(out, src[i])
				i++
			}
			if i == len(src) {
				return e.bad(at, "a string does not end")
			}
		}
		r, size := rune(src[i]), 1
		switch {
		case r == '"':
			e.i, e.out = i+1, out
			return nil
		case r == '\\':
			r, size = escaped(src[i:])
		case r >= utf8.RuneSelf:
			r, size = utf8.DecodeRune(src[i:])
		}
		i += size
		var ok bool
		if out, ok = appendAttributeRune(out, r); !ok {
			return e.bad(at, "the text has a character that XML does not have")
		}
	}
}

// special marks the bytes of a JSON string that are not written as they are, or need a look: 0xef begins the two characters of Unicode that XML
// does not have.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' || c == '&' || c == '<' || c == '>' || c == '"' || c == '\\' || c == 0xef
	}
	return t
}()

// specialBytes marks the special bytes of eight by their top bits. Above the lowest one that is set, others may be set too.
func specialBytes(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quotes := (w &^ (ones * ('"' ^ '&'))) ^ ones*('"'&'&')
	angles := (w | ones*('<'^'>')) ^ ones*('<'|'>')
	slash, high := w^ones*'\\', w^ones*0xef
	return ((w-ones*' ')&^w | (quotes-ones)&^quotes | (angles-ones)&^angles | (slash-ones)&^slash | (high-ones)&^high) & tops
}

// appendAttributeRune appends a character to an attribute's value. ok is false where XML does not have it.
func appendAttributeRune(dst []byte, r rune) (_ []byte, ok bool) {
	switch r {
	case '&':
		return append(dst, "&amp;"...), true
	case '<':
		return append(dst, "&lt;"...), true
	case '>':
		return append(dst, "&gt;"...), true
	case '"':
		return append(dst, "&quot;"...), true
	case '\t':
		return append(dst, "&#9;"...), true
	case '\n':
		return append(dst, "&#10;"...), true
	case '\r':
		return append(dst, "&#13;"...), true
	}
	return utf8.AppendRune(dst, r), isChar(r)
}

// escaped reads the escape sequence at the beginning of b; a wrong one is a character that XML does not have.
func escaped(b []byte) (r rune, size int) {
	if len(b) < 2 || b[0] != '\\' {
		return 0, 1
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		if len(b) < 6 {
			break
		}
		r = number(string(b[2:6]), 16)
		if utf16.IsSurrogate(r) && len(b) >= 12 {
			return utf16.DecodeRune(r, number(string(b[8:12]), 16)), 12
		}
		return r, 6
	}
	return 0, len(b)
}

// unescaped appends the characters of a string, which comes next.
func (e *encoder) unescaped(dst []byte) []byte {
	for e.i++; e.i < len(e.src); {
		n := plainText(e.src[e.i:])
		dst = append(dst, e.src[e.i:e.i+n]...)
		if e.i += n; e.i == len(e.src) {
			break
		}
		if e.src[e.i] == '"' {
			e.i++
			break
		}
		r, size := escaped(e.src[e.i:])
		dst = utf8.AppendRune(dst, r)
		e.i += size
	}
	return dst
}

// appendUnescaped appends the characters of a JSON string, which is given without its quotes.
func appendUnescaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		r, size := escaped(b[i:])
		dst, b = utf8.AppendRune(dst, r), b[i+size:]
	}
}
