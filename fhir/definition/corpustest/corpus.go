package corpustest

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Root returns the folder of the repository, which is where go.mod is, above the test.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Path returns a file or folder of the corpus, by its name with slashes. The test is skipped where it is not there.
func Path(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(Root(t)), "shared", "corpus", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the corpus is not there: %v", err)
	}
	return path
}

// Files returns the files of the corpus that match a pattern of path.Match, one at least. The test is skipped where their folder is not there.
func Files(t testing.TB, pattern string) []string {
	t.Helper()
	dir, base := filepath.Split(filepath.FromSlash(pattern))
	files, err := filepath.Glob(filepath.Join(Path(t, dir), base))
	if err != nil || len(files) == 0 {
		t.Fatalf("the corpus has no %s: %v", pattern, err)
	}
	return files
}

// Read returns what is in a file, unpacked where its name ends in .gz or .tgz.
func Read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if ext := filepath.Ext(path); ext != ".gz" && ext != ".tgz" {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}
