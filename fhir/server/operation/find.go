package operation

import (
	"context"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// functional are the current resource lists that R4 names (http://hl7.org/fhir/R4/lifecycle.html#lists), with the codes of lists that serve them in
// R4's example codes for List.code.
var functional = map[string]string{"current-problems": "problems", "current-medications": "medications", "current-allergies": "allergies"}

// listCodes is the code system of R4's example codes for List.code.
const listCodes = "http://terminology.hl7.org/CodeSystem/list-example-use-codes"

// Find returns List/$find (http://hl7.org/fhir/R4/list-operation-find.html): the current list of a patient that serves a function. It is the newest
// List about the patient that is current and kept up to date (mode working), and whose code is the name, or the code that R4 has for it.
func Find(s Walker, reg *definition.Registry) interaction.Operation {
	canonical := canonicalOf(reg, "find")
	parameters := parametersOf(reg, canonical)
	return interaction.Operation{
		Name:          "find",
		Definition:    canonical,
		Documentation: "Returns the current list of a patient by its function: $current-problems, $current-medications, $current-allergies, or any code that the site's lists have.",
		Types:         []string{"List"},
		Type:          true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, parameters())
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			name := strings.TrimPrefix(args.get("name").value, "$")
			codes := search.Escape(name)
			if code, ok := functional[name]; ok {
				codes += "," + listCodes + "|" + code
			}
			var found []byte
			err = s.Walk(ctx, interaction.Walk{
				Types: []string{"List"},
				Parameters: []search.Pair{{Name: "subject", Value: "Patient/" + args.get("patient").value}, {Name: "status", Value: "current"},
					{Name: "code", Value: codes}},
				Sort: []search.Sort{{Param: "date", Desc: true}, {Param: "_lastUpdated", Desc: true}},
			}, func(rec storage.Record) (bool, error) {
				list, err := fhir.ParseResource(rec.Body, fhir.Limits{})
				if err != nil {
					return false, err
				}
				if list.Get("mode").Text() == "working" {
					found = rec.Body
				}
				return found == nil, nil
			})
			if err == nil && found == nil {
				err = fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "the patient has no current list of this function")
			}
			return interaction.OperationResponse{Body: found}, err
		},
	}
}
