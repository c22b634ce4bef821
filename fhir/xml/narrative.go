package xml

import (
	"bytes"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// The div of a narrative is XHTML in both formats: in JSON the text of an element, in XML the element itself. It is copied character by
// character where its names have no prefix and the div declares its namespace, which is how everybody writes it; a prefix is taken off, and a
// missing declaration added.

const declaration = ` xmlns="` + xhtmlURI + `"`

// markup copies an element of XHTML from a scanner, up to its end.
type markup struct {
	s *scanner
	// out takes the copy: as it is, or where d is set as a part of that decoder's JSON string.
	out *[]byte
	d   *decoder
}

func (m *markup) write(b []byte) {
	if m.d != nil {
		*m.out = appendJSONBytes(*m.out, b)
	} else {
		*m.out = append(*m.out, b...)
	}
}

func (m *markup) fail(id fhir.IssueID, text string) error {
	if m.d != nil {
		return m.d.fail(id, text)
	}
	return m.s.fail(0, id, text)
}

// element copies the element that begins with the start tag t.
func (m *markup) element(t *token) error {
	if string(t.local) != "div" {
		return m.fail(fhir.IDXMLNarrative, "a narrative is one div element")
	}
	depth := 0
	for {
		switch t.kind {
		case startTag:
			if err := m.start(t, depth == 0); err != nil {
				return err
			}
			if !t.empty {
				depth++
			} else if depth == 0 {
				return nil
			}
		case endTag:
			m.end(t)
			if depth--; depth == 0 {
				return nil
			}
		case cdata:
			for _, c := range t.raw[len("<![CDATA[") : len(t.raw)-len("]]>")] {
				switch c {
				case '&':
					m.write([]byte("&amp;"))
				case '<':
					m.write([]byte("&lt;"))
				case '>':
					m.write([]byte("&gt;"))
				default:
					m.write([]byte{c})
				}
			}
		case comment:
			m.write(t.raw)
		case text:
			m.text(t.raw)
		}
		var err error
		if t, err = m.s.next(); err != nil {
			return err
		}
	}
}

// text copies characters; entities of HTML, which only a scanner for JSON's narratives accepts, become character references.
func (m *markup) text(b []byte) {
	if !m.s.entities {
		m.write(b)
		return
	}
	for {
		i := bytes.IndexByte(b, '&')
		if i < 0 {
			m.write(b)
			return
		}
		m.write(b[:i])
		b = b[i:]
		if _, n := reference(b); n > 0 {
			m.write(b[:n])
			b = b[n:]
			continue
		}
		chars, n := namedEntity(b)
		for _, r := range chars {
			m.write([]byte("&#" + strconv.Itoa(int(r)) + ";"))
		}
		b = b[n:]
	}
}

func (m *markup) start(t *token, root bool) error {
	if t.ns != xhtmlSpace && !(t.ns == noSpace && m.s.entities) {
		return m.fail(fhir.IDXMLNarrative, "the element "+short(t.local)+" of a narrative is not in the namespace "+xhtmlURI)
	}
	declared := false
	for i := range t.attrs {
		a := &t.attrs[i]
		declared = declared || len(a.prefix) == 0 && string(a.local) == "xmlns"
		if len(a.prefix) > 0 && a.ns != xmlSpace && string(a.prefix) != "xmlns" {
			return m.fail(fhir.IDXMLNarrative, "an attribute of a narrative has a prefix")
		}
	}
	if len(t.prefix) == 0 && (declared || !root) {
		m.text(t.raw)
		return nil
	}
	m.write([]byte{'<'})
	m.write(t.local)
	if root {
		m.write([]byte(declaration))
	}
	if !declared {
		m.text(t.raw[t.afterName:])
		return nil
	}
	// A prefixed element may declare a default for others; narratives have one namespace, so the declaration goes.
	for i := range t.attrs {
		a := &t.attrs[i]
		if a.declares() {
			continue
		}
		m.write([]byte{' '})
		if len(a.prefix) > 0 {
			m.write(append(append([]byte(nil), a.prefix...), ':'))
		}
		m.write(a.local)
		m.write([]byte(`="`))
		m.text(bytes.ReplaceAll(a.value, []byte{'"'}, []byte("&quot;")))
		m.write([]byte{'"'})
	}
	if t.empty {
		m.write([]byte{'/'})
	}
	m.write([]byte{'>'})
	return nil
}

func (m *markup) end(t *token) {
	// The name of an end tag is the one that the scanner has compared with the start tag's.
	name := t.raw[2:]
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		m.write([]byte("</"))
		m.write(name[i+1:])
		return
	}
	m.write(t.raw)
}

// narrative reads the div with the start tag t and writes it as a JSON string.
func (d *decoder) narrative(t *token) error {
	d.out = append(d.out, '"')
	m := markup{s: d.s, d: d, out: &d.out}
	if err := m.element(t); err != nil {
		return err
	}
	d.out = append(d.out, '"')
	return nil
}
