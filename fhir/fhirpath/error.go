package fhirpath

import (
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
)

// The issue ids of this package. Each names what a client can do about it.
const (
	idSyntax      = "fhirpath-syntax"      // the text is no FHIRPath
	idElement     = "fhirpath-element"     // a path that can't exist
	idType        = "fhirpath-type"        // a value or type of another kind was expected
	idFunction    = "fhirpath-function"    // no such function, or called with the wrong arguments
	idVariable    = "fhirpath-variable"    // an external constant or variable that is not defined
	idSingleton   = "fhirpath-singleton"   // several items where one was expected
	idOrder       = "fhirpath-order"       // an ordered function over a collection without order
	idLimit       = "fhirpath-limit"       // past a limit on steps, depth, size
	idRegex       = "fhirpath-regex"       // a regular expression that is not understood
	idUnsupported = "fhirpath-unsupported" // needs an interface that was not given
	idTerminology = "fhirpath-terminology" // the terminology or the store could not answer
)

// fail makes the package's error: an *fhir.Error of KindInvalid that names the place in the expression, what is wrong there and what was
// expected. It repeats nothing of the evaluated resource.
func fail(src string, pos int, id, wrong, expected string) error {
	text := fmt.Sprintf("FHIRPath, %s: %s", place(src, pos), wrong)
	if expected != "" {
		text += "; expected " + expected
	}
	kind, code := fhir.KindInvalid, fhir.IssueInvalid
	switch id {
	case idLimit:
		code = fhir.IssueTooCostly
	case idUnsupported:
		kind, code = fhir.KindNotSupported, fhir.IssueNotSupported
	}
	return fhir.NewError(kind, code, id, text)
}

func syntaxError(src string, pos int, wrong, expected string) error {
	return fail(src, pos, idSyntax, wrong, expected)
}
