package operation

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Versions returns $versions (http://hl7.org/fhir/R4/capabilitystatement-operation-versions.html): the versions of FHIR that the server speaks, which is
// R4 alone.
func Versions(reg *definition.Registry) interaction.Operation {
	return interaction.Operation{
		Name:          "versions",
		Definition:    canonicalOf(reg, "versions"),
		Documentation: "Tells which versions of FHIR the server speaks.",
		System:        true,
		Get:           true,
		Post:          true,
		Run: func(_ context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if _, err := argumentsOf(q, nil); err != nil {
				return interaction.OperationResponse{}, err
			}
			return interaction.OperationResponse{Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"version","valueCode":"4.0"},{"name":"default","valueCode":"4.0"}]}`)}, nil
		},
	}
}
