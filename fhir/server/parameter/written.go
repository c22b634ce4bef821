package parameter

import (
	"context"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Version is a stored version and the generation of the set that its entries were made with.
type Version struct {
	Key        fhir.Key
	Generation uint64
}

// Follows reports whether anything follows from writes that are stored, which Written does. parameters tells that SearchParameters are among them.
func (s *Set) Follows(parameters bool) bool { return s.opt.Shared || parameters }

// Written does what follows from writes that are stored, before the response is sent. parameters tells that SearchParameters are among them: these
// are active, or gone, when Written returns. Where other gateways may have stored one since the entries of versions were made, they are made
// again. What the store, which has just stored it all, fails to do is tried again in the background.
func (s *Set) Written(ctx context.Context, parameters bool, versions []Version) {
	if !s.Follows(parameters) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.check(ctx, versions); err != nil {
		s.mu.Lock()
		s.unchecked, s.behind = append(s.unchecked, versions...), true
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// check brings into force what is stored, and makes the entries of versions again that were made before.
//
// It is called when versions are stored. If the view does not show a SearchParameter then, its write was not acknowledged when the view
// began, and the indexing that follows it sees the versions. If the view shows it, the entries are rebuilt here.
func (s *Set) check(ctx context.Context, versions []Version) error {
	if err := s.followSoon(ctx); err != nil {
		return err
	}
	var keys []fhir.Key
	for _, v := range versions {
		if s.Outdated(v.Key.Type, v.Generation) {
			keys = append(keys, v.Key)
		}
	}
	var failed Failures
	for chunk := range slices.Chunk(keys, reindexChunk) {
		var records []storage.Record
		err := s.opt.Store.View(ctx, func(r storage.Reader) (err error) {
			records, err = r.GetMany(ctx, chunk)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.reindexRecords(ctx, records, &failed); err != nil {
			return err
		}
	}
	if failed.Count > 0 {
		s.opt.Logger.Warn("resources that were just stored can't be indexed by a search parameter that came meanwhile", "count", failed.Count)
	}
	return nil
}

// checkFor is how long the response to a write that is stored waits for the store to be read.
const checkFor = 5 * time.Second

// followSoon is Follow in a view of its own.
func (s *Set) followSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	var revision uint64
	err := s.opt.Store.View(ctx, func(r storage.Reader) (err error) {
		revision, err = revisionOf(ctx, r)
		return err
	})
	if err != nil || revision <= s.revision.Load() {
		return err
	}
	return s.catchUp(ctx, revision)
}

// checkAgain does what could not be done when it was due.
func (s *Set) checkAgain(ctx context.Context) error {
	s.mu.Lock()
	versions, behind := s.unchecked, s.behind
	s.unchecked, s.behind = nil, false
	s.mu.Unlock()
	if !behind {
		return nil
	}
	err := s.check(ctx, versions)
	if err != nil {
		s.mu.Lock()
		s.unchecked, s.behind = append(versions, s.unchecked...), true
		s.mu.Unlock()
	}
	return err
}
