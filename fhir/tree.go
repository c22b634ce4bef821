package fhir

import (
	"iter"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// NodeKind is the JSON kind of a Node.
type NodeKind uint8

// The kinds of nodes. NoNode is that of the zero Node.
const (
	NoNode NodeKind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

// node is one value of a document, 32 bytes. Nodes stand in document order: the first child of i is i+1, and next is the index after the
// whole subtree of i.
type node struct {
	kind    NodeKind
	escaped uint8 // bit 0: the value has escapes; bit 1: the member name has
	nameLen uint16
	name    uint32 // offset of the member name's first byte; 0 for array items and the root
	start   uint32 // value, including a string's quotes
	end     uint32
	next    uint32
	parent  uint32
	count   uint32 // children of an object or array
}

const (
	valueEscaped = 1 << iota
	nameEscaped
)

// Tree is a parsed JSON document. It is immutable and safe for concurrent use; it keeps the parsed buffer, which must not be changed.
type Tree struct {
	src   []byte
	nodes []node
	// spaced is set where white space stands between tokens, so that minifying must copy.
	spaced bool
}

// Root returns the document's value.
func (t *Tree) Root() Node {
	if t == nil || len(t.nodes) == 0 {
		return Node{}
	}
	return Node{t, 0}
}

// Bytes returns the parsed buffer. It must not be changed.
func (t *Tree) Bytes() []byte { return t.src }

// Len returns the number of nodes.
func (t *Tree) Len() int { return len(t.nodes) }

// Node is one value of a Tree: two words, passed by value, comparable. The zero Node stands for "not there": its Kind is NoNode and all
// methods answer emptily, so that paths can be followed without checks.
type Node struct {
	t *Tree
	i uint32
}

// Valid reports whether n is there.
func (n Node) Valid() bool { return n.t != nil }

// Tree returns the document that n belongs to; nil for the zero Node.
func (n Node) Tree() *Tree { return n.t }

// Index returns n's position in document order, 0 for the root: a dense key for side tables.
func (n Node) Index() int { return int(n.i) }

// Kind returns n's JSON kind.
func (n Node) Kind() NodeKind {
	if n.t == nil {
		return NoNode
	}
	return n.t.nodes[n.i].kind
}

// Name returns the member name under which n stands in its object; "" for array items and the root.
func (n Node) Name() string {
	if n.t == nil {
		return ""
	}
	d := &n.t.nodes[n.i]
	if d.name == 0 {
		return ""
	}
	b := n.t.src[d.name : d.name+uint32(d.nameLen)]
	if d.escaped&nameEscaped != 0 {
		return unescape(b)
	}
	return unsafeString(b)
}

// RawName returns the member name as it is spelled, without its quotes; empty for array items and the root. It must not be changed.
func (n Node) RawName() []byte {
	if n.t == nil || n.t.nodes[n.i].name == 0 {
		return nil
	}
	d := &n.t.nodes[n.i]
	return n.t.src[d.name : d.name+uint32(d.nameLen)]
}

// Raw returns the bytes of the value as they stand in the buffer, a string's quotes included. They must not be changed.
func (n Node) Raw() []byte {
	if n.t == nil {
		return nil
	}
	d := &n.t.nodes[n.i]
	return n.t.src[d.start:d.end:d.end]
}

// Span returns the offsets of Raw in the Tree's bytes.
func (n Node) Span() (start, end int) {
	if n.t == nil {
		return 0, 0
	}
	d := &n.t.nodes[n.i]
	return int(d.start), int(d.end)
}

// Text returns a string's characters without quotes and escapes, and the literal of a number, true or false as it is written. It is "" for
// null, objects, arrays and the zero Node. Without escapes it shares the buffer and does not allocate.
func (n Node) Text() string {
	if n.t == nil {
		return ""
	}
	d := &n.t.nodes[n.i]
	switch d.kind {
	case String:
		b := n.t.src[d.start+1 : d.end-1]
		if d.escaped&valueEscaped != 0 {
			return unescape(b)
		}
		return unsafeString(b)
	case Number, Bool:
		return unsafeString(n.t.src[d.start:d.end])
	}
	return ""
}

// Len returns the number of members or items; 0 for other kinds.
func (n Node) Len() int {
	if n.t == nil {
		return 0
	}
	return int(n.t.nodes[n.i].count)
}

// Parent returns the object or array that n stands in; the zero Node for the root.
func (n Node) Parent() Node {
	if n.t == nil || n.i == 0 {
		return Node{}
	}
	return Node{n.t, n.t.nodes[n.i].parent}
}

// First returns the first member or item.
func (n Node) First() Node {
	if n.t == nil || n.t.nodes[n.i].count == 0 {
		return Node{}
	}
	return Node{n.t, n.i + 1}
}

// Next returns the following member or item of n's parent; the zero Node after the last.
func (n Node) Next() Node {
	if n.t == nil || n.i == 0 {
		return Node{}
	}
	d := &n.t.nodes[n.i]
	if d.next >= n.t.nodes[d.parent].next {
		return Node{}
	}
	return Node{n.t, d.next}
}

// Children yields members or items in document order.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for c := n.First(); c.Valid(); c = c.Next() {
			if !yield(c) {
				return
			}
		}
	}
}

