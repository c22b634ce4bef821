package fhirpath

import (
	"encoding/xml"
	"html"
	"slices"
	"strings"
)

// htmlElements are the elements that narrative may hold (R4 narrative.html: HTML 4.0 chapters 7 to 11 but for section 4 of chapter 9, and
// 15; <a> and images).
var htmlElements = setOf(`a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img
	li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var bdo center del ins kbd u s`)

// htmlAttributes are the attributes that any of them may have.
var htmlAttributes = setOf(`title style class id lang xml:lang dir accesskey tabindex name href rel src alt longdesc height width usemap
	ismap border align valign cellspacing cellpadding summary frame rules scope headers colspan rowspan nowrap span char charoff axis abbr cite
	compact start value type noshade size bgcolor datetime xmlns shape coords hreflang charset rev clear`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// narrative scans the XHTML of a narrative. It is a parser of its own because encoding/xml copies every token.
type narrative struct {
	s       string
	open    []string // the names of the elements that are open
	roots   int
	content bool
}

// checkNarrative reports whether a narrative's div is well-formed XHTML of the elements and attributes that R4 allows, with nothing active
// and with some content (txt-1, txt-2).
func checkNarrative(div string) bool {
	var buf [16]string
	n := narrative{s: div, open: buf[:0]}
	for n.s != "" {
		if n.s[0] != '<' {
			end := strings.IndexByte(n.s, '<')
			if end < 0 {
				end = len(n.s)
			}
			if !n.text(n.s[:end]) {
				return false
			}
			n.s = n.s[end:]
			continue
		}
		if !n.markup() {
			return false
		}
	}
	return n.content && n.roots == 1 && len(n.open) == 0
}

// text checks the characters between tags.
func (n *narrative) text(s string) bool {
	if strings.TrimSpace(s) != "" {
		if len(n.open) == 0 {
			return false
		}
		n.content = true
	}
	return checkEntities(s)
}

// checkEntities reports whether every & begins a character reference or an entity of HTML.
func checkEntities(s string) bool {
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return true
		}
		s = s[i+1:]
		end := strings.IndexByte(s, ';')
		if end < 1 {
			return false
		}
		name := s[:end]
		s = s[end+1:]
		if digits, ok := strings.CutPrefix(name, "#"); ok {
			set := "0123456789"
			if hex, ok := strings.CutPrefix(digits, "x"); ok {
				digits, set = hex, "0123456789abcdefABCDEF"
			}
			if digits == "" || strings.Trim(digits, set) != "" {
				return false
			}
			continue
		}
		switch name {
		case "amp", "lt", "gt", "quot", "apos":
		default:
			if xml.HTMLEntity[name] == "" {
				return false
			}
		}
	}
}

// markup passes over a comment or a tag. Processing instructions, declarations and CDATA sections are none of them.
func (n *narrative) markup() bool {
	if rest, ok := strings.CutPrefix(n.s, "<!--"); ok {
		end := strings.Index(rest, "--")
		if end < 0 || !strings.HasPrefix(rest[end:], "-->") {
			return false
		}
		n.s = rest[end+3:]
		return true
	}
	if rest, ok := strings.CutPrefix(n.s, "</"); ok {
		name, rest := cutName(rest)
		rest = strings.TrimLeft(rest, " \t\r\n")
		if len(n.open) == 0 || n.open[len(n.open)-1] != name || !strings.HasPrefix(rest, ">") {
			return false
		}
		n.open = n.open[:len(n.open)-1]
		n.s = rest[1:]
		return true
	}
	name, rest := cutName(n.s[1:])
	if !htmlElements[name] || len(n.open) == 0 && name != "div" || len(n.open) > 200 {
		return false
	}
	if len(n.open) == 0 {
		n.roots++
	}
	n.content = n.content || name == "img"
	var buf [8]string
	seen := buf[:0]
	for {
		trimmed := strings.TrimLeft(rest, " \t\r\n")
		if after, ok := strings.CutPrefix(trimmed, "/>"); ok {
			n.s = after
			return true
		}
		if after, ok := strings.CutPrefix(trimmed, ">"); ok {
			n.s = after
			n.open = append(n.open, name)
			return true
		}
		if trimmed == rest {
			return false
		}
		var attr, value string
		var ok bool
		if attr, value, rest, ok = cutAttribute(trimmed); !ok || slices.Contains(seen, attr) || !checkAttribute(attr, value) {
			return false
		}
		seen = append(seen, attr)
	}
}

// cutName cuts the name of an element or an attribute off s.
func cutName(s string) (name, rest string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != ':' && c != '-' && c != '.' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cutAttribute cuts name="value" off s.
func cutAttribute(s string) (name, value, rest string, ok bool) {
	name, rest = cutName(s)
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), "=")
	rest = strings.TrimLeft(rest, " \t\r\n")
	if !ok || name == "" || rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", "", "", false
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return "", "", "", false
	}
	value = rest[1 : end+1]
	return name, value, rest[end+2:], !strings.Contains(value, "<") && checkEntities(value)
}

// checkAttribute refuses unknown attributes, and links and styles that run something.
func checkAttribute(name, value string) bool {
	if name == "xmlns" {
		return value == "http://www.w3.org/1999/xhtml"
	}
	if strings.HasPrefix(name, "xmlns:") {
		return true
	}
	if !htmlAttributes[name] {
		return false
	}
	switch name {
	case "href", "src", "cite", "longdesc", "style":
	default:
		return true
	}
	return !active(value)
}

// active reports whether a link or a style runs something, however it is disguised by character references, white space and case.
func active(value string) bool {
	if !strings.ContainsAny(value, ":(&") {
		return false
	}
	plain := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, strings.ToLower(html.UnescapeString(value)))
	for _, bad := range []string{"javascript:", "vbscript:", "data:text", "expression("} {
		if strings.Contains(plain, bad) {
			return true
		}
	}
	return false
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
