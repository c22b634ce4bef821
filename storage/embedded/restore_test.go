package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// backedUp returns the backup of a store of 60 resources, the folder that it is in, and a folder beside it.
func backedUp(t *testing.T) (b BackupInfo, target, dir string) {
	t.Helper()
	dir = t.TempDir()
	target = filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	newPopulation(60).Put(t, s, 0, 60)
	b, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return b, target, dir
}

// rewrite writes the list of a backup.
func rewrite(t *testing.T, b BackupInfo) {
	t.Helper()
	text, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(b.Path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnIncompleteListIsNotRestored takes files from a list, and changes what it tells of.
func TestAnIncompleteListIsNotRestored(t *testing.T) {
	b, target, dir := backedUp(t)
	without := func(name func(string) bool) func(*BackupInfo) {
		return func(b *BackupInfo) {
			b.Files = slices.DeleteFunc(slices.Clone(b.Files), func(f BackupFile) bool { return name(f.Name) })
		}
	}
	cases := map[string]func(*BackupInfo){
		"all":                 without(func(string) bool { return true }),
		"what makes a store":  without(func(name string) bool { return strings.HasPrefix(name, "marker.") }),
		"all but the version": without(func(name string) bool { return !strings.HasPrefix(name, "marker.format") }),
		"a file twice":        func(b *BackupInfo) { b.Files = append(slices.Clone(b.Files), b.Files[0]) },
		"a size":              func(b *BackupInfo) { b.Files = slices.Clone(b.Files); b.Files[0].Size++ },
		"a lock":              func(b *BackupInfo) { b.Files = slices.Clone(b.Files); b.Files[0].Name = folderLock },
		"a count":             func(b *BackupInfo) { b.Resources = maps.Clone(b.Resources); b.Resources["Patient"]++ },
		"a type":              func(b *BackupInfo) { b.Resources = maps.Clone(b.Resources); b.Resources["Basic"] = 0 },
		"the moment":          func(b *BackupInfo) { b.Moment = b.Moment.Add(time.Microsecond) },
		"the store":           func(b *BackupInfo) { b.Store = strings.Repeat("0", 32) },
	}
	manifest := "" // the newest; an older one is of no use
	for _, f := range b.Files {
		if strings.HasPrefix(f.Name, "MANIFEST") {
			manifest = max(manifest, f.Name)
		}
	}
	for _, f := range b.Files {
		if isTable(f.Name) || f.Name == manifest || strings.HasPrefix(f.Name, "marker.") {
			cases[f.Name] = without(func(name string) bool { return name == f.Name })
		}
	}
	for what, spoil := range cases {
		spoilt := b
		spoil(&spoilt)
		rewrite(t, spoilt)
		restored := filepath.Join(dir, "restored")
		if _, err := Restore(t.Context(), b.Path, restored, RestoreOptions{}); err == nil {
			t.Errorf("%s: it is restored", what)
		}
		if s, err := Open(restored, Options{Existing: true}); err == nil {
			t.Errorf("%s: it is opened", what)
			s.Close()
		}
		if err := os.RemoveAll(restored); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(t, b)
	if _, err := Restore(t.Context(), target, filepath.Join(dir, "restored"), RestoreOptions{}); err != nil {
		t.Error(err)
	}
}

// TestTwoRestoresIntoOneFolder begins a second restore, from another folder of backups, in the midst of the first.
func TestTwoRestoresIntoOneFolder(t *testing.T) {
	_, target, dir := backedUp(t)
	_, other, _ := backedUp(t)
	restored := filepath.Join(dir, "restored")
	second := func() error {
		_, err := Restore(t.Context(), other, restored, RestoreOptions{})
		return err
	}
	steps := map[string]error{}
	b, err := Restore(t.Context(), target, restored, RestoreOptions{Progress: func(step string, _, _ int64) {
		if _, ok := steps[step]; !ok {
			steps[step] = second()
		}
	}})
	if err != nil {
		t.Errorf("the first restore: %v", err)
	}
	if len(steps) == 0 {
		t.Fatal("no step was told")
	}
	for step, err := range steps {
		if err == nil || !strings.Contains(err.Error(), "another restore into the folder "+restored+" is running") {
			t.Errorf("%s: the second restore: %v", step, err)
		}
	}
	if err := second(); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a restore into what was restored: %v", err)
	}
	s := openDir(t, restored)
	defer s.Close()
	if n := populationOf(t, s); n != 60 || s.id != b.Store {
		t.Errorf("restored are %d resources of the store %s, not of %s", n, s.id, b.Store)
	}
}

// TestARestoreIsGivenUpAndBegunAgain gives restores up at each step. The folder is not a store until one has ended.
func TestARestoreIsGivenUpAndBegunAgain(t *testing.T) {
	_, target, dir := backedUp(t)
	restored := filepath.Join(dir, "restored")
	for n := range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		_, err := Restore(ctx, target, restored, RestoreOptions{Progress: func(string, int64, int64) {
			if calls++; calls > n {
				cancel()
			}
		}})
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d calls: %v", n, err)
		}
		if _, err := Open(restored, Options{}); err == nil || !strings.Contains(err.Error(), "did not end") {
			t.Errorf("after %d calls the folder is opened: %v", n, err)
		}
	}
	if _, err := os.Stat(filepath.Join(restored, restoring)); err == nil {
		if _, err := Restore(t.Context(), target, restored, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s := openDir(t, restored)
	defer s.Close()
	checkRows(t, s)
}

// TestAFailedRestoreLeavesOtherFoldersAsTheyAre names wrong folders as source and as data folder.
func TestAFailedRestoreLeavesOtherFoldersAsTheyAre(t *testing.T) {
	_, target, dir := backedUp(t)
	letters := filepath.Join(dir, "letters")
	if err := errors.Join(os.Mkdir(letters, 0o700), os.WriteFile(filepath.Join(letters, "letter.txt"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{{letters, filepath.Join(dir, "restored"), "there is no backup in"}, {target, letters, "is not empty"}} {
		if _, err := Restore(t.Context(), c[0], c[1], RestoreOptions{}); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("a restore from %s into %s: %v", c[0], c[1], err)
		}
	}
	left, err := os.ReadDir(letters)
	if err != nil || len(left) != 1 || left[0].Name() != "letter.txt" {
		t.Errorf("the folder has %s, %v", fmt.Sprint(left), err)
	}
}
