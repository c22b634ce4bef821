package xml

import (
	"bytes"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// Options change how a resource is written.
type Options struct {
	// Pretty indents elements by two spaces; a narrative stays as it is.
	Pretty bool
}

const header = `<?xml version="1.0" encoding="UTF-8"?>`

// maxWritten bounds the nesting of objects that are written. What Parse accepts has fewer.
const maxWritten = 500

// AppendXML appends the document of a resource, which is given as the JSON that fhir.ParseResource accepts. What XML cannot hold is an *fhir.Error
// of KindUnprocessable that names the element: elements that the definitions do not know, a value whose JSON is not that of its type, characters
// that XML does not have, and a narrative that is not one well-formed div. Of other bytes the result is an error or a document of no use.
func (f *Format) AppendXML(dst, resource []byte, opt Options) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	e.f, e.pretty, e.out = f, opt.Pretty, dst
	e.src = bytes.TrimPrefix(resource, []byte("\xef\xbb\xbf"))
	if err := e.document(); err != nil {
		return nil, e.explained(err)
	}
	return e.out, nil
}

// encoder writes the XML of JSON in one pass over its bytes.
type encoder struct {
	f      *Format
	src    []byte
	i      int // what of src comes next
	out    []byte
	pretty bool
	// parts is a stack of the members of the objects that are being written.
	parts []part
	// scratch is room for parts that change places, and for the text of a narrative.
	scratch []byte
	// div reads the narratives, one after the other.
	div scanner
}

// encoders are encoders whose room is used again.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// release gives the room back; it keeps nothing of a resource that is reachable.
func (e *encoder) release() {
	e.f, e.src, e.i, e.out, e.parts = nil, nil, 0, nil, e.parts[:0]
	e.div.buf = nil
	if cap(e.parts) <= 1000 && cap(e.scratch) <= 4*chunk {
		encoders.Put(e)
	}
}

// next skips white space and returns the byte that follows; 0 at the end.
func (e *encoder) next() byte {
	for e.i < len(e.src) {
		if c := e.src[e.i]; c > ' ' {
			return c
		}
		e.i++
	}
	return 0
}

func (e *encoder) document() error {
	e.out = append(e.out, header...)
	if !e.pretty {
		e.out = append(e.out, '\n')
	}
	e.next()
	err := e.resource(0)
	if e.pretty {
		e.out = append(e.out, '\n')
	}
	return err
}

// line begins a line where the document is indented.
func (e *encoder) line(depth int) {
	if !e.pretty {
		return
	}
	e.out = append(e.out, '\n')
	for range depth {
		e.out = append(e.out, "  "...)
	}
}

func (e *encoder) resource(depth int) error {
	if e.next() != '{' {
		return e.bad(e.i, "a resource is an object")
	}
	p := e.f.plan(e.resourceType())
	if p == nil {
		return e.bad(e.i, "the type of a resource is unknown")
	}
	e.line(depth)
	e.out = append(e.out, p.tag...)
	if depth == 0 {
		e.out = append(e.out, ` xmlns="`+fhirURI+`"`...)
	}
	return e.object(p, p.end, depth)
}

// object writes the attributes and children of an object, the rest of its start tag and its end tag. The tag's name is written.
//
// Members are written as they come, and each is noted as a part. Where they are not in the order of the definitions, the parts change places at
// the end. A primitive and its sibling are one part: the one that comes first waits where it cannot be written without the other.
func (e *encoder) object(p *plan, end string, depth int) error {
	if depth > maxWritten {
		return e.bad(e.i, "the resource is nested too deeply")
	}
	o := object{base: len(e.parts), start: len(e.out), depth: depth}
	e.i++
	var last *named
	for c := e.next(); c != '}'; {
		m, err := e.name(p, last)
		if err != nil {
			return err
		}
		if last = m; m != nil {
			if err := e.member(&o, m); err != nil {
				return err
			}
		} else {
			e.skip() // resourceType
		}
		if c = e.next(); c == ',' {
			e.i++
			c = e.next()
		} else if c != '}' {
			return e.bad(e.i, "an object does not end")
		}
	}
	e.i++
	if o.waiting > 0 {
		if err := e.settle(&o); err != nil {
			return err
		}
	}
	if o.disordered {
		if err := e.order(&o); err != nil {
			return err
		}
	}
	e.parts = e.parts[:o.base]
	if !o.opened {
		e.out = append(e.out, '/', '>')
		return nil
	}
	e.line(depth)
	e.out = append(e.out, end...)
	return nil
}

// name reads the name of a member, which comes after last, and the colon. It is nil for the type of a resource.
func (e *encoder) name(p *plan, last *named) (*named, error) {
	if last != nil {
		for _, m := range last.next {
			if m != nil && e.begins(e.i, m.c.member) {
				e.i += len(m.c.member)
				e.next()
				return m, nil
			}
		}
	}
	if e.next() != '"' {
		return nil, e.bad(e.i, "an object has no name for a value")
	}
	from := e.i + 1
	n := bytes.IndexByte(e.src[from:], '"')
	if n < 0 {
		return nil, e.bad(e.i, "a name does not end")
	}
	m := p.lookup(e.src[from : from+n])
	e.i = from + n + 1
	if m == nil {
		name := e.src[from : from+n]
		if bytes.IndexByte(name, '\\') >= 0 {
			e.i = from - 1
			e.skip()
			name = appendUnescaped(nil, e.src[from:e.i-1])
			m = p.lookup(name)
		}
		if m == nil && !(p.resource && string(name) == "resourceType") {
			if e.next() == ':' {
				e.i++
			}
			e.next()
			return nil, e.bad(e.i, "the definitions have no such element")
		}
	}
	if e.next() != ':' {
		return nil, e.bad(e.i, "a name has no value")
	}
	e.i++
	e.next()
	return m, nil
}

