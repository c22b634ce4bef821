package operation

import (
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the operations need of the interactions; *interaction.Service is one.
type Service interface {
	Assembler
	Indexer
	Newester
	Grapher
	Patcher
	Purger
}

// Table returns the operations that are served, by name.
func Table(s Service, reg *definition.Registry) []interaction.Operation {
	return []interaction.Operation{
		Convert(reg),
		Diff(s, reg),
		Document(s, reg),
		Everything(s, reg),
		FHIRPath(s, reg),
		Find(s, reg),
		Graph(s, reg),
		GraphQL(s, reg),
		LastN(s, reg),
		Meta(s, reg),
		MetaAdd(s, reg),
		MetaDelete(s, reg),
		Purge(s),
		PurgeStatus(s),
		ReindexStatus(s),
		Stats(s, reg),
		Versions(reg),
	}
}
