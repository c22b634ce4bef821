package embedded

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/storage"
)

// A folder of backups has one JSON file for each backup, named by its instant, which lists the files that make the store, and a folder
// "files" that holds them by the SHA-256 of their content. Tables never change, so a later backup adds those that are new, and lists the others
// again when it has read that they are whole. A backup is there when its list is: everything else is written before it, and what no list names is removed.

const (
	backupFormat = 1
	backupFiles  = "files"
	backupLock   = "LOCK"
	backupSuffix = ".json"
	backupName   = "2006-01-02T150405.000Z"
	temporary    = "new-"
)

// BackupInfo is a backup: what its list says.
type BackupInfo struct {
	// Name is the instant at which it was taken, as the list's file is named.
	Name string `json:"-"`
	// Path is the list's file.
	Path string `json:"-"`
	// Format is the version of the list's form.
	Format int `json:"format"`
	// Taken is the instant at which the store was frozen, by the clock of the machine.
	Taken time.Time `json:"taken"`
	// Moment is the instant of the newest version in it.
	Moment time.Time `json:"moment"`
	// Resources are the numbers of current resources by type.
	Resources map[string]int64 `json:"resources"`
	// Store is the id of the store; "" in the lists of releases that gave none.
	Store string       `json:"store,omitempty"`
	Files []BackupFile `json:"files"`
	// Added is how many bytes of files this backup has written: those that no earlier one had.
	Added int64 `json:"added"`
	// Damages is how many files of earlier backups were damaged or missing when this backup was made, which copied them again.
	Damages int `json:"-"`
	// Damaged says why the list cannot be read, where it cannot: only Name and Path are known then.
	Damaged error `json:"-"`
}

// Size is the sum of the sizes of all files.
func (b *BackupInfo) Size() (n int64) {
	for _, f := range b.Files {
		n += f.Size
	}
	return n
}

// Count is the number of current resources.
func (b *BackupInfo) Count() (n int64) {
	for _, c := range b.Resources {
		n += c
	}
	return n
}

// BackupOptions configure Backup.
type BackupOptions struct {
	// Keep is how many backups are kept, the one that is made included; 0 keeps all.
	Keep int
	// Progress, where not nil, is told how many bytes are written, or read of what earlier backups have.
	Progress func(done, total int64)
}

// Backup makes a backup of the store that Stage froze in a folder, into the folder target, which is missing, empty or has earlier backups. Each
// file that is new is read back, each block of a table compared with its checksum; each that an earlier backup has is read, and copied again where
// it is not what was backed up. Where Backup is interrupted or fails, the backups before
// are as they were. A folder that has backups of another store is refused.
func Backup(ctx context.Context, stage, target string, opt BackupOptions) (BackupInfo, error) {
	b := BackupInfo{Format: backupFormat, Taken: time.Now().UTC().Truncate(time.Millisecond)}
	if err := inside(stage, target); err != nil {
		return b, err
	}
	unlock, err := openTarget(target)
	if err != nil {
		return b, err
	}
	defer unlock()
	all, err := Backups(target)
	if err != nil {
		return b, err
	}
	before, damaged := splitDamaged(all)
	if err := b.describe(ctx, stage); err != nil {
		return b, err
	}
	if err := sameStore(b.Store, target, before); err != nil {
		return b, err
	}
	if err := b.addFiles(ctx, stage, target, before, opt.Progress); err != nil {
		return b, err
	}
	if n := len(before); n > 0 && !b.Taken.After(before[n-1].Taken) {
		b.Taken = before[n-1].Taken.Add(time.Millisecond) // the clock was set back
	}
	b.Name = b.Taken.Format(backupName)
	b.Path = filepath.Join(target, b.Name+backupSuffix)
	list, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return b, err
	}
	if err := writeDurably(target, b.Name+backupSuffix, bytes.NewReader(list)); err != nil {
		return b, targetError(target, err)
	}
	kept := append(before, b)
	if opt.Keep > 0 && len(kept) >= opt.Keep {
		kept = kept[len(kept)-opt.Keep:]
		for _, old := range all {
			if old.Name >= kept[0].Name {
				continue
			}
			if err := os.Remove(old.Path); err != nil {
				return b, targetError(target, err)
			}
		}
		if err := syncFolder(target); err != nil {
			return b, targetError(target, err)
		}
		damaged = slices.DeleteFunc(damaged, func(d BackupInfo) bool { return d.Name < kept[0].Name })
	}
	if len(damaged) > 0 {
		return b, nil // which files their lists name is not known
	}
	return b, targetError(target, sweep(target, kept))
}

// splitDamaged parts the backups whose lists can be read from the others.
func splitDamaged(all []BackupInfo) (whole, damaged []BackupInfo) {
	for _, b := range all {
		if b.Damaged != nil {
			damaged = append(damaged, b)
		} else {
			whole = append(whole, b)
		}
	}
	return whole, damaged
}

// inside refuses a target below the data folder, which a backup of it would grow with.
func inside(stage, target string) error {
	data, err1 := filepath.Abs(filepath.Dir(stage))
	to, err2 := filepath.Abs(target)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if rel, err := filepath.Rel(data, to); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return fmt.Errorf("%s is in the data folder: choose a folder for the backups elsewhere, best on another disk", target)
	}
	return nil
}

