package interaction

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestNarrativeLinksAreRewritten(t *testing.T) {
	names := entryNames{"urn:uuid:a": 0, "urn:uuid:b": 1, "http://example.org/fhir/Patient/1?x=1&y=2": 0}
	keys := []fhir.Key{{Type: "Patient", ID: "1"}, {Type: "Binary", ID: "2"}}
	for in, want := range map[string]string{
		`<div><a href="urn:uuid:a">x</a></div>`:                                    `<div><a href="Patient/1">x</a></div>`,
		`<div><a class='c' href = 'urn:uuid:a#part' id="i">x</a></div>`:            `<div><a class='c' href = 'Patient/1#part' id="i">x</a></div>`,
		`<div><img alt="urn:uuid:a" src="urn:uuid:b"/></div>`:                      `<div><img alt="urn:uuid:a" src="Binary/2"/></div>`,
		`<div>href="urn:uuid:a"</div>`:                                             `<div>href="urn:uuid:a"</div>`,
		`<div><!-- <a href="urn:uuid:a"> --></div>`:                                `<div><!-- <a href="urn:uuid:a"> --></div>`,
		`<div><a href="urn:uuid:c">x</a><a href="urn:uuid:a">y</a></div>`:          `<div><a href="urn:uuid:c">x</a><a href="Patient/1">y</a></div>`,
		`<div><a href="http://example.org/fhir/Patient/1?x=1&amp;y=2">y</a></div>`: `<div><a href="Patient/1">y</a></div>`,
		`<div><a title="a > b" href="urn:uuid:a">y</a></div>`:                      `<div><a title="a > b" href="Patient/1">y</a></div>`,
		`<div><a href="urn:uuid:a`:                                                 `<div><a href="urn:uuid:a`,
		`<a href=`:                                                                 `<a href=`,
		``:                                                                         ``,
	} {
		if got := rewriteNarrative(in, names, keys); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", in, got, want)
		}
		if got := namesInNarrative(in, names); got != (in != want) {
			t.Errorf("%s: names an entry: %v", in, got)
		}
	}
}

func FuzzNarrative(f *testing.F) {
	f.Add(`<div><a href="urn:uuid:a">x</a><img src='urn:uuid:a'/></div>`)
	f.Add(`<a href = "urn:uuid:a#b" x='"'><!-- > -->`)
	names := entryNames{"urn:uuid:a": 0}
	f.Fuzz(func(t *testing.T, div string) {
		// Renaming to the same name changes nothing, whatever the input.
		if got := rewriteNarrative(div, names, []fhir.Key{{}}); got != div {
			t.Fatalf("%q became %q", div, got)
		}
		once := rewriteNarrative(div, names, []fhir.Key{{Type: "Patient", ID: "1"}})
		if namesInNarrative(once, names) {
			t.Fatalf("%q still names the entry", once)
		}
	})
}
