package interaction

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Owners returns the resources of a type that has compartments in whose compartment a version is, sorted, as R4's CompartmentDefinition says: those that
// its parameters refer to, and itself where it is of the type.
func (s *Service) Owners(rec storage.Record, typ string) ([]fhir.Key, error) {
	compartment, ok := s.registry.Compartment(typ)
	if !ok {
		return nil, nil
	}
	var owners []fhir.Key
	if rec.Key.Type == typ {
		owners = append(owners, rec.Key)
	}
	links := compartment.Links[rec.Key.Type]
	if len(links) > 0 {
		entries, err := s.entriesOf(rec)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if e := &entries[i]; e.Type == typ && slices.Contains(links, e.Param) {
				owners = append(owners, fhir.Key{Type: e.Type, ID: e.ID})
			}
		}
	}
	slices.SortFunc(owners, fhir.Key.Compare)
	return slices.Compact(owners), nil
}
