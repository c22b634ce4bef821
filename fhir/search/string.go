package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Strings (https://hl7.org/fhir/R4/search.html#string): "a field matches a string query if the value of the field equals or starts with the
// supplied parameter value, after both have been normalized by case and accent".

// letters that no decomposition takes apart, and what they compare as.
var foldedLetters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ς': "σ",
}

// fold returns s as strings compare: compatibility-decomposed, in lower case, without accents, punctuation and marks of format, and with one space where there
// was white space ("punctuation and non-significant whitespace (e.g. repeated space characters, tab vs space) SHOULD also be ignored"). It is
// idempotent. What is plain ASCII and folded is returned as it is.
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	put := func(r rune) {
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if !ascii {
		s = norm.NFKD.String(s)
	}
	for _, r := range s {
		if r < utf8.RuneSelf {
			switch {
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				put(r)
			case r >= 'A' && r <= 'Z':
				put(r + 'a' - 'A')
			case r <= ' ' || r == 0x7f:
				space = true
			case !isPunct(byte(r)):
				put(r)
			}
			continue
		}
		switch {
		case unicode.In(r, unicode.M, unicode.P, unicode.Cf):
		case unicode.IsSpace(r), unicode.IsControl(r):
			space = true
		default:
			r = unicode.ToLower(r)
			if f, ok := foldedLetters[r]; ok {
				for _, c := range f {
					put(c)
				}
			} else {
				put(r)
			}
		}
	}
	return b.String()
}

// isPunct reports whether an ASCII character is punctuation. Signs that carry meaning in names and units stay: + < = > ^ ` | ~ $.
func isPunct(c byte) bool { return strings.IndexByte(`!"#%&'()*,-./:;?@[\]_{}`, c) >= 0 }

// isFolded reports whether s is ASCII that fold leaves alone.
func isFolded(s string) bool {
	space := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			space = false
		case c == ' ':
			if space {
				return false
			}
			space = true
		default:
			return false
		}
	}
	return !space || s == ""
}

// stringCondition compares a string with one value of a search: by default the folded field starts with it, with contains it has it
// anywhere, and with exact the field is the value to the letter, "including casing and accents".
func stringCondition(m modifier, value string) ([]condition, error) {
	if m == modifierExact {
		return one(Comparison{Field: Exact, Op: Eq, Value: value}), nil
	}
	folded := fold(value)
	if folded == "" {
		return nil, badValue(fhir.IDBadString, "a text of punctuation or spaces alone matches nothing; with :exact it is compared as it is")
	}
	op := Prefix
	if m == modifierContains {
		op = Contains
	}
	return one(Comparison{Field: Folded, Op: op, Value: folded}), nil
}

// eachWord yields the words of s, folded: runs of letters, digits and marks.
func eachWord(s string, yield func(word string)) {
	start := -1
	for i, r := range s {
		word := r < utf8.RuneSelf && (r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') ||
			r >= utf8.RuneSelf && unicode.In(r, unicode.L, unicode.N, unicode.M)
		switch {
		case word && start < 0:
			start = i
		case !word && start >= 0:
			if w := fold(s[start:i]); w != "" {
				yield(w)
			}
			start = -1
		}
	}
	if start >= 0 {
		if w := fold(s[start:]); w != "" {
			yield(w)
		}
	}
}

// text appends a string, or each part of a name or an address that has one: "a server defined search that may match any of the string
// fields".
func (x *extraction) text(it *fhirpath.Item) {
	x.strings(it, x.string)
}

// phonetic appends the Soundex codes of a name's words.
func (x *extraction) phonetic(it *fhirpath.Item) {
	x.strings(it, func(s string) {
		eachWord(s, func(w string) { x.put(Entry{Param: x.rule.plain, Folded: soundex(w)}) })
	})
}

func (x *extraction) string(s string) { x.putString(x.rule.plain, s) }

// putString appends a string under a name; "" has no entry.
func (x *extraction) putString(name, s string) {
	if s != "" {
		x.put(Entry{Param: name, Folded: x.fold(s), Exact: s})
	}
}

// fold is the function fold with a short memory: several parameters read the same elements.
func (x *extraction) fold(s string) string {
	if isFolded(s) {
		return s
	}
	for i := range x.folds {
		if f := &x.folds[i]; f.in == s {
			return f.out
		}
	}
	f := &x.folds[x.nextFold%len(x.folds)]
	x.nextFold++
	f.in, f.out = s, fold(s)
	return f.out
}

// strings yields the strings of an item.
func (x *extraction) strings(it *fhirpath.Item, yield func(string)) {
	switch n := it.Node(); it.Type() {
	case "HumanName":
		eachString(n, yield, "text", "family", "given", "prefix", "suffix")
	case "Address":
		eachString(n, yield, "text", "line", "city", "district", "state", "postalCode", "country")
	case "CodeableConcept":
		eachString(n, yield, "text")
		for c := n.Get("coding").First(); c.Valid(); c = c.Next() {
			eachString(c, yield, "display")
		}
	default:
		if it.HasValue() {
			yield(it.Text())
		}
	}
}

// eachString yields the members of an object that are strings or arrays of strings.
func eachString(n fhir.Node, yield func(string), names ...string) {
	for _, name := range names {
		switch m := n.Get(name); m.Kind() {
		case fhir.String:
			yield(m.Text())
		case fhir.Array:
			for i := m.First(); i.Valid(); i = i.Next() {
				if i.Kind() == fhir.String {
					yield(i.Text())
				}
			}
		}
	}
}
