package fhir

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Limits bound what Parse accepts. A zero field means the default.
type Limits struct {
	Depth int // nested objects and arrays; default 128
	Nodes int // values in a document; default 20,000,000
}

const (
	defaultDepth  = 128
	defaultNodes  = 20_000_000
	maxNameLength = math.MaxUint16
	// smallObject is the member count up to which duplicate names are found by comparison rather than through a map.
	smallObject = 24
)

// Parse reads one JSON document (RFC 8259) and builds its tree. src is kept and must not be changed afterwards. A leading byte order mark
// is passed over. Refused, with an *Error of KindInvalid (KindTooLarge for a limit) that names line and column: invalid UTF-8, lone
// surrogates in escapes, control characters in strings, duplicate member names, anything after the value, and what the grammar forbids.
// The issue ids are json-syntax, json-utf8, json-duplicate-key, json-trailing, json-depth, json-nodes.
func Parse(src []byte, lim Limits) (*Tree, error) {
	if lim.Depth == 0 {
		lim.Depth = defaultDepth
	}
	if lim.Nodes == 0 {
		lim.Nodes = defaultNodes
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if len(src) > math.MaxUint32-1 {
		return nil, NewError(KindTooLarge, IssueTooLong, IDJSONSize, "the document is larger than 4 GiB")
	}
	p := parser{src: src, lim: lim, nodes: make([]node, 0, expectedNodes(src))}
	if !utf8.Valid(src) {
		i := 0
		for i < len(src) {
			r, size := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		p.i = i
		return nil, p.fail(IDJSONUTF8, "the bytes are not valid UTF-8")
	}
	p.space()
	if err := p.value(0, 0); err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(src) {
		return nil, p.fail(IDJSONTrailing, "something follows the JSON value")
	}
	return &Tree{src: src, nodes: p.nodes, spaced: p.spaced}, nil
}

// TreeSize returns how many bytes of memory Parse sets aside for the tree of src, beside src itself.
func TreeSize(src []byte) int { return expectedNodes(src) * int(unsafe.Sizeof(node{})) }

// expectedNodes returns a capacity for the nodes of src. A value other than the root follows a comma or an opening bracket, which bounds
// their number; the bound is cut where punctuation in strings could make it cost more than a few times the document.
func expectedNodes(src []byte) int {
	n := 1 + bytes.Count(src, []byte{','}) + bytes.Count(src, []byte{'{'}) + bytes.Count(src, []byte{'['})
	return min(n, len(src)/12+8)
}

type parser struct {
	src    []byte
	i      int
	lim    Limits
	nodes  []node
	spaced bool
}

func (p *parser) fail(id IssueID, text string) error {
	read := p.src[:min(p.i, len(p.src))]
	line := bytes.Count(read, []byte{'\n'}) + 1
	col := utf8.RuneCount(read[bytes.LastIndexByte(read, '\n')+1:]) + 1
	kind, code := KindInvalid, IssueInvalid
	if id == IDJSONDepth || id == IDJSONNodes {
		kind, code = KindTooLarge, IssueTooLong
	}
	return NewError(kind, code, id, fmt.Sprintf("JSON, line %d column %d: %s", line, col, text))
}

// space passes over white space. It is small enough to be inlined for documents that have none.
func (p *parser) space() {
	if p.i < len(p.src) && p.src[p.i] <= ' ' {
		p.spaces()
	}
}

func (p *parser) spaces() {
	src, i := p.src, p.i
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\t' || src[i] == '\r') {
		i++
	}
	p.spaced = p.spaced || i > p.i
	p.i = i
}

// value parses the value at p.i as a child of parent. Its caller sets the name on the node it appends.
func (p *parser) value(parent uint32, depth int) error {
	if p.i >= len(p.src) {
		return p.fail(IDJSONSyntax, "the document ends where a value was expected")
	}
	if len(p.nodes) >= p.lim.Nodes {
		return p.fail(IDJSONNodes, fmt.Sprintf("more than %d values", p.lim.Nodes))
	}
	at := uint32(len(p.nodes))
	p.nodes = append(p.nodes, node{start: uint32(p.i), parent: parent})
	var err error
	switch c := p.src[p.i]; {
	case c == '{':
		err = p.object(at, depth+1)
	case c == '[':
		err = p.array(at, depth+1)
	case c == '"':
		p.nodes[at].kind = String
		var esc bool
		if esc, err = p.str(); esc {
			p.nodes[at].escaped |= valueEscaped
		}
	case c == '-' || c >= '0' && c <= '9':
		p.nodes[at].kind = Number
		err = p.number()
	default:
		err = p.literal(at)
	}
	if err != nil {
		return err
	}
	p.nodes[at].end = uint32(p.i)
	p.nodes[at].next = uint32(len(p.nodes))
	return nil
}

func (p *parser) literal(at uint32) error {
	for _, l := range [...]struct {
		text string
		kind NodeKind
	}{{"true", Bool}, {"false", Bool}, {"null", Null}} {
		if bytes.HasPrefix(p.src[p.i:], []byte(l.text)) {
			p.nodes[at].kind = l.kind
			p.i += len(l.text)
			return nil
		}
	}
	return p.fail(IDJSONSyntax, "expected a value")
}

func (p *parser) object(at uint32, depth int) error {
	if depth > p.lim.Depth {
		return p.fail(IDJSONDepth, fmt.Sprintf("nested deeper than %d", p.lim.Depth))
	}
	p.nodes[at].kind = Object
	p.i++
	p.space()
	var count uint32
	var seen map[string]struct{}
	if p.i < len(p.src) && p.src[p.i] == '}' {
		p.i++
		return nil
	}
	for {
		if p.i >= len(p.src) || p.src[p.i] != '"' {
			return p.fail(IDJSONSyntax, "expected a member name in double quotes")
		}
		nameAt := p.i
		esc, err := p.str()
		if err != nil {
			return err
		}
		nameEnd := p.i - 1
		if nameEnd-nameAt-1 > maxNameLength {
			p.i = nameAt
			return p.fail(IDJSONSyntax, "a member name is longer than 65,535 bytes")
		}
		p.space()
		if p.i >= len(p.src) || p.src[p.i] != ':' {
			return p.fail(IDJSONSyntax, "expected a colon after the member name")
		}
		p.i++
		p.space()
		child := uint32(len(p.nodes))
		if err := p.value(at, depth); err != nil {
			return err
		}
		d := &p.nodes[child]
		d.name, d.nameLen = uint32(nameAt+1), uint16(nameEnd-nameAt-1)
		if esc {
			d.escaped |= nameEscaped
		}
		if seen, err = p.unique(at, child, count, seen); err != nil {
			p.i = nameAt
			return p.fail(IDJSONDuplicateKey, "the object already has a member of this name")
		}
		count++
		p.space()
		if p.i >= len(p.src) {
			return p.fail(IDJSONSyntax, "the document ends inside an object")
		}
		switch p.src[p.i] {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			p.nodes[at].count = count
			return nil
		default:
			return p.fail(IDJSONSyntax, "expected a comma or a closing brace")
		}
	}
}

// errDuplicate is unique's answer; its caller makes the message.
var errDuplicate = fmt.Errorf("duplicate")

// unique checks child's name against the count members before it. Small objects are compared name by name; past smallObject a set is made
// once and passed on, so that the cost stays linear.
func (p *parser) unique(at, child, count uint32, seen map[string]struct{}) (map[string]struct{}, error) {
	t := &Tree{src: p.src, nodes: p.nodes}
	if count < smallObject {
		d := &p.nodes[child]
		name := p.src[d.name : d.name+uint32(d.nameLen)]
		for i := at + 1; i < child; i = p.nodes[i].next {
			e := &p.nodes[i]
			if (d.escaped|e.escaped)&nameEscaped == 0 {
				if e.nameLen == d.nameLen && bytes.Equal(p.src[e.name:e.name+uint32(e.nameLen)], name) {
					return nil, errDuplicate
				}
			} else if (Node{t, i}).Name() == (Node{t, child}).Name() {
				return nil, errDuplicate
			}
		}
		return nil, nil
	}
	if seen == nil {
		seen = make(map[string]struct{}, 2*count)
		for i := at + 1; i < child; i = p.nodes[i].next {
			seen[(Node{t, i}).Name()] = struct{}{}
		}
	}
	name := (Node{t, child}).Name()
	if _, ok := seen[name]; ok {
		return nil, errDuplicate
	}
	seen[name] = struct{}{}
	return seen, nil
}

func (p *parser) array(at uint32, depth int) error {
	if depth > p.lim.Depth {
		return p.fail(IDJSONDepth, fmt.Sprintf("nested deeper than %d", p.lim.Depth))
	}
	p.nodes[at].kind = Array
	p.i++
	p.space()
	var count uint32
	if p.i < len(p.src) && p.src[p.i] == ']' {
		p.i++
		return nil
	}
	for {
		if err := p.value(at, depth); err != nil {
			return err
		}
		count++
		p.space()
		if p.i >= len(p.src) {
			return p.fail(IDJSONSyntax, "the document ends inside an array")
		}
		switch p.src[p.i] {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			p.nodes[at].count = count
			return nil
		default:
			return p.fail(IDJSONSyntax, "expected a comma or a closing bracket")
		}
	}
}

// str passes over a string literal and reports whether it has escapes.
func (p *parser) str() (escaped bool, err error) {
	start := p.i
	p.i++
	for {
		p.i += plainLength(p.src[p.i:])
		if p.i >= len(p.src) {
			p.i = start
			return false, p.fail(IDJSONSyntax, "a string does not end")
		}
		switch p.src[p.i] {
		case '"':
			p.i++
			return escaped, nil
		case '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return false, err
			}
		default:
			return false, p.fail(IDJSONSyntax, "a string contains an unescaped control character")
		}
	}
}

