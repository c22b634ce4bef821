package operation

import (
	"context"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/ips"
	"github.com/fhirgate/fhirgate/storage"
)

// Summarizer is an Assembler that also searches without pages; *interaction.Service is one.
type Summarizer interface {
	Assembler
	Find(ctx context.Context, base, typ string, parameters []search.Pair, limit int) (records []storage.Record, more bool, err error)
}

// summaryParameters are those of http://hl7.org/fhir/uv/ips/OperationDefinition/summary, 2.0.0.
var summaryParameters = []input{{name: "identifier", typ: "string"}, {name: "profile", typ: "canonical"}}

// Summary returns $summary (http://hl7.org/fhir/uv/ips/OperationDefinition/summary): an International Patient Summary of what the server holds of a
// patient, who is named by id or by an identifier.
func Summary(s Summarizer) interaction.Operation {
	const typ = "Patient"
	return interaction.Operation{
		Name:          "summary",
		Definition:    "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
		Documentation: "Returns an International Patient Summary (IPS 2.0.0) of what the server holds of a patient.",
		Types:         []string{typ},
		Type:          true,
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, summaryParameters)
			if err == nil {
				err = summaryFits(q, args)
			}
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			var body []byte
			err = s.Snapshot(ctx, func(ctx context.Context) error {
				rec, err := summarized(ctx, s, q, typ, args.get("identifier"))
				if err == nil {
					body, err = ips.Make(ctx, s, ips.Request{Base: q.Base, Patient: rec, Now: time.Now(), NewUUID: newUUID})
				}
				return err
			})
			return interaction.OperationResponse{Body: body}, err
		},
	}
}

// summaryFits refuses arguments that do not name one patient, and profiles of other summaries.
func summaryFits(q *interaction.Request, args arguments) error {
	switch p := args.get("profile"); p.value {
	case "", ips.Profile, ips.Profile + "|" + ips.Version:
	default:
		return errParameter(fhir.IssueNotSupported, "the profile of a summary is "+ips.Profile+"|"+ips.Version, p.node)
	}
	identifier := args.get("identifier")
	if q.Key.ID == "" && identifier.value == "" {
		return errParameter(fhir.IssueRequired, "the parameter identifier is missing: it names the patient, as system|value", identifier.node)
	}
	if q.Key.ID != "" && identifier.value != "" {
		return errParameter(fhir.IssueInvalid, "the path names the patient; identifier is for [type]/$summary", identifier.node)
	}
	return nil
}

// summarized returns the patient whom the path or the identifier names.
func summarized(ctx context.Context, s Summarizer, q *interaction.Request, typ string, identifier argument) (storage.Record, error) {
	if q.Key.ID != "" {
		return s.Read(ctx, q.Key)
	}
	found, _, err := s.Find(ctx, q.Base, typ, []search.Pair{{Name: "identifier", Value: identifier.value}}, 2)
	switch {
	case err != nil:
		return storage.Record{}, err
	case len(found) == 0:
		return storage.Record{}, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "no patient has this identifier")
	case len(found) > 1:
		return storage.Record{}, fhir.NewError(fhir.KindPrecondition, fhir.IssueMultiple, fhir.IDMultipleMatches, "several patients have this identifier; name one by its id")
	}
	return found[0], nil
}
