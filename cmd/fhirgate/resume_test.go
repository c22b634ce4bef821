package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startLoad starts a load of a folder and returns when the server has something of it.
func startLoad(t *testing.T, p *process, folder string) (cmd *exec.Cmd, output *bytes.Buffer) {
	t.Helper()
	cmd, output = exec.CommandContext(t.Context(), binary, "load", "--server", p.base, folder), new(bytes.Buffer)
	cmd.Env = quietEnv()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); count(t, p, "Patient") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is loaded")
		}
	}
	return cmd, output
}

// posts writes n files with a transaction that stores its Patient again where it is sent again, and is large enough to take some time.
func posts(t *testing.T, n int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for i := range n {
		entries := fmt.Sprintf(`{"resource":{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"%d"}]},"request":{"method":"POST","url":"Patient"}}`, i)
		entries += strings.Repeat(`,{"resource":{"resourceType":"Basic","code":{"text":"x"}},"request":{"method":"POST","url":"Basic"}}`, 50)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.json", i)), []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`+entries+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestALoadThatWasInterruptedIsResumed(t *testing.T) {
	const files = 300
	p, folder := startServer(t, freshData(t)), posts(t, files)
	cmd, output := startLoad(t, p, folder)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	loaded := count(t, p, "Patient")
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(output.String(), "fhirgate: interrupted\n") || !strings.Contains(output.String(), "--resume") ||
		!strings.Contains(output.String(), fmt.Sprintf("%d resources loaded", 51*loaded)) && loaded < 20 {
		t.Fatalf("%d files are loaded\n%s", loaded, output)
	}
	if loaded == files {
		t.Fatal("the load ended before the signal")
	}
	status, stdout, stderr := execute(t, "load", "--server", p.base, "--resume", folder)
	if status != 0 || count(t, p, "Patient") != files || count(t, p, "Basic") != 50*files {
		t.Fatalf("status %d, %d patients\n%s%s", status, count(t, p, "Patient"), stdout, stderr)
	}
}

func TestALoadThatWasKilledIsResumedWithoutDoubling(t *testing.T) {
	const files = 300
	p, folder := startServer(t, freshData(t)), posts(t, files)
	cmd, _ := startLoad(t, p, folder)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_, stdout, stderr := execute(t, "load", "--server", p.base, "--resume", folder)
	// What was in flight is named, at most a file a job, and whoever looks finds it once or not at all.
	unknown := regexp.MustCompile(`at \S+/(\d{4})\.json`).FindAllStringSubmatch(stdout, -1)
	missing := 0
	for _, u := range unknown {
		r := must(t, 200, "GET", p.base+"/Patient?_summary=count&identifier=urn:mrn|"+strings.TrimLeft(u[1][:3], "0")+u[1][3:], "")
		if bytes.Contains(r.body, []byte(`"total":0`)) {
			missing++
		}
	}
	if n := count(t, p, "Patient"); len(unknown) > 4 || n != files-missing || count(t, p, "Basic") != 50*n {
		t.Errorf("%d patients, %d files whose outcome is not known, %d of them not loaded\n%s%s", n, len(unknown), missing, stdout, stderr)
	}
}
