package operation

import (
	"context"
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// Messenger processes messages; *interaction.Service is one.
type Messenger interface {
	ProcessMessage(ctx context.Context, q interaction.MessageRequest) (interaction.MessageResponse, error)
	Jobs() *job.Jobs
}

// ProcessMessage returns $process-message (http://hl7.org/fhir/R4/messageheader-operation-process-message.html): it takes a message, stores what it
// carries and responds with a message. With async=true the response is sent to the message's source, or to response-url, where that is one of endpoints;
// without endpoints messages are processed synchronously alone.
func ProcessMessage(s Messenger, reg *definition.Registry, endpoints []string) interaction.Operation {
	o := interaction.Operation{
		Name:          "process-message",
		Documentation: "Stores what a message carries and responds with a message. A message that comes again has the first response.",
		System:        true,
		Post:          true,
		Writes:        true,
	}
	o.Definition = canonicalOf(reg, o.Name)
	parameters := parametersOf(reg, o.Definition)
	o.Resource = true
	c := newCourier(s.Jobs(), endpoints)
	o.Run = func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
		var of []input
		for _, p := range parameters() {
			if p.typ != "Bundle" {
				of = append(of, p)
			}
		}
		bare := *q
		bare.Resource = fhir.Resource{} // the message is no Parameters
		args, err := argumentsOf(&bare, of)
		if err != nil {
			return interaction.OperationResponse{}, err
		}
		if !q.Resource.Valid() {
			return interaction.OperationResponse{}, fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDBodyMissing, "the body is the message: a Bundle of type message")
		}
		request := interaction.MessageRequest{Base: q.Base, Message: q.Resource}
		async := args.get("async").value == "true"
		if !async && args.has("response-url") {
			return interaction.OperationResponse{}, errParameter(fhir.IssueInvalid, "response-url is for async=true", fhir.Node{})
		}
		if async {
			to, err := c.destination(q.Resource, args.get("response-url").value)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			request.OnKept = func(ctx context.Context, tx storage.Tx, response []byte) error { return c.send(ctx, tx, to, response) }
		}
		res, err := s.ProcessMessage(ctx, request)
		if err != nil {
			return interaction.OperationResponse{}, err
		}
		if !async {
			return interaction.OperationResponse{Body: res.Body}, nil
		}
		return c.accepted(res)
	}
	return o
}

// accepted responds to a message whose response is sent: an OperationOutcome. What was not kept is not accepted.
func (c *courier) accepted(res interaction.MessageResponse) (interaction.OperationResponse, error) {
	if res.Code == interaction.MessageTransient {
		return interaction.OperationResponse{}, fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDUnavailable, "the message cannot be processed at the moment; send it again")
	}
	c.jobs.Wake(courierKind)
	return interaction.OperationResponse{Status: http.StatusOK, Body: fhir.AppendOutcome(nil, []fhir.Issue{{Severity: fhir.SeverityInformation, Code: fhir.IssueInformational,
		ID: fhir.IDOK, Text: "the message is accepted; the response is sent"}})}, nil
}
