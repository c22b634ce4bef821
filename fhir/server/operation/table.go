package operation

import (
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the operations need of the interactions; *interaction.Service is one.
type Service interface {
	Summarizer
	Indexer
	Knower
}

// Table returns the operations that are served, by name.
func Table(s Service, reg *definition.Registry) []interaction.Operation {
	return []interaction.Operation{Document(s, reg), Everything(s, reg), FHIRPath(s, reg), ReindexStatus(s), Summary(s), Versions(reg), GraphQL(s, reg)}
}
