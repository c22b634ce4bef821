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

	"github.com/cockroachdb/pebble/v2/vfs"
)

// restoring is a file in a data folder that Restore has not filled yet.
const restoring = "RESTORING"

// RestoreOptions configure Restore.
type RestoreOptions struct {
	// Progress, where not nil, is told how far what is done: the step's name, and how much of it.
	Progress func(step string, done, total int64)
}

// Restore makes the store of a backup in dir, which is missing, empty, or what an interrupted Restore has left. source is a folder of backups,
// whose newest is taken, or the list of one. Every byte is compared with what was backed up, and the store is then opened and read whole
// (Check). A folder that Restore has not finished is not a store: Open refuses it.
func Restore(ctx context.Context, source, dir string, opt RestoreOptions) (BackupInfo, error) {
	b, target, err := findBackup(source)
	if err != nil {
		return b, err
	}
	unlock, err := lockForReading(target)
	if err != nil {
		return b, err
	}
	defer unlock()
	if err := emptyForRestore(dir); err != nil {
		return b, err
	}
	tell := func(string, int64, int64) {}
	if opt.Progress != nil {
		tell = opt.Progress
	}
	var done int64
	for _, markers := range []bool{false, true} { // what makes it a store comes last
		for i := range b.Files {
			f := &b.Files[i]
			if strings.HasPrefix(f.Name, "marker.") != markers {
				continue
			}
			if err := f.restore(ctx, target, dir, func(n int64) {
				done += n
				tell("copied", done, b.Size())
			}); err != nil {
				return b, err
			}
		}
	}
	if err := syncFolder(dir); err != nil {
		return b, restoreError(dir, err)
	}
	s, err := Open(dir, Options{Existing: true, bare: true, restoring: true})
	if err != nil {
		return b, err
	}
	found, err := s.Check(ctx, CheckOptions{Progress: func(done, total int64) { tell("checked", done, total) }})
	if err = errors.Join(err, s.Close()); err != nil {
		return b, err
	}
	if len(found.Faults) > 0 {
		return b, fmt.Errorf("the backup %s is not whole: %s", b.Name, found.Faults[0])
	}
	if err := os.Remove(filepath.Join(dir, restoring)); err != nil {
		return b, restoreError(dir, err)
	}
	return b, restoreError(dir, syncFolder(dir))
}

// findBackup returns the backup that source names, and the folder that it is in.
func findBackup(source string) (b BackupInfo, target string, err error) {
	info, err := os.Stat(source)
	if err != nil {
		return b, "", fmt.Errorf("%s can't be read: %w", source, reason(err))
	}
	if !info.IsDir() {
		b, err := readBackup(source)
		return b, filepath.Dir(source), err
	}
	all, err := Backups(source)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("there is no backup in %s", source)
	}
	if err != nil {
		return b, "", err
	}
	newest := all[len(all)-1]
	if newest.Damaged != nil {
		err = fmt.Errorf("the newest backup is damaged: %w", newest.Damaged)
		if whole, _ := splitDamaged(all); len(whole) > 0 {
			err = fmt.Errorf("%w; the newest that is not is %s: give this file to restore it", err, whole[len(whole)-1].Path)
		}
		return b, "", err
	}
	return newest, source, nil
}

// lockForReading keeps backups from being made, and old ones from being removed, while one is read. A folder that can't be written can't be
// changed either.
func lockForReading(target string) (unlock func(), err error) {
	lock, err := vfs.Default.Lock(filepath.Join(target, backupLock))
	var file *fs.PathError
	switch {
	case err == nil:
		return func() { lock.Close() }, nil
	case errors.As(err, &file) && file.Op == "open":
		return func() {}, nil
	}
	return nil, fmt.Errorf("a backup into %s is running: restore when it has ended", target)
}

// emptyForRestore makes the folder, empties it of what an interrupted Restore has left, and marks it.
func emptyForRestore(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return restoreError(dir, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return restoreError(dir, err)
	}
	mark := filepath.Join(dir, restoring)
	if _, err := os.Stat(mark); err == nil {
		for _, f := range files {
			if f.Name() != restoring {
				if err := os.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
					return restoreError(dir, err)
				}
			}
		}
	} else if len(files) > 0 {
		return fmt.Errorf("the folder %s is not empty: restore into a new folder, and move the old one away", dir)
	}
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncFolder(dir))
	}
	return restoreError(dir, err)
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
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, hash), &counted{ctx, in, told})
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return restoreError(dir, cmp.Or(ctx.Err(), err))
	}
	if hex.EncodeToString(hash.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("the backup is damaged: its file %s is not what was backed up; restore an earlier one", filepath.Join(backupFiles, f.SHA256))
	}
	return nil
}

// restoreError says where what went wrong did.
func restoreError(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("the disk of %s is full: make space on it and restore again", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the folder %s can't be written: give this user write access to it, or choose another folder", dir)
	}
	return fmt.Errorf("the restore into %s did not end: %w", dir, reason(err))
}
