package validation

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
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

// bundleResources returns the resources of the entries of a bundle of the corpus.
func bundleResources(t testing.TB, path string) []fhir.Resource {
	t.Helper()
	tree, err := fhir.Parse(readFile(t, path), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var rs []fhir.Resource
	for e := range tree.Root().Get("entry").Children() {
		r, err := fhir.AsResource(e.Get("resource"))
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return rs
}
