package rest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", fhirJSON, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", `application/fhir+json; fhirVersion="4.0"; q=0.5`, "application/fhir+json;q=1.001", `a/b;c="\"`, ";;;,,,", "*/*;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ct, err := negotiate([]string{s}, "")
		if err == nil && len(ct) != 1 {
			t.Error("neither a type nor an error")
		}
		if err != nil && fhir.KindOf(err) != fhir.KindNotAcceptable {
			t.Error(err)
		}
		// What is also accepted without more can only make it acceptable.
		if _, err := negotiate([]string{s, "application/fhir+json"}, ""); err != nil && !strings.Contains(strings.ToLower(s), fhirJSON) && !strings.Contains(s, `"`) {
			t.Errorf("%q with %s: %v", s, fhirJSON, err)
		}
		acceptsGzip([]string{s})
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

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`W/"1"`, `"1"`, `*`, `W/"1", W/"2"`, `1`, `W/`, `W/"`, `""`, `W/"9999999999999999999"`, `W/"01"`, `,W/"1",`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := conditions(http.Header{"If-Match": {s}})
		if err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		// A condition that was stated must not get lost.
		if !c.AnyMatch && len(c.IfMatch) == 0 {
			t.Errorf("%q states no condition", s)
		}
		for _, v := range c.IfMatch {
			if v < 1 && v != noVersion {
				t.Errorf("%q: version %d", s, v)
			}
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

func FuzzIfNoneExist(f *testing.F) {
	for _, s := range []string{"identifier=a|1", "?identifier=a", "Patient?identifier=a", "http://127.0.0.1/fhir/Patient?identifier=a", "Observation?x", "url=http://a?b", "%", "a=%00", "?", "a=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ifNoneExist(http.Header{"If-None-Exist": {s}}, "Patient", "http://127.0.0.1/fhir")
		if err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		if q == "" {
			t.Errorf("%q states no condition", s)
		}
		if _, err := url.QueryUnescape(q); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func FuzzGeneralParameters(f *testing.F) {
	for _, s := range []string{"", "_format=json&_pretty=true&a=b", "_summary=text&_elements=a,b", "&&&=", "_format=%6Ason", "%5fformat=json", "a=%e4", "_pretty=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := readGeneral(s)
		if err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		again, err := readGeneral(g.rest)
		if err != nil || again.format != "" || again.pretty {
			t.Errorf("%q left %q: %v", s, g.rest, err)
		}
		if len(s) > 0 && strings.ContainsRune(unescapeQuery(s), 0) {
			t.Errorf("%q holds NUL", s)
		}
	})
}
