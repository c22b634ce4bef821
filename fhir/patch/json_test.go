package patch

import (
	"errors"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func parse(t testing.TB, src string) fhir.Node {
	t.Helper()
	tree, err := fhir.Parse([]byte(src), fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return tree.Root()
}

// applyJSON applies a JSON Patch to any document.
func applyJSON(t testing.TB, doc, patch string, lim Limits) (string, error) {
	t.Helper()
	p, err := ParseJSON([]byte(patch), lim)
	if err != nil {
		return "", err
	}
	out, err := p.apply(parse(t, doc))
	return string(out), err
}

func TestOfficialJSONPatchCases(t *testing.T) {
	passed := 0
	cases := parse(t, string(corpustest.Read(t, corpustest.Path(t, "patch/json-patch-tests.json"))))
	for c := range cases.Children() {
		name := c.Get("comment").Text()
		out, err := applyJSON(t, string(c.Get("doc").Raw()), string(c.Get("patch").Raw()), Limits{})
		switch {
		case c.Get("error").Valid():
			if err == nil {
				t.Errorf("%s: it is applied: %s", name, out)
				continue
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
			continue
		case !equalNodes(parse(t, out), c.Get("expected")):
			t.Errorf("%s: got %s, want %s", name, out, c.Get("expected").Raw())
			continue
		}
		passed++
	}
	t.Logf("%d of %d official JSON Patch cases pass", passed, cases.Len())
	if cases.Len() != 16 {
		t.Errorf("the corpus has %d cases, want 16", cases.Len())
	}
}

func TestJSONPatch(t *testing.T) {
	for _, c := range []struct{ name, doc, patch, want string }{
		{"untouched bytes stay", `{"z":1.00,"a":{"y":"\u00e9","b":[1e2,{"c":null}]},"m":0.10}`, `[{"op":"add","path":"/a/b/1/d","value":2.50}]`,
			`{"z":1.00,"a":{"y":"\u00e9","b":[1e2,{"c":null,"d":2.50}]},"m":0.10}`},
		{"replace keeps the position", `{"a":1,"b":2,"c":3}`, `[{"op":"replace","path":"/b","value":[]}]`, `{"a":1,"b":[],"c":3}`},
		{"add replaces a member in its place", `{"a":1,"b":2}`, `[{"op":"add","path":"/a","value":9}]`, `{"a":9,"b":2}`},
		{"add before an item", `[1,2]`, `[{"op":"add","path":"/0","value":0}]`, `[0,1,2]`},
		{"add at the end by index", `[1,2]`, `[{"op":"add","path":"/2","value":3}]`, `[1,2,3]`},
		{"add at the end by dash", `[1,2]`, `[{"op":"add","path":"/-","value":3}]`, `[1,2,3]`},
		{"add null", `{}`, `[{"op":"add","path":"/a","value":null}]`, `{"a":null}`},
		{"replace the root", `{"a":1}`, `[{"op":"replace","path":"","value":{"b":2}}]`, `{"b":2}`},
		{"an empty name", `{"":1}`, `[{"op":"replace","path":"/","value":2}]`, `{"":2}`},
		{"a name that was escaped", `{"\u0061":1}`, `[{"op":"replace","path":"/a","value":2}]`, `{"\u0061":2}`},
		{"copies are apart", `{"a":{"x":1}}`, `[{"op":"copy","from":"/a","path":"/b"},{"op":"replace","path":"/b/x","value":2},{"op":"add","path":"/a/y","value":3}]`,
			`{"a":{"x":1,"y":3},"b":{"x":2}}`},
		{"a copy of what is open", `{"a":{"x":1}}`, `[{"op":"add","path":"/a/y","value":2},{"op":"copy","from":"/a","path":"/b"},{"op":"remove","path":"/a/x"}]`,
			`{"a":{"y":2},"b":{"x":1,"y":2}}`},
		{"move to where it is", `{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`},
		{"move within an array", `[1,2,3]`, `[{"op":"move","from":"/0","path":"/2"}]`, `[2,3,1]`},
		{"move to the end", `[1,2,3]`, `[{"op":"move","from":"/0","path":"/-"}]`, `[2,3,1]`},
		{"test numbers by value", `{"a":1.00}`, `[{"op":"test","path":"/a","value":1}]`, `{"a":1.00}`},
		{"test objects in any order", `{"a":{"x":1,"y":[2]}}`, `[{"op":"test","path":"/a","value":{"y":[2],"x":1}}]`, `{"a":{"x":1,"y":[2]}}`},
		{"test what is open", `{"a":{"x":1}}`, `[{"op":"add","path":"/a/y","value":2},{"op":"test","path":"/a","value":{"y":2,"x":1}}]`, `{"a":{"x":1,"y":2}}`},
		{"test null", `{"a":null}`, `[{"op":"test","path":"/a","value":null}]`, `{"a":null}`},
		{"what is emptied goes", `{"a":1,"name":[{"family":"x"}]}`, `[{"op":"remove","path":"/name/0/family"}]`, `{"a":1}`},
		{"what is emptied can be filled", `{"name":[1]}`, `[{"op":"remove","path":"/name/0"},{"op":"add","path":"/name/-","value":2}]`, `{"name":[2]}`},
		{"what was empty stays", `{"a":{},"b":[],"c":1}`, `[{"op":"remove","path":"/c"},{"op":"add","path":"/a/x","value":{}},{"op":"add","path":"/d","value":[]}]`,
			`{"a":{"x":{}},"b":[],"d":[]}`},
		{"the root stays", `{"a":1}`, `[{"op":"remove","path":"/a"}]`, `{}`},
		{"siblings keep their positions", `{"given":["a","b"],"_given":[{"id":"1"},{"id":"2"}]}`, `[{"op":"remove","path":"/_given/0/id"}]`,
			`{"given":["a","b"],"_given":[null,{"id":"2"}]}`},
		{"no operation", `{"a":1}`, `[]`, `{"a":1}`},
		{"others than the known members", `{}`, `[{"op":"add","path":"/a","value":1,"x":{}}]`, `{"a":1}`},
	} {
		got, err := applyJSON(t, c.doc, c.patch, Limits{})
		if err != nil || got != c.want {
			t.Errorf("%s: got %s %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestJSONPatchThatFails(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	for _, c := range []struct {
		name, doc, patch string
		kind             fhir.Kind
		id               fhir.IssueID
		text             string
	}{
		{"no array", `{}`, `{"op":"add"}`, fhir.KindInvalid, fhir.IDPatchMalformed, ""},
		{"no object", `{}`, `[1]`, fhir.KindInvalid, fhir.IDPatchMalformed, "operation 0"},
		{"no JSON", `{}`, `[`, fhir.KindInvalid, fhir.IDJSONSyntax, ""},
		{"an unknown operation", `{}`, `[{"op":"spam","path":""}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "operation 0"},
		{"no path", `{}`, `[{"op":"remove"}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "path"},
		{"no value", `{}`, `[{"op":"add","path":"/a"}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "value"},
		{"no from", `{}`, `[{"op":"copy","path":"/a"}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "from"},
		{"a path without a slash", `{}`, `[{"op":"add","path":"a","value":1}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "JSON Pointer"},
		{"a wrong escape", `{}`, `[{"op":"add","path":"/~2","value":1}]`, fhir.KindInvalid, fhir.IDPatchMalformed, "JSON Pointer"},
		{"an absent object", `{"a":1}`, `[{"op":"test","path":"/a","value":1},{"op":"add","path":"/b/c","value":1}]`, fhir.KindUnprocessable, fhir.IDPatchPath, "operation 1 (add /b/c): step 1"},
		{"an absent member", `{}`, `[{"op":"remove","path":"/a"}]`, fhir.KindUnprocessable, fhir.IDPatchPath, "operation 0 (remove /a)"},
		{"replace of nothing", `{}`, `[{"op":"replace","path":"/a","value":1}]`, fhir.KindUnprocessable, fhir.IDPatchPath, ""},
		{"an item past the end", `[1]`, `[{"op":"add","path":"/2","value":1}]`, fhir.KindUnprocessable, fhir.IDPatchIndex, "1 items"},
		{"remove at the dash", `[1]`, `[{"op":"remove","path":"/-"}]`, fhir.KindUnprocessable, fhir.IDPatchPath, ""},
		{"a leading zero", `[1,2]`, `[{"op":"remove","path":"/01"}]`, fhir.KindUnprocessable, fhir.IDPatchIndex, ""},
		{"an index that is no number", `[1,2]`, `[{"op":"remove","path":"/1e0"}]`, fhir.KindUnprocessable, fhir.IDPatchIndex, ""},
		{"below a string", `{"a":"x"}`, `[{"op":"add","path":"/a/b","value":1}]`, fhir.KindUnprocessable, fhir.IDPatchPath, ""},
		{"the whole resource", `{}`, `[{"op":"remove","path":""}]`, fhir.KindUnprocessable, fhir.IDPatchRoot, ""},
		{"into itself", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`, fhir.KindUnprocessable, fhir.IDPatchMove, ""},
		{"from nothing", `{}`, `[{"op":"move","from":"/a","path":"/b"}]`, fhir.KindUnprocessable, fhir.IDPatchPath, "from: "},
		{"test fails", `{"a":"1"}`, `[{"op":"test","path":"/a","value":1}]`, fhir.KindUnprocessable, fhir.IDPatchTest, "operation 0 (test /a)"},
		{"a copy bomb", `{"a":["xxxxxxxxxxxxxxxx"]}`, `[` + strings.Repeat(`{"op":"copy","from":"/a","path":"/a/-"},`, 29) + `{"op":"copy","from":"/a","path":"/b"}]`, fhir.KindTooLarge, fhir.IDPatchSize, ""},
		{"too deep", `{"x":` + deep + `}`, `[{"op":"copy","from":"/x","path":"/x` + strings.Repeat("/a", 60) + `"},{"op":"copy","from":"/x","path":"/x` + strings.Repeat("/a", 60) + `"}]`, fhir.KindTooLarge, fhir.IDPatchDepth, ""},
		{"too many", `{}`, `[` + strings.Repeat(`{"op":"test","path":"","value":{}},`, 1000) + `{"op":"test","path":"","value":{}}]`, fhir.KindTooLarge, fhir.IDPatchOperations, "1001"},
	} {
		got, err := applyJSON(t, c.doc, c.patch, Limits{})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Issues[0].ID != c.id || !strings.Contains(e.Issues[0].Text, c.text) {
			t.Errorf("%s: got %s, %v; want kind %d, id %s, text with %q", c.name, got, err, c.kind, c.id, c.text)
		}
	}
}

func FuzzJSONPatch(f *testing.F) {
	for _, s := range [][2]string{
		{`{"a":{"b":[1,2.50]},"c":"x"}`, `[{"op":"add","path":"/a/b/-","value":{"d":null}},{"op":"move","from":"/a","path":"/c"}]`},
		{`{"a":[{"b":1}]}`, `[{"op":"copy","from":"/a","path":"/a/0/b"},{"op":"remove","path":"/a/0"},{"op":"test","path":"/a","value":[]}]`},
		{`[]`, `[{"op":"replace","path":"","value":[[]]},{"op":"add","path":"/0/0","value":1e5}]`},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, doc, patch string) {
		tree, err := fhir.Parse([]byte(doc), fhir.Limits{})
		if err != nil {
			return
		}
		p, err := ParseJSON([]byte(patch), Limits{Operations: 50, Growth: 1 << 16})
		if err != nil {
			return
		}
		before := string(tree.Root().AppendJSON(nil))
		out, err := p.apply(tree.Root())
		if again := string(tree.Root().AppendJSON(nil)); again != before {
			t.Fatalf("the document was changed: %s", again)
		}
		if err != nil {
			if e := new(fhir.Error); !errors.As(err, &e) || e.Kind == fhir.KindInternal {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		result, err := fhir.Parse(out, fhir.Limits{Depth: 130})
		if err != nil {
			t.Fatalf("%s makes of %s what is no JSON: %s: %v", patch, doc, out, err)
		}
		if !equalNodes(result.Root(), result.Root()) {
			t.Fatalf("%s does not equal itself", out)
		}
		if len(p.ops) == 0 && string(out) != before {
			t.Fatalf("no operation makes %s of %s", out, before)
		}
	})
}

func BenchmarkJSONPatch(b *testing.B) {
	doc := parse(b, `{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"A","given":["B","C"]}],"gender":"male","birthDate":"1970-01-01","address":[{"line":["1 Street"],"city":"X"}]}`)
	p, err := ParseJSON([]byte(`[{"op":"test","path":"/gender","value":"male"},{"op":"replace","path":"/name/0/family","value":"D"},{"op":"add","path":"/active","value":true}]`), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc.Raw())))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.apply(doc); err != nil {
			b.Fatal(err)
		}
	}
}
