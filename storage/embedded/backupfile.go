package embedded

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A file of a backup is copied, compared by its SHA-256, and copied back.

// BackupFile is a file of the store.
type BackupFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// Modified is the instant in nanoseconds at which it was written. It tells, with name and size, that a table of the store is the one that an earlier backup has.
	Modified int64  `json:"modified"`
	SHA256   string `json:"sha256"`
}

// isTable tells a table, which never changes, by its name.
func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// hasFile reports whether a file is in the folder of files.
func hasFile(target, sum string, size int64) bool {
	info, err := os.Stat(filepath.Join(target, backupFiles, sum))
	return err == nil && info.Size() == size
}

// add copies a file of the store into the folder of files, reads the copy back, and names it by its content.
func (f *BackupFile) add(ctx context.Context, stage, target string, told func(n int64)) (added int64, err error) {
	in, err := os.Open(filepath.Join(stage, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errStageGone
	}
	if err != nil {
		return 0, err
	}
	defer in.Close()
	dir := filepath.Join(target, backupFiles)
	out, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return 0, targetError(target, err)
	}
	defer os.Remove(out.Name()) // where it was not renamed
	if f.SHA256, f.Size, err = copyDurably(ctx, out, in, told); err != nil {
		return 0, targetError(target, err)
	}
	if err := verify(out.Name(), f); err != nil {
		return 0, err
	}
	if !hasFile(target, f.SHA256, f.Size) {
		added = f.Size
	}
	// A file of that name may be damaged; the copy was read back.
	if err := os.Rename(out.Name(), filepath.Join(dir, f.SHA256)); err != nil {
		return 0, targetError(target, err)
	}
	return added, targetError(target, syncFolder(dir))
}

// holds reads a file in the folder of files and reports whether it is what its name says, and how many bytes were read. A file that is missing or
// can't be read is not.
func holds(ctx context.Context, target, sum string, told func(n int64)) (whole bool, read int64, err error) {
	in, err := os.Open(filepath.Join(target, backupFiles, sum))
	if err != nil {
		return false, 0, nil
	}
	defer in.Close()
	have, read, err := hashOf(ctx, in, io.Discard, told)
	return err == nil && have == sum, read, ctx.Err()
}

// verify reads a copy: it is what was written, and where it is a table each block has its checksum.
func verify(path string, f *BackupFile) error {
	in, err := vfs.Default.Open(path)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, in)
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != f.SHA256 {
		err = fmt.Errorf("what was written of the store's file %s is not what is read back: the disk of the backup is damaged", f.Name)
	}
	if err != nil || !isTable(f.Name) {
		return errors.Join(err, in.Close())
	}
	readable, err := sstable.NewSimpleReadable(in)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	opt := &pebble.Options{}
	opt.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, opt.MakeReaderOptions()) // closes readable where it fails
	if err == nil {
		err = errors.Join(r.ValidateBlockChecksums(), r.Close())
	}
	if err != nil {
		return fmt.Errorf("the store's file %s is damaged, so no backup was made; the backups before are whole. `fhirgate check` tells what is touched", f.Name)
	}
	return nil
}

// counted is a reader that ends with its context and tells how much was read.
type counted struct {
	ctx  context.Context
	in   io.Reader
	told func(n int64)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.in.Read(p)
	c.told(int64(n))
	return n, err
}

// writeDurably makes a file under a name that it has only when all of it is on disk.
func writeDurably(dir, name string, content io.Reader) error {
	out, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	if _, err = io.Copy(out, content); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// restore copies a file into the folder of a store and compares what it copies with what was backed up.
func (f *BackupFile) restore(ctx context.Context, target, dir string, told func(n int64)) error {
	in, err := os.Open(filepath.Join(target, backupFiles, f.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the backup is damaged: its file %s is missing; restore an earlier one", filepath.Join(backupFiles, f.SHA256))
	}
	if err != nil {
		return fmt.Errorf("the backup can't be read: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return restoreError(dir, err)
	}
	sum, _, err := copyDurably(ctx, out, in, told)
	if err != nil {
		return restoreError(dir, err)
	}
	if sum != f.SHA256 {
		return fmt.Errorf("the backup is damaged: its file %s is not what was backed up; restore an earlier one", filepath.Join(backupFiles, f.SHA256))
	}
	return nil
}

// copyDurably copies in to out, closes out when all of it is on disk, and returns the SHA-256 and the size of what was copied.
func copyDurably(ctx context.Context, out *os.File, in io.Reader, told func(n int64)) (sum string, size int64, err error) {
	sum, size, err = hashOf(ctx, in, out, told)
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err != nil {
		err = cmp.Or(ctx.Err(), err)
	}
	return sum, size, err
}

// hashOf copies in to out and returns the SHA-256 and the size of what was copied.
func hashOf(ctx context.Context, in io.Reader, out io.Writer, told func(n int64)) (sum string, size int64, err error) {
	hash := sha256.New()
	size, err = io.CopyBuffer(io.MultiWriter(out, hash), &counted{ctx, in, told}, make([]byte, 256<<10))
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// targetError says where what went wrong did.
func targetError(target string, err error) error {
	return folderError(target, "make space on it, or keep fewer backups", "the backup to", err)
}

// folderError says where what went wrong did, and what to do; what is the work.
func folderError(dir, whereFull, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("the disk of %s is full: %s", dir, whereFull)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the folder %s can't be written: give this user write access to it, or choose another folder", dir)
	}
	return fmt.Errorf("%s %s failed: %w", what, dir, reason(err))
}
