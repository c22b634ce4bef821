package validation

import (
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func newValidator(t testing.TB) *Validator {
	t.Helper()
	v, err := New(definition.R4(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// invalidExamples are the official examples that are not valid R4, with the ids of all that is wrong with them.
var invalidExamples = map[string]fhir.IssueID{
	"DeviceMetric-example.json":        "reference-target", // parent refers to a DeviceDefinition; the definition allows Device
	"DeviceUseStatement-example.json":  "reference-target", // reasonReference refers to a Procedure, which is not among its five types
	"MedicationRequest-medrx0301.json": "reference-target", // dispenseRequest.performer refers to a Practitioner; the definition allows Organization
	"Observation-clinical-gender.json": "reference-target", // performer refers to an Encounter
	"Questionnaire-qs1.json":           "element-required", // 32 items have no linkId, which is 1..1
}

func TestOfficialExamplesAreValid(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	if len(files) != 715 {
		t.Fatalf("%d examples; want 715", len(files))
	}
	v := newValidator(t)
	for _, f := range files {
		r, err := fhir.ParseResource(corpustest.Read(t, f), fhir.Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		known := invalidExamples[filepath.Base(f)]
		issues := v.Validate(r, Base)
		for _, is := range issues {
			if is.ID != known {
				t.Errorf("%s: %s: %s: %s", filepath.Base(f), is.ID, is.Expression, is.Text)
			}
		}
		if known != "" && len(issues) == 0 {
			t.Errorf("%s: no %s was found", filepath.Base(f), known)
		}
	}
}

func TestSyntheaIsValid(t *testing.T) {
	files := corpustest.Files(t, "synthea/*.json.gz")
	v := newValidator(t)
	for _, f := range files[:10] {
		rs := bundleResources(t, f)
		for i, issues := range v.ValidateMany(rs, Base) {
			for _, is := range issues {
				t.Errorf("%s: entry %d: %s: %s: %s", filepath.Base(f), i, is.ID, is.Expression, is.Text)
			}
		}
	}
}
