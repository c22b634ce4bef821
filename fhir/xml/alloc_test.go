package xml

import (
	"testing"
)

// TestNarrativesAreWrittenWithoutStacksOfTheirOwn counts what writing allocates: one reader of narratives and one copy of their text serve all that
// are in a document, and the next document too.
func TestNarrativesAreWrittenWithoutStacksOfTheirOwn(t *testing.T) {
	text := `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class=\"a\">x &amp; <b>y</b></p></div>"}`
	patient := `{"resourceType":"Patient",` + text + `}`
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + patient + `},{"resource":` + patient + `},{"resource":` + patient + `},{"resource":` + patient + `}]}`
	src := []byte(bundle)
	dst := make([]byte, 0, 4*len(bundle))
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := r4.AppendXML(dst, src, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 1 { // the room may have to be made
		t.Errorf("writing four narratives allocates %v times", allocations)
	}
}

// TestANarrativeAfterAFaultyOneIsRead holds that nothing of a narrative stays for the next one.
func TestANarrativeAfterAFaultyOneIsRead(t *testing.T) {
	of := func(div string) string {
		return `{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `"}}`
	}
	const good = `<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div>`
	want, err := r4.AppendXML(nil, []byte(of(good)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>`, `<a:div xmlns:a=\"http://www.w3.org/1999/xhtml\"><a:p>`, `<div/><div/>`, `<div`, `<div xmlns=\"urn:x\"><b/></div>`, ``} {
		if _, err := r4.AppendXML(nil, []byte(of(bad)), Options{}); err == nil {
			t.Errorf("%s is written", bad)
		}
		got, err := r4.AppendXML(nil, []byte(of(good)), Options{})
		if err != nil || string(got) != string(want) {
			t.Errorf("after %s: %s %v", bad, got, err)
		}
	}
}
