package interaction

import (
	"context"
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Create stores r under an id that the server chooses; an id in the body is ignored, whatever its form (R4 http, 3.1.0.8 create,
// http://hl7.org/fhir/R4/http.html#create). ifNoneExist, where not empty, makes it conditional: with one match nothing is written and the
// match is returned as Unchanged, with several it is KindPrecondition.
func (s *Service) Create(ctx context.Context, typ string, r fhir.Resource, ifNoneExist string) (Result, error) {
	const op = "create"
	if err := s.checkWritable(CodeCreate, fhir.Key{Type: typ}, r); err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	r, err := ignoreID(r)
	if err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	d, err := s.prepareResolved(ctx, r)
	if err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	var cond *condition
	if ifNoneExist != "" {
		if cond, err = s.parseCondition(ctx, typ, ifNoneExist); err != nil {
			return Result{}, failure(op, fhir.Key{Type: typ}, err)
		}
	}
	key := fhir.Key{Type: typ, ID: s.ids.next()}
	var res Result
	err = s.update(ctx, func(tx storage.Tx) error {
		if cond != nil {
			found, err := cond.lock(ctx, tx, d)
			if err != nil {
				return err
			}
			if found.ID != "" {
				rec, err := tx.Get(ctx, found)
				res = Result{Action: Unchanged, Record: rec}
				return err
			}
		}
		if res, err = s.putNew(ctx, tx, key, d); err != nil {
			return err
		}
		return s.checkReferences(ctx, tx, d.resource)
	})
	return s.finish(ctx, op, fhir.Key{Type: typ}, res, err)
}

// ignoreID returns a resource that is to be created without an id of a form that R4 does not have. One that R4 has is replaced as r is stored.
func ignoreID(r fhir.Resource) (fhir.Resource, error) {
	if id := r.Get("id"); !id.Valid() || id.Kind() == fhir.String && fhir.ValidID(id.Text()) {
		return r, nil
	}
	return r.WithoutID()
}

// finish returns the result of a write once its Update has ended: res, after what follows from it, or the failure.
func (s *Service) finish(ctx context.Context, op string, key fhir.Key, res Result, err error) (Result, error) {
	if err != nil {
		return Result{}, failure(op, key, err)
	}
	s.wrote(ctx, res)
	return res, nil
}

// putNew writes d as the first version of key, which no resource has ever had.
func (s *Service) putNew(ctx context.Context, tx storage.Tx, key fhir.Key, d *draft) (Result, error) {
	rec, err := s.write(ctx, tx, d, storage.Record{}, key, http.MethodPost)
	if err != nil {
		return Result{}, err
	}
	return Result{Action: Created, Record: rec, Issues: d.issues, generation: d.generation}, nil
}
