package interaction

import (
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// If-Match and If-None-Match of writes are decided here. etag.go reads them.

// check compares the preconditions with the version that is current (R4 http, 3.1.0.7.3 Managing Resource Contention). The If-None-Match of a read is
// not one: it asks whether the client has the version already.
func (c *Conditions) check(cur storage.Record, read bool) error {
	if c.NoneMatch && exists(cur) && !read {
		return fhir.NewError(fhir.KindPrecondition, fhir.IssueConflict, fhir.IDIfNoneMatch, "the resource exists, and If-None-Match asks that it does not")
	}
	if c.AnyMatch && !exists(cur) {
		return fhir.NewError(fhir.KindPrecondition, fhir.IssueConflict, fhir.IDIfMatch, "the resource does not exist, and If-Match asks that it does")
	}
	if c.IfMatch == nil {
		return nil
	}
	if exists(cur) {
		for _, v := range c.IfMatch {
			if v == cur.Version {
				return nil
			}
		}
		return fhir.NewError(fhir.KindPrecondition, fhir.IssueConflict, fhir.IDIfMatch, fmt.Sprintf("the current version is %d, and If-Match asks for another", cur.Version))
	}
	return fhir.NewError(fhir.KindPrecondition, fhir.IssueConflict, fhir.IDIfMatch, "the resource does not exist, and If-Match asks for one of its versions")
}
