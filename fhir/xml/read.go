package xml

import (
	"io"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// AppendJSON reads a resource in XML from r and appends it in JSON to dst. Refused, with an *fhir.Error that names line, column and element:
// what is not well-formed, a document type, processing instructions and entities, other namespaces than FHIR's and XHTML's, text outside of
// the narrative, elements and attributes that the definitions do not know, and elements that are out of order or repeat where they must not.
func (f *Format) AppendJSON(dst []byte, r io.Reader, lim Limits) ([]byte, error) {
	d := newDecoder(f, r, lim)
	defer d.release()
	d.out = dst
	if err := d.document(); err != nil {
		return nil, err
	}
	return d.out, nil
}

// WriteJSON is AppendJSON for a writer. Its memory is bounded by a chunk, and by the largest tag of the document. What was read before an error
// may have been written.
func (f *Format) WriteJSON(w io.Writer, r io.Reader, lim Limits) error {
	d := newDecoder(f, r, lim)
	defer d.release()
	room := rooms.Get().(*[]byte)
	d.w, d.out = w, (*room)[:0]
	defer func() {
		if *room = d.out; cap(d.out) <= 4*chunk {
			rooms.Put(room)
		}
	}()
	err := d.document()
	if err == nil {
		_, err = w.Write(d.out)
	}
	return err
}

// decoder writes the JSON of what its scanner reads.
type decoder struct {
	f   *Format
	s   *scanner
	w   io.Writer
	out []byte
	// held counts the primitives whose siblings are being read: what is in out may be taken back.
	held int
	// taken are the bytes of out and of siblings that the limits know of.
	taken int
	path  []step
}

// decoders are decoders whose paths are used again, and rooms memory for the JSON between two writes.
var (
	decoders = sync.Pool{New: func() any { return new(decoder) }}
	rooms    = sync.Pool{New: func() any { b := make([]byte, 0, 2*chunk); return &b }}
)

func newDecoder(f *Format, r io.Reader, lim Limits) *decoder {
	d := decoders.Get().(*decoder)
	d.f, d.s = f, newScanner(r, lim)
	return d
}

// release gives the decoder and its scanner back. Nothing of them is used afterwards.
func (d *decoder) release() {
	d.s.release()
	*d = decoder{path: d.path[:0]}
	decoders.Put(d)
}

// step is an element on the way to the one being read.
type step struct {
	name  string
	index int // in its list; -1 for one that does not repeat
}

// flush hands on what was written, where that is much.
func (d *decoder) flush() error {
	if d.w == nil || len(d.out) < chunk {
		return nil
	}
	if d.held > 0 {
		return d.take(cap(d.out))
	}
	_, err := d.w.Write(d.out)
	d.out = d.out[:0]
	return err
}

// take tells the limits of memory in use, where it is more than they know of.
func (d *decoder) take(bytes int) error {
	more := bytes - max(d.taken, 2*chunk)
	if d.w == nil || more <= 0 {
		return nil
	}
	d.taken = bytes
	return d.s.lim.hold(more)
}

// fail is an error at the current token, with the element being read.
func (d *decoder) fail(id fhir.IssueID, text string) error {
	return located(d.s.fail(0, id, text), d.expression())
}

func (d *decoder) expression() string {
	path := ""
	for i := range d.path {
		path = at(path, d.path[i].name, d.path[i].index)
	}
	return path
}

func (d *decoder) document() error {
	t, err := d.s.next()
	for err == nil && t.kind != startTag {
		t, err = d.s.next()
	}
	if err != nil {
		return err
	}
	if err := d.resource(t); err != nil {
		return located(err, d.expression())
	}
	_, err = d.s.next() // the end of the document
	return err
}

// resource reads a resource, whose start tag is t.
func (d *decoder) resource(t *token) error {
	if t.ns != fhirSpace {
		return d.fail(fhir.IDXMLNamespace, "the namespace of resources is "+fhirURI)
	}
	p := d.f.plan(t.local)
	if p == nil {
		return d.fail(fhir.IDXMLElement, short(t.local)+" is not a resource type")
	}
	for i := range t.attrs {
		if a := &t.attrs[i]; !a.declares() && a.ns != schemaInstance {
			return d.fail(fhir.IDXMLAttribute, "a resource has no attribute "+short(a.local))
		}
	}
	if len(d.path) == 0 { // one inside of an element is at that element's path
		d.path = append(d.path, step{p.name, -1})
	}
	d.out = append(append(append(d.out, `{"resourceType":"`...), p.name...), '"')
	if !t.empty {
		if err := d.content(p, false); err != nil {
			return err
		}
	}
	d.out = append(d.out, '}')
	return nil
}

// declares reports whether the attribute declares a namespace.
func (a *attribute) declares() bool {
	return len(a.prefix) == 0 && string(a.local) == "xmlns" || string(a.prefix) == "xmlns"
}

// list is a repeating element that is being written.
type list struct {
	items int
	// values counts the items that are in the array of values; that of a list of primitives begins with the first value.
	values int
	// siblings are the items of the array of siblings, of which there are so many.
	siblings []byte
	sibs     int
}

// nextChild reads up to the next child, or to the end tag of its parent, where it returns nil.
func (d *decoder) nextChild() (*token, error) {
	for {
		t, err := d.s.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case startTag:
			return t, nil
		case endTag:
			return nil, nil
		case text, cdata:
			if t.kind == cdata || !t.blank {
				return nil, d.fail(fhir.IDXMLText, "there is text between elements; a value is written as the attribute value")
			}
		}
	}
}

