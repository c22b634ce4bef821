package xhtml

import "strings"

// Kind says which rule of R4 a narrative breaks.
type Kind uint8

const (
	// None: the narrative is what R4 allows.
	None Kind = iota
	// Markup: it is not well-formed, or has an element or an attribute that R4 does not list (txt-1).
	Markup
	// Active: it can run a script, or load what a browser runs or shows in its place (txt-1, and R4 security).
	Active
	// Empty: it has neither text nor an image (txt-2).
	Empty
)

// Fault is what is wrong with a narrative. Text names elements and attributes that are listed here, and nothing else of the narrative.
type Fault struct {
	Kind Kind
	Text string
}

// namespace is what an xmlns in a narrative must be.
const namespace = "http://www.w3.org/1999/xhtml"

// maxDepth bounds the elements that are open at once.
const maxDepth = 200

// elements are those of HTML 4.0, chapters 7 to 11 but for 9.4 (ins and del), and 15, without the deprecated ones (font, center, u, s, ...), with
// links and images.
var elements = set("p br div h1 h2 h3 h4 h5 h6 a span b em i strong small big tt dfn q var abbr acronym cite blockquote hr address bdo kbd " +
	"sub sup ul ol li dl dt dd pre table caption colgroup col thead tr tfoot tbody th td code samp img map area")

// attributes are those that R4's txt-1 lists for its XPath, with those of image maps, of XML, and idref, by which an extension names a part of the text.
var attributes = set("abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class " +
	"colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src " +
	"start style summary tabindex title type valign value vspace width ismap nohref usemap idref noshade xml:lang xml:space")

// activeElements can run or load something; naming them makes a better message than "not allowed".
var activeElements = set("script object embed applet iframe frame frameset form input button select textarea option link base meta head body html " +
	"style svg math template video audio source track canvas portal noscript")

// linkAttributes hold a URL that a browser follows.
var linkAttributes = set("href src cite longdesc background action formaction usemap profile codebase classid data poster")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// checker is the state of a check.
type checker struct {
	scanner
	open    []string
	content bool
}

// Check returns what is wrong with the div of a narrative; Kind is None where it is as R4 says. Its cost is that of one pass.
func Check(div string) Fault {
	var room [16]string
	c := checker{scanner: scanner{s: strings.Trim(div, " \t\r\n")}, open: room[:0]}
	if !strings.HasPrefix(c.s, "<div") {
		return Fault{Markup, "it must be one div element"}
	}
	for {
		if len(c.open) == 0 && c.i > 0 {
			if c.i < len(c.s) {
				return Fault{Markup, "something follows the div"}
			}
			if !c.content {
				return Fault{Empty, "it has neither text nor an image"}
			}
			return Fault{}
		}
		kind, name, text, what := c.next()
		if what == "" {
			what = characters(text)
		}
		if what == "" && strings.Contains(text, "]]>") {
			what = "]]> stands in a text; write ]]&gt;"
		}
		if what != "" {
			return Fault{Markup, what}
		}
		c.content = c.content || strings.Trim(text, " \t\r\n") != ""
		switch kind {
		case startTag:
			if f := c.start(name); f.Kind != None {
				return f
			}
		case endTag:
			if c.open[len(c.open)-1] != name {
				return Fault{Markup, "an end tag does not match its start tag"}
			}
			c.open = c.open[:len(c.open)-1]
		case noMoreTags:
			return Fault{Markup, "an element does not end"}
		}
	}
}

// start checks a start tag, or the tag of an empty element, whose name is read.
func (c *checker) start(name string) Fault {
	if !elements[name] {
		if lower := strings.ToLower(name); activeElements[lower] {
			return Fault{Active, "the element " + lower}
		} else if elements[lower] {
			return Fault{Markup, "the element " + lower + " must be in lower case"}
		}
		return Fault{Markup, "an element is not one of basic HTML formatting"}
	}
	if len(c.open) == maxDepth {
		return Fault{Markup, "elements are nested too deeply"}
	}
	var room [8]string
	seen := room[:0]
	for {
		a, more, empty, what := c.attribute()
		if what != "" {
			return Fault{Markup, what}
		}
		if !more {
			if !empty {
				c.open = append(c.open, name)
			}
			return Fault{}
		}
		for _, s := range seen {
			if s == a.name {
				return Fault{Markup, "an attribute is given twice"}
			}
		}
		seen = append(seen, a.name)
		if f := a.check(); f.Kind != None {
			return f
		}
		c.content = c.content || name == "img" && a.name == "src"
	}
}

// check checks an attribute: what is active first, whatever its spelling.
func (a *attribute) check() Fault {
	lower := strings.ToLower(a.name)
	switch {
	case strings.HasPrefix(lower, "on"):
		return Fault{Active, "an event attribute"}
	case linkAttributes[lower] && activeURL(a.value):
		return Fault{Active, "the URL of " + lower}
	case lower == "style" && activeStyle(a.value):
		return Fault{Active, "a style that loads or runs something"}
	case lower == "srcdoc", strings.HasPrefix(lower, "xlink:"), lower == "xml:base":
		return Fault{Active, "the attribute " + lower}
	case a.name == "xmlns":
		if a.value != namespace {
			return Fault{Markup, "the namespace is not that of XHTML"}
		}
	case strings.HasPrefix(a.name, "xmlns:"):
	case !attributes[a.name]:
		return Fault{Markup, "an attribute is not one of basic HTML formatting"}
	}
	if what := characters(a.value); what != "" {
		return Fault{Markup, what}
	}
	return Fault{}
}
