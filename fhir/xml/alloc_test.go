package xml

import (
	"testing"
)

// TestNarrativesAreWrittenWithoutStacksOfTheirOwn counts what writing allocates: one reader of narratives serves all that are in a document, and the next
// document too.
func TestNarrativesAreWrittenWithoutStacksOfTheirOwn(t *testing.T) {
	text := `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class=\"a\">x &amp; <b>y</b></p></div>"}`
	patient := `{"resourceType":"Patient",` + text + `}`
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + patient + `},{"resource":` + patient + `},{"resource":` + patient + `},{"resource":` + patient + `}]}`
	r := resourceOf(t, []byte(bundle))
	dst := make([]byte, 0, 4*len(bundle))
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := r4.AppendXML(dst, r, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 4*3 { // for each narrative its text, and what copies it
		t.Errorf("writing four narratives allocates %v times", allocations)
	}
}

// TestANarrativeAfterAFaultyOneIsRead holds that nothing of a narrative stays for the next one.
func TestANarrativeAfterAFaultyOneIsRead(t *testing.T) {
	of := func(div string) string {
		return `{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `"}}`
	}
	const good = `<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div>`
	want, err := r4.AppendXML(nil, resourceOf(t, []byte(of(good))), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>`, `<a:div xmlns:a=\"http://www.w3.org/1999/xhtml\"><a:p>`, `<div/><div/>`, `<div`, `<div xmlns=\"urn:x\"><b/></div>`, ``} {
		if _, err := r4.AppendXML(nil, resourceOf(t, []byte(of(bad))), Options{}); err == nil {
			t.Errorf("%s is written", bad)
		}
		got, err := r4.AppendXML(nil, resourceOf(t, []byte(of(good))), Options{})
		if err != nil || string(got) != string(want) {
			t.Errorf("after %s: %s %v", bad, got, err)
		}
	}
}
