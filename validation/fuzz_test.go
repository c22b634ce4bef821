package validation

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// FuzzValidate looks for input that makes a phase panic, or that one level refuses and cannot say where.
func FuzzValidate(f *testing.F) {
	for _, c := range faults {
		if len(c.src) < 2000 {
			f.Add([]byte(c.src))
		}
	}
	v, err := New(definition.R4(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil {
			return
		}
		issues := v.Validate(r, Base)
		for _, is := range issues {
			if is.Expression == "" || is.Text == "" || is.ID == "" {
				t.Errorf("%s: %+v", src, is)
			}
			// What gojsonschema keeps of a fault is large, and there may be many: the walk must find them first.
			if strings.HasPrefix(string(is.ID), "shape-") {
				t.Errorf("%s: %s is found by gojsonschema alone", src, is.ID)
			}
			if is.Code == fhir.IssueException {
				t.Errorf("%s: %s: a library failed", src, is.ID)
			}
		}
		if again := v.Validate(r, Base); lines(again) != lines(issues) {
			t.Errorf("%s:\nfirst %s\nthen %s", src, lines(issues), lines(again))
		}
		v.Validate(r, Off)
	})
}
