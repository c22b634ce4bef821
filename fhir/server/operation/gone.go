package operation

import (
	"errors"

	"github.com/fhirgate/fhirgate/fhir"
)

// isGone reports whether an error says that a resource or version is not there, or no longer.
func isGone(err error) bool {
	var e *fhir.Error
	return errors.As(err, &e) && (e.Kind == fhir.KindNotFound || e.Kind == fhir.KindGone)
}
