package operation

import (
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the operations need of the interactions; *interaction.Service is one.
type Service interface {
	Assembler
	Indexer
	Knower
	Newester
	Walker
	Patcher
}

// Table returns the operations that are served, by name.
func Table(s Service, reg *definition.Registry) []interaction.Operation {
	return []interaction.Operation{
		Convert(reg),
		Document(s, reg),
		Everything(s, reg),
		FHIRPath(s, reg),
		Find(s, reg),
		GraphQL(s, reg),
		LastN(s, reg),
		Meta(s, reg),
		MetaAdd(s, reg),
		MetaDelete(s, reg),
		ReindexStatus(s),
		Versions(reg),
	}
}
