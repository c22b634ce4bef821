package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestNoStoreIsMadeWhereOneMustBe(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "empty"), 0o700), os.MkdirAll(filepath.Join(other, "lost+found"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "missing", "other"} {
		if _, err := Open(filepath.Join(dir, name), Options{Existing: true}); !errors.Is(err, ErrNoStore) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("a folder that is %s is opened: %v", name, err)
		}
	}
	if made, err := filepath.Glob(filepath.Join(dir, "*", "*")); len(made) != 1 {
		t.Errorf("there are %v, %v", made, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); !os.IsNotExist(err) {
		t.Errorf("the folder is made: %v", err)
	}
	openDir(t, filepath.Join(dir, "empty")).Close()
	s, err := Open(filepath.Join(dir, "empty"), Options{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Backup(t.Context(), filepath.Join(dir, "removed", "stage"), filepath.Join(dir, "backups"), BackupOptions{}); err != errStageGone {
		t.Errorf("a backup of a frozen store that was removed: %v", err)
	}
}

// TestAFolderOfBackupsIsOfOneStore backs up a store, what is restored from it, and another one.
func TestAFolderOfBackupsIsOfOneStore(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	back := func(name string, spoil func(*Store)) (BackupInfo, error) {
		t.Helper()
		s := openDir(t, filepath.Join(dir, name))
		defer s.Close()
		if spoil != nil {
			spoil(s)
		}
		return backUp(t.Context(), s, target, BackupOptions{Keep: 3})
	}
	first, err := back("data", func(s *Store) { newPopulation(20).Put(t, s, 0, 20) })
	if err != nil || len(first.Store) != 32 {
		t.Fatalf("the backup is of the store %q: %v", first.Store, err)
	}
	if _, err := back("other", nil); err == nil || !strings.Contains(err.Error(), "are of another store") {
		t.Errorf("another store is backed up into the same folder: %v", err)
	}
	if _, err := Restore(t.Context(), target, filepath.Join(dir, "restored"), RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if again, err := back("restored", nil); err != nil || again.Store != first.Store {
		t.Errorf("what was restored is the store %s and was %s: %v", again.Store, first.Store, err)
	}
	all, err := Backups(target)
	if err != nil || len(all) != 2 || all[0].Name != first.Name {
		t.Errorf("there are %v, %v", all, err)
	}

	// A store of a release that gave no ids, and the list of its backup.
	if _, err := back("data", func(s *Store) {
		if err := s.db.Delete([]byte{tableIdentity}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}); err == nil || !strings.Contains(err.Error(), "the store has no id") {
		t.Errorf("a store without an id is backed up: %v", err)
	}
	for _, b := range all {
		b.Store = ""
		rewrite(t, b)
	}
	given, err := back("data", nil)
	if err != nil || len(given.Store) != 32 || given.Store == first.Store {
		t.Errorf("the store is given the id %q: %v", given.Store, err)
	}
	if again, err := back("data", nil); err != nil || again.Store != given.Store {
		t.Errorf("the store is %s and was %s: %v", again.Store, given.Store, err)
	}
}
