package operation

import (
	"context"
	"math"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
)

// Indexer tells which SearchParameters of clients are being indexed; *interaction.Service is one.
type Indexer interface {
	Reindexing() []parameter.Progress
}

// ReindexStatus returns $reindex-status: it says how far indexing of stored SearchParameters has come. The response is a Parameters with
// one parameter "indexing" for each that is not done, oldest first; none when all are. One that has a part "removed" is gone, and its entries
// are taken away. done and total are those of all that is indexed together; they are there once the resources are counted.
func ReindexStatus(s Indexer) interaction.Operation {
	return interaction.Operation{
		Name:          "reindex-status",
		Definition:    "urn:fhirgate:operation:reindex-status",
		Documentation: "Tells how far the indexing of stored SearchParameters has come: url, code, type, since, done and total of each that is not finished, and removed where it is taken away.",
		System:        true,
		Get:           true,
		Run: func(_ context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if _, err := argumentsOf(q, nil); err != nil {
				return interaction.OperationResponse{}, err
			}
			jobs := s.Reindexing()
			dst := []byte(`{"resourceType":"Parameters"`)
			for i, p := range jobs {
				if i == 0 {
					dst = append(dst, `,"parameter":[`...)
				} else {
					dst = append(dst, ',')
				}
				dst = fhir.AppendString(append(dst, `{"name":"indexing","part":[{"name":"url","valueUri":`...), p.URL)
				dst = fhir.AppendString(append(dst, `},{"name":"code","valueCode":`...), p.Code)
				for _, t := range p.Types {
					dst = fhir.AppendString(append(dst, `},{"name":"type","valueCode":`...), t)
				}
				dst = append(dst, `},{"name":"since","valueInstant":"`...)
				dst = append(dst, fhir.FormatInstant(p.Since)...)
				dst = append(dst, '"')
				if p.Counted {
					dst = strconv.AppendInt(append(dst, `},{"name":"done","valueInteger":`...), min(p.Done, math.MaxInt32), 10)
					dst = strconv.AppendInt(append(dst, `},{"name":"total","valueInteger":`...), min(p.Total, math.MaxInt32), 10)
				}
				if p.Removed {
					dst = append(dst, `},{"name":"removed","valueBoolean":true`...)
				}
				dst = append(dst, `}]}`...)
			}
			if len(jobs) > 0 {
				dst = append(dst, ']')
			}
			return interaction.OperationResponse{Body: append(dst, '}')}, nil
		},
	}
}
