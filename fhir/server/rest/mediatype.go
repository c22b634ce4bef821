package rest

import (
	"strconv"
	"strings"
)

// mediaType is a media type or range with the parameters that matter here.
type mediaType struct {
	name    string // lower case, without parameters: "application/fhir+json", "image/*"
	version string // fhirVersion
	charset string // lower case
	q       int    // thousandths; 1000 where there is none
	bad     bool   // q is not a quality value
}

// parseMediaType reads one media type with its parameters (RFC 9110 section 8.3.1). It takes any text: what is not understood ends up in a
// name that nothing equals.
func parseMediaType(s string) mediaType {
	m := mediaType{q: 1000}
	name, rest := cut(s, ';')
	m.name = strings.ToLower(trim(name))
	for rest != "" {
		var p string
		p, rest = cut(rest, ';')
		key, value, _ := strings.Cut(p, "=")
		value = unquote(trim(value))
		switch strings.ToLower(trim(key)) {
		case "q":
			m.q, m.bad = quality(value)
		case "fhirversion":
			m.version = value
		case "charset":
			m.charset = strings.ToLower(value)
		}
	}
	return m
}

// speaksR4 reports whether the parameters allow what the server reads and writes: R4 in UTF-8.
func (m *mediaType) speaksR4() bool {
	return (m.version == "" || m.version == "4.0" || m.version == "4.0.1") && (m.charset == "" || m.charset == "utf-8" || m.charset == "utf8" || m.charset == "*")
}

// quality reads a quality value as thousandths. What is none is reported as bad and counts as 0, so that it never selects anything.
func quality(s string) (q int, bad bool) {
	if len(s) == 0 || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, true
	}
	q = int(s[0]-'0') * 1000
	digits := "000"
	if len(s) > 2 {
		digits = (s[2:] + "000")[:3]
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || q+int(n) > 1000 {
		return 0, true
	}
	return q + int(n), false
}

// cut splits s at the first sep outside of double quotes.
func cut(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// trim removes the white space that HTTP allows around tokens.
func trim(s string) string { return strings.Trim(s, " \t") }

// unquote returns the content of a quoted string, and any other text as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
