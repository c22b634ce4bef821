package interaction

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Patch changes a resource: it returns the JSON of what current becomes. It may be called more than once, with different versions, and must
// not change current. Its errors are *fhir.Error.
type Patch func(current fhir.Resource) ([]byte, error)

// Patch replaces the current version of key by what p makes of it (R4 http, 3.1.0.7 patch, http://hl7.org/fhir/R4/http.html#patch). What
// p makes must keep type and id. A resource that does not exist can't be patched: KindNotFound or KindGone.
func (s *Service) Patch(ctx context.Context, key fhir.Key, p Patch, c Conditions) (Result, error) {
	if err := s.knownType(key.Type); err != nil {
		return Result{}, failure("patch", key, err)
	}
	res, err := s.patch(ctx, p, c, func(storage.Reader) (fhir.Key, error) { return key, nil }, nil)
	return res, failure("patch", key, err)
}

// PatchConditional patches the one resource that query finds; none is KindNotFound, several are KindPrecondition.
func (s *Service) PatchConditional(ctx context.Context, typ string, p Patch, query string, c Conditions) (Result, error) {
	cond, err := s.parseCondition(ctx, typ, query)
	if err != nil {
		return Result{}, failure("patch", fhir.Key{Type: typ}, err)
	}
	find := func(r storage.Reader) (fhir.Key, error) { return cond.target(ctx, r) }
	res, err := s.patch(ctx, p, c, find, cond)
	return res, failure("patch", fhir.Key{Type: typ}, err)
}

// target returns the one match; none is KindNotFound.
func (c *condition) target(ctx context.Context, r storage.Reader) (fhir.Key, error) {
	key, err := c.one(ctx, r, nil)
	if err == nil && key.ID == "" {
		err = fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "the condition finds no resource")
	}
	return key, err
}

// patchAttempts bounds how often a patch is retried because the version that it was made for is no longer current.
const patchAttempts = 10

// patch makes the patched resource outside of any Update, and writes it if the version it was made from is still current. If not, it patches
// the version that the Update found.
func (s *Service) patch(ctx context.Context, p Patch, c Conditions, find func(storage.Reader) (fhir.Key, error), cond *condition) (Result, error) {
	var cur storage.Record
	err := s.clients.View(ctx, func(r storage.Reader) error {
		key, err := find(r)
		if err != nil {
			return err
		}
		cur, err = s.patchable(ctx, r, key)
		return failure("patch", key, err)
	})
	for range patchAttempts {
		if err == nil {
			err = c.check(cur, false)
		}
		if err != nil {
			return Result{}, err
		}
		d, err := s.patched(p, cur)
		if err != nil {
			return Result{}, err
		}
		var res Result
		var other storage.Record
		err = s.update(ctx, func(tx storage.Tx) error {
			other = storage.Record{}
			key := cur.Key
			if cond != nil {
				var err error
				if err = guardConditions(ctx, tx, cond.guards(d.entries)); err == nil {
					key, err = cond.target(ctx, tx)
				}
				if err != nil {
					return err
				}
			}
			now, err := tx.Get(ctx, key)
			if err != nil {
				return failure("patch", key, err)
			}
			if now.Key != cur.Key || now.Version != cur.Version {
				other = now
				return nil
			}
			if res, err = s.put(ctx, tx, cur.Key, d, http.MethodPatch, Conditions{}); err != nil {
				return err
			}
			return s.checkReferences(ctx, tx, d.resource)
		})
		if err != nil {
			return Result{}, err
		}
		if other.Version == 0 {
			s.wrote(ctx, res)
			return res, nil
		}
		cur = other
	}
	return Result{}, storage.ErrConflict
}

// patched applies p to a version and prepares what it makes. That is held to the limits of bodies; one that was past the limit of bytes before may
// shrink.
func (s *Service) patched(p Patch, cur storage.Record) (*draft, error) {
	before, err := fhir.ParseResource(cur.Body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	body, err := p(before)
	if err != nil {
		return nil, err
	}
	served := s.served.Load()
	if size := int64(len(body)); served.Body > 0 && size > served.Body && size > int64(len(cur.Body)) {
		return nil, fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDPatchSize,
			fmt.Sprintf("the patch makes the resource %d bytes long; a resource is at most %d bytes", size, served.Body))
	}
	after, err := fhir.ParseResource(body, fhir.Limits{Depth: served.Depth})
	if err != nil {
		return nil, err
	}
	if after.Type() != cur.Key.Type || after.ID() != cur.Key.ID {
		return nil, fhir.NewError(fhir.KindUnprocessable, fhir.IssueBusinessRule, fhir.IDPatchIdentity, "a patch keeps the resource's type and id")
	}
	if err := s.refuseConditionalReferences(after); err != nil {
		return nil, err
	}
	return s.prepare(after)
}
