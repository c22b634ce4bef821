package interaction

import (
	"iter"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// namesInNarrative reports whether a link of the XHTML names an entry.
func namesInNarrative(div string, names entryNames) bool {
	if len(names) == 0 {
		return false
	}
	for start, end := range narrativeLinks(div) {
		if _, _, ok := names.find(unescapeAmp(div[start:end])); ok {
			return true
		}
	}
	return false
}

// rewriteNarrative returns XHTML with the links that name entries replaced by "Type/id" of keys (R4 http, 3.1.0.11.2 Transaction Processing
// Rules). All else stays byte for byte.
func rewriteNarrative(div string, names entryNames, keys []fhir.Key) string {
	var out strings.Builder
	done := 0
	for start, end := range narrativeLinks(div) {
		entry, rest, ok := names.find(unescapeAmp(div[start:end]))
		if !ok || keys[entry] == (fhir.Key{}) {
			continue
		}
		out.WriteString(div[done:start])
		out.WriteString(keys[entry].String())
		out.WriteString(strings.ReplaceAll(rest, "&", "&amp;"))
		done = end
	}
	if done == 0 {
		return div
	}
	out.WriteString(div[done:])
	return out.String()
}

func unescapeAmp(s string) string { return strings.ReplaceAll(s, "&amp;", "&") }

// narrativeLinks yields where the values of href and src attributes start and end, as of the elements a and img. Text and comments that
// look like attributes are passed over. Input that is not well-formed ends it early.
func narrativeLinks(s string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i := 0; ; {
			open := strings.IndexByte(s[i:], '<')
			if open < 0 {
				return
			}
			i += open + 1
			if strings.HasPrefix(s[i:], "!--") {
				n := strings.Index(s[i:], "-->")
				if n < 0 {
					return
				}
				i += n
				continue
			}
			for {
				stop := strings.IndexAny(s[i:], "=>")
				if stop < 0 {
					return
				}
				name := strings.TrimSpace(s[i : i+stop])
				i += stop + 1
				if s[i-1] == '>' {
					break
				}
				i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \t\r\n"))
				if i == len(s) || s[i] != '"' && s[i] != '\'' {
					return
				}
				n := strings.IndexByte(s[i+1:], s[i])
				if n < 0 {
					return
				}
				start, end := i+1, i+1+n
				i = end + 1
				name = name[strings.LastIndexAny(name, " \t\r\n")+1:]
				if (strings.EqualFold(name, "href") || strings.EqualFold(name, "src")) && !yield(start, end) {
					return
				}
			}
		}
	}
}
