package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServeSaysWhereItListensAndWhereTheDataIs(t *testing.T) {
	p := startServer(t, freshData(t))
	must(t, 200, "GET", p.root+"/healthz", "")
	must(t, 200, "GET", p.root+"/readyz", "")
	must(t, 200, "GET", p.root+"/metrics", "")
	if r := must(t, 200, "GET", p.base+"/metadata", ""); !strings.Contains(string(r.body), `"CapabilityStatement"`) {
		t.Fatalf("%.200s", r.body)
	}
	said := p.stdout.String()
	for _, want := range []string{p.base, "The data is in " + p.data, "listens on loopback only"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	if status := p.stop(t); status != 0 {
		t.Fatalf("status %d after SIGTERM: %s", status, p.stderr)
	}
}

func TestWhatWasStoredIsThereAfterARestart(t *testing.T) {
	data := freshData(t)
	p := startServer(t, data)
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a","active":true}`)
	if status := p.stop(t); status != 0 {
		t.Fatalf("status %d: %s", status, p.stderr)
	}
	p = startServer(t, data)
	if r := must(t, 200, "GET", p.base+"/Patient/a", ""); r.version() != 1 {
		t.Fatalf("version %d: %s", r.version(), r.body)
	}
}

func TestASmallGreatestPageIsThePageToo(t *testing.T) {
	p := startServer(t, freshData(t), "--max-page", "2")
	for _, id := range []string{"a", "b", "c"} {
		must(t, 201, "PUT", p.base+"/Patient/"+id, `{"resourceType":"Patient","id":"`+id+`"}`)
	}
	if r := must(t, 200, "GET", p.base+"/Patient", ""); strings.Count(string(r.body), `"fullUrl"`) != 2 {
		t.Fatalf("%s", r.body)
	}
}

func TestStartErrorsAreOneLine(t *testing.T) {
	running := startServer(t, freshData(t))
	address := strings.TrimPrefix(running.root, "http://")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "Patient.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"--listen", "127.0.0.1:0", "--data"}
	fails(t, address+" is in use by another program", "--listen", address, "--data", freshData(t))
	fails(t, "is not an address of this machine", "--listen", "192.0.2.1:0", "--insecure-listen", "--data", freshData(t))
	fails(t, "in use by another process", append(free, running.data)...)
	fails(t, file, append(free, file)...)
	fails(t, dir, append(free, dir)...)
	fails(t, "schema", append(free, freshData(t), "--schema-dir", filepath.Join(dir, "none"))...)
	fails(t, "Patient.json", append(free, freshData(t), "--schema-dir", broken)...)
	fails(t, "base-url", append(free, freshData(t), "--base-url", "example.org")...)
	if r := must(t, 200, "GET", running.root+"/readyz", ""); len(r.body) == 0 {
		t.Fatal("the first server is disturbed")
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	cmd.Env = quietEnv()
	out, err := withoutRights(t, cmd)
	if cmd.ProcessState.ExitCode() != 1 || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), filepath.Join(dir, "data")) || !strings.Contains(string(out), "permission") {
		t.Fatalf("%v: %s", err, out)
	}
}

// slowUpload starts a PUT whose body is not finished, and returns when the server has taken the request.
func slowUpload(t *testing.T, p *process, id string) (finish func() (int, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.root, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	body := `{"resourceType":"Patient","id":"` + id + `","active":true}`
	head := "PUT /fhir/Patient/" + id + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nExpect: 100-continue\r\nContent-Length: "
	if _, err := io.WriteString(conn, head+strconv.Itoa(len(body))+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// The server says 100 Continue when the handler begins to read.
	buf := make([]byte, 25)
	if _, err := io.ReadFull(conn, buf); err != nil || !strings.HasPrefix(string(buf), "HTTP/1.1 100") {
		t.Fatalf("%v %q", err, buf)
	}
	return func() (int, error) {
		if _, err := io.WriteString(conn, body); err != nil {
			return 0, err
		}
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil {
			return 0, err
		}
		return int(answer[9]-'0')*100 + int(answer[10]-'0')*10 + int(answer[11]-'0'), nil
	}
}

func TestSIGTERMLetsRunningRequestsEnd(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		data := freshData(t)
		p := startServer(t, data, "--shutdown-timeout", patience.String())
		finish := slowUpload(t, p, "slow")
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); ; {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.root, "http://"))
			if err != nil {
				break
			}
			_ = conn.Close()
			if time.Now().After(end) {
				t.Fatal("connections are taken long after the signal to stop")
			}
			time.Sleep(5 * time.Millisecond)
		}
		status, err := finish()
		if err != nil || status != http.StatusCreated {
			t.Fatalf("the running request got %d, %v", status, err)
		}
		select {
		case <-p.exited:
		case <-time.After(patience):
			t.Fatal("it does not end")
		}
		if p.cmd.ProcessState.ExitCode() != 0 {
			t.Fatalf("status %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr)
		}
		must(t, 200, "GET", startServer(t, data).base+"/Patient/slow", "")
	}
}

