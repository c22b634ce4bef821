package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// dropRights takes root's right to write everywhere from the calling goroutine until the test ends. Without root there is nothing to take.
func dropRights(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	// struct __user_cap_header_struct and two of __user_cap_data_struct, for CAP_DAC_OVERRIDE of the thread
	type sets struct{ effective, permitted, inheritable uint32 }
	header, override := [2]uint32{0x20080522, 0}, uint32(1<<1)
	capabilities := func(call uintptr, data *[2]sets) syscall.Errno {
		_, _, errno := syscall.RawSyscall(call, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(data)), 0)
		return errno
	}
	runtime.LockOSThread()
	var before [2]sets
	errno := capabilities(syscall.SYS_CAPGET, &before)
	t.Cleanup(func() {
		capabilities(syscall.SYS_CAPSET, &before)
		runtime.UnlockOSThread()
	})
	dropped := before
	dropped[0].effective &^= override
	if errno == 0 {
		errno = capabilities(syscall.SYS_CAPSET, &dropped)
	}
	if errno != 0 {
		t.Skipf("root's rights can't be dropped here: %v", errno)
	}
}

// smallDisk mounts a file system of some size and returns its folder.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
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

func TestARealDiskFills(t *testing.T) {
	disk := smallDisk(t, 96<<20)
	dir := filepath.Join(disk, "data")
	filler := filepath.Join(disk, "filler")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPopulation(1 << 20)
	stored := 0
	write := func() error {
		err := s.Update(context.Background(), func(tx storage.Tx) error {
			for i := range 50 {
				rec := p.Record(stored + i)
				rec.Updated = tx.Now()
				if err := tx.Put(context.Background(), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			stored += 50
		}
		return err
	}
	for err = write(); err == nil; err = write() {
	}
	if fhir.KindOf(err) != fhir.KindFull {
		t.Fatalf("the write that the disk has no place for returned %v", err)
	}
	check := func(s *Store) {
		t.Helper()
		if err := s.View(context.Background(), func(r storage.Reader) error {
			n, err := r.Count(context.Background(), search.Query{Types: []string{"Encounter", "Observation", "Patient"}})
			if n != int64(stored) {
				t.Errorf("%d resources are visible, %d were acknowledged", n, stored)
			}
			for i := 0; i < stored; i += 97 {
				if _, err := r.Get(context.Background(), p.Record(i).Key); err != nil {
					t.Fatalf("resource %d: %v", i, err)
				}
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d resources until the reserve", stored)
	// How much of the disk compactions hold at that moment is up to their timing; a resource takes some 1.2 KB.
	if stored < 15_000 {
		t.Errorf("the disk of 96 MB takes no more than %d resources", stored)
	}
	check(s)
	// Another program takes the rest of the disk, and what compactions still give back.
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<16)
	fill := func() {
		for err = nil; err == nil; _, err = f.Write(chunk) {
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	fill()
	for err = write(); err == nil; err = write() {
		fill()
	}
	if fhir.KindOf(err) != fhir.KindFull {
		t.Errorf("a write to the full disk returned %v", err)
	}
	time.Sleep(2 * time.Second) // background work meets the full disk
	check(s)
	f.Close()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	// Compactions begin again where there is space, and may take more than the filler did: the disk is made so large that they don't fill it.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", 1<<30)); err != nil {
		t.Fatal(err)
	}
	for end, done := time.Now().Add(5*time.Minute), 0; done < 10; {
		switch err := write(); {
		case err == nil:
			done++
		case fhir.KindOf(err) != fhir.KindFull || time.Now().After(end):
			t.Fatalf("a write after there was space returned %v", err)
		default: // until what failed for lack of space has succeeded
			time.Sleep(20 * time.Millisecond)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	check(s)
	checkRows(t, s)
	s.Close()
}
