package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/storage"
)

// restoring is a file in a data folder that Restore has not filled yet.
const restoring = "RESTORING"

// RestoreOptions configure Restore.
type RestoreOptions struct {
	// Progress, where not nil, is told how far what is done: the step's name, and how much of it.
	Progress func(step string, done, total int64)
}

// Restore makes the store of a backup in dir, which is missing, empty, or what an interrupted Restore has left. source is a folder of backups,
// whose newest is taken, or the list of one. Every byte is compared with what was backed up. The store is then opened and read whole (Check),
// and must have what the backup's list tells of. A folder that Restore has not finished is not a store: Open refuses it. Of two Restores into
// one folder, the second is refused.
func Restore(ctx context.Context, source, dir string, opt RestoreOptions) (b BackupInfo, err error) {
	target := source
	if info, err := os.Stat(source); err != nil {
		return b, fmt.Errorf("%s can't be read: %w", source, reason(err))
	} else if !info.IsDir() {
		target = filepath.Dir(source)
	}
	if b, err = findBackup(source, target); err != nil {
		return b, err // nothing is made in a folder without backups, not even a lock
	}
	unlock, err := lockForReading(target)
	if err != nil {
		return b, err
	}
	defer unlock()
	if b, err = findBackup(source, target); err != nil {
		return b, err
	}
	lock, err := emptyForRestore(dir)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
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
	if err := b.examine(ctx, dir, lock, func(done, total int64) { tell("checked", done, total) }); err != nil {
		return b, err
	}
	if err := os.Remove(filepath.Join(dir, restoring)); err != nil {
		return b, restoreError(dir, err)
	}
	return b, restoreError(dir, syncFolder(dir))
}

// examine compares what was restored with what the list tells of: its files, and, read whole, the store's id, moment and resources. A list that
// lacks files may be of something that opens, and has less in it or nothing.
func (b *BackupInfo) examine(ctx context.Context, dir string, lock *pebble.Lock, told func(done, total int64)) error {
	if err := b.sameFiles(dir); err != nil {
		return err
	}
	s, err := Open(dir, Options{Existing: true, bare: true, restoring: lock})
	if errors.Is(err, ErrNoStore) {
		return b.incomplete("its list lacks files of the store")
	}
	if err != nil {
		return fmt.Errorf("what was restored of the backup %s can't be opened: %w", b.Name, err)
	}
	found, err := s.Check(ctx, CheckOptions{Progress: told})
	var moment time.Time
	var resources map[string]int64
	if err == nil && len(found.Faults) == 0 {
		err = s.View(ctx, func(r storage.Reader) (err error) {
			moment = r.Moment()
			resources, err = r.Counts(ctx)
			return err
		})
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	switch {
	case len(found.Faults) > 0:
		return b.incomplete(found.Faults[0])
	case !maps.Equal(resources, b.Resources):
		return b.incomplete(fmt.Sprintf("its list tells of %d resources, and not of the %d that its files have", b.Count(), found.Resources))
	case !moment.Equal(b.Moment):
		return b.incomplete(fmt.Sprintf("its list tells of what was written until %s, and not until %s", b.Moment.Format(time.RFC3339Nano), moment.Format(time.RFC3339Nano)))
	case b.Store != "" && s.id != b.Store:
		return b.incomplete("its list is of the store " + b.Store + ", its files are of the store " + cmp.Or(s.id, "without an id"))
	}
	return nil
}

// incomplete is the error of a backup whose files are not what its list tells of.
func (b *BackupInfo) incomplete(why string) error {
	return fmt.Errorf("the backup %s is not whole: %s; restore an earlier one", b.Name, why)
}

// sameFiles compares the files in a folder that was restored with those of the list.
func (b *BackupInfo) sameFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return restoreError(dir, err)
	}
	found := map[string]int64{}
	for _, e := range entries {
		if e.Name() == restoring || e.Name() == folderLock {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return restoreError(dir, err)
		}
		found[e.Name()] = info.Size()
	}
	for _, f := range b.Files {
		size, ok := found[f.Name]
		if !ok || size != f.Size {
			return b.incomplete(fmt.Sprintf("the file %s is not there with %d bytes", f.Name, f.Size))
		}
	}
	if len(found) != len(b.Files) {
		return fmt.Errorf("the restore into %s did not end: another program made files in it", dir)
	}
	return nil
}

// findBackup returns the backup that source names, which is in the folder target.
func findBackup(source, target string) (b BackupInfo, err error) {
	if source != target {
		return readBackup(source)
	}
	all, err := Backups(source)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("there is no backup in %s", source)
	}
	if err != nil {
		return b, err
	}
	newest := all[len(all)-1]
	if newest.Damaged != nil {
		err = fmt.Errorf("the newest backup is damaged: %w", newest.Damaged)
		if whole, _ := splitDamaged(all); len(whole) > 0 {
			err = fmt.Errorf("%w; the newest that is not is %s: give this file to restore it", err, whole[len(whole)-1].Path)
		}
	}
	return newest, err
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
	return nil, fmt.Errorf("a backup into %s, or a restore from it, is running: restore when it has ended", target)
}

// emptyForRestore makes the folder, takes its lock, empties it of what an interrupted Restore has left, and marks it. A folder that has anything
// else is left as it is.
func emptyForRestore(dir string) (lock *pebble.Lock, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, restoreError(dir, err)
	}
	if _, err := leftByRestore(dir); err != nil {
		return nil, err
	}
	lock, err = lockFolder(vfs.Default, dir)
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("another restore into the folder %s is running: wait until it has ended, or choose another folder", dir)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	left, err := leftByRestore(dir) // again: another restore may have ended before the lock was taken
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return nil, restoreError(dir, err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, restoring), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncFolder(dir))
	}
	return lock, restoreError(dir, err)
}

// leftByRestore returns what an interrupted Restore has left in a folder. A folder that has files of others is refused.
func leftByRestore(dir string) (left []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, restoreError(dir, err)
	}
	marked := false
	for _, f := range files {
		switch f.Name() {
		case restoring:
			marked = true
		case folderLock:
		default:
			left = append(left, f.Name())
		}
	}
	if len(left) > 0 && !marked {
		return nil, fmt.Errorf("the folder %s is not empty: restore into a new folder, and move the old one away", dir)
	}
	return left, nil
}

// restoreError says where what went wrong did.
func restoreError(dir string, err error) error {
	return folderError(dir, "make space on it and restore again", "the restore into", err)
}
