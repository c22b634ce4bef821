package operation

import (
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/job"
)

// Purger erases patients; *interaction.Service is one.
type Purger interface {
	MayAdminister(ctx context.Context, q *interaction.Request) error
	StartPurge(ctx context.Context, key fhir.Key, dry bool) (interaction.Purge, error)
	AwaitPurge(ctx context.Context, p interaction.Purge, most time.Duration) (interaction.Purge, error)
	PurgeByID(ctx context.Context, id string) (interaction.Purge, error)
}

// purgeWait is how long a call waits for the end of a purge before it says where to ask.
const purgeWait = 10 * time.Second

// Purge returns $purge: the erasure of a patient, with all that is in the patient's compartment alone, the Binaries that only this names, the patient's
// stored documents, all versions and deletions, and all index entries; with dryRun=true it tells what that would be. What stays, and refers to the patient, is listed. An AuditEvent remains. It is refused unless the request
// may administer the server. A response of 202 names in Content-Location where the purge can be followed. See DECISIONS.md.
func Purge(s Purger) interaction.Operation {
	parameters := []input{{name: "dryRun", typ: "boolean"}}
	return interaction.Operation{
		Name:          "purge",
		Definition:    "urn:fhirgate:operation:purge",
		Documentation: "Erases a patient and all that is in the patient's compartment alone, with all versions; dryRun=true only tells what. For administrators.",
		Types:         []string{"Patient"},
		Instance:      true,
		Post:          true,
		Writes:        true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if err := s.MayAdminister(ctx, q); err != nil {
				return interaction.OperationResponse{}, err
			}
			args, err := argumentsOf(q, parameters)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			p, err := s.StartPurge(ctx, q.Key, args.get("dryRun").value == "true")
			if err == nil {
				p, err = s.AwaitPurge(ctx, p, purgeWait)
			}
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			return purgeResponse(q.Base, p), nil
		},
	}
}

// PurgeStatus returns $purge-status: how far the purge is that the parameter purge names.
func PurgeStatus(s Purger) interaction.Operation {
	parameters := []input{{name: "purge", typ: "string", required: true}}
	return interaction.Operation{
		Name:          "purge-status",
		Definition:    "urn:fhirgate:operation:purge-status",
		Documentation: "Tells how far a purge is. For administrators.",
		System:        true,
		Get:           true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if err := s.MayAdminister(ctx, q); err != nil {
				return interaction.OperationResponse{}, err
			}
			args, err := argumentsOf(q, parameters)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			p, err := s.PurgeByID(ctx, args.get("purge").value)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			return purgeResponse(q.Base, p), nil
		},
	}
}

// purgeResponse tells of a purge.
func purgeResponse(base string, p interaction.Purge) interaction.OperationResponse {
	w := &fhir.JSONWriter{Bytes: []byte(`{"resourceType":"Parameters","parameter":[`)}
	put := func(name, value, text string) {
		if text == "" {
			return
		}
		w.Open('{')
		w.String("name", name)
		w.String(value, text)
		w.Close('}')
	}
	put("purge", "valueString", p.ID)
	put("state", "valueCode", string(p.State))
	put("error", "valueString", p.Error)
	put("patient", "valueUri", p.Key.String())
	w.Open('{')
	w.String("name", "dryRun")
	w.Bool("valueBoolean", p.Dry)
	w.Close('}')
	count := func(n int64) {
		w.Open('{')
		w.String("name", "count")
		w.Int("valueInteger", min(n, math.MaxInt32))
		w.Close('}')
	}
	for _, typ := range slices.Sorted(maps.Keys(p.Counts)) {
		w.Open('{')
		w.String("name", "erased")
		w.Name("part")
		w.Open('[')
		put("type", "valueCode", typ)
		count(p.Counts[typ])
		w.Close(']')
		w.Close('}')
	}
	w.Open('{')
	w.String("name", "versions")
	w.Int("valueInteger", min(p.Versions, math.MaxInt32))
	w.Close('}')
	if p.Dry {
		for _, text := range p.Resources {
			put("resource", "valueUri", text)
		}
	}
	for _, text := range p.Outside {
		put("outside", "valueUri", text)
	}
	for _, text := range p.Past {
		put("past", "valueUri", text)
	}
	if p.More {
		w.Open('{')
		w.String("name", "more")
		w.Bool("valueBoolean", true)
		w.Close('}')
	}
	put("audit", "valueUri", p.Audit)
	w.Close(']')
	w.Close('}')
	res := interaction.OperationResponse{Body: w.Bytes}
	if p.State == job.Waiting || p.State == job.Running {
		where := base + "/$purge-status?purge=" + p.ID
		res.Status, res.Header = http.StatusAccepted, http.Header{"Content-Location": {where}}
	}
	return res
}
