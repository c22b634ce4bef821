package operation

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
)

// Snapshotter has reads show one moment, and tells which references are to resources of this server; *interaction.Service is one.
type Snapshotter interface {
	Snapshot(ctx context.Context, f func(ctx context.Context) error) error
	Local(base, reference string) (key fhir.Key, version string, ok bool)
}