// begins reports whether s is at an offset of the JSON. Its second byte tells most others.
func (e *encoder) begins(at int, s string) bool {
	return at+len(s) < len(e.src) && e.src[at+1] == s[1] && string(e.src[at:at+len(s)]) == s
}

// open ends the start tag where that was not done, because a child follows.
func (e *encoder) open(o *object) {
	if !o.opened {
		o.opened = true
		k := e.push(nil, openRank, 0)
		e.out = append(e.out, '>')
		e.parts[k].end = len(e.out)
	}
}

// member writes a member, whose value comes next.
func (e *encoder) member(o *object, m *named) error {
	c := m.c
	if c.primitive() && (m.sibling || c.rank <= o.last || o.waiting > 0 || c.repeat || e.next() == 'n') {
		return e.irregular(o, m)
	}
	o.follows(c)
	if !c.attribute {
		e.open(o)
	}
	k := e.push(c, c.rank, e.i)
	var err error
	switch {
	case c.attribute:
		err = e.attribute(c)
	case c.primitive():
		err = e.regular(o, c, k)
	default:
		err = e.structure(c, o.depth+1)
	}
	e.parts[k].end = len(e.out)
	return err
}

func (e *encoder) attribute(c *child) error {
	e.out = append(append(append(e.out, ' '), c.name...), '=', '"')
	if err := e.text(); err != nil {
		return err
	}
	e.out = append(e.out, '"')
	return nil
}

// regular writes a primitive that does not repeat and comes in order, with its sibling where that follows.
func (e *encoder) regular(o *object, c *child, k int) error {
	e.line(o.depth + 1)
	if e.next() == '[' {
		return e.bad(e.i, "the element does not repeat")
	}
	e.out = append(e.out, c.tagValue...)
	if err := e.text(); err != nil {
		return err
	}
	if e.is(e.i, ',') && e.begins(e.i+1, c.sibling) {
		e.i += 1 + len(c.sibling)
		e.next()
		e.parts[k].sib = e.i
		e.out = append(e.out, '"')
		return e.extended(c, o.depth+1)
	}
	e.out = append(e.out, '"', '/', '>')
	return nil
}

// extended writes the rest of a primitive's element from its sibling, which comes next.
func (e *encoder) extended(c *child, depth int) error {
	if e.next() != '{' {
		return e.bad(e.i, "the value is not an object")
	}
	return e.object(c.plan, c.end, depth)
}

// structure writes the elements of a member that is not a primitive.
func (e *encoder) structure(c *child, depth int) error {
	isArray := e.next() == '['
	switch {
	case !c.repeat && isArray:
		return e.bad(e.i, "the element does not repeat")
	case !c.repeat:
		return e.element(c, depth)
	case !isArray:
		return e.bad(e.i, "the element repeats, so its value is an array")
	}
	e.i++
	for b := e.next(); b != ']'; {
		if err := e.element(c, depth); err != nil {
			return err
		}
		var err error
		if b, err = e.comma(); err != nil {
			return err
		}
	}
	e.i++
	return nil
}

// comma passes the comma behind an item, and returns what follows.
func (e *encoder) comma() (byte, error) {
	b := e.next()
	if b == ',' {
		e.i++
		b = e.next()
	} else if b != ']' {
		return 0, e.bad(e.i, "an array does not end")
	}
	return b, nil
}

// element writes one element that is not a primitive.
func (e *encoder) element(c *child, depth int) error {
	e.line(depth)
	if c.holds == narrative {
		return e.narrative()
	}
	if e.next() != '{' {
		return e.bad(e.i, "the value is not an object")
	}
	e.out = append(e.out, c.tag...)
	if c.holds != resource {
		return e.object(c.plan, c.end, depth)
	}
	e.out = append(e.out, '>')
	if err := e.resource(depth + 1); err != nil {
		return err
	}
	e.line(depth)
	e.out = append(e.out, c.end...)
	return nil
}

// narrative writes a div as it is. What is not one well-formed div of XHTML is an error: it could change the document around it.
func (e *encoder) narrative() error {
	at := e.i
	if e.next() != '"' {
		return e.bad(at, "a narrative is a string")
	}
	e.scratch = e.unescaped(e.scratch[:0])
	s := &e.div
	s.within(e.scratch)
	m := markup{s: s, out: &e.out}
	failed := func(err error) error {
		text := "the narrative is not one well-formed div"
		if fe, ok := err.(*fhir.Error); ok && len(fe.Issues) > 0 {
			text += ": " + fe.Issues[0].Text
		}
		return e.bad(at, text)
	}
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return failed(err)
		case t.kind == startTag:
			if err := m.element(t); err != nil {
				return failed(err)
			}
		case t.kind == endOfDocument:
			return nil
		}
	}
}
