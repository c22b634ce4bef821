package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of some size and returns its folder.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// diskSize is small for a disk, and large enough for the engine's own files: it has up to five logs of 36 MB besides the data, and wants an
// eighth of the disk to stay free.
const diskSize = 512 << 20

// fill writes a file until size bytes are in it or the disk is full.
func fill(t *testing.T, name string, size int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<16)
	for n := int64(0); n < size; n += int64(len(block)) {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// incompressible returns n characters that no compression makes smaller than half.
func incompressible(seed uint64, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	var b strings.Builder
	for range n {
		seed = seed*6364136223846793005 + 1442695040888963407
		b.WriteByte(alphabet[seed>>58])
	}
	return b.String()
}

// disk is a server on a small disk, and what it acknowledged.
type disk struct {
	*process
	mu    sync.Mutex
	acked map[string]string // id to content
	next  int
}

// write creates one resource of some 200 KB and returns the status; 0 after an answer that the test does not allow.
func (d *disk) write(t *testing.T) int {
	t.Helper()
	d.mu.Lock()
	d.next++
	n := d.next
	d.mu.Unlock()
	id, text := fmt.Sprint("p", n), incompressible(uint64(n), 200_000)
	r, err := send(t.Context(), "PUT", d.base+"/Patient/"+id, heavy(id, text))
	if err != nil {
		t.Error(err)
		return 0
	}
	switch r.status {
	case 201:
		d.mu.Lock()
		d.acked[id] = text
		d.mu.Unlock()
	case 507, 503:
		if !strings.Contains(string(r.body), "OperationOutcome") {
			t.Errorf("%d without an OperationOutcome: %s", r.status, r.body)
		}
	default:
		t.Errorf("status %d: %.300s", r.status, r.body)
		return 0
	}
	return r.status
}

// intact reads back everything that was acknowledged.
func (d *disk) intact(t *testing.T) {
	t.Helper()
	for id, text := range d.acked {
		if r := must(t, 200, "GET", d.base+"/Patient/"+id, ""); r.version() != 1 || !strings.Contains(string(r.body), text) {
			t.Fatalf("Patient/%s is not what was acknowledged: version %d, %.100s", id, r.version(), r.body)
		}
	}
	if n := count(t, d.process, "Patient"); n != len(d.acked) {
		t.Fatalf("%d writes were acknowledged, and %d resources are there", len(d.acked), n)
	}
}

// untilFull writes until a write is refused.
func (d *disk) untilFull(t *testing.T) {
	t.Helper()
	for range 5000 {
		if d.write(t) != 201 {
			if t.Failed() {
				t.FailNow()
			}
			return
		}
	}
	t.Fatal("the disk does not fill")
}

// untilSpace writes until a write is accepted.
func (d *disk) untilSpace(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); d.write(t) != 201; time.Sleep(20 * time.Millisecond) {
		if t.Failed() || time.Now().After(end) {
			t.Fatal("there is space, and writes are refused")
		}
	}
}

func TestADiskThatFillsRefusesWritesAndLosesNothing(t *testing.T) {
	dir := smallDisk(t, diskSize)
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast, diskSize/4)
	data := filepath.Join(dir, "data")
	d := &disk{process: startServer(t, data, "--validate=off"), acked: make(map[string]string)}

	d.untilFull(t)
	if len(d.acked) < 100 {
		t.Fatalf("full after %d writes", len(d.acked))
	}
	d.intact(t)
	if r, err := send(t.Context(), "DELETE", d.base+"/Patient/none", ""); err != nil || r.status >= 500 && r.status != 507 && r.status != 503 {
		t.Fatalf("%v %v", r, err)
	}

	// Space that is made is used without a restart. Compactions use it too, and give it back: a write may be refused in between.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for before := len(d.acked); len(d.acked) < before+100; {
		d.untilSpace(t)
	}
	d.untilFull(t)
	d.intact(t)

	// What was acknowledged outlives a restart on the full disk.
	d.kill()
	d.process = startServer(t, data, "--validate=off")
	d.intact(t)
}

func TestADiskThatAnotherProgramFillsLosesNothing(t *testing.T) {
	dir := smallDisk(t, diskSize)
	data := filepath.Join(dir, "data")
	d := &disk{process: startServer(t, data, "--validate=off"), acked: make(map[string]string)}
	for range 200 {
		if s := d.write(t); s != 201 {
			t.Fatalf("status %d on an empty disk", s)
		}
	}
	// Four clients go on writing while the last byte of the disk is taken.
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch d.write(t) {
				case 0:
					return
				case 503, 507:
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast, 1<<30)
	for range 20 {
		must(t, 200, "GET", d.base+"/Patient/p1", "")
		time.Sleep(10 * time.Millisecond)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	close(stop)
	clients.Wait()
	d.untilSpace(t)
	d.intact(t)
	d.kill()
	d.process = startServer(t, data, "--validate=off")
	d.intact(t)
}

// TestServerOnAFullDiskReads starts a server on a disk with a few megabytes left: what is stored is read, and the reason why nothing is written
// is told.
func TestServerOnAFullDiskReads(t *testing.T) {
	const size = 60 << 20
	dir := smallDisk(t, size)
	data := filepath.Join(dir, "data")
	d := &disk{process: startServer(t, data, "--validate=off"), acked: make(map[string]string)}
	d.untilFull(t)
	if status := d.stop(t); status != 0 {
		t.Fatalf("status %d", status)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(dir, "ballast"), int64(fs.Bavail)*fs.Bsize-3<<20)
	d.process = startServer(t, data, "--validate=off")
	d.intact(t)
	must(t, 200, "GET", d.base+"/metadata", "")
	must(t, 507, "PUT", d.base+"/Patient/new", `{"resourceType":"Patient","id":"new"}`)
	if r := must(t, 503, "GET", d.root+"/readyz", ""); !strings.Contains(string(r.body), "the disk of the data folder is full; reads are served") {
		t.Errorf("readyz says %s", r.body)
	}
}
