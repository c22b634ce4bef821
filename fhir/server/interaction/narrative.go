package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/xhtml"
)

// namesInNarrative reports whether a link of the XHTML names an entry.
func namesInNarrative(div string, names entryNames) bool {
	if len(names) == 0 {
		return false
	}
	for start, end := range xhtml.Links(div) {
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
	for start, end := range xhtml.Links(div) {
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
