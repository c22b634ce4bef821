package rest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// limitBody is the limit on bodies of the servers of these tests.
const limitBody = 16 << 20

// patience is how long a test waits for what comes in a moment on a machine with nothing else to do.
const patience = 10 * time.Minute

// server is a real server on loopback.
type server struct {
	url     string
	client  *http.Client
	handler *rest.Handler
}

// newServer serves an empty store until the test ends; with changes the configuration.
func newServer(t testing.TB, with ...func(*rest.Config)) *server {
	t.Helper()
	return newServerOf(t, newConfig(t), with...)
}

// newServerOf is newServer with another configuration.
func newServerOf(t testing.TB, cfg rest.Config, with ...func(*rest.Config)) *server {
	t.Helper()
	cfg.Version = "test"
	cfg.Limits.Body = limitBody
	rest.SetDrainTime(&cfg, patience)
	for _, w := range with {
		w(&cfg)
	}
	h, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config = rest.NewServer(h, 0, nil)
	s.Start()
	t.Cleanup(s.Close)
	return &server{url: s.URL, handler: h, client: &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request. headers are names and values in turn.
func (s *server) do(t testing.TB, method, path string, headers []string, body string) answer {
	t.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.url+path, rd)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// issue returns code and id of the first issue of an OperationOutcome.
func (a answer) issue(t testing.TB) (code, id string) {
	t.Helper()
	var o struct {
		ResourceType string
		Issue        []struct {
			Severity, Code string
			Details        struct {
				Coding []struct{ System, Code string }
			}
		}
	}
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	if o.ResourceType != "OperationOutcome" || len(o.Issue) == 0 {
		t.Fatalf("no OperationOutcome: %.300s", a.body)
	}
	if c := o.Issue[0].Details.Coding; len(c) > 0 {
		id = c[0].Code
	}
	return o.Issue[0].Code, id
}

// put stores a resource under its key.
func (s *server) put(t testing.TB, key, body string) answer {
	t.Helper()
	a := s.do(t, "PUT", "/fhir/"+key, ct(jsonType), body)
	if a.status != 200 && a.status != 201 {
		t.Fatalf("PUT %s: %d %s", key, a.status, a.body)
	}
	return a
}

// compact returns JSON without white space.
func compact(t testing.TB, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatalf("%v: %.300s", err, b)
	}
	return out.String()
}
