package search_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// corpus returns the folder of the test corpus; the test is skipped where it is absent.
func corpus(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "corpus"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip("the corpus is not here: ../shared/corpus/" + filepath.Join(elem...))
	}
	return path
}

// examples returns the official R4 examples.
func examples(t testing.TB) []fhir.Resource {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(t, "r4-examples"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var out []fhir.Resource
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := fhir.ParseResource(src, fhir.Limits{}); err == nil {
			out = append(out, r)
		}
	}
	return out
}
