package specification

import (
	"context"
	"errors"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Beside returns a Reader that shows the definitions beside what site shows.
func (s *Specification) Beside(site storage.Reader) storage.Reader {
	return &reader{Reader: site, spec: s}
}

// Joined is Beside where chains and _has also lead between the definitions and what site shows. They cost more, and are bounded.
func (s *Specification) Joined(site storage.Reader) storage.Reader {
	return &reader{Reader: site, spec: s, joined: true}
}

// reader is a storage.Reader of the site that shows definitions too.
type reader struct {
	storage.Reader
	spec   *Specification
	joined bool
}

// definition returns the definition of a key, unless the site has ever stored a resource of that key.
func (r *reader) definition(ctx context.Context, key fhir.Key) (rec storage.Record, ok bool, err error) {
	if !r.spec.Has(key) {
		return storage.Record{}, false, nil
	}
	if replaced, err := r.replaced(ctx, key); replaced || err != nil {
		return storage.Record{}, false, err
	}
	rec, ok = r.spec.record(key)
	return rec, ok, nil
}

// replaced reports whether the site has, or had, a resource of a key.
func (r *reader) replaced(ctx context.Context, key fhir.Key) (bool, error) {
	_, err := r.Reader.Get(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err == nil, errors.Is(err, storage.ErrDeleted):
		return true, nil
	}
	return false, err
}

// Get implements storage.Reader.
func (r *reader) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	rec, err := r.Reader.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		if own, ok := r.spec.record(key); ok {
			return own, nil
		}
	}
	return rec, err
}

// GetVersion implements storage.Reader.
func (r *reader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	rec, err := r.Reader.GetVersion(ctx, key, version)
	if version != 1 || !errors.Is(err, storage.ErrNotFound) {
		return rec, err
	}
	own, ok, fault := r.definition(ctx, key)
	if fault != nil {
		return storage.Record{}, fault
	}
	if ok {
		return own, nil
	}
	return rec, err
}

// GetMany implements storage.Reader.
func (r *reader) GetMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error) {
	recs, err := r.Reader.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i := range recs {
		if recs[i].Version != 0 {
			continue
		}
		own, ok, err := r.definition(ctx, keys[i])
		if err != nil {
			return nil, err
		}
		if ok {
			recs[i] = own
		}
	}
	return recs, nil
}

// History implements storage.Reader. Definitions are in no history but their own.
func (r *reader) History(ctx context.Context, q storage.HistoryQuery) ([]storage.Record, error) {
	recs, err := r.Reader.History(ctx, q)
	if err != nil || len(recs) > 0 || q.Key == (fhir.Key{}) {
		return recs, err
	}
	own, ok, err := r.definition(ctx, q.Key)
	if err != nil || !ok || !within(q, own) {
		return recs, err
	}
	return []storage.Record{own}, nil
}

// within reports whether a history's bounds have the one version of a resource.
func within(q storage.HistoryQuery, rec storage.Record) bool {
	after := func(t time.Time) bool { return !t.IsZero() && rec.Updated.After(t) }
	return !rec.Updated.Before(q.Since) && !after(q.Until) && q.After == nil
}
