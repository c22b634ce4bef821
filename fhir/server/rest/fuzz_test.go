package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", fhirJSON, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", `application/fhir+json; fhirVersion="4.0"; q=0.5`, "application/fhir+json;q=1.001", `a/b;c="\"`, ";;;,,,", "*/*;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		formats := newFormats(&jsonFormat)
		ct, err := formats.negotiate([]string{s}, "")
		if err == nil && ct == nil {
			t.Error("neither a type nor an error")
		}
		if err != nil && fhir.KindOf(err) != fhir.KindNotAcceptable {
			t.Error(err)
		}
		// What is also accepted without more can only make it acceptable.
		if _, err := formats.negotiate([]string{s, "application/fhir+json"}, ""); err != nil && !strings.Contains(strings.ToLower(s), fhirJSON) && !strings.Contains(s, `"`) {
			t.Errorf("%q with %s: %v", s, fhirJSON, err)
		}
		for _, c := range codings {
			c.quality([]string{s})
		}
		if m := parseMediaType(s); m.q < 0 || m.q > 1000 {
			t.Errorf("q %d", m.q)
		}
	})
}

func FuzzPrefer(f *testing.F) {
	for _, s := range []string{"", "return=minimal", "return=representation; handling=lenient", `Return="OperationOutcome", handling=strict`, `return="min\imal"`, "return", "=", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		switch p := parsePrefer([]string{s}); p.result {
		case "", "minimal", "representation", "OperationOutcome":
		default:
			t.Errorf("%q", p.result)
		}
	})
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=1;proto=https;host="a:1"`, "", "", "", "")
	f.Add("", "https", "example.org", "8443", "/p")
	f.Add(`host="[::1]:80"`, "", "", "", "//evil.org")
	f.Add(`host=a\r\nX: 1`, "http", "a@b", "1/2", "/../..")
	f.Fuzz(func(t *testing.T, fwd, proto, host, port, prefix string) {
		head := http.Header{}
		for name, v := range map[string]string{"Forwarded": fwd, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Port": port, "X-Forwarded-Prefix": prefix} {
			if v != "" {
				head[name] = []string{v}
			}
		}
		h := &Handler{cfg: Config{TrustProxy: true}}
		base, err := h.base(&http.Request{Host: "localhost", Header: head})
		if err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		if strings.ContainsAny(base, " \t\r\n\x00<>\"'\\?#@%") || !strings.HasSuffix(base, basePath) {
			t.Errorf("%q", base)
		}
		if scheme, rest, _ := strings.Cut(base, "://"); scheme != "http" && scheme != "https" || rest == "" {
			t.Errorf("%q", base)
		}
	})
}
