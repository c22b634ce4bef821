package patch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Limits bound what a patch may do. A zero field means the default.
type Limits struct {
	Operations int // operations of one patch; default 1,000
	Depth      int // nested objects and arrays of the result; default 128
	Growth     int // bytes that copies of a JSON Patch may add in all; default 16 MiB
}

const (
	defaultOperations = 1_000
	defaultDepth      = 128
	defaultGrowth     = 16 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Operations == 0 {
		l.Operations = defaultOperations
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	if l.Growth == 0 {
		l.Growth = defaultGrowth
	}
	return l
}

// malformed is the error of a patch that cannot be understood.
func malformed(text string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueStructure, fhir.IDPatchMalformed, text)
}

// unprocessable is the error of an operation that cannot be applied.
func unprocessable(id fhir.IssueID, text string) error {
	return fhir.NewError(fhir.KindUnprocessable, fhir.IssueProcessing, id, text)
}

func tooLarge(id fhir.IssueID, text string) error {
	return fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, id, text)
}

// tooCostly is the error of operations whose steps are used up.
func tooCostly() error {
	return tooLarge(fhir.IDPatchCost, "the operations cost more than a patch may take; send fewer or smaller ones")
}

// tooDeep is the error of a result past the limit of depth.
func (l Limits) tooDeep() error {
	return tooLarge(fhir.IDPatchDepth, fmt.Sprintf("the result is nested deeper than %d", l.Depth))
}

// tooMany checks the number of a patch's operations.
func (l Limits) tooMany(n int) error {
	if n > l.Operations {
		return tooLarge(fhir.IDPatchOperations, fmt.Sprintf("the patch has %d operations; the limit is %d", n, l.Operations))
	}
	return nil
}

// at names the operation in the issues of err: its index, what it does and its path. expression is the place of the operation in a
// Parameters resource; "" for a JSON Patch.
func at(err error, index int, op, path, expression string) error {
	var e *fhir.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	where := fmt.Sprintf("operation %d", index)
	if op != "" {
		where += " (" + strings.TrimSpace(op+" "+short(path)) + ")"
	}
	c := *e
	c.Issues = append([]fhir.Issue(nil), e.Issues...)
	for i := range c.Issues {
		c.Issues[i].Text = where + ": " + c.Issues[i].Text
		c.Issues[i].Expression = expression
	}
	return &c
}

// short returns as much of a path as a message shows.
func short(path string) string {
	const most = 200
	if len(path) <= most {
		return path
	}
	return strings.ToValidUTF8(path[:most], "") + "..."
}
