package load

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// request is one that the recording server received.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

// bundle is what the tests look at in a Bundle.
type bundle struct {
	Type  string
	Entry []struct {
		FullURL  string
		Resource map[string]any
		Request  struct{ Method, URL string }
	}
}

// bundle parses the request's body.
func (r *request) bundle(t *testing.T) bundle {
	t.Helper()
	var b bundle
	if err := json.Unmarshal(r.body, &b); err != nil {
		t.Fatalf("the body of %s %s is not JSON: %v", r.method, r.path, err)
	}
	return b
}

// recorder is an HTTP server that responds as a FHIR server does and keeps what it was sent.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*request
	// before may response a request in place of the recorder; n counts from 0.
	before func(w http.ResponseWriter, r *request, n int) bool
	// entry gives the response of a Bundle's entry; 201 for POST and 200 for the rest where it is nil or returns "".
	entry func(method, url string, resource map[string]any) string
}

func newRecorder(t *testing.T) *recorder {
	rec := &recorder{}
	rec.Server = httptest.NewServer(http.HandlerFunc(rec.serve))
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) serve(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(hr.Body)
	if err != nil {
		return
	}
	r := &request{hr.Method, hr.URL.Path, hr.Header, body}
	rec.mu.Lock()
	n := len(rec.requests)
	rec.requests = append(rec.requests, r)
	rec.mu.Unlock()
	if rec.before != nil && rec.before(w, r, n) {
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	if r.path != "/fhir" {
		if r.method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		return
	}
	var b bundle
	if err := json.Unmarshal(body, &b); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var out []string
	for _, e := range b.Entry {
		response := ""
		if rec.entry != nil {
			response = rec.entry(e.Request.Method, e.Request.URL, e.Resource)
		}
		if response == "" {
			response = `{"status":"200 OK"}`
			if e.Request.Method == http.MethodPost {
				response = `{"status":"201 Created"}`
			}
		}
		out = append(out, `{"response":`+response+`}`)
	}
	fmt.Fprintf(w, `{"resourceType":"Bundle","type":"%s-response","entry":[%s]}`, b.Type, strings.Join(out, ","))
}

// lines returns "METHOD path" of each request, sorted.
func (rec *recorder) lines() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var out []string
	for _, r := range rec.requests {
		out = append(out, r.method+" "+r.path)
	}
	slices.Sort(out)
	return out
}

// run loads files into the recorder with no waiting between tries.
func (rec *recorder) run(t *testing.T, o Options) (*Summary, error) {
	t.Helper()
	o.Server = rec.URL + "/fhir"
	if o.pause == nil {
		o.pause = func(context.Context, time.Duration) error { return nil }
	}
	return Run(t.Context(), o)
}

// write makes a file in a folder of the test and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// gz returns content compressed.
func gz(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// patient returns a Patient with the id, or without one where it is "".
func patient(id string) string {
	if id == "" {
		return `{"resourceType":"Patient","active":true}`
	}
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"active":true}`, id)
}

// received returns the requests so far, in the order of their arrival.
func (rec *recorder) received() []*request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.requests)
}

// count returns the number of requests so far.
func (rec *recorder) count() int { return len(rec.received()) }
