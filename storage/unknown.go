package storage

import (
	"errors"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// Unknown returns the error of an Update that an engine began to commit and does not know the end of: the write is stored, will be, or is not.
func Unknown(op string, err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageUnknown,
		"the database failed while it stored this: it may be stored. Look for it before you send it again")
	e.Op, e.Err = op, err
	return e
}

// IsUnknown reports whether err is one of Unknown, maybe wrapped. Who meets it must not run an Update again that would store something twice.
func IsUnknown(err error) bool {
	var e *fhir.Error
	return errors.As(err, &e) && e.Kind == fhir.KindUnavailable && slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool { return i.ID == fhir.IDStorageUnknown })
}
