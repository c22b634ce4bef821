package interaction

import (
	"context"
	"errors"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Read returns the current version of a resource (R4 http, 3.1.0.2 read, http://hl7.org/fhir/R4/http.html#read). KindNotFound where it
// never existed; KindGone, together with the deletion's Record, where it is deleted.
func (s *Service) Read(ctx context.Context, key fhir.Key) (storage.Record, error) {
	if err := s.knownType(key.Type); err != nil {
		return storage.Record{}, failure("read", key, err)
	}
	var rec storage.Record
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		rec, err = s.specification.Beside(r).Get(ctx, key)
		return err
	})
	if err != nil {
		if !errors.Is(err, storage.ErrDeleted) {
			rec = storage.Record{}
		}
		return rec, failure("read", key, err)
	}
	return rec, nil
}

// VRead returns a version of a resource (R4 http, 3.1.0.3 vread, http://hl7.org/fhir/R4/http.html#vread). KindNotFound where there is no
// such version; KindGone, together with the deletion's Record, where the version is a deletion.
func (s *Service) VRead(ctx context.Context, key fhir.Key, version string) (storage.Record, error) {
	if err := s.knownType(key.Type); err != nil {
		return storage.Record{}, failure("vread", key, err)
	}
	var rec storage.Record
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		rec, err = vread(ctx, s.specification.Beside(r), key, version)
		return err
	})
	return rec, failure("vread", key, err)
}

func vread(ctx context.Context, r storage.Reader, key fhir.Key, version string) (storage.Record, error) {
	var rec storage.Record
	n, ok := parseVersion(version)
	err := storage.ErrNotFound
	if ok {
		rec, err = r.GetVersion(ctx, key, n)
	}
	if isNotFound(err) {
		newest, err := current(ctx, r, key)
		if err == nil && newest.Version == 0 {
			err = errNotFound(key)
		} else if err == nil {
			err = errNoVersion(key)
		}
		return storage.Record{}, err
	}
	if err != nil {
		return storage.Record{}, err
	}
	if rec.Deleted {
		return rec, errGone(key)
	}
	return rec, nil
}

// parseVersion reads a version id as this server makes them: 1, 2, 3 ... without leading zeros or signs.
func parseVersion(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != s {
		return 0, false
	}
	return n, true
}