// Get returns the member of an object by its JSON name; the zero Node where n is no object or has none.
func (n Node) Get(name string) Node {
	if n.t == nil || n.t.nodes[n.i].kind != Object {
		return Node{}
	}
	end := n.t.nodes[n.i].next
	for i := n.i + 1; i < end; i = n.t.nodes[i].next {
		d := &n.t.nodes[i]
		if d.escaped&nameEscaped == 0 {
			if int(d.nameLen) == len(name) && string(n.t.src[d.name:d.name+uint32(d.nameLen)]) == name {
				return Node{n.t, i}
			}
		} else if (Node{n.t, i}).Name() == name {
			return Node{n.t, i}
		}
	}
	return Node{}
}

// At returns the i-th item of an array, counted from 0; the zero Node past its ends. It costs i steps.
func (n Node) At(i int) Node {
	if i < 0 || i >= n.Len() {
		return Node{}
	}
	c := n.First()
	for ; i > 0; i-- {
		c = c.Next()
	}
	return c
}

// Path returns the FHIRPath of n from the nearest enclosing resource (an object with a resourceType), as "Patient.name[0].given[1]"; items
// of arrays carry their index. It is for messages: it costs a walk to the root.
func (n Node) Path() string { return string(n.appendPath(nil)) }

func (n Node) appendPath(dst []byte) []byte {
	if n.t == nil {
		return dst
	}
	if n.Kind() == Object {
		if rt := n.Get("resourceType"); rt.Kind() == String && ValidTypeName(rt.Text()) {
			return append(dst, rt.Text()...)
		}
	}
	p := n.Parent()
	if !p.Valid() {
		return dst
	}
	dst = p.appendPath(dst)
	if p.Kind() == Array {
		k := 0
		for c := p.First(); c.i != n.i; c = c.Next() {
			k++
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(k), 10)
		return append(dst, ']')
	}
	if len(dst) > 0 {
		dst = append(dst, '.')
	}
	return append(dst, n.Name()...)
}

// ValidTypeName reports whether s has the form of a resource type's name: a capital letter, then up to 63 letters.
func ValidTypeName(s string) bool {
	if len(s) == 0 || len(s) > 64 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// AppendJSON appends the value without white space between tokens. Literals, escapes and member order stay as they were written.
func (n Node) AppendJSON(dst []byte) []byte {
	if n.t == nil {
		return dst
	}
	if !n.t.spaced {
		return append(dst, n.Raw()...)
	}
	return appendMinified(dst, n.Raw())
}

// appendMinified appends valid JSON without white space outside of strings.
func appendMinified(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		switch c := src[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			j := i + 1
			for src[j] != '"' {
				if src[j] == '\\' {
					j++
				}
				j++
			}
			dst = append(dst, src[i:j+1]...)
			i = j + 1
		default:
			j := i + 1
			for j < len(src) && src[j] != '"' && src[j] > ' ' {
				j++
			}
			dst = append(dst, src[i:j]...)
			i = j
		}
	}
	return dst
}

// AppendString appends s as a JSON string literal. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// unsafeString views b as a string. Buffers of trees are never changed, which is what makes it safe.
func unsafeString(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
