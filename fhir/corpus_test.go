package fhir

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// corpus returns the folder of data that lies beside the repository, and skips the test where it is not there.
func corpus(t testing.TB, folder string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the package")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(filepath.Dir(dir), "shared", "corpus", folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpus is not there: %v", err)
	}
	return dir
}

// readFile returns a file of the corpus, unpacked.
func readFile(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
