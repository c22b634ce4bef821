package search

import "strings"

// splitEscaped splits s at sep where no backslash stands before it. The parts keep their escapes
// (https://hl7.org/fhir/R4/search.html#escaping).
func splitEscaped(s string, sep byte) []string {
	if strings.IndexByte(s, '\\') < 0 {
		if strings.IndexByte(s, sep) < 0 {
			return []string{s}
		}
		return strings.Split(s, string(sep))
	}
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// Escape returns a value as parameters hold it: its commas, bars, dollar signs and backslashes are no separators.
func Escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// unescape decodes `\,`, `\$`, `\|` and `\\`, of which a value that is wellEscaped has no other.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`,$|\`, s[i+1]) >= 0 {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// wellEscaped reports whether every backslash of s is an escape: "the parameter value `xx\xx` is illegal".
func wellEscaped(s string) bool {
	for i := strings.IndexByte(s, '\\'); i >= 0 && i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; i == len(s) || strings.IndexByte(`,$|\`, s[i]) < 0 {
			return false
		}
	}
	return true
}
