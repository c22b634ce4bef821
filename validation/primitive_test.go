package validation

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// narrower are the values that the prose of R4 refuses and its regular expressions take.
var narrower = map[string]func(s string) bool{
	"date":        dayMissing,
	"dateTime":    dayMissing,
	"instant":     dayMissing,
	"decimal":     func(s string) bool { return strings.ContainsAny(s, "eE") || len(s) > 1000 }, // 1,000 digits
	"integer":     func(s string) bool { return len(s) > 9 },                                    // 32 bits
	"positiveInt": func(s string) bool { return len(s) > 9 },
	"unsignedInt": func(s string) bool { return len(s) > 9 },
	"string":      hasControl,
	"markdown":    hasControl,
	"code":        func(s string) bool { return hasControl(s) || strings.ContainsRune(s, '\v') },
	"uri":         func(s string) bool { return strings.ContainsRune(s, '\v') },
	"url":         func(s string) bool { return strings.ContainsRune(s, '\v') },
	"canonical":   func(s string) bool { return strings.ContainsRune(s, '\v') },
	// RFC 4648 has padding at the end alone.
	"base64Binary": func(s string) bool { return strings.Contains(s, "=") },
}

func dayMissing(s string) bool {
	return len(s) >= 10 && (s[8:10] == "29" || s[8:10] == "30" || s[8:10] == "31")
}

// wider are the values that the hand-written checks take and the regular expressions do not.
var wider = map[string]func(s string) bool{
	"string":       func(s string) bool { return strings.ContainsAny(s, "\f") },
	"code":         func(s string) bool { return strings.ContainsAny(s, "\v") },
	"base64Binary": func(s string) bool { return hasSpace(s) }, // white space within a group of four, as MIME's lines have it
}

func checkPrimitive(t *testing.T, typ *definition.Type, re *regexp.Regexp, text string) {
	t.Helper()
	if text == "" {
		return
	}
	ours, theirs := primitiveForm(typ.Name, text) == "", re.MatchString(text)
	if ours && !theirs && (wider[typ.Name] == nil || !wider[typ.Name](text)) {
		t.Errorf("%s: %q is taken, and does not match the regular expression of R4", typ.Name, text)
	}
	if !ours && theirs && (narrower[typ.Name] == nil || !narrower[typ.Name](text)) {
		t.Errorf("%s: %q is refused, and matches the regular expression of R4", typ.Name, text)
	}
}

var primitiveSeeds = []string{"", "a", " a", "a ", "a b", "a  b", "a\tb", "a\nb", "\f", "\x01", "é 漢", "0", "-0", "00", "1", "-1", "+1", "1.0", "1e5", "2147483647", "2147483648", "-2147483648",
	"2024", "0000", "2024-05", "2024-13", "2024-05-17", "2024-02-30", "2024-05-17T10:00:00Z", "2024-05-17T10:00:00", "2024-05-17T10:00:60.123+14:00", "2024-05-17T10:00:00+14:01", "10:00:00", "10:00", "24:00:00", "23:59:60.5",
	"urn:oid:1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:oid:1.", "urn:oid:1.2.", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:0C3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:0c3151bd1cbf4d64b04dcd9187a4c6e0",
	"AAAA", "AAA", "AAA=", "AA==", "A===", "====", " AAAA AAAA ", "AA AA", "AAAA\nAAAA", "A-_A", "AA=A", "http://x.org/y", "http://x y", "id-1.A", "id_1", strings.Repeat("a", 64), strings.Repeat("a", 65)}

// TestPrimitivesAreThoseOfR4 holds the hand-written checks to the regular expressions of the definitions.
func TestPrimitivesAreThoseOfR4(t *testing.T) {
	eachRegex(t, func(typ *definition.Type, re *regexp.Regexp) {
		for _, s := range primitiveSeeds {
			checkPrimitive(t, typ, re, s)
		}
	})
}

func eachRegex(t testing.TB, f func(*definition.Type, *regexp.Regexp)) {
	for name := range standIns {
		typ, ok := definition.R4().Type(name)
		if !ok {
			t.Fatalf("%s is no type", name)
		}
		if typ.Regex != "" && name != "boolean" {
			f(typ, regexp.MustCompile(`^(?:`+typ.Regex+`)$`))
		}
	}
}

// FuzzPrimitives looks for texts on which the checks and the regular expressions differ.
func FuzzPrimitives(f *testing.F) {
	for _, s := range primitiveSeeds {
		f.Add(s)
	}
	type pair struct {
		typ *definition.Type
		re  *regexp.Regexp
	}
	var all []pair
	eachRegex(f, func(typ *definition.Type, re *regexp.Regexp) { all = append(all, pair{typ, re}) })
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range all {
			switch p.typ.Name {
			case "integer", "positiveInt", "unsignedInt", "decimal":
				// The parser has made sure that these are JSON numbers.
				if !jsonNumber.MatchString(s) {
					continue
				}
			}
			checkPrimitive(t, p.typ, p.re, s)
		}
	})
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
