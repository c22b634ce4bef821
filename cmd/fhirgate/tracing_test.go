package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestTracesGoToTheCollectorThatIsConfigured holds that a request's span has the trace that its client named, that the store's spans are below it, and
// that nothing of a patient is in any.
func TestTracesGoToTheCollectorThatIsConfigured(t *testing.T) {
	var mu sync.Mutex
	var sent bytes.Buffer
	names := map[string]string{} // name of a span: hexadecimal trace id
	children := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var got collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &got)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		sent.Write(body)
		for _, resource := range got.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					names[span.Name] = string(span.TraceId)
					children[span.Name] = len(span.ParentSpanId) > 0
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer s.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	p := startServer(t, freshData(t))
	put(t, p, "secret", "Hidden")
	req, err := http.NewRequest("GET", p.base+"/Patient?family=hidden", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", "00-61626364656667686162636465666768-6162636465666768-01")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if status := p.stop(t); status != 0 { // and sends what is left
		t.Fatalf("status %d: %s", status, p.stderr)
	}
	mu.Lock()
	defer mu.Unlock()
	for name, child := range map[string]bool{"PUT /fhir/:type/:id": false, "GET /fhir/:type": true, "storage.Update": true, "storage.View": true, "storage.Find": true} {
		if id, ok := names[name]; !ok || children[name] != child || (name == "GET /fhir/:type" || name == "storage.Find") && id != "abcdefghabcdefgh" {
			t.Errorf("%s: trace %q, a child %v", name, id, children[name])
		}
	}
	for _, secret := range []string{"secret", "Hidden", "hidden"} {
		if bytes.Contains(sent.Bytes(), []byte(secret)) {
			t.Errorf("the traces have %q", secret)
		}
	}
	if t.Failed() {
		t.Logf("spans: %q", names)
	}
}

// put stores a Patient.
func put(t *testing.T, p *process, id, family string) {
	t.Helper()
	must(t, 201, "PUT", p.base+"/Patient/"+id, `{"resourceType":"Patient","id":"`+id+`","name":[{"family":"`+family+`"}]}`)
}

func TestWhichTracesAreWanted(t *testing.T) {
	for _, c := range []struct {
		env    string // NAME=value, with spaces between
		wanted bool
		err    string
	}{
		{"", false, ""},
		{"OTEL_TRACES_EXPORTER=otlp", true, ""},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", true, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", true, ""},
		{"OTEL_SDK_DISABLED=true OTEL_TRACES_EXPORTER=otlp", false, ""},
		{"OTEL_TRACES_EXPORTER=zipkin", false, "OTEL_TRACES_EXPORTER"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", true, ""},
	} {
		wanted, err := tracesWanted(func(name string) string {
			for _, pair := range strings.Fields(c.env) {
				if n, value, _ := strings.Cut(pair, "="); n == name {
					return value
				}
			}
			return ""
		})
		if wanted != c.wanted || (err != nil) != (c.err != "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %v, %v", c.env, wanted, err)
		}
	}
}

// TestATracesExporterThatIsNotServedIsAnError holds that a start with it fails with words.
func TestATracesExporterThatIsNotServedIsAnError(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "jaeger")
	if _, err := tryServer(t, freshData(t)); err == nil || !strings.Contains(err.Error(), "OTEL_TRACES_EXPORTER") {
		t.Error(err)
	}
}
