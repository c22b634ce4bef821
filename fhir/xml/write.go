package xml

import (
	"io"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// Options change how a resource is written.
type Options struct {
	// Pretty indents elements by two spaces; a narrative stays as it is.
	Pretty bool
}

const header = `<?xml version="1.0" encoding="UTF-8"?>`

// AppendXML appends the document of a resource. What XML cannot hold is an *fhir.Error of KindUnprocessable that names the element: elements that
// the definitions do not know, a value whose JSON is not that of its type, characters that XML does not have, and a narrative that is not one
// well-formed div.
func (f *Format) AppendXML(dst []byte, r fhir.Resource, opt Options) ([]byte, error) {
	e := newEncoder(f, opt)
	defer e.release()
	e.out = dst
	if err := e.document(r); err != nil {
		return nil, err
	}
	return e.out, nil
}

// WriteXML is AppendXML for a writer. It holds no more than a chunk and the largest element of the document. Some of the document may have been
// written before an error.
func (f *Format) WriteXML(w io.Writer, r fhir.Resource, opt Options) error {
	e := newEncoder(f, opt)
	defer e.release()
	e.w, e.out = w, make([]byte, 0, 2*chunk)
	err := e.document(r)
	if err == nil {
		_, err = w.Write(e.out)
	}
	return err
}

// encoder writes the XML of a tree.
type encoder struct {
	f      *Format
	w      io.Writer
	out    []byte
	pretty bool
	// members is a stack of the members of the objects that are being written.
	members []member
	// div reads the narratives, one after the other.
	div scanner
}

// encoders are encoders whose stacks are used again.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

func newEncoder(f *Format, opt Options) *encoder {
	e := encoders.Get().(*encoder)
	e.f, e.pretty = f, opt.Pretty
	return e
}

// release gives the stack back; it keeps no tree.
func (e *encoder) release() {
	members := e.members[:cap(e.members)]
	clear(members)
	div := scanner{buf: e.div.buf, names: e.div.names, open: e.div.open, spaces: e.div.spaces, bindings: e.div.bindings, tok: token{attrs: e.div.tok.attrs}}
	if *e = (encoder{members: members[:0], div: div}); cap(members) <= 1000 && cap(div.buf) <= 4*chunk {
		encoders.Put(e)
	}
}

// member is an element of an object: the value, and for primitives the sibling.
type member struct {
	c        *child
	val, sib fhir.Node
}

func (e *encoder) document(r fhir.Resource) error {
	e.out = append(e.out, header...)
	if !e.pretty {
		e.out = append(e.out, '\n')
	}
	err := e.resource(r.Node, 0)
	if e.pretty {
		e.out = append(e.out, '\n')
	}
	return err
}

// fail is the error of a node that XML cannot hold.
func fail(n fhir.Node, text string) error {
	return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueStructure, ID: fhir.IDXMLUnrepresentable,
		Text: "the resource cannot be written as XML: " + text, Expression: n.Path()}}}
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

func (e *encoder) flush() error {
	if e.w == nil || len(e.out) < chunk {
		return nil
	}
	_, err := e.w.Write(e.out)
	e.out = e.out[:0]
	return err
}

func (e *encoder) resource(n fhir.Node, depth int) error {
	if n.Kind() != fhir.Object {
		return fail(n, "a resource is an object")
	}
	rt := n.Get("resourceType")
	p := e.f.plan([]byte(rt.Text()))
	if p == nil {
		return fail(n, "the type of a resource is unknown")
	}
	e.line(depth)
	e.out = append(append(e.out, '<'), p.name...)
	if depth == 0 {
		e.out = append(e.out, ` xmlns="`+fhirURI+`"`...)
	}
	return e.object(n, p, p.name, depth)
}

// object writes the attributes and children of an object, the rest of its start tag and its end tag. The tag's name is written.
func (e *encoder) object(n fhir.Node, p *plan, name string, depth int) error {
	base := len(e.members)
	if err := e.collect(n, p); err != nil {
		return err
	}
	end := len(e.members)
	i := base
	for ; i < end && e.members[i].c.attribute; i++ {
		if err := e.attribute(e.members[i]); err != nil {
			return err
		}
	}
	if i == end {
		e.out = append(e.out, '/', '>')
		e.members = e.members[:base]
		return nil
	}
	e.out = append(e.out, '>')
	for ; i < end; i++ {
		if err := e.member(e.members[i], depth+1); err != nil {
			return err
		}
	}
	e.members = e.members[:base]
	e.line(depth)
	e.out = append(append(append(e.out, '<', '/'), name...), '>')
	return e.flush()
}

