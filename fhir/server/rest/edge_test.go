package rest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/klauspost/compress/zstd"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/storage"
)

// unpacked returns the body of a response, out of its coding.
func unpacked(t *testing.T, a answer) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(a.body)
	var err error
	switch a.header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// zipped returns s with gzip.
func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func TestPathsThatAreNotServed(t *testing.T) {
	run(t, []call{
		{"an operation that is not there", "PUT", "/fhir/Patient/a/$nope", nil, "", 404, []string{"Allow", ""}, []string{"unknown-operation"}},
		{"an empty part of an entry's path", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"get","url":"Patient//1"}},{"request":{"method":"","url":"//x"}},{"request":{"url":"Patient/"}}]}`, 200, nil, []string{"unknown-path", "entry-method", "!internal"}},
	})
}

func TestHealth(t *testing.T) {
	run(t, []call{
		{"alive", "GET", "/healthz", nil, "", 200, nil, []string{"ok"}},
		{"alive by POST", "POST", "/healthz", nil, "", 405, []string{"Allow", "/.*GET.*/"}, []string{"method-not-allowed"}},
		{"metrics deleted", "DELETE", "/metrics", nil, "", 405, []string{"Allow", "/.*GET.*/"}, []string{"method-not-allowed"}},
		{"ready", "GET", "/readyz", nil, "", 200, nil, []string{"ready"}},
		{"metrics", "GET", "/metrics", nil, "", 200, nil, []string{`fhirgate_requests_total{interaction="healthz",status="200"} 1`, "go_goroutines"}},
	})
	run(t, []call{
		{"not ready", "GET", "/readyz", nil, "", 503, []string{"Retry-After", `/\d+/`}, []string{"the engine is opening"}},
		{"alive all the same", "GET", "/healthz", nil, "", 200, nil, nil},
	}, broken(fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, "opening", "the engine is opening")))
}

// failing is a Service whose reads and readiness fail with err, or panic where that is nil.
type failing struct {
	rest.Service
	err error
}

func (f failing) Do(ctx context.Context, q *interaction.Request) (interaction.Response, error) {
	if q.Code != interaction.CodeRead {
		return f.Service.Do(ctx, q)
	}
	if f.err == nil {
		panic("at the wrong place")
	}
	return interaction.Response{}, f.err
}

func (f failing) Ready(context.Context) error { return f.err }

// building is a Service whose engine makes indexes.
type building struct{ rest.Service }

func (building) Building() []string { return []string{"Observation", "Patient"} }

func TestReadySaysWhichIndexesAreBeingMade(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Service = building{c.Service} })
	if a := s.do(t, "GET", "/readyz", nil, ""); a.status != 200 || string(a.body) != "ready\nindexes are being made: Observation, Patient\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// broken makes a server's reads fail.
func broken(err error) func(*rest.Config) {
	return func(c *rest.Config) { c.Service = failing{c.Service, err} }
}

func TestFailuresShowAReferenceAndNoCause(t *testing.T) {
	var log bytes.Buffer
	logged := func(c *rest.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
	for _, c := range []struct {
		name   string
		err    error
		status int
		id     string
	}{
		{"an engine's error", errors.New("secret cause"), 500, "internal"},
		{"an error without issues", &fhir.Error{Kind: fhir.KindUnavailable, Err: errors.New("secret cause")}, 503, "unavailable"},
		{"no space", &fhir.Error{Kind: fhir.KindFull, Err: errors.New("secret cause")}, 507, "storage-full"},
		{"a panic", nil, 500, "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, broken(c.err), logged)
			log.Reset()
			a := s.do(t, "GET", "/fhir/Patient/secret-id?_format=json", []string{"X-Request-Id", "ref-1", "Authorization", "Bearer secret-token"}, "")
			if _, id := a.issue(t); a.status != c.status || id != c.id {
				t.Errorf("%d %s, want %d %s", a.status, id, c.status, c.id)
			}
			if !strings.Contains(string(a.body), "ref-1") || strings.Contains(string(a.body), "secret") {
				t.Errorf("the answer must name the reference and no cause: %s", a.body)
			}
			if a.header.Get("X-Request-Id") != "ref-1" {
				t.Errorf("X-Request-Id %q", a.header.Get("X-Request-Id"))
			}
			if n := strings.Count(log.String(), "request failed"); n != 1 {
				t.Errorf("logged %d times: %s", n, log.String())
			}
			if strings.Contains(log.String(), "secret-") {
				t.Errorf("the log holds what is private: %s", log.String())
			}
		})
	}
}

// Clients retry what is answered with Retry-After, and what may be stored is not to be stored twice.
func TestRetryAfterIsOnlyWhereARetryIsSafe(t *testing.T) {
	for id, want := range map[string]bool{"storage-unavailable": true, "storage-unknown": false} {
		err := error(fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageUnavailable, "gone"))
		if !want {
			err = storage.Unknown("update", errors.New("secret cause"))
		}
		a := newServer(t, broken(err)).do(t, "GET", "/fhir/Patient/a?_format=json", nil, "")
		if _, got := a.issue(t); a.status != 503 || got != id || (a.header.Get("Retry-After") != "") != want || strings.Contains(string(a.body), "secret") {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
}

// slow is a store whose searches for patients take until they are given up.
type slow struct{ storage.Store }

func (s slow) View(ctx context.Context, f func(storage.Reader) error) error {
	return s.Store.View(ctx, func(r storage.Reader) error { return f(slowReader{r}) })
}

type slowReader struct{ storage.Reader }

func (s slowReader) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	if q.Types[0] != "Patient" {
		return s.Reader.Find(ctx, q)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestASearchThatTakesTooLongIsGivenUp(t *testing.T) {
	store := openStore(t, nil)
	t.Cleanup(func() { store.Close() })
	s := newServerOf(t, newConfigOn(t, slow{store}, nil), func(c *rest.Config) { c.Limits.Search = 20 * time.Millisecond })
	a := s.do(t, "GET", "/fhir/Patient", nil, "")
	if code, id := a.issue(t); a.status != 503 || code != "timeout" || id != "timeout" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s %s", a.status, code, id)
	}
	if text := string(a.body); strings.Contains(text, "stored") || !strings.Contains(text, "took longer than the server allows") {
		t.Errorf("a read is told %s", text)
	}
	b := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient"}}]}`)
	if !strings.Contains(string(b.body), `"status":"503`) || !strings.Contains(string(b.body), "took longer than the server allows") {
		t.Errorf("an entry is told %s", b.body)
	}
	for _, query := range []string{`{ PatientList(active: true) { id } }`, `{ PatientConnection(active: true) { count } }`} {
		c := s.do(t, "POST", "/fhir/$graphql", ct("application/graphql"), query)
		if text := string(c.body); c.status != 503 || !strings.HasPrefix(text, `{"errors":[{"message":"`) || strings.Contains(text, "stored") ||
			!strings.Contains(text, "took longer than the server allows") || !strings.Contains(text, `"code":"timeout"`) {
			t.Errorf("%s is told %d %s", query, c.status, text)
		}
	}
	c := s.do(t, "GET", "/fhir/Patient/$summary?identifier=http://example.org%7Cx", nil, "")
	if text := string(c.body); c.status != 503 || strings.Contains(text, "stored") || !strings.Contains(text, "took longer than the server allows") {
		t.Errorf("an operation that reads is told %d %s", c.status, text)
	}
}

