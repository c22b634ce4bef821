package load

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzScan holds the scanner to encoding/json: what is valid JSON is skipped to its last byte, in windows of any size, and a recording
// has exactly its bytes. What is not valid must end, in whatever way.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{}`, `{"entry":[{"resource":{"resourceType":"X","id":"1"},"fullUrl":"urn:uuid:1","request":{"method":"PUT","url":"X/1"}}]}`,
		`{"a":[1,-2.50e3,true,null,"\"\\\u0041"],"b":{"c":{}}}`, `{"resourceType":{"x":[]},"entry":{},"id":[]}`, "{\"a\":\"\n\"}", `{"a"`, `{"entry":[[],1,"x",{}]}`, transaction} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		in = bytes.TrimSpace(in)
		if len(in) == 0 || in[0] != '{' {
			return
		}
		valid := json.Valid(in)
		for _, lines := range []bool{false, true} {
			for name, r := range map[string]io.Reader{"whole": bytes.NewReader(in), "byte by byte": iotest.OneByteReader(bytes.NewReader(in))} {
				src := &source{name: "fuzz", scan: newScanner(r)}
				src.scan.lines = lines
				d, err := src.next()
				if !valid {
					continue
				}
				if lines && bytes.ContainsRune(in, '\n') {
					if err == nil {
						t.Fatalf("%s: a value over two lines passed as NDJSON", name)
					}
					continue
				}
				if err != nil {
					if strings.Contains(err.Error(), "too deeply") || strings.Contains(err.Error(), "too long") {
						continue
					}
					t.Fatalf("%s: %v", name, err)
				}
				if !bytes.Equal(d.body.held, in) {
					t.Fatalf("%s: recorded %q", name, d.body.held)
				}
				if _, err := src.scan.peek(); err != io.EOF {
					t.Fatalf("%s: left over: %v", name, err)
				}
			}
		}
	})
}

// FuzzAnswer feeds what a server may say; no response may do harm.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"x","expression":["Patient"]}]}`))
	f.Add([]byte(`{"entry":[{"response":{"status":"422","outcome":{"issue":[{}]}}},{"response":5},7]}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := readResponse(400, bytes.NewReader(in))
		if err == nil && strings.Contains(a.reason(), "\n") {
			t.Fatalf("a reason of two lines: %q", a.reason())
		}
	})
}
