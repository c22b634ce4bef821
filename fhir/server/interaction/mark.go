package interaction

import (
	"context"
	"errors"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Where the engine keeps the state that the first page showed, later pages are read in it: they need no moment, on which several gateways agree
// only up to the time that a commit takes.

// atMark runs f on the state of mark. kept is false, and the error nil, where the store does not show it: f has then not run, or not to its end.
func (s *Service) atMark(ctx context.Context, mark storage.Mark, f func(storage.Reader) error) (kept bool, err error) {
	if mark == "" {
		return false, nil
	}
	err = s.clients.ViewAt(ctx, mark, func(then storage.Reader) error {
		// The state has the key that its cursors are sealed with. One without is that of a database before the content of another came into it.
		if _, err := then.Meta(ctx, cursorKeyName); err != nil {
			return err
		}
		return f(then)
	})
	if errors.Is(err, storage.ErrForgotten) || errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// mostLooked bounds how many rows are looked for at once where those of a page may have been deleted.
const mostLooked = 2000

// markedPage finds the matches behind the cursor of p (before it, where the cursor goes back) in then, the state of the first page, and what they
// include there. What has been deleted since, as now shows, is left out.
func (s *Service) markedPage(ctx context.Context, then, now storage.Reader, p searching) (found page, matches, included []storage.Record, err error) {
	var rows []search.Row
	after := p.place.place()
	for limit := p.count + 1; len(rows) <= p.count; limit = min(2*limit, mostLooked) {
		more, err := p.finding.find(ctx, s.matched(then, &p), after, p.place.back, limit)
		if err != nil {
			return page{}, nil, nil, err
		}
		keys := make([]fhir.Key, len(more))
		for i := range more {
			keys[i] = more[i].Key
		}
		there, err := living(ctx, s.matched(now, &p), keys)
		if err != nil {
			return page{}, nil, nil, err
		}
		for _, row := range more {
			if there[row.Key] {
				rows = append(rows, row)
			}
		}
		if len(more) < limit {
			break
		}
		after = &more[len(more)-1].Position
	}
	found = pageBehind(rows, p.count, p.place)
	if matches, included, err = s.fill(ctx, then, &found, &p); err != nil || len(included) == 0 {
		return found, matches, included, err
	}
	keys := make([]fhir.Key, len(included))
	for i := range included {
		keys[i] = included[i].Key
	}
	there, err := living(ctx, s.named(now, &p), keys)
	included = slices.DeleteFunc(included, func(rec storage.Record) bool { return !there[rec.Key] })
	return found, matches, included, err
}

// livingAtOnce is how many resources one search for those that are there names.
const livingAtOnce = 1000

// living returns which of the resources are there, and not deleted.
func living(ctx context.Context, r storage.Reader, keys []fhir.Key) (map[fhir.Key]bool, error) {
	ids := make(map[string][]string)
	for _, key := range keys {
		ids[key.Type] = append(ids[key.Type], key.ID)
	}
	there := make(map[fhir.Key]bool, len(keys))
	for typ, list := range ids {
		for chunk := range slices.Chunk(list, livingAtOnce) {
			rows, err := r.Find(ctx, search.Query{Types: []string{typ}, Where: search.KeyIn{IDs: chunk}})
			if err != nil {
				return nil, err
			}
			for i := range rows {
				there[rows[i].Key] = true
			}
		}
	}
	return there, nil
}
