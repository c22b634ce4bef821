package interaction

import (
	"context"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// extracted is a stored version and the generation of the parameters that its entries were made with.
type extracted struct {
	key        fhir.Key
	generation uint64
}

// wrote does what follows from writes that are stored. A SearchParameter among them is active, or gone, when wrote returns; and where other
// gateways may have stored one since the entries of the writes were made, they are made again. What the store, which has just stored it all,
// fails to do is tried again in the background.
func (s *Service) wrote(ctx context.Context, results ...Result) {
	var versions []extracted
	parameters := false
	for i := range results {
		res := &results[i]
		parameters = parameters || res.Record.Key.Type == parameterType && res.Action != Unchanged
		if (s.opt.Shared || parameters) && (res.Action == Created || res.Action == Updated) {
			versions = append(versions, extracted{res.Record.Key, res.generation})
		}
	}
	if !parameters && len(versions) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.custom.settle(ctx, versions); err != nil {
		s.custom.mu.Lock()
		s.custom.unchecked, s.custom.behind = append(s.custom.unchecked, versions...), true
		s.custom.mu.Unlock()
		s.custom.poke()
	}
}

// settle brings into force what is stored, and makes the entries of versions again that were made before.
//
// It is called when versions are stored. If the view does not show a SearchParameter then, its write was not acknowledged when the view
// began, and the indexing that follows it sees the versions. If the view shows it, the entries are made again here.
func (c *customParameters) settle(ctx context.Context, versions []extracted) error {
	if err := c.followSoon(ctx); err != nil {
		return err
	}
	var keys []fhir.Key
	for _, v := range versions {
		if c.extractedBefore(v.key.Type, v.generation) {
			keys = append(keys, v.key)
		}
	}
	for chunk := range slices.Chunk(keys, reindexChunk) {
		var records []storage.Record
		err := c.service.own.View(ctx, func(r storage.Reader) (err error) {
			records, err = r.GetMany(ctx, chunk)
			return err
		})
		if err != nil {
			return err
		}
		if err := c.service.reindexRecords(ctx, records); err != nil {
			return err
		}
	}
	return nil
}

// settleFor is how long the answer to a write that is stored waits for the store to be read.
const settleFor = 5 * time.Second

// followSoon is follow in a view of its own.
func (c *customParameters) followSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	return c.service.own.View(ctx, func(r storage.Reader) error { return c.follow(ctx, r) })
}

// settleAgain does what could not be done when it was due.
func (c *customParameters) settleAgain(ctx context.Context) error {
	c.mu.Lock()
	versions, behind := c.unchecked, c.behind
	c.unchecked, c.behind = nil, false
	c.mu.Unlock()
	if !behind {
		return nil
	}
	err := c.settle(ctx, versions)
	if err != nil {
		c.mu.Lock()
		c.unchecked, c.behind = append(versions, c.unchecked...), true
		c.mu.Unlock()
	}
	return err
}
