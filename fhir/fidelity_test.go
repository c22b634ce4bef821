package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// withoutIDAndMeta returns the members of a resource's JSON in order, white space removed and literals as spelled, but for id and meta. It
// shares no code with Parse.
func withoutIDAndMeta(t *testing.T, src []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(src))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if name == "id" || name == "meta" {
			continue
		}
		fmt.Fprintf(&out, "%q:", name)
		if err := json.Compact(&out, value); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestWhatIsStampedIsWhatWasWritten is the fidelity of every official example: element order and the spelling of each literal survive, and
// meta keeps all but the two members that the server owns.
func TestWhatIsStampedIsWhatWasWritten(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	if len(files) != 715 {
		t.Fatalf("%d examples; want 715", len(files))
	}
	for _, f := range files {
		src := corpustest.Read(t, f)
		r, err := ParseResource(src, Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		stamped := r.Stamp("stamped", 7, stampTime)
		again, err := ParseResource(stamped, Limits{})
		if err != nil {
			t.Errorf("%s: stamped, it does not parse: %v", filepath.Base(f), err)
			continue
		}
		if withoutIDAndMeta(t, src) != withoutIDAndMeta(t, stamped) {
			t.Errorf("%s: content changed", filepath.Base(f))
		}
		if again.Key() != (Key{r.Type(), "stamped"}) || again.Get("meta").Get("versionId").Text() != "7" {
			t.Errorf("%s: stamped as %s", filepath.Base(f), again.Key())
		}
		for c := range r.Get("meta").Children() {
			if n := c.Name(); n != "versionId" && n != "lastUpdated" && !bytes.Equal(c.AppendJSON(nil), again.Get("meta").Get(n).Raw()) {
				t.Errorf("%s: meta.%s changed", filepath.Base(f), n)
			}
		}
	}
}

// TestHardLiteralsSurvive is the fidelity of what the examples lack.
func TestHardLiteralsSurvive(t *testing.T) {
	for _, src := range []string{
		`{"resourceType":"Basic","d":[1.00,1e3,1E-7,-0,0.1234567890123456789012345678901234567890,123456789012345678901234567890.0]}`,
		`{"resourceType":"Basic","_birthDate":{"extension":[{"url":"x"}]},"given":["a",null],"_given":[null,{"id":"x"}]}`,
		`{"resourceType":"Basic","s":"é漢😀𐀀` + "\U0010fffd" + `\ud83d\ude00\u00e9\/\u2028"}`,
		`{"z":1,"a":2,"resourceType":"Basic","m":{"z":1,"a":[{},[],""]}}`,
		`{"resourceType":"Basic","s":"` + string(bytes.Repeat([]byte("0123456789abcdé"), 1<<16)) + `"}`,
	} {
		if got, want := withoutIDAndMeta(t, mustResource(t, src).Stamp("x", 1, stampTime)), withoutIDAndMeta(t, []byte(src)); got != want {
			t.Errorf("%.100s became %.100s", want, got)
		}
	}
}
