package fhirpath

import (
	"encoding/xml"
	"io"
	"strings"
)

// htmlElements are the elements that narrative may hold (R4 narrative.html: HTML 4.0 chapters 7 to 11 but for section 4 of chapter 9, and
// 15; <a> and images).
var htmlElements = setOf(`a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img
	li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var bdo center del ins kbd u s`)

// htmlAttributes are the attributes that any of them may have.
var htmlAttributes = setOf(`title style class id lang xml:lang dir accesskey tabindex name href rel src alt longdesc height width usemap
	ismap border align valign cellspacing cellpadding summary frame rules scope headers colspan rowspan nowrap span char charoff axis abbr cite
	compact start value type noshade size bgcolor char datetime xmlns shape coords hreflang charset rev clear`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// checkNarrative reports whether a narrative's div is well-formed XHTML of the elements and attributes that R4 allows, with nothing active
// and with some content (txt-1, txt-2).
func checkNarrative(div string) bool {
	d := xml.NewDecoder(strings.NewReader(div))
	d.Entity = xml.HTMLEntity
	depth, content := 0, false
	for {
		t, err := d.Token()
		if err == io.EOF {
			return content && depth == 0
		}
		if err != nil {
			return false
		}
		switch t := t.(type) {
		case xml.StartElement:
			name := t.Name.Local
			if depth == 0 && name != "div" || t.Name.Space != "" && t.Name.Space != "http://www.w3.org/1999/xhtml" || !htmlElements[name] {
				return false
			}
			for _, a := range t.Attr {
				if !checkAttribute(a) {
					return false
				}
			}
			content = content || name == "img"
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				if depth == 0 {
					return false
				}
				content = true
			}
		case xml.ProcInst, xml.Directive:
			return false
		}
	}
}

// checkAttribute refuses unknown attributes and links that run something.
func checkAttribute(a xml.Attr) bool {
	name := a.Name.Local
	if a.Name.Space == "xmlns" || name == "xmlns" {
		return true
	}
	if !htmlAttributes[name] {
		return false
	}
	value := strings.ToLower(strings.Join(strings.Fields(a.Value), ""))
	switch name {
	case "href", "src", "cite", "longdesc":
		return !strings.HasPrefix(value, "javascript:") && !strings.HasPrefix(value, "vbscript:") && !strings.HasPrefix(value, "data:text")
	case "style":
		return !strings.Contains(value, "expression(") && !strings.Contains(value, "javascript:")
	}
	return true
}

// runHTMLChecks answers whether the input is a div that narrative may hold.
func runHTMLChecks(m *machine, x *callExpr, base int) error {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	s := it.Text()
	m.push(BooleanItem(checkNarrative(s)))
	return m.step(len(s)>>3, x.pos)
}
