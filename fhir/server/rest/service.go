package rest

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Service is what the edge needs of the interactions; *interaction.Service is it. Its errors are *fhir.Error. All methods may be called at
// the same time.
type Service interface {
	// Read returns the current version. With KindGone the Record is that of the deletion.
	Read(ctx context.Context, key fhir.Key) (storage.Record, error)
	// VRead returns a version; a deletion's is KindGone.
	VRead(ctx context.Context, key fhir.Key, version string) (storage.Record, error)
	Create(ctx context.Context, typ string, r fhir.Resource, ifNoneExist string) (interaction.Result, error)
	Update(ctx context.Context, key fhir.Key, r fhir.Resource, c interaction.Conditions) (interaction.Result, error)
	UpdateConditional(ctx context.Context, typ string, r fhir.Resource, query string, c interaction.Conditions) (interaction.Result, error)
	Delete(ctx context.Context, key fhir.Key, c interaction.Conditions) (interaction.Result, error)
	DeleteConditional(ctx context.Context, typ string, query string, c interaction.Conditions) ([]interaction.Result, error)
	Search(ctx context.Context, q interaction.SearchRequest) (interaction.Bundle, error)
	History(ctx context.Context, q interaction.HistoryRequest) (interaction.Bundle, error)
	Bundle(ctx context.Context, q interaction.BundleRequest) (interaction.Bundle, error)
	// Subset returns the resource as _summary and _elements ask for it.
	Subset(body []byte, summary string, elements []string) ([]byte, error)
	// Ready returns nil when requests can be served, or says what is waited for.
	Ready(ctx context.Context) error
}
