package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// backUp takes a backup of a running store.
func backUp(ctx context.Context, s *Store, target string, opt BackupOptions) (BackupInfo, error) {
	dir, release, err := s.Stage(ctx)
	if err != nil {
		return BackupInfo{}, err
	}
	b, err := Backup(ctx, dir, target, opt)
	return b, errors.Join(err, release())
}

func openDir(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// populationOf counts the resources of a store of a population.
func populationOf(t *testing.T, s *Store) (n int64) {
	t.Helper()
	if err := s.View(t.Context(), func(r storage.Reader) (err error) {
		n, err = r.Count(t.Context(), search.Query{Types: []string{"Encounter", "Observation", "Patient"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBackupsAreRestoredAsTheStoreWas(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	p := newPopulation(400)
	var backups []BackupInfo
	for i := range 4 {
		p.Put(t, s, i*100, i*100+100)
		b, err := backUp(t.Context(), s, target, BackupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if b.Count() != int64(i+1)*100 {
			t.Errorf("backup %d tells of %d resources", i, b.Count())
		}
		backups = append(backups, b)
	}
	for i, b := range backups {
		restored := filepath.Join(dir, fmt.Sprint("restored", i))
		if _, err := Restore(t.Context(), b.Path, restored, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		r := openDir(t, restored)
		if n := populationOf(t, r); n != int64(i+1)*100 {
			t.Errorf("backup %d is restored with %d resources", i, n)
		}
		checkRows(t, r)
		p.Put(t, r, i*100+100, i*100+110) // it goes on as any store
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Restore(t.Context(), target, filepath.Join(dir, "restored0"), RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a restore over a store: %v", err)
	}
	if _, err := backUp(t.Context(), s, filepath.Join(dir, "data", "backups"), BackupOptions{}); err == nil || !strings.Contains(err.Error(), "in the data folder") {
		t.Errorf("a backup into the data folder: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "data", stagePrefix+"*")); len(left) > 0 {
		t.Errorf("left in the data folder: %v", left)
	}
}

func TestLaterBackupCostsWhatChanged(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	p := newPopulation(3100)
	p.Put(t, s, 0, 3000)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Put(t, s, 3000, 3010)
	second, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("first %d bytes of %d, then %d of %d", first.Added, first.Size(), second.Added, second.Size())
	if second.Added*10 > first.Added {
		t.Errorf("ten resources more than 3,000 cost %d bytes, the first backup %d", second.Added, first.Added)
	}
	third, err := backUp(t.Context(), s, target, BackupOptions{Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Backups(target)
	if err != nil || len(all) != 1 || all[0].Name != third.Name {
		t.Fatalf("kept: %v, %v", all, err)
	}
	files, err := os.ReadDir(filepath.Join(target, backupFiles))
	sums := map[string]bool{}
	for _, f := range third.Files {
		sums[f.SHA256] = true
	}
	if err != nil || len(files) != len(sums) {
		t.Errorf("%d files are kept for %d, %v", len(files), len(sums), err)
	}
	if _, err := Restore(t.Context(), target, filepath.Join(dir, "restored"), RestoreOptions{}); err != nil {
		t.Error(err)
	}
}

// TestBackupUnderWritesIsOneMoment takes backups, some of them given up midway, while Updates write pairs that have one version each.
func TestBackupUnderWritesIsOneMoment(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	const writers = 4
	var acked [writers]atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			a, b := fhir.Key{Type: "Patient", ID: fmt.Sprint("w", w)}, fhir.Key{Type: "Observation", ID: fmt.Sprint("w", w)}
			body := make([]byte, 20_000)
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for v := int64(0); ; v++ {
				select {
				case <-stop:
					return
				default:
				}
				for i := range body {
					body[i] = byte(r.Uint32())
				}
				if err := s.Update(t.Context(), func(tx storage.Tx) error {
					for _, k := range []fhir.Key{a, b} {
						rec := storage.Record{Key: k, Version: v + 1, Updated: tx.Now(), Method: "PUT", Body: body, Entries: []search.Entry{{Param: "code", Code: fmt.Sprint(v)}}}
						if err := tx.Put(t.Context(), rec, v); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(v + 1)
			}
		})
	}
	rnd := rand.New(rand.NewPCG(seed, 99))
	var last BackupInfo
	for i := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		given := i%3 != 2
		if given { // up at a random moment
			time.AfterFunc(time.Duration(rnd.IntN(30))*time.Millisecond, cancel)
		}
		var before [writers]int64
		for w := range before {
			before[w] = acked[w].Load()
		}
		b, err := backUp(ctx, s, target, BackupOptions{Keep: 3})
		cancel()
		if err != nil {
			if !given || !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if all, err := Backups(target); err != nil || last.Name != "" && all[len(all)-1].Name != last.Name {
				t.Fatalf("after a backup that was given up: %v, %v", all, err)
			}
			continue
		}
		last = b
		restored := filepath.Join(dir, fmt.Sprint("restored", i))
		if _, err := Restore(t.Context(), target, restored, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		r := openDir(t, restored)
		checkRows(t, r)
		if err := r.View(t.Context(), func(v storage.Reader) error {
			for w := range writers {
				patient, err1 := v.Get(t.Context(), fhir.Key{Type: "Patient", ID: fmt.Sprint("w", w)})
				observation, err2 := v.Get(t.Context(), fhir.Key{Type: "Observation", ID: fmt.Sprint("w", w)})
				if err := errors.Join(err1, err2); err != nil && before[w] > 0 {
					return err
				}
				if patient.Version != observation.Version || patient.Version < before[w] || string(patient.Body) != string(observation.Body) {
					t.Errorf("writer %d: %d were acknowledged, restored are %d and %d", w, before[w], patient.Version, observation.Version)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(restored)
	}
	close(stop)
	wg.Wait()
	if last.Name == "" {
		t.Error("no backup was made")
	}
}

func TestDamagedBackupIsNotRestored(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	newPopulation(100).Put(t, s, 0, 100)
	b, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Files {
		if !isTable(f.Name) {
			continue
		}
		path := filepath.Join(target, backupFiles, f.SHA256)
		flip(t, path, f.Size/2)
		restored := filepath.Join(dir, "restored")
		if _, err := Restore(t.Context(), target, restored, RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "the backup is damaged") {
			t.Errorf("a damaged backup is restored: %v", err)
		}
		if _, err := Open(restored, Options{}); err == nil || !strings.Contains(err.Error(), "did not end") {
			t.Errorf("a folder that was not restored whole is opened: %v", err)
		}
		flip(t, path, f.Size/2)
		if _, err := Restore(t.Context(), target, restored, RestoreOptions{}); err != nil {
			t.Errorf("a restore is not begun again: %v", err)
		}
		if err := os.RemoveAll(restored); err != nil {
			t.Fatal(err)
		}
	}
}

// TestADamagedListIsOfItsOwnBackupAlone damages lists: the other backups are restored, new ones are made, and no file that the damaged list may
// name is removed before the list is.
func TestADamagedListIsOfItsOwnBackupAlone(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	p := newPopulation(60)
	backup := func(from, to int, opt BackupOptions) BackupInfo {
		t.Helper()
		p.Put(t, s, from, to)
		b, err := backUp(t.Context(), s, target, opt)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	restore := func(source, name string) error {
		t.Helper()
		b, err := Restore(t.Context(), source, filepath.Join(t.TempDir(), "restored"), RestoreOptions{})
		if err == nil && b.Name != name {
			t.Errorf("%s is restored, not %s", b.Name, name)
		}
		return err
	}
	first, second := backup(0, 20, BackupOptions{}), backup(20, 40, BackupOptions{})
	flip(t, first.Path, 0)
	if err := restore(target, second.Name); err != nil {
		t.Error("the newest, with an older list damaged:", err)
	}
	third := backup(40, 60, BackupOptions{Keep: 2})
	if all, err := Backups(target); err != nil || len(all) != 2 || all[0].Name != second.Name || all[1].Name != third.Name {
		t.Errorf("kept: %+v, %v", all, err)
	}

	flip(t, third.Path, 0)
	if err := restore(target, ""); err == nil || !strings.Contains(err.Error(), second.Path) {
		t.Error("the newest list is damaged, and the one before is not named:", err)
	}
	if err := restore(second.Path, second.Name); err != nil {
		t.Error("the one before:", err)
	}
	fourth := backup(0, 0, BackupOptions{})
	if err := restore(target, fourth.Name); err != nil {
		t.Error("the one after:", err)
	}
	flip(t, third.Path, 0) // whole again
	if err := restore(third.Path, third.Name); err != nil {
		t.Error("a file that the damaged list named is removed:", err)
	}
}

// TestABackupReplacesADamagedFileOfItsContent damages a file that no list names any more.
func TestABackupReplacesADamagedFileOfItsContent(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	newPopulation(20).Put(t, s, 0, 20)
	first, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(first.Path); err != nil {
		t.Fatal(err)
	}
	for _, f := range first.Files {
		if f.Size > 0 {
			flip(t, filepath.Join(target, backupFiles, f.SHA256), f.Size/2)
		}
	}
	if _, err := backUp(t.Context(), s, target, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), target, filepath.Join(dir, "restored"), RestoreOptions{}); err != nil {
		t.Error(err)
	}
}

// TestABackupCopiesAgainWhatIsDamagedInEarlierOnes damages, cuts and removes tables that a list names: the next backup is whole, and so are those before.
func TestABackupCopiesAgainWhatIsDamagedInEarlierOnes(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "backups")
	s := openDir(t, filepath.Join(dir, "data"))
	defer s.Close()
	newPopulation(200).Put(t, s, 0, 200)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := backUp(t.Context(), s, target, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := backUp(t.Context(), s, target, BackupOptions{}); err != nil || again.Damages != 0 {
		t.Fatalf("%d files of a whole backup are copied again: %v", again.Damages, err)
	}
	reused := slices.IndexFunc(first.Files, func(f BackupFile) bool { return isTable(f.Name) })
	table := first.Files[reused]
	path := filepath.Join(target, backupFiles, table.SHA256)
	for what, spoil := range map[string]func(){
		"flipped": func() { flip(t, path, table.Size/2) },
		"cut":     func() { spoilt(t, os.Truncate(path, table.Size-1)) },
		"removed": func() { spoilt(t, os.Remove(path)) },
	} {
		spoil()
		b, err := backUp(t.Context(), s, target, BackupOptions{})
		if err != nil || b.Damages != 1 {
			t.Errorf("%s: %d files are copied again: %v", what, b.Damages, err)
		}
		for i, source := range []string{first.Path, b.Path} {
			if _, err := Restore(t.Context(), source, filepath.Join(dir, fmt.Sprint(what, i)), RestoreOptions{}); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// spoilt fails the test where err is not nil.
func spoilt(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkReuse reads a file of a backup, as each later backup does that lists it again.
func BenchmarkReuse(b *testing.B) {
	const size = 64 << 20
	target := b.TempDir()
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body)
	sum := fmt.Sprintf("%x", sha256.Sum256(body))
	if err := errors.Join(os.Mkdir(filepath.Join(target, backupFiles), 0o700), os.WriteFile(filepath.Join(target, backupFiles, sum), body, 0o600)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		if whole, _, err := holds(b.Context(), target, sum, func(int64) {}); !whole || err != nil {
			b.Fatal(whole, err)
		}
	}
}

// flip inverts a byte of a file.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xFF
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func FuzzBackupList(f *testing.F) {
	f.Add([]byte(`{"format":1,"files":[{"name":"000004.sst","size":3,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"../x","size":3,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "list.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := readBackup(path)
		if err != nil {
			return
		}
		for _, f := range b.Files {
			if filepath.Dir(filepath.Join("dir", f.Name)) != "dir" || strings.ContainsAny(f.SHA256, "/\\.") {
				t.Errorf("a list names %+v", f)
			}
		}
	})
}
