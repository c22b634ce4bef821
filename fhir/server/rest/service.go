package rest

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the edge needs of the interactions; *interaction.Service is it. Its errors are *fhir.Error. All methods may be called at
// the same time, but for Serve, which New calls.
type Service interface {
	// Serve sets which operations are served and under which rules.
	Serve(interaction.Served)
	// Routes returns all that is served.
	Routes() []interaction.Route
	// Allowed returns the methods that a path has; none where there is no such path.
	Allowed(path []string) []string
	// DefinitionTypes returns the resource types of the definitions of R4 that are shown, sorted.
	DefinitionTypes() []string
	// Locate sets what a method and a path say of a request, and ReadConditions its conditions.
	Locate(q *interaction.Request, method string, path []string) error
	ReadConditions(q *interaction.Request, stated *interaction.Stated) error
	// Capability reads what a request for the capabilities asks for.
	Capability(q *interaction.Request) (interaction.Capability, error)
	// Do performs a request that was read.
	Do(ctx context.Context, q *interaction.Request) (interaction.Response, error)
	// Ready returns nil when requests can be served, or says what is waited for.
	Ready(ctx context.Context) error
	// Building returns the resource types whose indexes are still under construction.
	Building() []string
}
