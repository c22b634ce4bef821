package validation

import (
	"html"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// The narrative's phase reads Narrative.div as what a browser may be shown (http://hl7.org/fhir/R4/narrative.html#xhtml): well-formed XHTML of
// the elements of HTML 4.0, chapters 7 to 11 (but for 9.4) and 15, links and images, with no way to run a script.

// narrativeElements are the elements that a narrative may have.
var narrativeElements = set("p br div h1 h2 h3 h4 h5 h6 a span b em i strong small big tt dfn q var abbr acronym cite blockquote hr address bdo kbd " +
	"sub sup ul ol li dl dt dd pre table caption colgroup col thead tr tfoot tbody th td code samp img map area")

// activeElements are those that can run or load something; naming them makes a better message than "may not stand in a narrative".
var activeElements = set("script object embed applet iframe frame frameset form input button select textarea option link base meta head body html " +
	"style svg math template video audio source track canvas portal noscript")

// urlAttributes hold a URL that a browser follows.
var urlAttributes = set("href src cite longdesc background action formaction usemap profile codebase classid data poster")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// narrative notes what is wrong with the text of an xhtml value.
func (w *walker) narrative(n fhir.Node, text string) {
	switch what, active := narrativeFault(text); {
	case what == "":
	case active:
		w.add(n, "", fhir.IssueSecurity, fhir.IDNarrativeScript, "the narrative can run a script or load content: "+what)
	default:
		w.add(n, "", fhir.IssueInvalid, fhir.IDNarrativeMarkup, "the narrative is not the XHTML that R4 allows: "+what)
	}
}

// narratives checks the narratives of the root and of what it contains, for levels that walk no elements.
func (w *walker) narratives() {
	check := func(r fhir.Node) {
		if div := r.Get("text").Get("div"); div.Kind() == fhir.String {
			w.narrative(div, div.Text())
		}
	}
	check(w.root.Node)
	for c := range w.root.Get("contained").Children() {
		check(c)
	}
}

// narrativeFault returns what is wrong with s, "" for nothing, and whether it can run or load something.
func narrativeFault(s string) (what string, active bool) {
	x := markup{s: strings.Trim(s, " \t\r\n")}
	if !strings.HasPrefix(x.s, "<div") {
		return "it must be one div element", false
	}
	for x.i < len(x.s) {
		if len(x.open) == 0 && x.i > 0 {
			return "it goes on after the div", false
		}
		next := strings.IndexByte(x.s[x.i:], '<')
		if next < 0 {
			return "an element does not end", false
		}
		x.i += next
		if what, active = x.tag(); what != "" {
			return what, active
		}
	}
	if len(x.open) > 0 {
		return "an element does not end", false
	}
	return "", false
}

// markup is the state of a scan.
type markup struct {
	s    string
	i    int
	open []string
	room [16]string
}

// tag reads the markup that starts at x.i with "<".
func (x *markup) tag() (what string, active bool) {
	rest := x.s[x.i+1:]
	switch {
	case strings.HasPrefix(rest, "!--"):
		return x.comment(rest[3:]), false
	case strings.HasPrefix(rest, "!") || strings.HasPrefix(rest, "?"):
		return "declarations, CDATA and processing instructions may not stand in it", false
	case strings.HasPrefix(rest, "/"):
		return x.end(), false
	}
	x.i++
	name := x.name()
	if name == "" {
		return "a < starts no element; write &lt;", false
	}
	if lower := strings.ToLower(name); !narrativeElements[name] {
		if activeElements[lower] {
			return "the element " + lower, true
		}
		return "an element is not one of basic HTML formatting in lower case", false
	}
	for {
		space := x.space()
		if x.i >= len(x.s) {
			return "an element does not end", false
		}
		switch {
		case x.s[x.i] == '>':
			x.i++
			if x.open == nil {
				x.open = x.room[:0]
			}
			x.open = append(x.open, name)
			return "", false
		case strings.HasPrefix(x.s[x.i:], "/>"):
			x.i += 2
			return "", false
		case !space:
			return "attributes must be parted by spaces", false
		}
		if what, active = x.attribute(); what != "" {
			return what, active
		}
	}
}

// comment passes over a comment. The forms that HTML ends earlier than XML does are refused: a browser would read on inside.
func (x *markup) comment(body string) string {
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") || strings.HasPrefix(body, ">") || strings.HasPrefix(body, "->") {
		return "a comment does not end, or has -- inside"
	}
	x.i = len(x.s) - len(body) + end + 3
	return ""
}

func (x *markup) end() string {
	x.i += 2
	name := x.name()
	x.space()
	if x.i >= len(x.s) || x.s[x.i] != '>' || len(x.open) == 0 || x.open[len(x.open)-1] != name {
		return "an end tag does not match its start tag"
	}
	x.i++
	x.open = x.open[:len(x.open)-1]
	return ""
}

func (x *markup) attribute() (what string, active bool) {
	name := strings.ToLower(x.name())
	x.space()
	if name == "" || x.i >= len(x.s) || x.s[x.i] != '=' {
		return "an attribute has no name or no value", false
	}
	x.i++
	x.space()
	if x.i >= len(x.s) || x.s[x.i] != '"' && x.s[x.i] != '\'' {
		return "an attribute's value is not quoted", false
	}
	n := strings.IndexByte(x.s[x.i+1:], x.s[x.i])
	if n < 0 {
		return "an attribute's value does not end", false
	}
	value := x.s[x.i+1 : x.i+1+n]
	x.i += n + 2
	switch {
	case strings.IndexByte(value, '<') >= 0:
		return "an attribute's value has a <; write &lt;", false
	case strings.HasPrefix(name, "on"):
		return "an event attribute", true
	case urlAttributes[name]:
		if activeURL(value) {
			return "the URL of " + name, true
		}
	case name == "style":
		if activeStyle(value) {
			return "a style that loads or runs something", true
		}
	case name == "srcdoc" || strings.IndexByte(name, ':') >= 0 && name != "xml:lang" && name != "xml:space":
		return "the attribute " + name, true
	}
	return "", false
}

// name reads letters, digits and the few signs of XML names; "" where no letter stands.
func (x *markup) name() string {
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

func (x *markup) space() bool {
	start := x.i
	for x.i < len(x.s) && (x.s[x.i] == ' ' || x.s[x.i] >= '\t' && x.s[x.i] <= '\r') {
		x.i++
	}
	return x.i > start
}

// activeURL reports whether a browser that follows the URL may run it. Character references and the control characters and spaces that
// browsers pass over are undone first.
func activeURL(value string) bool {
	u := strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r == '\u00ad' {
			return -1
		}
		return r
	}, html.UnescapeString(value)))
	for _, scheme := range [...]string{"javascript:", "vbscript:", "livescript:", "mocha:", "jar:", "blob:", "filesystem:"} {
		if strings.HasPrefix(u, scheme) {
			return true
		}
	}
	return strings.HasPrefix(u, "data:") && (!strings.HasPrefix(u, "data:image/") || strings.HasPrefix(u, "data:image/svg"))
}

// activeStyle reports whether a style runs something in some browser, or hides from this check behind escapes.
func activeStyle(value string) bool {
	s := strings.ToLower(html.UnescapeString(value))
	for {
		start := strings.Index(s, "/*")
		if start < 0 {
			break
		}
		end := strings.Index(s[start+2:], "*/")
		if end < 0 {
			return true
		}
		s = s[:start] + s[start+2+end+2:]
	}
	for _, sign := range [...]string{"\\", "expression", "javascript:", "vbscript:", "behavior", "-moz-binding", "@import"} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}