// content reads the children of an element of the plan's type up to its end tag. first is set where its JSON object has no member yet.
func (d *decoder) content(p *plan, first bool) error {
	var last *child
	var l list
	for {
		t, err := d.nextChild()
		if err != nil {
			return err
		}
		if t == nil {
			if last != nil && last.repeat {
				d.close(last, &l)
			}
			return nil
		}
		c := p.child(t.local)
		if err := d.allowed(p, t, c, last); err != nil {
			return err
		}
		if c != last {
			if last != nil && last.repeat {
				d.close(last, &l)
			}
			l = list{}
			if err := d.flush(); err != nil {
				return err
			}
		}
		index := -1
		if c.repeat {
			index = l.items
			if !first && l.items == 0 {
				d.out = append(d.out, ',')
			}
		} else if !first {
			d.out = append(d.out, ',')
		}
		d.path = append(d.path, step{c.name, index})
		if err := d.element(c, t, &l); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		first, last = false, c
		l.items++
	}
}

// allowed checks that a child with the start tag t may follow last.
func (d *decoder) allowed(p *plan, t *token, c, last *child) error {
	switch {
	case c == nil:
		if t.ns != fhirSpace {
			return d.fail(fhir.IDXMLNamespace, "the element "+short(t.local)+" is not in the namespace "+fhirURI)
		}
		return d.fail(fhir.IDXMLElement, p.name+" has no element "+short(t.local))
	case t.ns != fhirSpace && !(c.holds == narrative && t.ns == xhtmlSpace):
		return d.fail(fhir.IDXMLNamespace, "the element "+c.name+" is not in the namespace "+fhirURI)
	case t.ns == fhirSpace && c.holds == narrative:
		return d.fail(fhir.IDXMLNamespace, "the element "+c.name+" is not in the namespace "+xhtmlURI)
	case c.attribute:
		return d.fail(fhir.IDXMLElement, c.name+" is written as an attribute here")
	case last == nil || c.order > last.order:
	case c.order < last.order:
		return d.fail(fhir.IDXMLOrder, "the element "+c.name+" stands before "+last.name)
	case c != last:
		return d.fail(fhir.IDXMLOrder, "an element with a choice of types has one value; this one has "+last.name+" and "+c.name)
	case !c.repeat:
		return d.fail(fhir.IDXMLOrder, "the element "+c.name+" is there twice")
	}
	return nil
}

// element reads an element, whose start tag is t, and writes its member or item. The comma before a member is written; those between items
// are not.
func (d *decoder) element(c *child, t *token, l *list) error {
	if c.primitive() {
		return d.primitive(c, t, l)
	}
	if !c.repeat {
		d.out = append(d.out, c.member...)
	} else if l.items == 0 {
		d.out = append(append(d.out, c.member...), '[')
	} else {
		d.out = append(d.out, ',')
		if err := d.flush(); err != nil {
			return err
		}
	}
	switch c.holds {
	case narrative:
		return d.narrative(t)
	case resource:
		return d.inside(t)
	}
	d.out = append(d.out, '{')
	first := true
	for i := range t.attrs {
		a := &t.attrs[i]
		if a.declares() {
			continue
		}
		ac := c.plan.child(a.local)
		if len(a.prefix) > 0 || ac == nil || !ac.attribute {
			return d.fail(fhir.IDXMLAttribute, "the element "+c.name+" has no attribute "+short(a.local))
		}
		if !first {
			d.out = append(d.out, ',')
		}
		first = false
		d.out = appendJSONString(append(d.out, ac.member...), a.value, a.mask)
	}
	if !t.empty {
		if err := d.content(c.plan, first); err != nil {
			return err
		}
	}
	d.out = append(d.out, '}')
	return nil
}

