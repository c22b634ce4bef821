package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asCommand is the environment variable that makes the tests' binary the command itself. So what is tested is built once, as the tests are:
// with the race detector where they have it.
const asCommand = envPrefix + "TEST_COMMAND"

// binary is the path of the command, which runs with the environment that quietEnv returns.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	folder, err := os.MkdirTemp("", "fhirgate-test-*")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "fhirgate")
	if err := copySelf(binary); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

// copySelf copies the running program.
func copySelf(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	base   string // http://127.0.0.1:PORT/fhir
	root   string // http://127.0.0.1:PORT
	data   string
	stdout *lines
	stderr *said
	exited chan struct{}
}

// patience is how long the tests wait for what comes in a moment on a machine with nothing else to do.
const patience = 10 * time.Minute

// said keeps what a process prints, also while it does.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// String returns all that was printed.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// lines is what a process prints, and hands out the lines as they come.
type lines struct {
	said
	each chan string
}

func (l *lines) read(r io.Reader) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		_, _ = l.Write([]byte(s.Text() + "\n"))
		select {
		case l.each <- s.Text():
		default:
		}
	}
	close(l.each)
}

// quietEnv is the environment of the command, without settings of fhirgate's.
func quietEnv() []string {
	env := []string{asCommand + "=1", "XDG_CACHE_HOME=" + filepath.Join(filepath.Dir(binary), "cache")}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, envPrefix) {
			env = append(env, kv)
		}
	}
	return env
}

// client is used by all tests of processes.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

var listening = regexp.MustCompile(`serves FHIR R4 at (https?://\S+)/fhir`)

// announced begins the last line of what the server says when it listens.
const announced = "No authorization is configured"

// startServer starts the server in a folder ("" where the arguments give another place), on a free port, and returns when it has said all that
// it says when it listens. The test kills it at its end.
func startServer(t testing.TB, data string, args ...string) *process {
	t.Helper()
	p, err := tryServer(t, data, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tryServer is startServer for servers that may not start.
func tryServer(t testing.TB, data string, args ...string) (*process, error) {
	t.Helper()
	p := &process{data: data, stdout: &lines{each: make(chan string, 100)}, stderr: &said{}, exited: make(chan struct{})}
	where := []string{"--data", data}
	if data == "" {
		where = nil
	}
	p.cmd = exec.Command(binary, slices.Concat([]string{"serve", "--listen", "127.0.0.1:0"}, where, args)...)
	p.cmd.Env = quietEnv()
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.stdout.read(out)
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if text := p.stderr.String(); strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE") {
			t.Errorf("the server says:\n%s", text)
		}
	})
	for {
		select {
		case line, ok := <-p.stdout.each:
			if !ok {
				<-p.exited
				return nil, fmt.Errorf("the server ended with status %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr)
			}
			if m := listening.FindStringSubmatch(line); m != nil {
				p.root, p.base = m[1], m[1]+"/fhir"
			}
			if p.root != "" && strings.HasPrefix(line, announced) {
				return p, nil
			}
		case <-time.After(patience):
			p.kill()
			return nil, errors.New("the server does not say that it listens")
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop asks the process to end and returns its exit status.
func (p *process) stop(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatal("the server does not end after SIGTERM")
	}
	return p.cmd.ProcessState.ExitCode()
}

// reply is an HTTP answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// version returns the version in the ETag; 0 where there is none.
func (r *reply) version() int64 {
	var v int64
	_, _ = fmt.Sscanf(r.header.Get("ETag"), `W/"%d"`, &v)
	return v
}

// send makes a request. Headers are name, value, name, value.
func send(ctx context.Context, method, url, body string, headers ...string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &reply{res.StatusCode, res.Header, b}, nil
}

// must is send for requests that have to be answered with a status.
func must(t testing.TB, status int, method, url, body string, headers ...string) *reply {
	t.Helper()
	r, err := send(t.Context(), method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	if r.status != status {
		t.Fatalf("%s %s: %d, want %d: %.500s", method, url, r.status, status, r.body)
	}
	return r
}

// freshData returns a folder name for data that does not exist.
func freshData(t testing.TB) string { return filepath.Join(t.TempDir(), "data") }

// execute runs the binary to its end with no server expected.
func execute(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = quietEnv()
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), fault.String()
}

// fails checks that the binary ends with status 1 and one line on standard error that has want in it.
func fails(t *testing.T, want string, args ...string) {
	t.Helper()
	status, stdout, stderr := execute(t, args...)
	if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "fhirgate: ") || !strings.Contains(stderr, want) || stdout != "" {
		t.Errorf("%v: status %d, want 1 and %q\n%s%s", args, status, want, stdout, stderr)
	}
}
