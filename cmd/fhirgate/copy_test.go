package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// whole returns the history of the whole system as it does not depend on the server's address.
func whole(t *testing.T, p *process) string {
	t.Helper()
	r := must(t, 200, "GET", p.base+"/_history?_count=1000", "")
	var b struct {
		Entry []json.RawMessage
	}
	if err := json.Unmarshal(r.body, &b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range b.Entry {
		out = append(out, strings.ReplaceAll(string(e), p.base, "BASE"))
	}
	return strings.Join(out, "\n")
}

func copyTo(t *testing.T, from, to string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), program{args: []string{"copy", "--from", from, "--to", to}, env: quietEnv(), stdout: &stdout, stderr: &stderr}); status != 0 {
		return "", fmt.Errorf("status %d: %s", status, stderr.String())
	}
	return stdout.String(), nil
}

func TestCopyMovesADatabaseToMongoDBAndBack(t *testing.T) {
	uri := mongotest.URIOfKilled(t)
	folder, back := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	p := startServer(t, folder)
	must(t, 201, "PUT", p.base+"/SearchParameter/eye", `{"resourceType":"SearchParameter","id":"eye","url":"http://example.org/eye","name":"eye","status":"active","description":"eye colour","code":"eye","base":["Patient"],"type":"token","expression":"Patient.extension.where(url='http://example.org/eye').value"}`)
	for i := range 30 {
		id := fmt.Sprintf("%s/Patient/p%d", p.base, i)
		must(t, 201, "PUT", id, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"female","name":[{"family":"Müller\u0301"}],"extension":[{"url":"http://example.org/eye","valueCode":"c%d"}]}`, i, i%3))
		if i%2 == 0 {
			must(t, 200, "PUT", id, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"male","multipleBirthInteger":%d,"extension":[{"url":"http://example.org/eye","valueCode":"c%d"}]}`, i, i, i%3))
		}
		if i%5 == 0 {
			if r, err := send(t.Context(), "DELETE", id, ""); err != nil || r.status/100 != 2 {
				t.Fatal(r, err)
			}
		}
		if i%10 == 0 {
			must(t, 201, "PUT", id, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","active":true}`, i))
		}
	}
	before := whole(t, p)
	if status := p.stop(t); status != 0 {
		t.Fatal(status)
	}
	same := func(what string, p *process) {
		t.Helper()
		if got := whole(t, p); got != before {
			t.Errorf("the history %s differs:\n%s\nwant\n%s", what, got, before)
		}
		must(t, 410, "GET", p.base+"/Patient/p5", "")
		for _, q := range []string{"Patient?gender=male&_count=1000", "Patient?eye=c1&_count=1000"} {
			r := must(t, 200, "GET", p.base+"/"+q, "")
			var b struct{ Entry []struct{ FullURL string } }
			if err := json.Unmarshal(r.body, &b); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{true: 12, false: 8}[strings.Contains(q, "gender")]; len(b.Entry) != want {
				t.Errorf("%s finds %d %s, want %d", q, len(b.Entry), what, want)
			}
		}
	}
	said, err := copyTo(t, folder, uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(said)
	p = startServer(t, "", inMongoDB(uri)...)
	same("in MongoDB", p)
	p.stop(t)
	if _, err := copyTo(t, folder, uri); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a copy onto a database with content: %v", err)
	}
	if _, err := copyTo(t, uri, back); err != nil {
		t.Fatal(err)
	}
	p = startServer(t, back)
	same("back in a folder", p)
	must(t, 200, "PUT", p.base+"/Patient/p1", `{"resourceType":"Patient","id":"p1","active":false}`)
	p.stop(t)
}

// interrupter is an output that interrupts what writes to it.
type interrupter struct{ interrupt func() }

func (w interrupter) Write(b []byte) (int, error) {
	w.interrupt()
	return len(b), nil
}

// A copy that is interrupted says in which state it left the place copied to. No server starts on it, and the same command finishes it or says what to
// do first.
func TestACopyThatIsInterrupted(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a")
	p := startServer(t, folder)
	for i := range 3 {
		must(t, 201, "PUT", fmt.Sprintf("%s/Patient/p%d", p.base, i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"female"}`, i))
	}
	p.stop(t)
	for engine, to := range map[string]string{"in a folder": filepath.Join(t.TempDir(), "b"), "in MongoDB": mongotest.URIOfKilled(t)} {
		t.Run(engine, func(t *testing.T) {
			interrupted := func() error {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := &copying{p: &program{env: quietEnv(), stdout: io.Discard, stderr: interrupter{cancel}}}
				return c.run(ctx, place(folder, ""), place(to, ""))
			}
			err := interrupted()
			if err == nil || !strings.HasPrefix(err.Error(), "interrupted: the copy is not finished: 3 versions of 3 resources were copied") || !strings.Contains(err.Error(), "To begin again") {
				t.Fatalf("%v", err)
			}
			var stdout, stderr bytes.Buffer
			args := []string{"serve", "--listen", "127.0.0.1:0", "--data", to}
			if strings.Contains(to, "://") {
				args = []string{"serve", "--listen", "127.0.0.1:0", "--mongodb", to}
			}
			if status := run(t.Context(), program{args: args, env: quietEnv(), stdout: &stdout, stderr: &stderr}); status == 0 || !strings.Contains(stderr.String(), "unfinished copy") {
				t.Errorf("serve: status %d: %s", status, &stderr)
			}
			if _, err := copyTo(t, folder, to); err == nil || !strings.Contains(err.Error(), "run copy again") {
				t.Errorf("copy onto it: %v", err)
			}
			if _, err := copyTo(t, to, filepath.Join(t.TempDir(), "c")); err == nil || !strings.Contains(err.Error(), "--from: ") {
				t.Errorf("copy from it: %v", err)
			}
			// As it is when everything is copied.
			gw, err := newGateway(t.Context(), place(to, ""), "127.0.0.1:8080", newLogger(&program{stderr: io.Discard}, "error", "text"))
			if err != nil {
				t.Fatal(err)
			}
			if err := setCopyStage(t.Context(), gw.store, stageIndexing); err != nil {
				t.Fatal(err)
			}
			if err := gw.close(); err != nil {
				t.Fatal(err)
			}
			if err := interrupted(); err == nil || !strings.HasPrefix(err.Error(), "interrupted: everything is copied") {
				t.Errorf("%v", err)
			}
			if _, err := copyTo(t, folder, to); err != nil {
				t.Fatal(err)
			}
			dir, more := to, []string(nil)
			if strings.Contains(to, "://") {
				dir, more = "", inMongoDB(to)
			}
			p := startServer(t, dir, more...)
			if r := must(t, 200, "GET", p.base+"/Patient?gender=female&_summary=count", ""); !strings.Contains(string(r.body), `"total":3`) {
				t.Errorf("%s", r.body)
			}
			p.stop(t)
		})
	}
}