func TestAccessLogHoldsThePatternOnly(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(c *rest.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	s.put(t, "Patient/secret", strings.ReplaceAll(strings.ReplaceAll(jane, "jane", "secret"), "Doe", "secret"))
	s.do(t, "GET", "/fhir/Patient/secret", []string{"Authorization", "Bearer secret"}, "")
	s.do(t, "GET", "/fhir/Patient?family=secret", nil, "")
	s.do(t, "SECRET", "/fhir/secret", nil, "")
	s.do(t, "GET", "/secret", []string{"X-Request-Id", "secret value"}, "")
	if strings.Contains(strings.ToLower(log.String()), "secret") {
		t.Errorf("the log holds what is private: %s", log.String())
	}
	if !strings.Contains(log.String(), "route=/fhir/:type/:id status=200") {
		t.Errorf("no line for the read: %s", log.String())
	}
	if a := s.do(t, "GET", "/metrics", nil, ""); strings.Contains(string(a.body), "secret") {
		t.Error("the metrics hold what is private")
	}
}

func TestCrossOrigin(t *testing.T) {
	const page = "https://app.example.org"
	preflight := []string{"Origin", page, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type"}
	run(t, []call{
		{"preflight", "OPTIONS", "/fhir/Patient/1", preflight, "", 204,
			[]string{"Access-Control-Allow-Origin", page, "Access-Control-Allow-Methods", "/.*PUT.*/", "Access-Control-Allow-Headers", "/.*If-Match.*/", "Access-Control-Max-Age", `/\d+/`}, nil},
		{"request", "GET", "/fhir/Patient/1", []string{"Origin", page}, "", 404,
			[]string{"Access-Control-Allow-Origin", page, "Access-Control-Expose-Headers", "/.*ETag.*/", "Vary", "/.*Origin.*/"}, nil},
		{"another origin", "GET", "/fhir/Patient/1", []string{"Origin", "https://evil.example.org"}, "", 404, []string{"Access-Control-Allow-Origin", ""}, nil},
		{"an origin that begins alike", "GET", "/fhir/Patient/1", []string{"Origin", page + ".evil.org"}, "", 404, []string{"Access-Control-Allow-Origin", ""}, nil},
		{"preflight of another origin", "OPTIONS", "/fhir/Patient/1", []string{"Origin", "null", "Access-Control-Request-Method", "PUT"}, "", 204, []string{"Access-Control-Allow-Origin", ""}, nil},
		{"no preflight", "OPTIONS", "/fhir/Patient", nil, "", 204, []string{"Allow", "/.*GET.*POST.*/"}, nil},
		{"OPTIONS of the base", "OPTIONS", "/fhir", nil, "", 200, []string{"Allow", "/.*POST.*/"}, []string{"CapabilityStatement"}},
		{"OPTIONS of nothing", "OPTIONS", "/nothing", nil, "", 404, nil, nil},
	}, func(c *rest.Config) { c.Origins = []string{page} })
	run(t, []call{
		{"a page on this machine", "GET", "/fhir/Patient/1", []string{"Origin", "http://localhost:3000"}, "", 404, []string{"Access-Control-Allow-Origin", "http://localhost:3000"}, nil},
		{"a host that begins alike", "GET", "/fhir/Patient/1", []string{"Origin", "http://localhost:3000.evil.org"}, "", 404, []string{"Access-Control-Allow-Origin", ""}, nil},
		{"any other", "GET", "/fhir/Patient/1", []string{"Origin", page}, "", 404, []string{"Access-Control-Allow-Origin", ""}, nil},
	})
	run(t, []call{
		{"everybody", "GET", "/fhir/Patient/1", []string{"Origin", page}, "", 404, []string{"Access-Control-Allow-Origin", "*"}, nil},
	}, func(c *rest.Config) { c.Origins = []string{"*"} })
}

// A page in a browser reaches what listens on its machine. It can post plain text anywhere without asking first.
func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	const evil, app = "http://evil.example", "https://app.example.org"
	text := func(headers ...string) []string { return ct("text/plain", headers...) }
	run(t, []call{
		{"plain text from another page", "POST", "/fhir/Binary", text("Host", "127.0.0.1:8080", "Origin", evil), "x", 403, nil, []string{"foreign-origin"}},
		{"from a page without an origin", "POST", "/fhir/Binary", text("Origin", "null"), "x", 403, nil, []string{"foreign-origin"}},
		{"a form from a page that hides its origin", "POST", "/fhir/Binary", ct("application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"), "x=y", 403, nil, []string{"foreign-origin"}},
		{"a deletion", "DELETE", "/fhir/Patient/1", []string{"Origin", evil}, "", 403, nil, nil},
		{"a search, which changes nothing", "POST", "/fhir/Patient/_search", ct("application/x-www-form-urlencoded", "Origin", evil), "_id=x", 200, []string{"Access-Control-Allow-Origin", ""}, nil},
		{"a page of this server", "POST", "/fhir/Binary", text("Host", "fhir.example.org", "Origin", "https://fhir.example.org"), "x", 201, nil, nil},
		{"a page that a browser says is of this server", "POST", "/fhir/Binary", text("Origin", "https://a", "Sec-Fetch-Site", "same-origin"), "x", 201, nil, nil},
		{"a page on this machine", "POST", "/fhir/Binary", text("Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"), "x", 201, nil, nil},
		{"no browser", "POST", "/fhir/Binary", text(), "x", 201, nil, nil},
		{"any host", "GET", "/fhir/Patient", []string{"Host", "evil.example:8080"}, "", 200, nil, nil},
	})
	run(t, []call{
		{"an origin that may", "POST", "/fhir/Binary", text("Origin", app, "Sec-Fetch-Site", "cross-site"), "x", 201, []string{"Access-Control-Allow-Origin", app}, nil},
		{"a page of the base URL", "POST", "/fhir/Binary", text("Host", "inner", "Origin", "https://fhir.example.org"), "x", 201, nil, nil},
	}, func(c *rest.Config) { c.Origins, c.BaseURL = []string{app}, "https://fhir.example.org/r4" })
	const own = "https://fhir.example.org"
	run(t, []call{
		{"a page of this server behind a proxy that keeps the host", "POST", "/fhir/Binary", text("Host", "fhir.example.org", "X-Forwarded-Proto", "https", "Origin", own), "x", 201, nil, nil},
		{"a page of this server behind a proxy that states the host", "POST", "/fhir/Binary", text("X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Proto", "https", "Origin", own), "x", 201, nil, nil},
		{"a page of this server on a port of its own", "POST", "/fhir/Binary", text("Forwarded", "host=\"fhir.example.org:8443\";proto=https", "Origin", own+":8443"), "x", 201, nil, nil},
		{"a page of another scheme", "POST", "/fhir/Binary", text("X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Proto", "https", "Origin", "http://fhir.example.org"), "x", 403, nil, nil},
		{"another page behind the proxy", "POST", "/fhir/Binary", text("X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Proto", "https", "Origin", evil), "x", 403, nil, nil},
	}, func(c *rest.Config) { c.TrustProxy = true })
	run(t, []call{
		{"a proxy that is not trusted", "POST", "/fhir/Binary", text("X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Proto", "https", "Origin", own), "x", 403, nil, nil},
	})
}

// The name of a page's host can be bound to the loopback address: the page is of the server's own origin then.
func TestServerForItsMachineTellsNothingUnderAnotherName(t *testing.T) {
	at := func(host string, status int) call {
		return call{host, "GET", "/fhir/Patient", []string{"Host", host}, "", status, nil, nil}
	}
	var own, foreign []call
	for _, host := range []string{"localhost", "localhost:8080", "LOCALHOST:8080", "fhir.localhost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]", "localhost.:8080"} {
		own = append(own, at(host, 200))
	}
	for _, host := range []string{"evil.example:8080", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evillocalhost", "192.0.2.1:8080", "fhir.example.org", "0.0.0.0:8080"} {
		foreign = append(foreign, at(host, 403))
	}
	run(t, append(own, foreign...), func(c *rest.Config) { c.LoopbackOnly = true })
	run(t, []call{at("fhir.example.org", 200), at("127.0.0.1:1", 200), at("evil.example", 403)}, func(c *rest.Config) { c.LoopbackOnly, c.BaseURL = true, "https://fhir.example.org/r4" })
	run(t, []call{at("fhir.example.org", 200)}, func(c *rest.Config) { c.LoopbackOnly, c.TrustProxy = true, true })
}

func TestLinksUseTheClientsAddress(t *testing.T) {
	create := func(name string, headers []string, base string) call {
		return call{name, "POST", "/fhir/Patient", ct(jsonType, headers...), patient, 201, []string{"Location", "/" + base + `/Patient/[^/]+/_history/1/`}, nil}
	}
	run(t, []call{
		create("the Host header", []string{"Host", "fhir.example.org:8080"}, "http://fhir.example.org:8080/fhir"),
		create("a proxy that is not trusted", []string{"Host", "here", "X-Forwarded-Host", "evil.org", "Forwarded", "host=evil.org"}, "http://here/fhir"),
	})
	run(t, []call{
		create("Forwarded", []string{"Forwarded", `for=192.0.2.1;proto=https;host="fhir.example.org", for=10.0.0.1;host=inner`}, "https://fhir.example.org/fhir"),
		create("X-Forwarded", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Prefix", "/gate/"}, "https://fhir.example.org/gate/fhir"),
		create("X-Forwarded-Port", []string{"Host", "h:8080", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443"}, "https://h:8443/fhir"),
		create("the scheme's own port", []string{"Host", "h", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"}, "https://h/fhir"),
		{"a host that is none", "POST", "/fhir/Patient", ct(jsonType, "X-Forwarded-Host", "a/b?c"), patient, 400, nil, []string{"forwarded"}},
		{"a port that is none", "POST", "/fhir/Patient", ct(jsonType, "X-Forwarded-Port", "99999"), patient, 400, nil, []string{"forwarded"}},
		{"a scheme that is none", "POST", "/fhir/Patient", ct(jsonType, "X-Forwarded-Proto", "javascript"), patient, 400, nil, []string{"forwarded"}},
	}, func(c *rest.Config) { c.TrustProxy = true })
	run(t, []call{
		create("the configured base", []string{"X-Forwarded-Host", "evil.org"}, "https://fhir.example.org/r4"),
		{"fullUrl and links", "GET", "/fhir/Patient?_count=1", nil, "", 200, nil, []string{`"fullUrl":"https://fhir.example.org/r4/Patient/`, `"url":"https://fhir.example.org/r4/Patient?`}},
	}, func(c *rest.Config) { c.BaseURL, c.TrustProxy = "https://fhir.example.org/r4/", true })
}

func TestBaseURLMustBeOne(t *testing.T) {
	for _, bad := range []string{"fhir.example.org", "ftp://x/fhir", "https://", "https://x/fhir?a=b", "https://user@x/fhir"} {
		cfg := newConfig(t)
		cfg.BaseURL = bad
		if _, err := rest.New(cfg); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestCompression(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.CompressAbove = 1000 })
	s.put(t, "Patient/small", `{"resourceType":"Patient","id":"small"}`)
	s.put(t, "Patient/large", `{"resourceType":"Patient","id":"large","name":[{"text":"`+strings.Repeat("abc", 1000)+`"}]}`)
	for _, c := range []struct {
		path, accept, coding string
	}{
		{"/fhir/Patient/large", "gzip", "gzip"},
		{"/fhir/Patient/large", "x-gzip", "gzip"},
		{"/fhir/Patient/large", "br, gzip;q=0.5", "gzip"},
		{"/fhir/Patient/large", "zstd", "zstd"},
		{"/fhir/Patient/large", "gzip, deflate, br, zstd", "zstd"},
		{"/fhir/Patient/large", "gzip, zstd;q=0.5", "gzip"},
		{"/fhir/Patient/large", "zstd;q=0, *;q=0.1", "gzip"},
		{"/fhir/Patient/large", "*", "zstd"},
		{"/fhir/Patient/large", "gzip;q=0", ""},
		{"/fhir/Patient/large", "br", ""},
		{"/fhir/Patient/large", "", ""},
		{"/fhir/Patient/small", "gzip, zstd", ""},
		{"/fhir/Patient/large/$everything", "gzip", "gzip"},
		{"/fhir/Patient/large/$everything", "zstd", "zstd"},
		{"/fhir/metadata", "gzip", "gzip"},
		{"/fhir/metadata", "zstd", "zstd"},
		{"/fhir/metadata?_summary=true", "zstd", "zstd"},
		{"/fhir/metadata", "identity", ""},
	} {
		plain := s.do(t, "GET", c.path, nil, "")
		a := s.do(t, "GET", c.path, []string{"Accept-Encoding", c.accept}, "")
		if got := a.header.Get("Content-Encoding"); got != c.coding {
			t.Errorf("%s, %q: Content-Encoding %q", c.path, c.accept, got)
			continue
		}
		body := unpacked(t, a)
		if len(body) != len(plain.body) || !strings.HasSuffix(c.path, "everything") && !bytes.Equal(body, plain.body) { // a Bundle has the time in it
			t.Errorf("%s, %q: other content", c.path, c.accept)
		}
		if tag := a.header.Get("Etag"); tag != plain.header.Get("Etag") || tag != "" && !strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: tags %s and %s", c.path, a.header.Get("Etag"), plain.header.Get("Etag"))
		}
		if !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", c.path, a.header.Get("Vary"))
		}
		if h := s.do(t, "HEAD", c.path, []string{"Accept-Encoding", c.accept}, ""); h.status != 200 || len(h.body) > 0 {
			t.Errorf("HEAD %s: %d with %d bytes", c.path, h.status, len(h.body))
		}
	}
}

// raw sends bytes as they are and returns the answer: what http.Client would not send.
func (s *server) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestRequestsThatAreNoHTTP(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"broken escape in the path", "GET /fhir/Patient/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"NUL in the path", "GET /fhir/Pat\x00ient HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"CONNECT", "CONNECT evil.org:443 HTTP/1.1\r\nHost: evil.org:443\r\n\r\n", 404},
		{"another server's URL", "GET http://evil.org/fhir/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"no Host", "GET /fhir/metadata HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"line break in a header", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nAccept: a\r\n b\r\n\r\n", 406},
		{"length and chunks", "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"a body shorter than promised", "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 0\r\n\r\n", 400},
		{"a length over the limit, nothing sent", fmt.Sprintf("POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", limitBody+1), 413},
		{"a Host with a path", "POST /fhir/Patient HTTP/1.1\r\nHost: a/b\r\nContent-Type: application/fhir+json\r\nContent-Length: 26\r\n\r\n" + patient, 400},
	} {
		resp := s.raw(t, c.request)
		if resp.StatusCode != c.status {
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
			t.Errorf("%s: %d, want %d: %s", c.name, resp.StatusCode, c.status, b)
		}
	}
}
