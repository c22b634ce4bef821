package validation

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// Primitives are checked by hand rather than by the regular expressions of R4 datatypes, which cost more than the rest of a walk together. A
// test holds both equal, but for what the prose of http://hl7.org/fhir/R4/datatypes.html adds: days that exist, 32 bits for integers, no
// control characters, sizes.

// maxStringLength is the greatest length of a string in characters (R4 datatypes, string).
const maxStringLength = 1 << 20

// primitive checks the value of a primitive, and notes a stand-in where a library needs one.
func (w *walker) primitive(n fhir.Node, m member) {
	name, t := m.ref.JSON, m.ref.Type
	want := fhir.String
	switch t.Name {
	case "boolean":
		want = fhir.Bool
	case "integer", "positiveInt", "unsignedInt", "decimal":
		want = fhir.Number
	}
	text := n.Text()
	switch {
	case n.Kind() != want:
		w.add(n, "", fhir.IssueStructure, fhir.IDElementType, name+" is of type "+t.Name+" and must be "+wanted(want)+", not "+kindName(n))
	case want == fhir.String && text == "":
		w.add(n, "", fhir.IssueValue, fhir.IDElementEmpty, name+" is an empty string; leave the element out")
	case t.Name == "xhtml":
		w.narrative(n, text)
		if !needsStandIn(m, text) {
			return
		}
	default:
		switch form := primitiveForm(t.Name, text); {
		case form == tooLong:
			w.add(n, "", fhir.IssueTooLong, fhir.IDPrimitiveLength, name+" is of type "+t.Name+": "+form)
		case form != "":
			w.add(n, "", fhir.IssueValue, fhir.IDPrimitiveFormat, name+" is of type "+t.Name+": "+form+outline(t.Name, text))
		case !m.codes.contains(text):
			w.add(n, "", fhir.IssueCodeInvalid, fhir.IDCodeEnum, name+" must be one of the codes "+m.codes.expected(text))
		case m.element.Path == reference:
			if text := standInReference(text); text != nil {
				w.replace(n, text)
			}
			return
		case !needsStandIn(m, text):
			return
		}
	}
	// What is refused is stood in for as well, so that the libraries go on to what is behind it.
	w.standIn(n, m)
}

func wanted(k fhir.NodeKind) string {
	switch k {
	case fhir.Bool:
		return "true or false"
	case fhir.Number:
		return "a number"
	}
	return "a string"
}

// tooLong is the form of strings past maxStringLength.
const tooLong = "at most 1,048,576 characters"

// primitiveForm returns "" where text is a value of the primitive type, and else what one looks like. Types that are not listed take any text.
func primitiveForm(typ, text string) string {
	switch typ {
	case "string", "markdown":
		if len(text) > maxStringLength && utf8.RuneCountInString(text) > maxStringLength {
			return tooLong
		}
		if hasControl(text) {
			return "it must not contain control characters other than tab, line feed and carriage return"
		}
	case "code":
		if !isCode(text) {
			return "words separated by single spaces, with none at the ends"
		}
	case "id":
		if !fhir.ValidID(text) {
			return "1 to 64 letters, digits, dashes and dots"
		}
	case "uri", "url", "canonical":
		if hasSpace(text) {
			return "a URI must not contain white space"
		}
	case "oid":
		if !isOID(text) {
			return "urn:oid: and numbers separated by dots"
		}
	case "uuid":
		if !isUUID(text) {
			return "urn:uuid: and 32 lower case hexadecimal digits in groups of 8-4-4-4-12"
		}
	case "date":
		if _, err := fhir.ParseDate(text); err != nil {
			return "an existing date, YYYY, YYYY-MM or YYYY-MM-DD"
		}
	case "dateTime":
		if _, err := fhir.ParseDateTime(text); err != nil {
			return "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset, of an existing day"
		}
	case "instant":
		if _, err := fhir.ParseInstant(text); err != nil {
			return "YYYY-MM-DDThh:mm:ss with Z or an offset, of an existing day"
		}
	case "time":
		if _, err := fhir.ParseTime(text); err != nil {
			return "hh:mm:ss, without a zone"
		}
	case "decimal":
		if _, err := fhir.ParseDecimal(text); err != nil {
			return "a number of at most 1,000 digits"
		}
	case "integer":
		if !isInteger(text, -1<<31) {
			return "a whole number from -2147483648 to 2147483647, without a decimal point or exponent"
		}
	case "unsignedInt":
		if !isInteger(text, 0) {
			return "a whole number from 0 to 2147483647, without a decimal point or exponent"
		}
	case "positiveInt":
		if !isInteger(text, 1) {
			return "a whole number from 1 to 2147483647, without a decimal point or exponent"
		}
	case "base64Binary":
		if !isBase64(text) {
			return "base64, in groups of four characters"
		}
	}
	return ""
}

// longestOutline is the length up to which the form of a value is shown.
const longestOutline = 40

// outline tells the form of a wrong value without its content, each digit as 9 and each letter as x: 99.99.9999. It tells nothing of types
// whose values have no form, and where the form is right, as in a day that does not exist.
func outline(typ, text string) string {
	switch typ {
	case "string", "markdown", "base64Binary", "uri", "url", "canonical", "decimal":
		return ""
	}
	if n := utf8.RuneCountInString(text); n > longestOutline {
		return "; the value has " + strconv.Itoa(n) + " characters"
	}
	ones := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '1'
		}
		return r
	}, text)
	if primitiveForm(typ, ones) == "" {
		return ""
	}
	return "; the value has the form \"" + strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '9'
		case r >= ' ' && r < 0x7f && (r|0x20 < 'a' || r|0x20 > 'z'), r == 'T', r == 'Z':
			return r // T and Z stand in times
		}
		return 'x'
	}, text) + "\""
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func hasSpace(s string) bool {
	for i := 0; i < len(s); i++ {
		if isSpace(s[i]) {
			return true
		}
	}
	return false
}

func isCode(s string) bool {
	space := true
	for i := 0; i < len(s); i++ {
		here := isSpace(s[i])
		if here && space || s[i] < 0x20 && !here {
			return false
		}
		space = here
	}
	return !space
}

func isOID(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(s) < 3 || s[0] < '0' || s[0] > '2' || s[1] != '.' {
		return false
	}
	for arc := range strings.SplitSeq(s[2:], ".") {
		if arc == "" || len(arc) > 1 && arc[0] == '0' || strings.Trim(arc, "0123456789") != "" {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// isInteger reports whether s is a whole number without point and exponent, from least to 2^31-1. JSON's grammar has kept leading zeros out.
func isInteger(s string, least int64) bool {
	d, err := fhir.ParseDecimal(s)
	if err != nil || strings.Trim(s, "-0123456789") != "" {
		return false
	}
	i, ok := d.Int64()
	return ok && i >= least && i <= 1<<31-1 && (s != "-0" || least < 0)
}

// isBase64 reports whether s is groups of four base64 characters, with white space anywhere and padding at the end alone.
func isBase64(s string) bool {
	n, pad := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case base64Digit[c] && pad == 0:
			n++
		case c == '=' && pad < 2:
			n, pad = n+1, pad+1
		case !isSpace(c):
			return false
		}
	}
	return n > 0 && n%4 == 0
}

// base64Digit marks the 64 digits of RFC 4648, section 4.
var base64Digit = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		set[c] = true
	}
	return set
}()
