package interaction

import (
	"context"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Searches with _contained find resources by what they contain (R4 search, http://hl7.org/fhir/R4/search.html#contained), and return the
// containers, or with _containedType=contained what they contain: "the fullUrl points to the containing resource first, and includes the required
// resolution to the contained resource".

// containedMatch is an entry of a page of contained resources: one of them, or a record that matches itself.
type containedMatch struct {
	rec  *storage.Record
	body []byte
	// id is that of the contained resource which body is; "" for the record itself. typ is the body's type.
	id, typ string
}

// containedMatches returns what a page of contained resources shows of its matches.
func (s *Service) containedMatches(ctx context.Context, r storage.Reader, p *searching, records []storage.Record) ([]containedMatch, error) {
	lookup := &lookup{ctx: ctx, service: s, reader: r}
	var out []containedMatch
	for i := range records {
		rec := &records[i]
		tree, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return nil, err
		}
		entries, err := s.entriesOf(*rec)
		if err != nil {
			return nil, err
		}
		if p.request.Contained == search.ContainedBoth && slices.Contains(p.request.Types, rec.Key.Type) &&
			search.Match(p.request.Where, rec.Key, entries, lookup) {
			out = append(out, containedMatch{rec: rec, body: rec.Body, typ: rec.Key.Type})
		}
		matching := make(map[string]map[string]bool) // ids by type
		for c := tree.Get("contained").First(); c.Valid(); c = c.Next() {
			inner, err := fhir.AsResource(c)
			if err != nil || !slices.Contains(p.request.Types, inner.Type()) {
				continue
			}
			typ := inner.Type()
			ids, ok := matching[typ]
			if !ok {
				ids = search.ContainedMatches(typ, p.request.Where, entries, lookup)
				matching[typ] = ids
			}
			if ids[inner.ID()] {
				out = append(out, containedMatch{rec: rec, body: c.Raw(), id: inner.ID(), typ: typ})
			}
		}
	}
	return out, lookup.err
}
