package parameter

import (
	"context"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Tx is one run of an Update that may write SearchParameters: it remembers what it makes of the set, so that each one that it writes is held
// against those before.
type Tx struct {
	storage.Tx
	draft *inForce // nil before the first
}

// Plan notes in tx, which is about to put a version of a resource, what follows where that is a SearchParameter: that what is stored has to be
// indexed for it, and for other gateways that parameters have changed. What the version before was for is indexed too, so that nothing of it stays
// behind. before is the current version, r the next one, not valid where it is a deletion. One that can't be served beside those that tx sees is
// refused. All is stored or nothing. Of two Updates that plan, one conflicts.
//
// tx should be a *Tx where several may be put: otherwise each is compared with all that is stored.
func (s *Set) Plan(ctx context.Context, tx storage.Tx, key fhir.Key, before storage.Record, r fhir.Resource) error {
	if key.Type != resourceType {
		return nil
	}
	inForce, err := s.draft(ctx, tx)
	if err != nil {
		return err
	}
	now := s.indexingOf(r)
	var then *item
	if before.Version > 0 && !before.Deleted {
		old, err := fhir.ParseResource(before.Body, fhir.Limits{})
		if err != nil {
			return err
		}
		then = s.indexingOf(old)
	}
	if then != nil && (now == nil || now.URL != then.URL) {
		if err := inForce.inUse(then.URL); err != nil {
			return err
		}
	}
	if err := inForce.accept(key.ID, r); err != nil {
		return err
	}
	if now == nil && then == nil {
		return nil
	}
	it := now
	if it == nil {
		it = then
		it.Removed = true
	} else if then != nil {
		it.Types = append(it.Types, then.Types...)
	}
	it.ID, it.Since = key.ID, tx.Now()
	return s.addWork(ctx, tx, *it)
}

// draft returns what is in force in tx, the SearchParameters included that tx itself has written, and counts the revision on.
func (s *Set) draft(ctx context.Context, tx storage.Tx) (*inForce, error) {
	own, remembers := tx.(*Tx)
	if remembers && own.draft != nil {
		return own.draft, nil
	}
	if err := tx.Guard(ctx, revisedName); err != nil {
		return nil, err
	}
	revision, err := revisionOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	s.loading.Lock()
	f := s.stored.clone()
	s.loading.Unlock()
	if f.revision != revision {
		d, err := f.compare(ctx, tx)
		if err != nil {
			return nil, err
		}
		f.apply(d)
	}
	if err := tx.SetMeta(ctx, revisedName, strconv.AppendUint(nil, revision+1, 10)); err != nil {
		return nil, err
	}
	if remembers {
		own.draft = f
	}
	return f, nil
}

// indexingOf returns what a SearchParameter is to be indexed for; nil where it has no entries of its own: it is not valid, not active, or one
// of R4's, which stays in force.
func (s *Set) indexingOf(r fhir.Resource) *item {
	if !r.Valid() || !isActive(r) {
		return nil
	}
	url := r.Get("url").Text()
	if _, published := s.registry.SearchParameterByURL(url); published {
		return nil
	}
	return &item{URL: url, Code: r.Get("code").Text(), Types: s.concrete(r.Get("base"))}
}

// concrete returns the resource types that a SearchParameter's bases stand for.
func (s *Set) concrete(bases fhir.Node) []string {
	var out []string
	for _, name := range s.registry.ResourceTypes() {
		t, _ := s.registry.Resource(name)
		for base := range bases.Children() {
			if t.Is(base.Text()) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}
