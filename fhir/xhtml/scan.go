package xhtml

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// scanner reads markup tag by tag. It is a parser of its own because encoding/xml copies every token, and reads what browsers read otherwise.
type scanner struct {
	s string
	i int
}

// tag is what a "<" begins.
type tag uint8

const (
	startTag   tag = iota + 1 // its attributes follow
	endTag                    // read to its end
	comment                   // read to its end
	noTag                     // what may not be in a narrative
	noMoreTags                // the text ends
)

// next skips text up to the next tag and reads the tag's name, or all of an end tag or comment. The text is returned for whom it concerns; what
// says what is wrong.
func (x *scanner) next() (kind tag, name, text, what string) {
	n := strings.IndexByte(x.s[x.i:], '<')
	if n < 0 {
		text = x.s[x.i:]
		x.i = len(x.s)
		return noMoreTags, "", text, ""
	}
	text = x.s[x.i : x.i+n]
	x.i += n + 1
	rest := x.s[x.i:]
	switch {
	case strings.HasPrefix(rest, "!--"):
		if what = x.comment(rest[3:]); what != "" {
			return noTag, "", text, what
		}
		return comment, "", text, ""
	case strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "?"):
		return noTag, "", text, "declarations, CDATA sections and processing instructions are not allowed"
	case strings.HasPrefix(rest, "/"):
		x.i++
		name = x.name()
		x.space()
		if name == "" || x.i >= len(x.s) || x.s[x.i] != '>' {
			return noTag, "", text, "an end tag is not closed"
		}
		x.i++
		return endTag, name, text, ""
	}
	if name = x.name(); name == "" {
		return noTag, "", text, "a < does not begin a tag; write &lt;"
	}
	return startTag, name, text, ""
}

// comment skips a comment. The forms that HTML ends earlier than XML does are refused: a browser would read on inside.
func (x *scanner) comment(body string) string {
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") || strings.HasPrefix(body, ">") || strings.HasPrefix(body, "->") {
		return "a comment does not end, or contains --"
	}
	x.i = len(x.s) - len(body) + end + 3
	return ""
}

// attribute is an attribute of a start tag, with the place of its value.
type attribute struct {
	name, value string
	start, end  int
}

// attribute reads the next attribute of a start tag. more is false at the end of the tag, and empty tells that it is the tag of an empty element.
func (x *scanner) attribute() (a attribute, more, empty bool, what string) {
	space := x.space()
	switch {
	case x.i >= len(x.s):
		return a, false, false, "a tag is not closed"
	case x.s[x.i] == '>':
		x.i++
		return a, false, false, ""
	case strings.HasPrefix(x.s[x.i:], "/>"):
		x.i += 2
		return a, false, true, ""
	case !space:
		return a, false, false, "attributes must be separated by spaces"
	}
	a.name = x.name()
	x.space()
	if a.name == "" || x.i >= len(x.s) || x.s[x.i] != '=' {
		return a, false, false, "an attribute has no name or no value"
	}
	x.i++
	x.space()
	if x.i >= len(x.s) || x.s[x.i] != '"' && x.s[x.i] != '\'' {
		return a, false, false, "the value of an attribute is not in quotes"
	}
	n := strings.IndexByte(x.s[x.i+1:], x.s[x.i])
	if n < 0 {
		return a, false, false, "the value of an attribute does not end"
	}
	a.start, a.end = x.i+1, x.i+1+n
	a.value = x.s[a.start:a.end]
	x.i = a.end + 1
	if strings.IndexByte(a.value, '<') >= 0 {
		return a, false, false, "the value of an attribute contains <; write &lt;"
	}
	return a, true, false, ""
}

// name reads letters, digits and the few signs of XML names; "" where there is no letter.
func (x *scanner) name() string {
	start := x.i
	for x.i < len(x.s) {
		c := x.s[x.i]
		if l := c | 0x20; l >= 'a' && l <= 'z' || x.i > start && (c >= '0' && c <= '9' || c == '-' || c == ':' || c == '_' || c == '.') {
			x.i++
			continue
		}
		break
	}
	return x.s[start:x.i]
}

func (x *scanner) space() bool {
	start := x.i
	for x.i < len(x.s) && isSpace(x.s[x.i]) {
		x.i++
	}
	return x.i > start
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// characters returns what is wrong with text or an attribute's value: a character that XML can't hold, or an & that begins no reference.
func characters(s string) string {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' && !isSpace(c), c == 0xef && (strings.HasPrefix(s[i:], "\ufffe") || strings.HasPrefix(s[i:], "\uffff")):
			return "a control character"
		case c == '&':
			n := strings.IndexByte(s[i:], ';')
			if n < 2 || !isReference(s[i+1:i+n]) {
				return "an & does not begin a character reference; write &amp;"
			}
			i += n
		}
	}
	return ""
}

// isReference reports whether a name, as "amp" or "#160", refers to a character of XML or of HTML 4.
func isReference(name string) bool {
	if digits, numeric := strings.CutPrefix(name, "#"); numeric {
		base := 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		if strings.HasPrefix(digits, "+") {
			return false
		}
		n, err := strconv.ParseUint(digits, base, 32)
		return err == nil && (n == 9 || n == 10 || n == 13 || n >= 0x20 && n < 0xd800 || n > 0xdfff && n < 0xfffe || n > 0xffff && n <= 0x10ffff)
	}
	switch name {
	case "amp", "lt", "gt", "quot", "apos":
		return true
	}
	return xml.HTMLEntity[name] != ""
}
