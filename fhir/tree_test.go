package fhir

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// at follows a path of member names and indices.
func at(t testing.TB, n Node, path ...any) Node {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			n = n.Get(p)
		case int:
			n = n.At(p)
		}
	}
	return n
}

func TestNodePath(t *testing.T) {
	root := mustParse(t, `{"resourceType":"Bundle","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient","name":[{"given":["a",{"x":1}]}],
		"_birthDate":{"extension":[{"url":"u"}]},"contained":[{"resourceType":"Observation","code":{"text":"x"}}]}},{"resource":{"resourceType":"bad name","id":"1"}}]}`).Root()
	for _, c := range []struct {
		path []any
		want string
	}{
		{nil, "Bundle"},
		{[]any{"entry"}, "Bundle.entry"},
		{[]any{"entry", 0, "fullUrl"}, "Bundle.entry[0].fullUrl"},
		{[]any{"entry", 0, "resource"}, "Patient"},
		{[]any{"entry", 0, "resource", "name", 0, "given", 1, "x"}, "Patient.name[0].given[1].x"},
		{[]any{"entry", 0, "resource", "_birthDate", "extension", 0, "url"}, "Patient._birthDate.extension[0].url"},
		{[]any{"entry", 0, "resource", "contained", 0, "code", "text"}, "Observation.code.text"},
		{[]any{"entry", 1, "resource", "id"}, "Bundle.entry[1].resource.id"},
		{[]any{"nothing", "here"}, ""},
	} {
		if got := at(t, root, c.path...).Path(); got != c.want {
			t.Errorf("%v: %q; want %q", c.path, got, c.want)
		}
	}
	if got := mustParse(t, `{"a":[{"b":1}]}`).Root().Get("a").At(0).Get("b").Path(); got != "a[0].b" {
		t.Errorf("outside of a resource: %q", got)
	}
}

func TestNodeThatIsNotThereAnswersEmptily(t *testing.T) {
	var n Node
	if n.Valid() || n.Kind() != NoNode || n.Name() != "" || n.Text() != "" || n.Len() != 0 || n.Raw() != nil || n.Parent().Valid() || n.First().Valid() ||
		n.Next().Valid() || n.Get("x").Valid() || n.At(0).Valid() || n.Path() != "" || n.AppendJSON(nil) != nil || n.RawName() != nil {
		t.Error("the zero Node says something")
	}
	for range n.Children() {
		t.Error("the zero Node has children")
	}
	var tree *Tree
	if tree.Root().Valid() {
		t.Error("a nil Tree has a root")
	}
	root := mustParse(t, `{"a":"x","b":[],"c":{},"d":null}`).Root()
	for _, m := range []string{"a", "b", "c", "d"} {
		if c := root.Get(m); c.Get("x").Valid() || c.At(0).Valid() || c.First().Valid() || c.Len() != 0 {
			t.Errorf("%s has children", m)
		}
	}
	if root.At(4).Valid() || root.At(-1).Valid() || root.Next().Valid() || root.Get("d").Next().Valid() {
		t.Error("a node past the end is there")
	}
}

func TestSiblingsEndWithTheirParent(t *testing.T) {
	root := mustParse(t, `[[1,[2]],[],[3]]`).Root()
	var got []string
	for c := range root.Children() {
		for d := range c.Children() {
			got = append(got, string(d.Raw()))
		}
		got = append(got, "|")
	}
	if s := strings.Join(got, " "); s != "1 [2] | | 3 |" {
		t.Error(s)
	}
}

func TestTextAndNamesAreUnescaped(t *testing.T) {
	root := mustParse(t, `{"\u0061\n":"q\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z","n":1.50e3,"t":true,"z":null,"😀":"😀"}`).Root()
	if got := root.First().Name(); got != "a\n" {
		t.Errorf("name %q", got)
	}
	if got := string(root.First().RawName()); got != `\u0061\n` {
		t.Errorf("raw name %q", got)
	}
	if got := root.Get("a\n").Text(); got != "q\"\\/\b\f\n\r\té😀z" {
		t.Errorf("text %q", got)
	}
	if root.Get("n").Text() != "1.50e3" || root.Get("t").Text() != "true" || root.Get("z").Text() != "" || root.Get("😀").Text() != "😀" {
		t.Error("literals are not as written")
	}
}

func TestMinifyKeepsLiterals(t *testing.T) {
	for src, want := range map[string]string{
		"{ \"a\" : [ 1.00 , \" x \\\" y \" ] }": `{"a":[1.00," x \" y "]}`,
		`{"a":"\u00e9\/"}`:                      `{"a":"\u00e9\/"}`,
		"\n[\n]\n":                              `[]`,
		"[\"\\\\\" , 1]":                        `["\\",1]`,
	} {
		if got := string(mustParse(t, src).Root().AppendJSON(nil)); got != want {
			t.Errorf("%s: %s; want %s", src, got, want)
		}
	}
	// A subtree of a document with space is minified as well.
	if got := string(mustParse(t, `{"a": {"b": 1}}`).Root().Get("a").AppendJSON(nil)); got != `{"b":1}` {
		t.Error(got)
	}
}

func TestAppendStringIsJSON(t *testing.T) {
	for _, s := range []string{"", "a\"b\\c/d", "\x00\x1f\x7f\n\r\t", "é漢😀\u2028", "bad\xff\xed\xa0\x80end"} {
		lit := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(lit, &back); err != nil || back != strings.ToValidUTF8(strings.ReplaceAll(s, "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"), "\uFFFD") {
			t.Errorf("%q: %s reads back as %q, %v", s, lit, back, err)
		}
		if !utf8.Valid(lit) {
			t.Errorf("%q: not UTF-8", s)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{"1": true, "a-B.9": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "": false, "a_b": false, "a/b": false, "é": false, "a b": false} {
		if ValidID(id) != want {
			t.Errorf("%q: %t", id, !want)
		}
	}
}
