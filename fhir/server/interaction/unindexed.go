package interaction

import (
	"context"
	"maps"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Unindexed are the resources of one type that could not be indexed.
type Unindexed struct {
	Type string
	// Count is how many there are, IDs the first of them.
	Count int64
	IDs   []string
}

// Unindexed returns what could not be indexed, by type, and has not been written since: of those that are known by their ids what the request may see.
func (s *Service) Unindexed(ctx context.Context) (out []Unindexed, err error) {
	failed := s.custom.Failed()
	if len(failed) == 0 {
		return nil, nil
	}
	err = s.reading(ctx, func(r storage.Reader) error {
		out = nil
		for _, typ := range slices.Sorted(maps.Keys(failed)) {
			f := failed[typ]
			ids, versions := make([]string, len(f.Known)), make(map[string]int64, len(f.Known))
			for i, v := range f.Known {
				ids[i], versions[v.ID] = v.ID, v.Version
			}
			slices.Sort(ids)
			rows, err := r.Find(ctx, search.Query{Types: []string{typ}, Where: search.KeyIn{IDs: ids}})
			if err != nil {
				return err
			}
			u := Unindexed{Type: typ, Count: f.Count - int64(len(f.Known))}
			for i := range rows {
				if key := rows[i].Key; versions[key.ID] == rows[i].Version {
					u.Count, u.IDs = u.Count+1, append(u.IDs, key.ID)
				}
			}
			if u.Count > 0 {
				out = append(out, u)
			}
		}
		return nil
	})
	return out, failure("search", fhir.Key{}, err)
}
