package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// half loads a folder with three transactions of which one is refused, and returns what a resume goes on from.
func half(t *testing.T) (dir string, rec *recorder, o Options) {
	t.Helper()
	dir, rec = filepath.Join(t.TempDir(), "bundles"), newRecorder(t)
	for i := range 3 {
		write(t, dir, fmt.Sprintf("%d.json", i), post(i))
	}
	rec.before = refuse(1, 422, "")
	o = Options{Files: []string{dir}, Journals: t.TempDir()}
	if s, err := rec.run(t, o); err == nil || s.Resources != 2 {
		t.Fatalf("%v %+v", err, s)
	}
	o.Resume = true
	return dir, rec, o
}

func TestAFolderThatIsMovedOrNamedOtherwiseIsResumed(t *testing.T) {
	for name, move := range map[string]func(t *testing.T, dir string) string{
		"moved": func(t *testing.T, dir string) string {
			to := filepath.Join(t.TempDir(), filepath.Base(dir))
			if err := os.Rename(dir, to); err != nil {
				t.Fatal(err)
			}
			return to
		},
		"from beside it": func(t *testing.T, dir string) string { t.Chdir(filepath.Dir(dir)); return filepath.Base(dir) },
		"from within":    func(t *testing.T, dir string) string { t.Chdir(dir); return "." },
		"with a slash":   func(_ *testing.T, dir string) string { return dir + "/" },
	} {
		t.Run(name, func(t *testing.T) {
			dir, rec, o := half(t)
			o.Files = []string{move(t, dir)}
			if s, err := rec.run(t, o); err != nil || s.Before != 2 || s.Resources != 1 || rec.count() != 4 {
				t.Errorf("%v %+v, %d requests", err, s, rec.count())
			}
			if left, err := os.ReadDir(o.Journals); err != nil || len(left) > 0 {
				t.Errorf("%v %v", left, err)
			}
		})
	}
	t.Run("files of other names", func(t *testing.T) {
		dir, rec, o := half(t)
		o.Files = []string{filepath.Join(dir, "0.json")}
		if _, err := rec.run(t, o); !errors.Is(err, errNothingToResume) {
			t.Error(err)
		}
	})
}

// A kill can end the journal at any byte. What is written after that is read all the same.
func TestAJournalThatWasCutOffLosesItsLastLine(t *testing.T) {
	var a, b, c unit
	a[0], b[0], c[0] = 1, 2, 3
	for cut := 1; cut <= lineSize; cut++ {
		folder, files := t.TempDir(), []string{"x"}
		j, err := openJournal(folder, "s", files, false)
		if err != nil {
			t.Fatal(err)
		}
		j.mark(markDone, a, b)
		if err := j.close(false); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(j.path, int64(2*lineSize-cut)); err != nil {
			t.Fatal(err)
		}
		if j, err = openJournal(folder, "s", files, true); err != nil {
			t.Fatal(err)
		}
		j.mark(markDone, c)
		if err := j.close(false); err != nil {
			t.Fatal(err)
		}
		if j, err = openJournal(folder, "s", files, true); err != nil {
			t.Fatal(err)
		}
		if got := []before{j.take(a), j.take(b), j.take(c)}; got[0] != loadedBefore || (got[1] == loadedBefore) != (cut == 1) || got[2] != loadedBefore {
			t.Errorf("%d bytes are lost: %v", cut, got)
		}
		_ = j.close(true)
	}
}

// Whatever is in a journal, the lines that are whole are read.
func FuzzJournal(f *testing.F) {
	line := "=" + strings.Repeat("AQID", 4) + "\n"
	for _, s := range []string{"", "\n", line, line[:9], line[:9] + line, strings.Repeat("=AQID", 40) + "\n" + line, "=" + strings.Repeat("A", 200_000) + "\n" + line, "=AAAA\rBBBBCCCCDDDD\n", "\x00\x00\n",
		"?" + line[1:], strings.ReplaceAll(line, "=", "+") + line} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		units, torn, err := readOutcomes(bytes.NewReader(content))
		if err != nil || torn != (len(content) > 0 && content[len(content)-1] != '\n') {
			t.Fatalf("%v, torn %v", err, torn)
		}
		of := func(o *outcomes) outcomes {
			if o == nil {
				return outcomes{}
			}
			return *o
		}
		end := "\n"
		if !torn {
			end = ""
		}
		u := unit([]byte("\x01\x02\x03\x01\x02\x03\x01\x02\x03\x01\x02\x03"))
		more, _, err := readOutcomes(strings.NewReader(string(content) + end + line))
		if want := of(units[u]).done + 1; err != nil || of(more[u]).done != want {
			t.Fatalf("a line after it: %v %+v, want %d", err, more[u], want)
		}
	})
}
