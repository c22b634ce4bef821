package fhir

import (
	"testing"
	"time"
)

var stampTime = time.Date(2026, 11, 23, 10, 30, 0, 123456789, time.FixedZone("", 3600))

func mustResource(t testing.TB, src string) Resource {
	t.Helper()
	r, err := ParseResource([]byte(src), Limits{})
	if err != nil {
		t.Fatalf("ParseResource(%.80q): %v", src, err)
	}
	return r
}

func TestParseResourceRefuses(t *testing.T) {
	for src, id := range map[string]string{
		`[]`: "resource-type", `"x"`: "resource-type", `{}`: "resource-type", `{"resourceType":1}`: "resource-type", `{"resourceType":""}`: "resource-type",
		`{"resourceType":"patient"}`: "resource-type", `{"resourceType":"Pat ient"}`: "resource-type", `{"resourceType":"../x"}`: "resource-type", `{`: "json-syntax",
	} {
		if _, err := ParseResource([]byte(src), Limits{}); issueID(err) != id || KindOf(err) != KindInvalid {
			t.Errorf("%s: %v; want %s", src, err, id)
		}
	}
}

func TestResourceKey(t *testing.T) {
	if k := mustResource(t, `{"id":"1","resourceType":"Patient"}`).Key(); k != (Key{"Patient", "1"}) {
		t.Error(k)
	}
	if id := mustResource(t, `{"id":1,"resourceType":"Patient"}`).ID(); id != "" {
		t.Errorf("a number is the id %q", id)
	}
}

func TestStamp(t *testing.T) {
	const meta = `"meta":{"versionId":"3","lastUpdated":"2026-11-23T09:30:00.123456Z"`
	for _, c := range []struct{ name, src, want string }{
		{"neither id nor meta", `{"resourceType":"Patient","active":true}`, `{"resourceType":"Patient","id":"x",` + meta + `},"active":true}`},
		{"an id", `{"resourceType":"Patient","active":true,"id":"old"}`, `{"resourceType":"Patient","active":true,"id":"x",` + meta + `}}`},
		{"a meta first", `{"meta":{"profile":["p"],"versionId":"9","lastUpdated":"2000","tag":[]},"resourceType":"Patient"}`,
			`{` + meta + `,"profile":["p"],"tag":[]},"resourceType":"Patient","id":"x"}`},
		{"both", `{"resourceType":"Patient","id":"old","meta":{}}`, `{"resourceType":"Patient","id":"x",` + meta + `}}`},
		{"an id that is no string, a meta that is no object", `{"resourceType":"Patient","id":1,"meta":null}`, `{"resourceType":"Patient","id":"x",` + meta + `}}`},
		{"space and escapes", "{ \"resourceType\" : \"Patient\" ,\n \"\\u0074ext\" : \" \\u00e9 \", \"n\": 1.00 }", `{"resourceType":"Patient","id":"x",` + meta + `},"\u0074ext":" \u00e9 ","n":1.00}`},
		{"members of the same name deeper down", `{"resourceType":"Patient","contact":[{"id":"c","meta":{"versionId":"1"}}]}`,
			`{"resourceType":"Patient","id":"x",` + meta + `},"contact":[{"id":"c","meta":{"versionId":"1"}}]}`},
	} {
		if got := string(mustResource(t, c.src).Stamp("x", 3, stampTime)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestStampOfAnEntryOfABundle(t *testing.T) {
	root := mustParse(t, `{"resourceType":"Bundle","entry":[{"resource": {"resourceType":"Patient","id":"a"}}]}`).Root()
	r, err := AsResource(root.Get("entry").At(0).Get("resource"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(r.Stamp("b", 1, stampTime)), `{"resourceType":"Patient","id":"b","meta":{"versionId":"1","lastUpdated":"2026-11-23T09:30:00.123456Z"}}`; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestSplice(t *testing.T) {
	root := mustParse(t, `{"a":{"ref":"urn:1","x":[1,"urn:2"]},"b":2}`).Root()
	a := root.Get("a")
	edit := func(n Node, text string) Edit {
		start, end := n.Span()
		return Edit{start, end, []byte(text)}
	}
	edits := []Edit{edit(a.Get("ref"), `"Patient/1"`), edit(a.Get("x").At(1), `"p"`)}
	if got := string(a.Splice(edits)); got != `{"ref":"Patient/1","x":[1,"p"]}` {
		t.Error(got)
	}
	if got := string(root.Splice(edits)); got != `{"a":{"ref":"Patient/1","x":[1,"p"]},"b":2}` {
		t.Error(got)
	}
	if got := string(a.Splice(nil)); got != `{"ref":"urn:1","x":[1,"urn:2"]}` {
		t.Error(got)
	}
}

func TestAppendEditedMinifiesAround(t *testing.T) {
	root := mustParse(t, "{ \"a\" : \"long\" , \"b\" : [ 1 , 2 ] }").Root()
	start, end := root.Get("a").Span()
	if got := string(root.AppendEdited(nil, []Edit{{start, end, []byte(`"x"`)}})); got != `{"a":"x","b":[1,2]}` {
		t.Error(got)
	}
	if got := string(root.Get("b").AppendEdited([]byte("> "), nil)); got != `> [1,2]` {
		t.Error(got)
	}
}

// FuzzParseResource checks that what is stamped parses again and says what was stamped.
func FuzzParseResource(f *testing.F) {
	for _, s := range []string{`{"resourceType":"Patient"}`, `{"id":"1","meta":{"tag":[]},"resourceType":"Patient","x":" \"\u0061"}`, "{ \"resourceType\" : \"A\", \"meta\":null}", `{"\u0069d":1,"resourceType":"Patient"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := ParseResource(src, Limits{})
		if err != nil {
			return
		}
		again, err := ParseResource(r.Stamp("x", 3, stampTime), Limits{})
		if err != nil {
			t.Fatalf("%q: stamped, it does not parse: %v", src, err)
		}
		if again.Key() != (Key{r.Type(), "x"}) || again.Get("meta").Get("versionId").Text() != "3" || again.Get("meta").Get("lastUpdated").Text() != "2026-11-23T09:30:00.123456Z" {
			t.Fatalf("%q: stamped as %s", src, again.Raw())
		}
		if got := again.Stamp("x", 3, stampTime); string(got) != string(again.Raw()) {
			t.Fatalf("%q: stamping again changes it: %s", src, got)
		}
	})
}

func BenchmarkStamp(b *testing.B) {
	r := mustResource(b, `{"resourceType":"Observation","id":"1","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},"status":"final","code":{"text":"x"},"valueQuantity":{"value":120.50}}`)
	b.ReportAllocs()
	for b.Loop() {
		r.Stamp("2", 3, stampTime)
	}
}
