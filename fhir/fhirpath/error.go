package fhirpath

import (
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
)

// fail makes the package's error: an *fhir.Error of KindInvalid that names the place in the expression, what is wrong there and what was
// expected. It repeats nothing of the evaluated resource.
func fail(src string, pos int, id fhir.IssueID, wrong, expected string) error {
	text := fmt.Sprintf("FHIRPath, %s: %s", place(src, pos), wrong)
	if expected != "" {
		text += "; expected " + expected
	}
	kind, code := fhir.KindInvalid, fhir.IssueInvalid
	switch id {
	case fhir.IDFHIRPathLimit:
		code = fhir.IssueTooCostly
	case fhir.IDFHIRPathUnsupported:
		kind, code = fhir.KindNotSupported, fhir.IssueNotSupported
	}
	return fhir.NewError(kind, code, id, text)
}

func syntaxError(src string, pos int, wrong, expected string) error {
	return fail(src, pos, fhir.IDFHIRPathSyntax, wrong, expected)
}
