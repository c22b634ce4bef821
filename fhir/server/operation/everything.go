package operation

import (
	"context"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Searcher reads and searches; *interaction.Service is one.
type Searcher interface {
	Read(ctx context.Context, key fhir.Key) (storage.Record, error)
	Search(ctx context.Context, q interaction.SearchRequest) (interaction.Bundle, error)
}

// Everything returns $everything (http://hl7.org/fhir/R4/patient-operation-everything.html,
// http://hl7.org/fhir/R4/encounter-operation-everything.html) for each type that R4 defines it for and that has a compartment: a searchset
// with what is in the compartment, in pages, each with what its resources refer to. It is the compartment's search by another name, so that its
// pages show one moment, cost the same wherever they stand, and hold no match twice. _since, _type and _count narrow it; start and
// end, which mean dates of care, are refused.
func Everything(s Searcher, reg *definition.Registry) interaction.Operation {
	definitions := map[string]string{}
	var types []string
	for _, o := range reg.Operations() {
		if o.Code != "everything" {
			continue
		}
		for _, t := range o.Resource {
			if _, ok := reg.Compartment(t); ok {
				types = append(types, t)
				definitions[t] = o.URL
			}
		}
	}
	slices.Sort(types)
	return interaction.Operation{
		Name:          "everything",
		Definitions:   definitions,
		Documentation: "Returns what is in the compartment and what that refers to, in pages; _since, _type and _count narrow it.",
		Types:         types,
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			asked, shown, err := everythingSearch(args)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			if _, err := s.Read(ctx, q.Key); err != nil {
				return interaction.OperationResponse{}, err
			}
			b, err := s.Search(ctx, interaction.SearchRequest{Base: q.Base, Compartment: q.Key, Path: q.Key.String() + "/$everything", Parameters: asked, Shown: shown, Lenient: q.Prefer.Lenient, Whole: true})
			return interaction.OperationResponse{Body: b.Body}, err
		},
	}
}

// everythingSearch returns the search that the arguments ask for, and the arguments as links repeat them.
func everythingSearch(args []argument) (asked, shown []search.Pair, err error) {
	shown = []search.Pair{}
	for _, a := range args {
		pair := search.Pair{Name: a.name, Value: a.value}
		switch a.name {
		case "_cursor":
			asked = append(asked, pair)
			continue
		case "_type", "_count":
			asked = append(asked, pair)
		case "_since":
			if _, err := fhir.ParseInstant(a.value); err != nil {
				return nil, nil, errParameter(fhir.IssueValue, "_since must be an instant, such as 2026-11-23T09:30:00Z", a.node)
			}
			asked = append(asked, search.Pair{Name: "_lastUpdated", Value: "ge" + a.value})
		default:
			return nil, nil, errParameter(fhir.IssueNotSupported, "the parameters of $everything are _since, _type and _count", a.node)
		}
		shown = append(shown, pair)
	}
	return append(asked, search.Pair{Name: "_include", Value: "*"}), shown, nil
}
