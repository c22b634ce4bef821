package operation

import (
	"context"
	"math"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
)

// Indexer tells which SearchParameters of clients are being indexed, and which resources could not be; *interaction.Service is one.
type Indexer interface {
	Reindexing() []parameter.Progress
	Unindexed(context.Context) ([]interaction.Unindexed, error)
}

// ReindexStatus returns $reindex-status: it says how far indexing of stored SearchParameters has come. The response is a Parameters with
// one parameter "indexing" for each that is not done, oldest first; none when all are. One that has a part "removed" is gone, and its entries
// are taken away. done and total are those of all that is indexed together; they are there once the resources are counted. One parameter "failed" for each
// type has the count of the resources that could not be indexed, and references to the first of them.
func ReindexStatus(s Indexer) interaction.Operation {
	return interaction.Operation{
		Name:          "reindex-status",
		Definition:    "urn:fhirgate:operation:reindex-status",
		Documentation: "Tells how far the indexing of stored SearchParameters has come: url, code, type, since, done and total of each that is not finished, and removed where it is taken away. Tells which resources could not be indexed: failed, with type, count and the first of them.",
		System:        true,
		Get:           true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if _, err := argumentsOf(q, nil); err != nil {
				return interaction.OperationResponse{}, err
			}
			failed, err := s.Unindexed(ctx)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			dst, between := []byte(`{"resourceType":"Parameters"`), `,"parameter":[`
			for _, p := range s.Reindexing() {
				dst = fhir.AppendString(append(append(dst, between...), `{"name":"indexing","part":[{"name":"url","valueUri":`...), p.URL)
				between = ","
				dst = fhir.AppendString(append(dst, `},{"name":"code","valueCode":`...), p.Code)
				for _, t := range p.Types {
					dst = fhir.AppendString(append(dst, `},{"name":"type","valueCode":`...), t)
				}
				dst = append(dst, `},{"name":"since","valueInstant":"`...)
				dst = append(dst, fhir.FormatInstant(p.Since)...)
				dst = append(dst, '"')
				if p.Counted {
					dst = appendCount(append(dst, `},{"name":"done","valueInteger":`...), p.Done)
					dst = appendCount(append(dst, `},{"name":"total","valueInteger":`...), p.Total)
				}
				if p.Removed {
					dst = append(dst, `},{"name":"removed","valueBoolean":true`...)
				}
				dst = append(dst, `}]}`...)
			}
			for _, f := range failed {
				dst = fhir.AppendString(append(append(dst, between...), `{"name":"failed","part":[{"name":"type","valueCode":`...), f.Type)
				between = ","
				dst = appendCount(append(dst, `},{"name":"count","valueInteger":`...), f.Count)
				for _, id := range f.IDs {
					dst = fhir.AppendString(append(dst, `},{"name":"resource","valueReference":{"reference":`...), f.Type+"/"+id)
					dst = append(dst, '}')
				}
				dst = append(dst, `}]}`...)
			}
			if between == "," {
				dst = append(dst, ']')
			}
			return interaction.OperationResponse{Body: append(dst, '}')}, nil
		},
	}
}

// appendCount appends a count as an integer, which FHIR bounds.
func appendCount(dst []byte, n int64) []byte {
	return strconv.AppendInt(dst, min(n, math.MaxInt32), 10)
}
