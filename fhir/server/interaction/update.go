package interaction

import (
	"context"
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Update stores r as the current version of key, and creates the resource where there is none (R4 http, 3.1.0.6 update and 3.1.0.6.1
// Update as Create, http://hl7.org/fhir/R4/http.html#update). Content equal to the current version's makes no version and is Unchanged. A
// deleted resource comes back with the version after its deletion's, as Created.
func (s *Service) Update(ctx context.Context, key fhir.Key, r fhir.Resource, c Conditions) (Result, error) {
	const op = "update"
	if err := s.checkWritable(CodeUpdate, key, r); err != nil {
		return Result{}, failure(op, key, err)
	}
	d, err := s.prepareResolved(ctx, r)
	if err != nil {
		return Result{}, failure(op, key, err)
	}
	var res Result
	err = s.update(ctx, func(tx storage.Tx) error {
		var err error
		if res, err = s.put(ctx, tx, key, d, http.MethodPut, c); err != nil {
			return err
		}
		return s.checkReferences(ctx, tx, d.resource)
	})
	return s.finish(ctx, op, key, res, err)
}

// put writes d as the next version of key where c allows it.
func (s *Service) put(ctx context.Context, tx storage.Tx, key fhir.Key, d *draft, method string, c Conditions) (Result, error) {
	cur, err := current(ctx, tx, key)
	if err != nil {
		return Result{}, err
	}
	if err := c.check(cur, false); err != nil {
		return Result{}, err
	}
	if exists(cur) && d.same(cur) {
		return Result{Action: Unchanged, Record: cur, Issues: d.issues}, nil
	}
	rec, err := s.write(ctx, tx, d, cur, key, method)
	if err != nil {
		return Result{}, err
	}
	action := Updated
	if !exists(cur) {
		action = Created
	}
	return Result{Action: action, Record: rec, Issues: d.issues, generation: d.generation}, nil
}
