package operation

import (
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the operations need of the interactions; *interaction.Service is one.
type Service interface {
	Gatherer
	Indexer
	Knower
	Walker
	Patcher
}

// Table returns the operations that are served, by name.
func Table(s Service, reg *definition.Registry) []interaction.Operation {
	return []interaction.Operation{Everything(s, reg), FHIRPath(s, reg), ReindexStatus(s), Versions(reg), GraphQL(s, reg),
		Meta(s, reg), MetaAdd(s, reg), MetaDelete(s, reg), Convert(reg), Find(s, reg)}
}
