package mongotest

import (
	"os"
	"path/filepath"
)

// folderPrefix starts the names of the shared sets' folders in os.TempDir.
const folderPrefix = "fhirgate-mongod-"

// makeFolder makes a folder that other test binaries leave alone as long as this one runs.
func makeFolder() (string, error) {
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return "", err
	}
	// The file has its name only once it is held: no other binary sees it before.
	file := filepath.Join(dir, heldName)
	if err := hold(file + ".part"); err != nil {
		return "", err
	}
	return dir, os.Rename(file+".part", file)
}

// heldName is the file in a folder that the test binary holds which uses it.
const heldName = "held"

// sweep removes the folders that earlier test binaries left, which nobody holds. One that is not yet held is that of a binary which starts.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range dirs {
		if left(filepath.Join(dir, heldName)) {
			os.RemoveAll(dir)
		}
	}
}
