package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedFilesAreWhatIsGenerated makes the files anew from the official ones and compares bytes.
func TestCommittedFilesAreWhatIsGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("generating takes seconds")
	}
	dir, err := download()
	if err != nil {
		t.Skipf("the official definitions can't be had: %v", err)
	}
	files, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for name, data := range files {
		committed, err := os.ReadFile(filepath.Join("..", "r4", name))
		if err != nil {
			t.Fatal(err)
		}
		total += len(data)
		if !bytes.Equal(committed, data) {
			t.Errorf("%s is not what the generator makes: run go generate ./fhir/definition", name)
		}
	}
	if total > 6<<20 {
		t.Errorf("the embedded files have %d bytes; 6 MB are the limit", total)
	}
	d, err := readDefinitions(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.parameters) != 1375 || len(d.compartments) != 5 || len(d.operations) != 46 {
		t.Errorf("the source has %d parameters, %d compartments and %d operations", len(d.parameters), len(d.compartments), len(d.operations))
	}
}
