package interaction

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Walk asks for resources one by one, for operations that make something of them.
type Walk struct {
	// Types are the resource types; empty for all.
	Types []string
	// Parameters are search parameters that choose resources.
	Parameters []search.Pair
	// Where is a condition beside them; nil for none.
	Where search.Expr
	// Sort is the order; nil for the one that costs least.
	Sort []search.Sort
}

// walkAtOnce is how many rows a walk finds at once.
const walkAtOnce = 500

// Walk calls f for each resource that q finds, in its order, until f returns false or an error. All of them are of one view. A record that f keeps
// costs memory; the others do not.
func (s *Service) Walk(ctx context.Context, q Walk, f func(storage.Record) (more bool, err error)) error {
	err := s.reading(ctx, func(r storage.Reader) error { return s.walk(ctx, r, q, f) })
	return failure("search", fhir.Key{}, err)
}

// walk is Walk in a view.
func (s *Service) walk(ctx context.Context, r storage.Reader, q Walk, f func(storage.Record) (more bool, err error)) error {
	types := q.Types
	if len(types) == 0 {
		types = s.registry.ResourceTypes()
	}
	where := q.Where
	if len(q.Parameters) > 0 {
		req, _, err := s.parse(ctx, &lookedUp{reader: r}, types, q.Parameters, true, search.ParseOptions{Deciding: true})
		if err != nil {
			return err
		}
		if where == nil {
			where = req.Where
		} else {
			where = search.And{where, req.Where}
		}
	}
	query := search.Query{Types: types, Where: where, Sort: q.Sort}
	if query.Sort == nil {
		query.Sort = search.NaturalOrder(types, where)
	}
	return s.walkQuery(ctx, r, query, func(_ search.Row, rec storage.Record) (bool, error) { return f(rec) })
}

// walkQuery calls f for each resource that a query finds, in its order, until f returns false or an error.
func (s *Service) walkQuery(ctx context.Context, r storage.Reader, query search.Query, f func(search.Row, storage.Record) (more bool, err error)) error {
	for query.Limit = walkAtOnce / 10; ; query.Limit = walkAtOnce {
		rows, err := r.Find(ctx, query)
		if err != nil {
			return err
		}
		keys := make([]fhir.Key, len(rows))
		for i := range rows {
			keys[i] = rows[i].Key
		}
		for start := 0; start < len(rows); {
			end := start + s.sizes.atOnce(keys[start:], s.opt.PageBytes)
			records, err := recordsOf(ctx, r, keys[start:end], rows[start:end])
			if err != nil {
				return err
			}
			for i := range records {
				s.sizes.see(records[i].Key.Type, len(records[i].Body))
				if more, err := f(rows[start+i], records[i]); err != nil || !more {
					return err
				}
			}
			start = end
		}
		if len(rows) < query.Limit {
			return nil
		}
		after := rows[len(rows)-1].Position
		query.After = &after
	}
}
