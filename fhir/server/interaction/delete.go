package interaction

import (
	"context"
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Delete makes a deletion the current version of key (R4 http, 3.1.0.7 delete, http://hl7.org/fhir/R4/http.html#delete). Deleting what is
// deleted or never existed changes nothing and is Unchanged; the Record is then the earlier deletion, or has Version 0.
func (s *Service) Delete(ctx context.Context, key fhir.Key, c Conditions) (Result, error) {
	const op = "delete"
	if err := s.knownType(key.Type); err != nil {
		return Result{}, failure(op, key, err)
	}
	var res Result
	err := s.update(ctx, func(tx storage.Tx) error {
		var err error
		if res, err = s.remove(ctx, tx, key, c); err != nil {
			return err
		}
		return s.checkReferrers(ctx, tx, key)
	})
	return s.finish(ctx, op, key, res, err)
}

// remove writes a deletion as the next version of key where c allows it.
func (s *Service) remove(ctx context.Context, tx storage.Tx, key fhir.Key, c Conditions) (Result, error) {
	cur, err := current(ctx, tx, key)
	if err != nil {
		return Result{}, err
	}
	if err := c.check(cur, false); err != nil {
		return Result{}, err
	}
	if cur.Version == 0 {
		if err := s.refuseDefinition(key); err != nil {
			return Result{}, err
		}
	}
	if !exists(cur) {
		cur.Key = key
		return Result{Action: Unchanged, Record: cur}, nil
	}
	rec := storage.Record{Key: key, Version: cur.Version + 1, Updated: tx.Now(), Deleted: true, Method: http.MethodDelete}
	if err := s.custom.Plan(ctx, tx, key, cur, fhir.Resource{}); err != nil {
		return Result{}, err
	}
	if err := tx.Put(ctx, rec, cur.Version); err != nil {
		return Result{}, err
	}
	return Result{Action: Deleted, Record: rec}, nil
}
