package load

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A FHIR package (https://confluence.hl7.org/display/FHIR/NPM+Package+Specification) has its conformance resources in the folder package and
// examples in package/example. Beside them are files that are not resources: the manifest, an index, and what tools make of the resources.

// manifest is the file that makes a folder a package.
const manifest = "package.json"

// packageFolder is the folder of a package in its archive.
const packageFolder = "package"

// noResources are the folders of a package that hold no resources of it.
var noResources = []string{"bin", "html", "openapi", "other", "rdf", "schematron", "tests", "xml"}

// knownFile reports whether a document without a resourceType is known by the name of its file to be none: a manifest or an index.
func knownFile(name string) bool {
	if i := strings.LastIndexAny(name, "/:\\"); i >= 0 {
		name = name[i+1:]
	}
	return name == manifest || name == ".index.json"
}

// packageExtra reports whether a member of an archive is of a package's folder without resources.
func packageExtra(member string) bool {
	parts := strings.Split(path.Clean(filepath.ToSlash(member)), "/")
	return len(parts) > 2 && parts[0] == packageFolder && slices.Contains(noResources, parts[1])
}

// extraFolder reports whether a folder is one of an unpacked package's without resources.
func extraFolder(name string) bool {
	if !slices.Contains(noResources, filepath.Base(name)) || filepath.Base(filepath.Dir(name)) != packageFolder {
		return false
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(name), manifest))
	return err == nil
}
