package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func mustParse(t testing.TB, src string) *Tree {
	t.Helper()
	tree, err := Parse([]byte(src), Limits{})
	if err != nil {
		t.Fatalf("Parse(%.80q): %v", src, err)
	}
	return tree
}

// issueID returns the id of err's first issue.
func issueID(err error) string {
	var e *Error
	if !errors.As(err, &e) || len(e.Issues) == 0 {
		return ""
	}
	return string(e.Issues[0].ID)
}

func wide(members int, last string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range members {
		fmt.Fprintf(&b, `"m%d":%d,`, i, i)
	}
	fmt.Fprintf(&b, `%q:0}`, last)
	return b.String()
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, src, id, where string
	}{
		{"nothing", "", "json-syntax", "line 1 column 1"},
		{"only space", " \n ", "json-syntax", "line 2 column 2"},
		{"a word", "nul", "json-syntax", "line 1 column 1"},
		{"an open object", `{"a":1`, "json-syntax", "line 1 column 7"},
		{"an open object after a comma", `{"a":1,`, "json-syntax", ""},
		{"a comma at the end of an object", "{\"a\":1,\n}", "json-syntax", "line 2 column 1"},
		{"a comma at the end of an array", `[1,]`, "json-syntax", "line 1 column 4"},
		{"two commas", `[1,,2]`, "json-syntax", ""},
		{"an open array", `[1`, "json-syntax", ""},
		{"items without comma", `[1 2]`, "json-syntax", "line 1 column 4"},
		{"the wrong bracket", `[1}`, "json-syntax", ""},
		{"a name without quotes", `{a:1}`, "json-syntax", ""},
		{"a name in single quotes", `{'a':1}`, "json-syntax", ""},
		{"a name without colon", `{"a" 1}`, "json-syntax", ""},
		{"a member without value", `{"a":}`, "json-syntax", ""},
		{"a comment", "{/* */}", "json-syntax", ""},
		{"an open string", `"abc`, "json-syntax", "line 1 column 1"},
		{"a long open string", `"` + strings.Repeat("a", 100), "json-syntax", "line 1 column 1"},
		{"a raw tab in a string", "\"a\tb\"", "json-syntax", "line 1 column 3"},
		{"a raw line feed in a long string", `"` + strings.Repeat("a", 13) + "\n\"", "json-syntax", "line 1 column 15"},
		{"a bad escape", `"\x"`, "json-syntax", ""},
		{"a short escape", `"\u12"`, "json-syntax", ""},
		{"an escape at the end", `"\`, "json-syntax", ""},
		{"a high surrogate alone", `"\ud83d"`, "json-utf8", ""},
		{"a low surrogate alone", `"\ude00"`, "json-utf8", ""},
		{"a high surrogate and a letter", `"\ud83dA"`, "json-utf8", ""},
		{"two high surrogates", `"\ud83d\ud83d"`, "json-utf8", ""},
		{"bad UTF-8", "{\"a\":\n\"\xff\"}", "json-utf8", "line 2 column 2"},
		{"a surrogate in UTF-8", "\"\xed\xa0\x80\"", "json-utf8", ""},
		{"an overlong form", "\"\xc0\xaf\"", "json-utf8", ""},
		{"two values", `{} {}`, "json-trailing", "line 1 column 4"},
		{"a zero byte behind", "{}\x00", "json-trailing", ""},
		{"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf{}", "json-syntax", ""},
		{"a leading zero", `01`, "json-syntax", ""},
		{"a plus sign", `+1`, "json-syntax", ""},
		{"a minus alone", `-`, "json-syntax", ""},
		{"a point without digits", `1.`, "json-syntax", ""},
		{"an exponent without digits", `1e+`, "json-syntax", ""},
		{"a number that goes on", `1.2.3`, "json-trailing", ""},
		{"NaN", `NaN`, "json-syntax", ""},
		{"a duplicate member", `{"a":1,"b":2,"a":3}`, "json-duplicate-key", "line 1 column 14"},
		{"a duplicate through escapes", `{"id":1,"\u0069d":2}`, "json-duplicate-key", ""},
		{"a duplicate through escapes, first", `{"\u0069d":1,"id":2}`, "json-duplicate-key", ""},
		{"a duplicate deep inside", `[{"x":{"a":[],"a":[]}}]`, "json-duplicate-key", ""},
		{"a duplicate among many", wide(40, "m3"), "json-duplicate-key", ""},
		{"a duplicate among many, through escapes", strings.Replace(wide(40, "m39"), `"m39":0`, `"\u006d39":0`, 1), "json-duplicate-key", ""},
		{"a duplicate at the border", wide(smallObject, "m0"), "json-duplicate-key", ""},
		{"depth", strings.Repeat("[", 129) + strings.Repeat("]", 129), "json-depth", ""},
		{"depth without an end", strings.Repeat(`{"a":`, 1_000_000), "json-depth", ""},
		{"a name of 64 KiB", `{"` + strings.Repeat("n", 1<<16) + `":1}`, "json-syntax", ""},
	} {
		_, err := Parse([]byte(c.src), Limits{})
		if issueID(err) != c.id {
			t.Errorf("%s: %v; want %s", c.name, err, c.id)
			continue
		}
		want := KindInvalid
		if c.id == "json-depth" {
			want = KindTooLarge
		}
		if KindOf(err) != want {
			t.Errorf("%s: kind %d; want %d", c.name, KindOf(err), want)
		}
		if !strings.Contains(err.Error(), c.where) {
			t.Errorf("%s: %v; want %s", c.name, err, c.where)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for name, src := range map[string]string{
		"a byte order mark":             "\xef\xbb\xbf{}",
		"space around all":              " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } }\n",
		"depth at the limit":            strings.Repeat("[", 128) + strings.Repeat("]", 128),
		"a string of 1 MB":              `"` + strings.Repeat("é", 1<<19) + `"`,
		"many members":                  wide(2000, "end"),
		"one name in different objects": `[{"a":1},{"a":{"a":1}}]`,
		"an empty name":                 `{"":1}`,
		"every plane":                   `"aé漢😀𐀀` + "\U0010ffff" + `\ud83d\ude00\u0000\/\b"`,
		"punctuation in a string":       `"` + strings.Repeat(`,[{`, 1000) + `"`,
		"a name of 65,535 bytes":        `{"` + strings.Repeat("n", 1<<16-1) + `":1}`,
	} {
		if _, err := Parse([]byte(src), Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseLimitsAreTheCallers(t *testing.T) {
	if _, err := Parse([]byte(`[[[1]]]`), Limits{Depth: 2}); issueID(err) != "json-depth" {
		t.Errorf("depth 3 of 2: %v", err)
	}
	if _, err := Parse([]byte(`[1,2,3]`), Limits{Nodes: 3}); issueID(err) != "json-nodes" || KindOf(err) != KindTooLarge {
		t.Errorf("4 nodes of 3: %v", err)
	}
	if _, err := Parse([]byte(`[1,2]`), Limits{Nodes: 3, Depth: 1}); err != nil {
		t.Errorf("3 nodes of 3: %v", err)
	}
}

func TestParseErrorsHoldNoValues(t *testing.T) {
	for _, src := range []string{`{"family":"Secret","family":"Secret"}`, `{"family":"Secret" x}`, `{"family":Secret}`, `"Secret`, "\"Secret\xff\""} {
		if _, err := Parse([]byte(src), Limits{}); err == nil || strings.Contains(err.Error(), "Secret") {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestParseCostsTwoAllocations(t *testing.T) {
	src := []byte(`{"resourceType":"Patient","name":[{"family":"a","given":["b","c"]}],"birthDate":"1970-01-01","active":true}`)
	if n := testing.AllocsPerRun(100, func() { Parse(src, Limits{}) }); n > 2 {
		t.Errorf("%v allocations; want 2", n)
	}
}

// equalValue reports whether n holds what encoding/json made of the same bytes.
func equalValue(n Node, v any) bool {
	switch v := v.(type) {
	case nil:
		return n.Kind() == Null
	case bool:
		return n.Kind() == Bool && n.Text() == fmt.Sprint(v)
	case json.Number:
		return n.Kind() == Number && n.Text() == v.String()
	case string:
		return n.Kind() == String && n.Text() == v
	case []any:
		if n.Kind() != Array || n.Len() != len(v) {
			return false
		}
		i := 0
		for c := range n.Children() {
			if c.Parent() != n || !equalValue(c, v[i]) {
				return false
			}
			i++
		}
		return i == len(v)
	case map[string]any:
		if n.Kind() != Object || n.Len() != len(v) {
			return false
		}
		for c := range n.Children() {
			if w, ok := v[c.Name()]; !ok || n.Get(c.Name()) != c || c.Parent() != n || !equalValue(c, w) {
				return false
			}
		}
		return true
	}
	return false
}

// FuzzParse holds Parse to encoding/json: the same documents but for those that Parse refuses on purpose, with the same values.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,-0.5e+3,true,false,null,"x\u0041\n"],"b":{"c":{}}}`, `{"\u0061":1,"a":2}`, `"\ud83d\ude00"`, "\"\xff\"", ` [ ] x`,
		wide(30, "x"), "\xef\xbb\xbf{}", strings.Repeat("[", 130), `"12345678\"90"`, `{"resourceType":"Patient"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		plain := bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
		tree, err := Parse(src, Limits{})
		if err != nil {
			switch id := issueID(err); id {
			case "json-duplicate-key", "json-utf8", "json-depth":
			default:
				if json.Valid(plain) {
					t.Fatalf("%q is valid, and refused: %v", src, err)
				}
			}
			return
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(plain))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil || !json.Valid(plain) {
			t.Fatalf("%q is accepted: %v", src, err)
		}
		if !equalValue(tree.Root(), v) {
			t.Fatalf("%q: the values differ", src)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, plain); err != nil || !bytes.Equal(compact.Bytes(), tree.Root().AppendJSON(nil)) {
			t.Fatalf("%q is minified to %s", src, tree.Root().AppendJSON(nil))
		}
	})
}
