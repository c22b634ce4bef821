package embedded

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A disk that fills has two lines of defence. Before a commit, space checks that a reserve is free, and the write is refused with KindFull
// where it is not; flushes and compactions live on the reserve. Where the disk fills all the same (another program filled it), a write of
// the log or the manifest waits for space in fullFS: Pebble can't go on after such a write failed, and reads need nothing of it. Tables are
// let fail: Pebble deletes what it had of them, which makes space, and tries again; writes are refused meanwhile (tablespace.go).

// space returns errFull where background work has no space, or less than the reserve and the batch is free. File systems that can't tell are
// taken to have space.
func (s *Store) space(batch int) error {
	u, err := s.opt.FS.GetDiskUsage(s.dir)
	if err != nil {
		u = vfs.DiskUsage{AvailBytes: math.MaxInt64}
	}
	reserve := s.opt.Reserve
	if reserve == 0 {
		reserve = min(u.TotalBytes/8, 256<<20)
	}
	if s.short.lasts(u.AvailBytes, reserve) || u.AvailBytes < reserve+3*uint64(batch) {
		return errFull(s.dir)
	}
	return nil
}

// retryFull is how long a write that found the disk full waits before it is tried again.
const retryFull = 100 * time.Millisecond

// fullFS is a file system whose log and manifest writes wait while the disk is full, and whose tables are begun when they may find space.
type fullFS struct {
	vfs.FS
	short *shortage
}

// Unwrap returns the file system below.
func (f fullFS) Unwrap() vfs.FS { return f.FS }

// waits reports whether writes of a file must not fail.
func waits(path string) bool {
	if staged(path) {
		return false
	}
	name := filepath.Base(path)
	return strings.HasSuffix(name, ".log") || strings.HasPrefix(name, "MANIFEST") || strings.HasPrefix(name, "marker.")
}

// isFull reports whether an error says that there is no space, or that the quota is used up.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// untilSpace calls f until it does not say that the disk is full.
func untilSpace(f func() error) error {
	for {
		err := f()
		if !isFull(err) {
			return err
		}
		time.Sleep(retryFull)
	}
}

// Create makes a file.
func (f fullFS) Create(name string, category vfs.DiskWriteCategory) (file vfs.File, err error) {
	if !waits(name) {
		if strings.HasSuffix(name, ".sst") {
			f.short.wait(category)
		}
		return f.FS.Create(name, category)
	}
	err = untilSpace(func() error { file, err = f.FS.Create(name, category); return err })
	if err != nil {
		return nil, err
	}
	return fullFile{file}, nil
}

// ReuseForWrite renames a file that is not needed and opens it for writing.
func (f fullFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (file vfs.File, err error) {
	if !waits(newname) {
		return f.FS.ReuseForWrite(oldname, newname, category)
	}
	err = untilSpace(func() error { file, err = f.FS.ReuseForWrite(oldname, newname, category); return err })
	if err != nil {
		return nil, err
	}
	return fullFile{file}, nil
}

// fullFile is a file whose writes wait while the disk is full.
type fullFile struct{ vfs.File }

// Write writes all of p.
func (f fullFile) Write(p []byte) (int, error) {
	done := 0
	err := untilSpace(func() error {
		n, err := f.File.Write(p[done:])
		done += max(n, 0)
		return err
	})
	return done, err
}

// WriteAt writes all of p at an offset.
func (f fullFile) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	err := untilSpace(func() error {
		n, err := f.File.WriteAt(p[done:], off+int64(done))
		done += max(n, 0)
		return err
	})
	return done, err
}

// Preallocate asks for space ahead; a full disk is not an error until something is written.
func (f fullFile) Preallocate(offset, length int64) error {
	if err := f.File.Preallocate(offset, length); !isFull(err) {
		return err
	}
	return nil
}

// Sync makes what was written durable. A full disk found here means that the file system took bytes it has no place for; they stay in its
// cache and are tried again.
func (f fullFile) Sync() error { return untilSpace(f.File.Sync) }

// SyncData is Sync without the file's metadata.
func (f fullFile) SyncData() error { return untilSpace(f.File.SyncData) }

// SyncTo is Sync up to an offset.
func (f fullFile) SyncTo(length int64) (full bool, err error) {
	err = untilSpace(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}
