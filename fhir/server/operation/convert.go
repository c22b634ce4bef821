package operation

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Convert returns $convert (http://hl7.org/fhir/R4/resource-operation-convert.html): the resource that it is given, in the format that the client
// accepts. The resource is the body, or the parameter input of Parameters. Nothing is stored.
func Convert(reg *definition.Registry) interaction.Operation {
	return interaction.Operation{
		Name:          "convert",
		Definition:    canonicalOf(reg, "convert"),
		Documentation: "Returns the resource that it is given in the format that the client accepts: JSON as XML, XML as JSON.",
		System:        true,
		Post:          true,
		Resource:      true,
		Run: func(_ context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			for _, p := range q.Arguments() {
				return interaction.OperationResponse{}, errParameter(fhir.IssueNotSupported, "the parameter of $convert is input, a resource, and not "+p.Name, fhir.Node{})
			}
			given := q.Resource
			if !given.Valid() {
				return interaction.OperationResponse{}, errParameter(fhir.IssueRequired, "the resource is missing; it is the body, or the parameter input", fhir.Node{})
			}
			if given.Type() == "Parameters" {
				var err error
				if given, err = convertInput(given); err != nil {
					return interaction.OperationResponse{}, err
				}
			}
			return interaction.OperationResponse{Body: given.AppendJSON(nil)}, nil
		},
	}
}

// convertInput returns the resource in the parameter input of Parameters; Parameters without that parameter are themselves what is converted.
func convertInput(given fhir.Resource) (fhir.Resource, error) {
	var input fhir.Node
	for p := range given.Get("parameter").Children() {
		switch {
		case p.Get("name").Text() != "input":
		case input.Valid():
			return given, errParameter(fhir.IssueInvalid, "the parameter input appears twice; $convert takes it once", p)
		case !p.Get("resource").Valid():
			return given, errParameter(fhir.IssueValue, "input is a resource", p)
		default:
			input = p.Get("resource")
		}
	}
	if !input.Valid() {
		return given, nil
	}
	return fhir.AsResource(input)
}
