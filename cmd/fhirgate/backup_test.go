package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pairs are clients that write pairs of resources, each pair by one transaction, version after version.
type pairs struct {
	acked [4]atomic.Int64
	base  atomic.Pointer[string]
	stop  chan struct{}
	wg    sync.WaitGroup
}

func writePairs(t *testing.T, base string) *pairs {
	p := &pairs{stop: make(chan struct{})}
	p.base.Store(&base)
	for w := range p.acked {
		p.wg.Go(func() {
			for n := int64(1); ; n++ {
				body := fmt.Sprintf(`{"resourceType":"Bundle","type":"transaction","entry":[
					{"resource":{"resourceType":"Patient","id":"w%[1]d","multipleBirthInteger":%[2]d},"request":{"method":"PUT","url":"Patient/w%[1]d"}},
					{"resource":{"resourceType":"Basic","id":"w%[1]d","code":{"text":"%[2]d"}},"request":{"method":"PUT","url":"Basic/w%[1]d"}}]}`, w, n)
				for done := false; !done; {
					select {
					case <-p.stop:
						return
					default:
					}
					r, err := send(t.Context(), "POST", *p.base.Load(), body)
					switch {
					case err != nil || r.status == 503: // the server is killed: what was sent may be stored, and sending it again changes nothing
						time.Sleep(5 * time.Millisecond)
					case r.status != 200:
						t.Errorf("transaction: %d %.200s", r.status, r.body)
						return
					default:
						done = true
					}
				}
				p.acked[w].Store(n)
			}
		})
	}
	return p
}

func (p *pairs) end() {
	close(p.stop)
	p.wg.Wait()
}

// verify checks that a server has one moment of the pairs: both resources of a pair at one version, none before what was acknowledged.
func (p *pairs) verify(t *testing.T, base string, acked []int64) {
	t.Helper()
	for w := range p.acked {
		if acked[w] == 0 {
			continue
		}
		var patient struct{ MultipleBirthInteger int64 }
		a := must(t, 200, "GET", fmt.Sprintf("%s/Patient/w%d", base, w), "")
		b := must(t, 200, "GET", fmt.Sprintf("%s/Basic/w%d", base, w), "")
		if err := json.Unmarshal(a.body, &patient); err != nil {
			t.Fatal(err)
		}
		if a.version() != b.version() || patient.MultipleBirthInteger != a.version() || a.version() < acked[w] {
			t.Errorf("pair %d: %d were acknowledged, restored are versions %d and %d with the number %d", w, acked[w], a.version(), b.version(), patient.MultipleBirthInteger)
		}
	}
}

// command returns the binary as a process that is to be killed.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = quietEnv()
	return cmd
}

// TestBackupsKilledAtRandomMoments kills backups, and the server that they are made of, under writes. What is then restored is one moment of the
// server, whole.
func TestBackupsKilledAtRandomMoments(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	data, target := filepath.Join(dir, "data"), filepath.Join(dir, "backups")
	server := startServer(t, data, "--validate=off")
	p := writePairs(t, server.base)
	defer p.end()
	for round := range rounds {
		cut := command("backup", "--data", data, "--keep", "2", target)
		if err := cut.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
		if round%3 == 2 {
			server.kill()
			_ = cut.Wait()
			server = startServer(t, data, "--validate=off")
			p.base.Store(&server.base)
		} else {
			_ = cut.Process.Kill()
			_ = cut.Wait()
		}
		acked := make([]int64, len(p.acked))
		for w := range acked {
			acked[w] = p.acked[w].Load()
		}
		if status, _, stderr := execute(t, "backup", "--data", data, "--keep", "2", target); status != 0 {
			t.Fatalf("backup: %s", stderr)
		}
		restored := filepath.Join(dir, fmt.Sprint("restored", round))
		cut = command("restore", target, "--data", restored)
		if err := cut.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
		_ = cut.Process.Kill()
		if cut.Wait() != nil { // it did not end by itself
			if status, _, stderr := execute(t, "restore", target, "--data", restored); status != 0 {
				t.Fatalf("restore: %s", stderr)
			}
		}
		if status, stdout, stderr := execute(t, "check", "--data", restored); status != 0 {
			t.Fatalf("check: %s%s", stdout, stderr)
		}
		again := startServer(t, restored)
		p.verify(t, again.base, acked)
		again.kill()
	}
	left, err := filepath.Glob(filepath.Join(data, "backup-*"))
	for end := time.Now().Add(patience); err == nil && len(left) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left, err = filepath.Glob(filepath.Join(data, "backup-*")) // the server removes it when it sees that the command is gone
	}
	if err != nil || len(left) > 0 {
		t.Errorf("left in the data folder: %v, %v", left, err)
	}
}