// inside reads an element that holds a resource.
func (d *decoder) inside(t *token) error {
	for i := range t.attrs {
		if a := &t.attrs[i]; !a.declares() {
			return d.fail(fhir.IDXMLAttribute, "an element that holds a resource has no attribute "+short(a.local))
		}
	}
	if t.empty {
		return d.fail(fhir.IDXMLElement, "the element holds no resource")
	}
	t, err := d.nextChild()
	if err != nil {
		return err
	}
	if t == nil {
		return d.fail(fhir.IDXMLElement, "the element holds no resource")
	}
	if err := d.resource(t); err != nil {
		return err
	}
	if t, err = d.nextChild(); err == nil && t != nil {
		err = d.fail(fhir.IDXMLElement, "the element holds more than one resource")
	}
	return err
}

// primitive reads a primitive: its value, and its id and extensions, which JSON keeps under "_name".
func (d *decoder) primitive(c *child, t *token, l *list) error {
	var value, id *attribute
	for i := range t.attrs {
		a := &t.attrs[i]
		switch {
		case len(a.prefix) == 0 && string(a.local) == "value":
			value = a
		case len(a.prefix) == 0 && string(a.local) == "id":
			id = a
		case a.declares():
		default:
			return d.fail(fhir.IDXMLAttribute, "the element "+c.name+" has no attribute "+short(a.local))
		}
	}
	if value != nil {
		switch {
		case !c.repeat:
			d.out = append(d.out, c.member...)
		case l.values > 0:
			d.out = append(d.out, ',')
		default:
			d.out = append(append(d.out, c.member...), '[')
			for range l.items {
				d.out = append(d.out, "null,"...)
			}
		}
		l.values++
		d.value(c, value)
	} else if c.repeat && l.values > 0 {
		d.out = append(d.out, ",null"...)
	}
	if id == nil && t.empty {
		if value == nil {
			return d.fail(fhir.IDXMLElement, "the element "+c.name+" has neither a value nor an extension")
		}
		return nil
	}
	// The sibling is written behind the value, and taken back where nothing is in it, or where it waits for the end of its list.
	start := len(d.out)
	d.held++
	if !c.repeat {
		if value != nil {
			d.out = append(d.out, ',')
		}
		d.out = append(d.out, c.sibling...)
	}
	d.out = append(d.out, '{')
	begin := len(d.out)
	if id != nil {
		d.out = appendJSONString(append(d.out, `"id":`...), id.value, id.mask)
	}
	if !t.empty {
		if err := d.content(c.plan, id == nil); err != nil {
			return err
		}
	}
	d.held--
	if len(d.out) == begin {
		if value == nil {
			return d.fail(fhir.IDXMLElement, "the element "+c.name+" has neither a value nor an extension")
		}
		d.out = d.out[:start]
		return nil
	}
	d.out = append(d.out, '}')
	if c.repeat {
		for ; l.sibs < l.items; l.sibs++ {
			l.siblings = append(l.siblings, "null,"...)
		}
		l.siblings = append(append(l.siblings, d.out[start:]...), ',')
		l.sibs++
		d.out = d.out[:start]
		return d.take(cap(d.out) + cap(l.siblings))
	}
	return nil
}

// value writes a primitive's value: a number, true or false as such where it is one, so that validation sees what is not.
func (d *decoder) value(c *child, a *attribute) {
	if c.holds == numberValue && isJSONNumber(a.value) || c.holds == boolValue && (string(a.value) == "true" || string(a.value) == "false") {
		d.out = append(d.out, a.value...)
		return
	}
	d.out = appendJSONString(d.out, a.value, a.mask)
}

// close ends the arrays of a list.
func (d *decoder) close(c *child, l *list) {
	if !c.primitive() {
		d.out = append(d.out, ']')
		return
	}
	if l.values > 0 {
		d.out = append(d.out, ']')
		if l.sibs > 0 {
			d.out = append(d.out, ',')
		}
	}
	if l.sibs > 0 {
		for ; l.sibs < l.items; l.sibs++ {
			l.siblings = append(l.siblings, "null,"...)
		}
		d.out = append(append(d.out, c.sibling...), '[')
		d.out = append(d.out, l.siblings[:len(l.siblings)-1]...)
		d.out = append(d.out, ']')
	}
}