// plainLength returns the offset of the first quote, backslash or control character of b; len(b) where there is none. Long strings are read
// eight bytes at a time: a byte's top bit is set in the sum of masks where it is one of the three, and possibly in bytes above it.
func plainLength(b []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		if m := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
		i++
	}
	return i
}

func (p *parser) escape() error {
	if p.i+1 < len(p.src) {
		switch p.src[p.i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			p.i += 2
			return nil
		case 'u':
			r := hex4(p.src[p.i+2:])
			if r < 0 {
				break
			}
			if !utf16.IsSurrogate(r) {
				p.i += 6
				return nil
			}
			rest := p.src[p.i+6:]
			if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' && utf16.DecodeRune(r, hex4(rest[2:])) != utf8.RuneError {
				p.i += 12
				return nil
			}
			return p.fail(IDJSONUTF8, "an escape sequence is half of a surrogate pair")
		}
	}
	return p.fail(IDJSONSyntax, "an escape sequence is not valid")
}

// hex4 reads four hexadecimal digits; -1 where b does not start with four.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

func (p *parser) number() error {
	digits := func() bool {
		start := p.i
		for p.i < len(p.src) && p.src[p.i] >= '0' && p.src[p.i] <= '9' {
			p.i++
		}
		return p.i > start
	}
	if p.src[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.src) && p.src[p.i] == '0' {
		p.i++
		if p.i < len(p.src) && p.src[p.i] >= '0' && p.src[p.i] <= '9' {
			return p.fail(IDJSONSyntax, "a number has a leading zero")
		}
	} else if !digits() {
		return p.fail(IDJSONSyntax, "a number has no digits")
	}
	if p.i < len(p.src) && p.src[p.i] == '.' {
		p.i++
		if !digits() {
			return p.fail(IDJSONSyntax, "a number has no digits after its point")
		}
	}
	if p.i < len(p.src) && p.src[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.src) && (p.src[p.i] == '+' || p.src[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return p.fail(IDJSONSyntax, "a number has no digits in its exponent")
		}
	}
	return nil
}

// unescape decodes the escapes of a string literal that the parser has checked.
func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		switch c := b[i+1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(b[i+2:])
			if utf16.IsSurrogate(r) {
				r = utf16.DecodeRune(r, hex4(b[i+8:]))
				i += 6
			}
			out = utf8.AppendRune(out, r)
			i += 4
		default:
			out = append(out, c)
		}
		i += 2
	}
	return string(out)
}
