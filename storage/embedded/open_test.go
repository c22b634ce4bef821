package embedded

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// wantsRefusal checks that Open fails with a line that names the folder.
func wantsRefusal(t *testing.T, dir string, opt Options, words string) {
	t.Helper()
	s, err := Open(dir, opt)
	if err == nil {
		s.Close()
		t.Fatalf("Open takes the folder")
	}
	if m := err.Error(); !strings.Contains(m, dir) || !strings.Contains(m, words) || strings.Contains(m, "\n") {
		t.Errorf("Open says %q, not one line with the folder and %q", m, words)
	}
}

func TestOpenRefusesAFolderInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantsRefusal(t, dir, Options{}, "in use")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	s.Close()
}

func TestOpenRefusesOtherPeoplesFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantsRefusal(t, dir, Options{}, "no store")
	if _, err := os.Stat(filepath.Join(dir, "letter.txt")); err != nil {
		t.Error("the file is gone")
	}
	wantsRefusal(t, filepath.Join(dir, "letter.txt"), Options{}, "is a file")
	wantsRefusal(t, filepath.Join(dir, "letter.txt", "below"), Options{}, "can't be made")
}

func TestOpenRefusesAnUnwritableFolder(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o555} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	dropRights(t)
	wantsRefusal(t, dir, Options{}, "can't be written")
}

// lockless is a file system on which no lock file can be made.
type lockless struct {
	vfs.FS
	why error
}

func (l lockless) Lock(name string) (io.Closer, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: l.why}
}

func TestOpenTellsWhyItHasNoLock(t *testing.T) {
	for why, words := range map[error]string{syscall.EROFS: "read-only", syscall.ENOSPC: "no space", syscall.EMFILE: "too many open files", syscall.EACCES: "give this user write access"} {
		wantsRefusal(t, "data", small(lockless{vfs.NewMem(), why}), words)
	}
}

func TestOpenRefusesAnotherFormat(t *testing.T) {
	for f, words := range map[uint64]string{0: "earlier release", format - 1: "earlier release", format + 1: "later release", 1 << 40: "later release"} {
		fs := vfs.NewMem()
		s, err := Open("data", small(fs))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.db.Set([]byte{tableFormat}, binary.AppendUvarint(nil, f), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		s.Close()
		wantsRefusal(t, "data", small(fs), words)
	}
}

// fullDisk is a file system that takes no more bytes while it is full.
type fullDisk struct {
	vfs.FS
	free uint64
	full func(name string) bool
	why  error
}

// fullDisks are the errors by which a file system says that it takes no more.
var fullDisks = []error{syscall.ENOSPC, syscall.EDQUOT}

func (f *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: f.free}, nil
}

func (f *fullDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if f.full(name) {
		return nil, &os.PathError{Op: "create", Path: name, Err: f.why}
	}
	file, err := f.FS.Create(name, c)
	return fullDiskFile{file, f, name}, err
}

func (f *fullDisk) ReuseForWrite(o, n string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(o, n, c)
	return fullDiskFile{file, f, n}, err
}

type fullDiskFile struct {
	vfs.File
	disk *fullDisk
	name string
}

func (f fullDiskFile) Write(p []byte) (int, error) {
	if f.disk.full(f.name) {
		n, _ := f.File.Write(p[:len(p)/2]) // half of it still had room
		return n, &os.PathError{Op: "write", Path: f.name, Err: f.disk.why}
	}
	return f.File.Write(p)
}

func TestWritesAreRefusedBelowTheReserve(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), free: 1 << 29, full: func(string) bool { return false }}
	s, err := Open("data", small(disk))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := newPopulation(100)
	p.Put(t, s, 0, 10)
	disk.free = 1 << 20
	err = s.Update(context.Background(), func(tx storage.Tx) error {
		rec := p.Record(10)
		rec.Updated = tx.Now()
		return tx.Put(context.Background(), rec, 0)
	})
	if fhir.KindOf(err) != fhir.KindFull {
		t.Fatalf("a write to a full disk returned %v", err)
	}
	if fhir.KindOf(s.Ready(context.Background())) != fhir.KindFull {
		t.Error("Ready does not tell of the full disk")
	}
	read := func(i int) error {
		return s.View(context.Background(), func(r storage.Reader) error {
			_, err := r.Get(context.Background(), p.Record(i).Key)
			return err
		})
	}
	if err := read(3); err != nil {
		t.Errorf("a read from a full disk returned %v", err)
	}
	if err := read(10); err != storage.ErrNotFound {
		t.Errorf("the refused write reads as %v", err)
	}
	disk.free = 1 << 29
	p.Put(t, s, 10, 11)
	if err := read(10); err != nil {
		t.Errorf("a write after there was space reads as %v", err)
	}
}

// TestWritesWaitWhereTheLogFindsNoSpace lets the disk fill behind the reserve's back: nothing fails, nothing is lost, reads go on.
func TestWritesWaitWhereTheLogFindsNoSpace(t *testing.T) {
	for _, why := range fullDisks {
		t.Run(why.Error(), func(t *testing.T) { writesWait(t, why) })
	}
}

func writesWait(t *testing.T, why error) {
	var full atomic.Bool
	mem := vfs.NewMem()
	disk := &fullDisk{FS: mem, free: 1 << 29, full: func(name string) bool { return full.Load() && waits(name) }, why: why}
	s, err := Open("data", small(disk))
	if err != nil {
		t.Fatal(err)
	}
	p := newPopulation(100)
	p.Put(t, s, 0, 10)
	full.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Put(t, s, 10, 20)
	}()
	count := func() (n int64) {
		if err := s.View(context.Background(), func(r storage.Reader) (err error) {
			n, err = r.Count(context.Background(), search.Query{Types: []string{"Encounter", "Observation", "Patient"}})
			return err
		}); err != nil {
			t.Error(err)
		}
		return n
	}
	for range 20 {
		if n := count(); n != 10 {
			t.Fatalf("%d resources are visible while the log waits", n)
		}
	}
	select {
	case <-done:
		t.Fatal("a write was acknowledged that is in no log")
	default:
	}
	full.Store(false)
	<-done
	if n := count(); n != 20 {
		t.Errorf("%d resources after there was space", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open("data", small(mem)); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := count(); n != 20 {
		t.Errorf("%d resources after a restart", n)
	}
}

// TestAFullDiskIsToldAtTheStart opens a store in which nothing can be written.
func TestAFullDiskIsToldAtTheStart(t *testing.T) {
	for _, why := range fullDisks {
		opt := small(&fullDisk{FS: vfs.NewMem(), free: 1 << 29, full: func(name string) bool { return strings.HasSuffix(name, ".dbtmp") }, why: why})
		wantsRefusal(t, "data", opt, "the disk of the data folder data is full")
	}
}