// collect pushes the members of an object in the order of the definitions, attributes first.
func (e *encoder) collect(n fhir.Node, p *plan) error {
	base := len(e.members)
	var last *child
	for m := n.First(); m.Valid(); m = m.Next() {
		name := m.Name()
		sibling := false
		c := p.named(name, last)
		if c == nil {
			if name == "resourceType" && p == e.f.resources[p.name] {
				continue
			}
			if sibling = len(name) > 1 && name[0] == '_'; sibling {
				c = p.children[name[1:]]
			}
			if c == nil || !c.primitive() {
				return fail(m, "the definitions have no such element")
			}
		}
		last = c
		at := -1
		for i := len(e.members) - 1; i >= base; i-- {
			if o := e.members[i].c; o == c {
				at = i
			} else if o.order == c.order {
				return fail(m, "an element of several types has more than one value")
			}
		}
		if at < 0 {
			at = len(e.members)
			e.members = append(e.members, member{c: c})
		}
		if sibling {
			e.members[at].sib = m
		} else {
			e.members[at].val = m
		}
	}
	// Elements are mostly in order.
	for i := base + 1; i < len(e.members); i++ {
		for j := i; j > base && e.members[j].before(e.members[j-1]); j-- {
			e.members[j], e.members[j-1] = e.members[j-1], e.members[j]
		}
	}
	return nil
}

func (m member) before(o member) bool {
	if m.c.attribute != o.c.attribute {
		return m.c.attribute
	}
	return m.c.order < o.c.order
}

// attribute writes a member as an attribute.
func (e *encoder) attribute(m member) error {
	if m.sib.Valid() {
		return fail(m.sib, "an attribute has no extensions")
	}
	e.out = append(append(append(e.out, ' '), m.c.name...), '=', '"')
	if err := e.text(m.val); err != nil {
		return err
	}
	e.out = append(e.out, '"')
	return nil
}

// text writes the characters of a primitive.
func (e *encoder) text(n fhir.Node) error {
	if k := n.Kind(); k != fhir.String && k != fhir.Number && k != fhir.Bool {
		return fail(n, "the value is not a primitive")
	}
	var ok bool
	if e.out, ok = appendAttribute(e.out, n.Text()); !ok {
		return fail(n, "the text has a character that XML does not have")
	}
	return nil
}

// member writes the elements of a member.
func (e *encoder) member(m member, depth int) error {
	if !m.c.repeat {
		if m.val.Kind() == fhir.Array || m.sib.Kind() == fhir.Array {
			return fail(m.val, "the element does not repeat")
		}
		return e.element(m.c, m.val, m.sib, depth)
	}
	if m.val.Valid() && m.val.Kind() != fhir.Array || m.sib.Valid() && m.sib.Kind() != fhir.Array {
		return fail(m.val, "the element repeats, so its value is an array")
	}
	val, sib := m.val.First(), m.sib.First()
	for val.Valid() || sib.Valid() {
		if err := e.element(m.c, val, sib, depth); err != nil {
			return err
		}
		val, sib = val.Next(), sib.Next()
	}
	return nil
}

// element writes one element.
func (e *encoder) element(c *child, val, sib fhir.Node, depth int) error {
	if c.holds == narrative {
		e.line(depth)
		return e.narrative(val)
	}
	e.line(depth)
	e.out = append(append(e.out, '<'), c.name...)
	switch {
	case c.primitive():
		return e.primitive(c, val, sib, depth)
	case val.Kind() != fhir.Object:
		return fail(val, "the value is not an object")
	case c.holds == resource:
		e.out = append(e.out, '>')
		if err := e.resource(val, depth+1); err != nil {
			return err
		}
		e.line(depth)
		e.out = append(append(append(e.out, '<', '/'), c.name...), '>')
		return e.flush()
	}
	return e.object(val, c.plan, c.name, depth)
}

// primitive writes the rest of a primitive's element.
func (e *encoder) primitive(c *child, val, sib fhir.Node, depth int) error {
	if val.Kind() == fhir.Null {
		val = fhir.Node{}
	}
	if sib.Kind() == fhir.Null {
		sib = fhir.Node{}
	}
	if !val.Valid() && !sib.Valid() {
		return fail(val, "the element "+c.name+" has null where it has no extension")
	}
	if val.Valid() {
		e.out = append(e.out, ` value="`...)
		if err := e.text(val); err != nil {
			return err
		}
		e.out = append(e.out, '"')
	}
	if !sib.Valid() {
		e.out = append(e.out, '/', '>')
		return nil
	}
	if sib.Kind() != fhir.Object {
		return fail(sib, "the value is not an object")
	}
	return e.object(sib, c.plan, c.name, depth)
}

// narrative writes a div as it is. What is not one well-formed div of XHTML is an error: it could change the document around it.
func (e *encoder) narrative(n fhir.Node) error {
	if n.Kind() != fhir.String {
		return fail(n, "a narrative is a string")
	}
	s := &e.div
	s.within(n.Text())
	failed := func(err error) error {
		text := "the narrative is not one well-formed div"
		if fe, ok := err.(*fhir.Error); ok && len(fe.Issues) > 0 {
			text += ": " + fe.Issues[0].Text
		}
		return fail(n, text)
	}
	m := markup{s: s, write: func(b []byte) { e.out = append(e.out, b...) }, fail: func(id fhir.IssueID, text string) error { return s.fail(0, id, text) }}
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