func TestBackupRestoreAndCheckOfAStoppedServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // longer than the path of a socket may be
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	data, target := filepath.Join(dir, "data"), filepath.Join(dir, "backups")
	p := startServer(t, data)
	must(t, 201, "PUT", p.base+"/Patient/secret", `{"resourceType":"Patient","id":"secret","name":[{"family":"One"}]}`)
	must(t, 200, "PUT", p.base+"/Patient/secret", `{"resourceType":"Patient","id":"secret","name":[{"family":"Two"}]}`)
	if status, stdout, stderr := execute(t, "backup", "--data", data, target); status != 0 || !strings.Contains(stdout, "1 resource, ") {
		t.Fatalf("backup of a running server: %s%s", stdout, stderr)
	}
	fails(t, "is in use by another process", "check", "--data", data)
	must(t, 201, "PUT", p.base+"/Patient/secret2", `{"resourceType":"Patient","id":"secret2","name":[{"family":"Three"}]}`)
	if status := p.stop(t); status != 0 {
		t.Fatalf("status %d", status)
	}
	if status, stdout, stderr := execute(t, "backup", "--data", data, target); status != 0 || !strings.Contains(stdout, "2 resources, ") {
		t.Fatalf("backup of a stopped server: %s%s", stdout, stderr)
	}
	status, list, stderr := execute(t, "restore", "--list", target)
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if status != 0 || len(lines) != 2 {
		t.Fatalf("%s%s", list, stderr)
	}
	first, _, _ := strings.Cut(lines[0], "  ")
	for name, c := range map[string]struct {
		source string
		want   int
	}{"newest": {target, 2}, "first": {first, 1}} {
		restored := filepath.Join(dir, name)
		if status, stdout, stderr := execute(t, "restore", c.source, "--data", restored); status != 0 || !strings.Contains(stdout, "is restored and read") {
			t.Fatalf("restore of the %s: %s%s", name, stdout, stderr)
		}
		if status, stdout, stderr := execute(t, "check", "--data", restored); status != 0 || !strings.Contains(stdout, "nothing is wrong") {
			t.Fatalf("check of the %s: %s%s", name, stdout, stderr)
		}
		p := startServer(t, restored)
		if n := count(t, p, "Patient"); n != c.want {
			t.Errorf("the %s backup is restored with %d resources, not %d", name, n, c.want)
		}
		must(t, 200, "GET", p.base+"/Patient/secret/_history/1", "")
		p.kill()
	}
	fails(t, "is not empty", "restore", target, "--data", data)
	fails(t, "needs --data", "restore", target)
	fails(t, "holds other files", "backup", "--data", data, dir)
	fails(t, "in the data folder", "backup", "--data", data, filepath.Join(data, "backups"))
	// A mount point without its disk, and a folder that is not there, are no store to back up, and none is made in them.
	for _, unmounted := range []string{t.TempDir(), filepath.Join(dir, "none")} {
		for _, args := range [][]string{{"backup", "--keep", "1", "--data", unmounted, target}, {"check", "--data", unmounted}, {"reindex", "--data", unmounted},
			{"copy", "--from", unmounted, "--to", filepath.Join(dir, "copied")}} {
			fails(t, "there is no store in the data folder "+unmounted, args...)
		}
		if left, err := os.ReadDir(unmounted); len(left) > 0 {
			t.Errorf("%v are made in %s, %v", left, unmounted, err)
		}
	}
	stranger := filepath.Join(dir, "stranger")
	startServer(t, stranger).stop(t)
	fails(t, "are of another store", "backup", "--keep", "1", "--data", stranger, target)
	if status, stdout, stderr := execute(t, "restore", "--list", target); status != 0 || stdout != list {
		t.Errorf("the backups are %s%s", stdout, stderr)
	}
	fails(t, "there is no backup in", "restore", t.TempDir(), "--data", filepath.Join(dir, "other"))

	tables, err := filepath.Glob(filepath.Join(data, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		b, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(b)/2; i += 64 {
			b[i] ^= 0xFF
		}
		if err := os.WriteFile(table, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := execute(t, "check", "--data", data)
	if told := stdout + stderr; status != 1 || !strings.Contains(told, "damaged") || strings.Contains(told, "secret") || strings.Contains(told, "goroutine") {
		t.Errorf("check of damaged data: status %d\n%s", status, told)
	}
	fails(t, "damaged", "backup", "--data", data, target)
}
