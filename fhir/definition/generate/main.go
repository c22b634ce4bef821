// Command generate writes the embedded definitions of fhir/definition from the official R4 files. Run it with
//
//	go generate ./fhir/definition
//
// It finds the files in a Go module, which go downloads and verifies; the module is no dependency of fhirgate. Its output is the same for
// the same input, and a test holds the committed files to it.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

// source is the module that carries the official files, build 9346c8cc45 of R4 4.0.1 (CC0), in its folder specs/r4.
const source = "github.com/gofhir/validator@v1.0.0"

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: generate FOLDER")
	}
	dir, err := download()
	if err != nil {
		log.Fatal(err)
	}
	files, err := generate(dir)
	if err != nil {
		log.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), data, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// download returns the folder of the official files. The module is fetched outside of any module, so that no go.mod needs to name it.
func download() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", source)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr == nil && m.Error != "" {
		return "", fmt.Errorf("go mod download %s: %s", source, m.Error)
	}
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w", source, err)
	}
	if m.Dir == "" {
		return "", fmt.Errorf("go mod download %s: no folder in its answer", source)
	}
	return filepath.Join(m.Dir, "specs", "r4"), nil
}

// generate returns the files to embed, by name, made from the official files in dir.
func generate(dir string) (map[string][]byte, error) {
	defs, err := readDefinitions(dir)
	if err != nil {
		return nil, err
	}
	schemas, err := readSchemas(dir)
	if err != nil {
		return nil, err
	}
	var blob archive
	documents := blob.add(defs.documents)
	schemaEntries := blob.add(schemas)
	var x index
	if err := x.types(defs); err != nil {
		return nil, err
	}
	if err := x.searchParameters(defs); err != nil {
		return nil, err
	}
	x.compartments(defs)
	x.operations(defs)
	x.directory(blob.frames, documents, schemaEntries)
	return map[string][]byte{
		"index.zst":     compress(x.bytes()),
		"documents.zst": blob.data,
	}, nil
}
