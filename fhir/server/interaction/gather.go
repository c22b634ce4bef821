package interaction

import (
	"context"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// What operations need that gather resources of many kinds.

// Snapshot calls f with a context in which all reads of the Service show one moment of the store. f runs once, in one goroutine.
func (s *Service) Snapshot(ctx context.Context, f func(ctx context.Context) error) error {
	return failure("read", fhir.Key{}, s.reading(ctx, func(r storage.Reader) error { return f(withReader(ctx, r)) }))
}

// ReadMany returns the current versions of keys, in their order, definitions of R4 among them as Read returns them; a Record with Version 0 stands for one that is deleted or never existed.
func (s *Service) ReadMany(ctx context.Context, keys []fhir.Key) (records []storage.Record, err error) {
	err = s.reading(ctx, func(r storage.Reader) (err error) {
		records, err = s.specification.Beside(r).GetMany(ctx, keys)
		return err
	})
	return records, failure("read", fhir.Key{}, err)
}

// Local reads a literal reference to a resource of this server, whose client sees it as base. version is the version id that the reference names; ""
// where it names none. ok is false for a reference to anything else.
func (s *Service) Local(base, reference string) (key fhir.Key, version string, ok bool) {
	rest, _ := s.names(base).cut(withoutFragment(reference))
	if key, ok = s.localKey(rest); !ok {
		return fhir.Key{}, "", false
	}
	_, version, _ = strings.Cut(rest, "/_history/")
	return key, version, true
}

// Find returns the first resources of a type that parameters find, in their order, and whether there are more. The parameters are those of a search; a
// sort is among them.
func (s *Service) Find(ctx context.Context, base, typ string, parameters []search.Pair, limit int) (records []storage.Record, more bool, err error) {
	err = s.reading(ctx, func(r storage.Reader) error {
		p, err := s.parseSearch(ctx, r, SearchRequest{Base: base, Types: []string{typ}, Path: typ, Parameters: parameters})
		if err != nil {
			return err
		}
		p.count, p.total = limit, search.TotalNone
		got, err := s.pageOf(ctx, r, &p)
		records, more = got.matches, got.found.after
		return err
	})
	return records, more, failure("search", fhir.Key{Type: typ}, err)
}
