package validation

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// envelopeFaults returns the faults of a Bundle and its entries as "id code expression", a line each.
func envelopeFaults(v *Validator, b fhir.Resource) string {
	var out []string
	for _, is := range v.Envelope(b) {
		out = append(out, string(is.ID)+" "+string(is.Code)+" "+is.Expression)
	}
	for e := range b.Get("entry").Children() {
		for _, is := range v.EnvelopeEntry(e) {
			out = append(out, string(is.ID)+" "+string(is.Code)+" "+is.Expression)
		}
	}
	return strings.Join(out, "\n")
}

func TestEnvelope(t *testing.T) {
	v := newValidator(t)
	for _, c := range []struct{ name, bundle, want string }{
		{"a misspelt condition", `"entry":[{"request":{"method":"PUT","url":"Patient/1","IfMatch":"W/\"1\""}}]`, "unknown-element structure .request.IfMatch"},
		{"a misspelt fullUrl", `"entry":[{"fullURL":"urn:uuid:1","request":{"method":"GET","url":"Patient/1"}}]`, "unknown-element structure .fullURL"},
		{"an unknown member of the Bundle", `"foo":1`, "unknown-element structure Bundle.foo"},
		{"a resourceType in an entry", `"entry":[{"resourceType":"Patient","request":{"method":"GET","url":"Patient/1"}}]`, "unknown-element structure .resourceType"},
		{"no method and no URL", `"entry":[{"request":{}}]`, "element-empty structure .request\nelement-required required .request.method\nelement-required required .request.url"},
		{"wrong types", `"total":"1","timestamp":"2020","link":[{"relation":1,"url":"x"}],"entry":[{"link":"x","search":{"mode":"maybe"},"response":[],"request":{"method":"GET","url":"x","ifMatch":5}}]`,
			"element-type structure Bundle.total\nprimitive-format value Bundle.timestamp\nelement-type structure Bundle.link[0].relation\n" +
				"element-array structure .link\ncode-enum code-invalid .search.mode\nelement-array structure .response\nelement-type structure .request.ifMatch"},
		{"modifier extensions", `"entry":[{"modifierExtension":[{"url":"http://x","valueBoolean":true}],"request":{"method":"GET","url":"x","modifierExtension":[{"url":"http://x","valueBoolean":true}]}}]`,
			"modifier-extension extension .modifierExtension\nmodifier-extension extension .request.modifierExtension"},
		{"what is carried is left out", `"entry":[{"resource":{"resourceType":"Patient","foo":1}},{"resource":5}]`, ""},
		{"all that R4 has", `"id":"a","meta":{"profile":["http://x"]},"language":"en","identifier":{"system":"http://x","value":"1"},"timestamp":"2020-01-01T00:00:00Z","link":[{"relation":"self","url":"http://x"}],
			"entry":[{"id":"1","extension":[{"url":"http://x","valueString":"x"}],"link":[{"relation":"self","url":"http://x"}],"fullUrl":"urn:uuid:1","search":{"mode":"match","score":1},
			"request":{"method":"GET","url":"x","ifMatch":"x","ifNoneMatch":"x","ifModifiedSince":"2020-01-01T00:00:00Z","ifNoneExist":"x"},"response":{"status":"200","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}}}]`, ""},
	} {
		b := mustResource(t, `{"resourceType":"Bundle","type":"batch",`+c.bundle+`}`)
		if got := envelopeFaults(v, b); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestEnvelopeNamesTheNearestMember(t *testing.T) {
	b := mustResource(t, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Patient","ifNoneExists":"a=b"}}]}`)
	got := newValidator(t).EnvelopeEntry(b.Get("entry").At(0))
	if len(got) != 1 || !strings.HasSuffix(got[0].Text, "did you mean ifNoneExist?") {
		t.Errorf("%+v", got)
	}
}

// TestEnvelopesOfRealBundles holds that the envelope of every Bundle that validation takes is taken.
func TestEnvelopesOfRealBundles(t *testing.T) {
	v := newValidator(t)
	n := 0
	for _, pattern := range []string{"r4-examples/Bundle-*.json", "synthea/*.json.gz"} {
		names := corpustest.Files(t, pattern)
		for _, name := range names[:min(len(names), 40)] {
			b, err := fhir.ParseResource(corpustest.Read(t, name), fhir.Limits{})
			if err != nil || b.Type() != "Bundle" {
				continue
			}
			n++
			if got := envelopeFaults(v, b); got != "" {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d Bundles were found", n)
	}
}

// BenchmarkEnvelopeEntry walks an entry as clients send them.
func BenchmarkEnvelopeEntry(b *testing.B) {
	v := newValidator(b)
	e := mustResource(b, `{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"urn:uuid:0b6a2d6e-7c5f-4b39-93c1-6a7d4b0c2f11","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}`).Get("entry").At(0)
	b.ReportAllocs()
	for b.Loop() {
		v.EnvelopeEntry(e)
	}
}
