package operation

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Gatherer reads and searches resources, and gathers what belongs to one; *interaction.Service is one.
type Gatherer interface {
	Read(ctx context.Context, key fhir.Key) (storage.Record, error)
	Search(ctx context.Context, q interaction.SearchRequest) (interaction.Bundle, error)
	Everything(ctx context.Context, q interaction.EverythingRequest) (interaction.OperationResponse, error)
}

// cursorName is the parameter of the links to further pages.
const cursorName = "_cursor"

// Everything returns $everything (http://hl7.org/fhir/R4/patient-operation-everything.html,
// http://hl7.org/fhir/R4/encounter-operation-everything.html) for each type that R4 defines it for and that has a compartment: a searchset
// with what is in the compartment, and with what its resources refer to, Binaries of attachments included. It takes the parameters of the type's
// OperationDefinition. Without _count the response is whole and is written piece by piece; with it, in pages of so many members of the compartment.
func Everything(s Gatherer, reg *definition.Registry) interaction.Operation {
	definitions := map[string]string{}
	parameters := map[string]func() []input{}
	var types []string
	for _, o := range reg.Operations() {
		if o.Code != "everything" {
			continue
		}
		for _, t := range o.Resource {
			if _, ok := reg.Compartment(t); ok {
				types = append(types, t)
				definitions[t], parameters[t] = o.URL, parametersOf(reg, o.URL)
			}
		}
	}
	slices.Sort(types)
	return interaction.Operation{
		Name:          "everything",
		Definitions:   definitions,
		Documentation: "Returns what is in the compartment and what that refers to, whole or in pages of _count.",
		Types:         types,
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, parameters[q.Key.Type](), cursorName)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			asked, err := everythingOf(q, reg, args)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			if _, err := s.Read(ctx, q.Key); err != nil {
				return interaction.OperationResponse{}, err
			}
			return s.Everything(ctx, asked)
		},
	}
}

// everythingOf returns what the arguments ask for.
func everythingOf(q *interaction.Request, reg *definition.Registry, args arguments) (interaction.EverythingRequest, error) {
	out := interaction.EverythingRequest{Base: q.Base, Key: q.Key, Start: args.get("start").value, End: args.get("end").value, Cursor: args.get(cursorName).value}
	for _, a := range args {
		if a.name == cursorName {
			continue
		}
		out.Shown = append(out.Shown, search.Pair{Name: a.name, Value: a.value})
		switch a.name {
		case "_type":
			for typ := range strings.SplitSeq(a.value, ",") {
				if _, ok := reg.Resource(typ); !ok {
					return out, errParameter(fhir.IssueValue, "_type names resource types of R4, with commas between them", a.node)
				}
				out.Types = append(out.Types, typ)
			}
		case "_since":
			since, _ := fhir.ParseInstant(a.value)
			out.Since, _ = since.Range(nil)
		case "_count":
			n, _ := strconv.Atoi(a.value)
			if n < 1 {
				return out, errParameter(fhir.IssueValue, "_count is a number above 0; without it the response is whole", a.node)
			}
			out.Count = n
		}
	}
	return out, nil
}
