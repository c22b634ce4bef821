package validation

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// invalidInPackages are the resources of published packages that are not valid R4, with the ids of what is wrong with them.
var invalidInPackages = map[string][]fhir.IssueID{
	// The publisher's reports: Bundles of OperationOutcomes, some without an issue, which is 1..*, and one with an id of 67 characters.
	"package/other/validation-oo.json": {fhir.IDElementRequired, fhir.IDPrimitiveFormat},
}

// TestPublishedPackagesAreValid: each resource of US Core and of IPS passes, conformance resources and examples, but for those listed.
func TestPublishedPackagesAreValid(t *testing.T) {
	v := newValidator(t)
	for _, name := range corpustest.Files(t, "packages/*.tgz") {
		resources := 0
		for r := tar.NewReader(bytes.NewReader(corpustest.Read(t, name))); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(h.Name, ".json") {
				continue
			}
			src, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			res, err := fhir.ParseResource(src, fhir.Limits{})
			var e *fhir.Error
			if errors.As(err, &e) && e.Issues[0].ID == fhir.IDResourceType {
				continue // package.json, indexes, OpenAPI documents
			} else if err != nil {
				t.Fatalf("%s: %v", h.Name, err)
			}
			resources++
			issues := v.Validate(res, Base)
			known := invalidInPackages[h.Name]
			if (known != nil) != fhir.HasErrors(issues) {
				t.Errorf("%s: refused is %v", h.Name, fhir.HasErrors(issues))
			}
			for _, is := range issues {
				if !slices.Contains(known, is.ID) && is.ID != fhir.IDIssuesTruncated {
					t.Errorf("%s, %s: %s: %s: %s", filepath.Base(name), h.Name, is.ID, is.Expression, is.Text)
				}
			}
		}
		if resources < 100 {
			t.Errorf("%s has %d resources", filepath.Base(name), resources)
		}
	}
}
