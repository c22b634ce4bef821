package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/storage/embedded"
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
	uri := mongotest.URI(t)
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

func TestACopyThatDidNotFinishIsNotServed(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	p := startServer(t, from)
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a"}`)
	p.stop(t)
	// What a copy leaves that is killed after its first page.
	if _, err := copyTo(t, from, to); err != nil {
		t.Fatal(err)
	}
	mark := func(value []byte) {
		t.Helper()
		store, err := embedded.Open(to, embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(setCopying(t.Context(), store, value), store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	mark([]byte("1"))
	fails(t, "a copy into it did not finish", "--listen", "127.0.0.1:0", "--data", to)
	fails(t, "--to: the data is not complete", "copy", "--from", from, "--to", to)
	fails(t, "--from: the data is not complete", "copy", "--from", to, "--to", filepath.Join(t.TempDir(), "third"))
	mark(nil)
	if p = startServer(t, to); count(t, p, "Patient") != 1 {
		t.Error("the copy has no patient")
	}
}

func TestACopyThatIsInterruptedSaysWhatToDo(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	startServer(t, from).stop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	status := run(ctx, program{args: []string{"copy", "--from", from, "--to", filepath.Join(t.TempDir(), "to")}, env: quietEnv(), stdout: &stdout, stderr: &stderr})
	if status != 1 || !strings.Contains(stderr.String(), "the copy was interrupted after 0 resources: remove the folder") {
		t.Errorf("%d %s", status, stderr.String())
	}
	stderr.Reset()
	status = run(ctx, program{args: []string{"reindex", "--data", from}, env: quietEnv(), stdout: &stdout, stderr: &stderr})
	if status != 1 || strings.Contains(stderr.String(), "context canceled") || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%d %s", status, stderr.String())
	}
}
