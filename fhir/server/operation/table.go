package operation

import (
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Service is what the operations need of the interactions; *interaction.Service is one.
type Service interface {
	Summarizer
	Messenger
	Indexer
	Newester
	Grapher
	Patcher
	Purger
}

// Options set what the operations do where a site decides.
type Options struct {
	// Endpoints are the bases of the URLs that response messages may be sent to; none for no asynchronous messages.
	Endpoints []string
}

// Table returns the operations that are served, by name.
func Table(s Service, reg *definition.Registry, opt Options) []interaction.Operation {
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
		ProcessMessage(s, reg, opt.Endpoints),
		Purge(s),
		PurgeStatus(s),
		ReindexStatus(s),
		Stats(s, reg),
		Summary(s),
		Versions(reg),
	}
}

// canonicalOf returns the canonical of R4's OperationDefinition of a code that one definition has.
func canonicalOf(reg *definition.Registry, code string) string {
	for _, d := range reg.Operations() {
		if d.Code == code {
			return d.URL
		}
	}
	return ""
}