func TestARequestThatNeverEndsIsCutOff(t *testing.T) {
	p := startServer(t, freshData(t), "--shutdown-timeout", "200ms")
	slowUpload(t, p, "never")
	if status := p.stop(t); status != 1 || !strings.Contains(p.stderr.String(), "--shutdown-timeout") {
		t.Fatalf("status %d: %s", status, p.stderr)
	}
}

func TestSIGHUPReadsTheSchemasAgain(t *testing.T) {
	dir := t.TempDir()
	schema := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "Patient.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := startServer(t, freshData(t), "--schema-dir", dir)
	body := `{"resourceType":"Patient","active":true}`
	must(t, 201, "POST", p.base+"/Patient", body)
	reloaded := func(want int) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for {
			r, err := send(ctx, "POST", p.base+"/Patient", body)
			if err != nil {
				t.Fatalf("the status is not %d after a reload: %v", want, err)
			}
			if r.status == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	schema(`{"type":"object","required":["identifier"]}`)
	reloaded(http.StatusUnprocessableEntity)
	schema(`{`)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); !strings.Contains(p.stderr.String(), "the schemas were not reloaded"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a schema that can't be read is not told: %s", p.stderr)
		}
	}
	must(t, 422, "POST", p.base+"/Patient", body)
	schema(`{"type":"object"}`)
	reloaded(http.StatusCreated)
}

func TestVersionNamesTheRelease(t *testing.T) {
	for _, word := range []string{"version", "--version"} {
		status, out, fault := execute(t, word)
		if status != 0 || fault != "" || !strings.HasPrefix(out, "fhirgate ") || !strings.Contains(out, "FHIR 4.0.1") {
			t.Fatalf("%s: %d %q %q", word, status, out, fault)
		}
	}
}

func TestReindexNeedsTheFolderForItself(t *testing.T) {
	data := freshData(t)
	p := startServer(t, data)
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a","gender":"female"}`)
	fails(t, "in use by another process", "reindex", "--data", data)
	p.stop(t)
	if status, out, fault := execute(t, "reindex", "--data", data); status != 0 || !strings.HasPrefix(out, "1 resource indexed") {
		t.Fatalf("%d %q %q", status, out, fault)
	}
	p = startServer(t, data)
	if n := count(t, p, "Patient"); n != 1 {
		t.Fatalf("%d patients", n)
	}
	if r := must(t, 200, "GET", p.base+"/Patient?gender=female", ""); !strings.Contains(string(r.body), "/fhir/Patient/a") {
		t.Fatalf("%s", r.body)
	}
}

func TestReindexKnowsTheServersOwnURL(t *testing.T) {
	const base = "https://fhir.example.org/r4"
	data := freshData(t)
	p := startServer(t, data, "--base-url", base)
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a"}`)
	must(t, 201, "PUT", p.base+"/Observation/o", `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"`+base+`/Patient/a"}}`)
	if !found(t, p, "Observation?subject=Patient/a") {
		t.Fatal("a reference with the server's own URL is not local")
	}
	p.stop(t)
	if status, _, fault := execute(t, "reindex", "--data", data, "--base-url", base); status != 0 {
		t.Fatal(fault)
	}
	if p = startServer(t, data, "--base-url", base); !found(t, p, "Observation?subject=Patient/a") {
		t.Fatal("the reference is not local after a reindex")
	}
}
