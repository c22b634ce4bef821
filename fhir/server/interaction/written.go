package interaction

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir/server/parameter"
)

// wrote does what follows from writes that are stored, before the response is sent: a SearchParameter among them is in force, or gone, when it
// returns, and all are found by the parameters that are.
func (s *Service) wrote(ctx context.Context, results ...Result) {
	stored := false
	for i := range results {
		res := &results[i]
		stored = stored || res.Record.Key.Type == parameterType && res.Action != Unchanged
	}
	if !s.custom.Follows(stored) {
		return
	}
	var one [1]parameter.Version // hardly any request writes more
	versions := one[:0]
	for i := range results {
		res := &results[i]
		if res.Action == Created || res.Action == Updated {
			versions = append(versions, parameter.Version{Key: res.Record.Key, Generation: res.generation})
		}
	}
	if stored || len(versions) > 0 {
		s.custom.Written(ctx, stored, versions)
	}
}

// parameterType is the resource type that adds search parameters.
const parameterType = "SearchParameter"
