package xhtml

import (
	"html"
	"strings"
)

// activeURL reports whether a browser that follows the URL may run it. Character references, and the control characters and spaces that browsers
// ignore, are undone first.
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
	var b strings.Builder
	for rest := strings.ToLower(html.UnescapeString(value)); rest != ""; {
		before, comment, found := strings.Cut(rest, "/*")
		b.WriteString(before)
		if rest = ""; found {
			if _, rest, found = strings.Cut(comment, "*/"); !found {
				return true
			}
		}
	}
	s := b.String()
	for _, sign := range [...]string{"\\", "expression", "javascript:", "vbscript:", "behavior", "-moz-binding", "@import"} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}