// openTarget makes the folder of backups where it is missing, and locks it.
func openTarget(target string) (unlock func(), err error) {
	if err := os.MkdirAll(target, 0o700); err != nil {
		return nil, targetError(target, err)
	}
	files, err := os.ReadDir(target)
	if err != nil {
		return nil, targetError(target, err)
	}
	if len(files) > 0 && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == backupFiles || f.Name() == backupLock }) {
		return nil, fmt.Errorf("the folder %s holds other files (%s) and no backup: choose an empty folder", target, files[0].Name())
	}
	lock, err := vfs.Default.Lock(filepath.Join(target, backupLock))
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, targetError(target, err)
		}
		return nil, fmt.Errorf("another backup into %s, or a restore from it, is running: take the backup when it has ended", target)
	}
	if err := os.MkdirAll(filepath.Join(target, backupFiles), 0o700); err != nil {
		lock.Close()
		return nil, targetError(target, err)
	}
	return func() { lock.Close() }, nil
}

// errStageGone means that what a backup is made from was removed, which a server does when it ends and when it starts.
var errStageGone = errors.New("the server was stopped or started again while the backup was made: take it again")

// describe opens the frozen store, which shows that it can be, and puts what is in its log into a table.
func (b *BackupInfo) describe(ctx context.Context, stage string) error {
	s, err := Open(stage, Options{Cache: 8 << 20, Existing: true, bare: true})
	if errors.Is(err, ErrNoStore) {
		return errStageGone
	}
	if err != nil {
		return err
	}
	b.Store = s.id
	err = s.View(ctx, func(r storage.Reader) (err error) {
		b.Moment = r.Moment()
		b.Resources, err = r.Counts(ctx)
		return err
	})
	if err == nil {
		err = s.db.Flush()
	}
	return errors.Join(err, s.Close())
}

// addFiles puts the files of the store into the folder of files, but for the tables that an earlier backup has and that are read there to be what
// its list says.
func (b *BackupInfo) addFiles(ctx context.Context, stage, target string, before []BackupInfo, progress func(done, total int64)) error {
	known := map[BackupFile]string{}
	for _, old := range before {
		for _, f := range old.Files {
			sum := f.SHA256
			f.SHA256 = ""
			known[f] = sum
		}
	}
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	var done, total int64
	for _, e := range entries {
		if e.IsDir() || e.Name() == folderLock || e.Name() == watermarkName {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		b.Files = append(b.Files, BackupFile{Name: e.Name(), Size: info.Size(), Modified: info.ModTime().UnixNano()})
	}
	told := func(n int64) {
		done += n
		if progress != nil {
			progress(done, total)
		}
	}
	for i := range b.Files {
		f := &b.Files[i]
		if sum, ok := known[*f]; ok && isTable(f.Name) {
			whole, read, err := holds(ctx, target, sum, told)
			if err != nil {
				return err
			}
			if whole {
				f.SHA256 = sum
				continue
			}
			b.Damages++
			total += read
		}
		added, err := f.add(ctx, stage, target, told)
		if err != nil {
			return err
		}
		b.Added += added
	}
	return nil
}

// Backups returns the backups in a folder, oldest first. One whose list is damaged does not keep from the others.
func Backups(target string) ([]BackupInfo, error) {
	entries, err := os.ReadDir(target)
	if err != nil {
		return nil, fmt.Errorf("the folder %s can't be read: %w", target, reason(err))
	}
	var out []BackupInfo
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), backupSuffix)
		if _, err := time.Parse(backupName, name); e.IsDir() || !ok || err != nil {
			continue
		}
		b, err := readBackup(filepath.Join(target, e.Name()))
		if err != nil {
			b = BackupInfo{Name: b.Name, Path: b.Path, Damaged: err}
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b BackupInfo) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// readBackup reads the list of a backup. What it says is used in file names, so each is checked.
func readBackup(path string) (BackupInfo, error) {
	b := BackupInfo{Path: path, Name: strings.TrimSuffix(filepath.Base(path), backupSuffix)}
	text, err := os.ReadFile(path)
	if err != nil {
		return b, fmt.Errorf("the backup %s can't be read: %w", path, reason(err))
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%s is not the list of a backup: %w", path, err)
	}
	if b.Format != backupFormat {
		return b, fmt.Errorf("the backup %s has format %d, this release reads %d: use the release that made it", path, b.Format, backupFormat)
	}
	if len(b.Files) == 0 {
		return b, fmt.Errorf("%s is not the list of a backup: it names no files", path)
	}
	names := map[string]bool{restoring: true, folderLock: true}
	for _, f := range b.Files {
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || len(sum) != sha256.Size || f.Name != filepath.Base(f.Name) || f.Name == "" || f.Name[0] == '.' || f.Size < 0 || names[f.Name] {
			return b, fmt.Errorf("%s is not the list of a backup: it names a file that can't be one of a store", path)
		}
		names[f.Name] = true
	}
	return b, nil
}

// sweep removes the files that no list names.
func sweep(target string, lists []BackupInfo) error {
	named := map[string]bool{}
	for _, b := range lists {
		for _, f := range b.Files {
			named[f.SHA256] = true
		}
	}
	for dir, goes := range map[string]func(string) bool{
		filepath.Join(target, backupFiles): func(name string) bool { return !named[name] },
		target:                             func(name string) bool { return strings.HasPrefix(name, temporary) },
	} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.IsDir() && goes(e.Name()) {
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
