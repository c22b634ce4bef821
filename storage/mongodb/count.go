package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// cheap is up to how many keys of an index CountCheap reads.
const cheap = 200

// Count implements storage.Reader. The server counts, but for chains that are not resolved.
func (r *reader) Count(ctx context.Context, q search.Query) (int64, error) {
	if err := r.sent(ctx); err != nil {
		return 0, err
	}
	var total int64
	err := r.exactly(ctx, func() error {
		total = 0
		for _, typ := range q.Types {
			n, err := r.countType(ctx, typ, q.Where)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return total, err
}

func (r *reader) countType(ctx context.Context, typ string, where search.Expr) (int64, error) {
	if !fhir.ValidTypeName(typ) {
		return 0, nil
	}
	w, err := r.resolve(ctx, typ, where, farthest)
	if err != nil {
		return 0, err
	}
	if !w.chained {
		pl := r.planner(typ, w.expr, "")
		if pl == nil {
			return 0, nil
		}
		p, err := pl.planWhole(ctx)
		if err != nil {
			return 0, err
		}
		f := p.filter()
		n, err := r.countUpTo(ctx, typ, f, p.index, unlimited)
		if err == nil && r.told != nil {
			err = r.told.count(ctx, r, p, f, n)
		}
		return int64(n), err
	}
	var total int64
	var from *start
	for {
		rows, err := r.walk(ctx, typ, w.without, nil, from, false, loadChunk)
		if err != nil {
			return 0, err
		}
		n := len(rows)
		if n > 0 {
			from = &start{id: rows[n-1].Key.ID, here: true}
		}
		kept, err := r.accepted(ctx, typ, w, rows)
		if err != nil {
			return 0, err
		}
		total += int64(len(kept))
		if n < loadChunk {
			return total, nil
		}
	}
}

// CountCheap implements storage.Reader: the count of what one term finds, where it is at most cheap keys of an index.
func (r *reader) CountCheap(ctx context.Context, q search.Query) (n int64, ok bool, err error) {
	if err := r.sent(ctx); err != nil {
		return 0, false, err
	}
	err = r.exactly(ctx, func() (err error) { n, ok, err = r.countCheap(ctx, q); return err })
	return n, ok && err == nil, err
}

func (r *reader) countCheap(ctx context.Context, q search.Query) (int64, bool, error) {
	var total int64
	for _, typ := range q.Types {
		if !fhir.ValidTypeName(typ) {
			continue
		}
		if q.Where != nil && (hasChain(q.Where) || r.spillsIn(typ, q.Where)) {
			return 0, false, nil
		}
		list := search.Conjuncts(q.Where)
		if eqs := equalities(list); len(eqs) < len(list) || len(eqs) > 1 && !slices.ContainsFunc(joints(typ), func(params []string) bool {
			_, served := joined(params, eqs)
			return len(served) == len(eqs)
		}) {
			return 0, false, nil
		}
		pl := r.planner(typ, q.Where, "")
		if pl == nil {
			continue
		}
		p, err := pl.planWhole(ctx)
		if err != nil {
			return 0, false, err
		}
		if p.index != indexTerms || len(p.tests) > 0 {
			return 0, false, nil
		}
		f := p.filter()
		key, err := filterKey(typ+"\x00cheap", f, cheap)
		if err != nil || r.remembers(key) { // what was too many is not asked for again
			return 0, false, err
		}
		n, err := r.countUpTo(ctx, typ, f, p.index, cheap+1)
		if err != nil || n > cheap {
			r.remember(key, n)
			return 0, false, err
		}
		total += int64(n)
	}
	return total, true, nil
}

// maxEstimate is where Estimate stops counting; it then answers from the size of the collection.
const maxEstimate = 10_000

// Estimate implements storage.Reader: the count up to maxEstimate keys of the index that the query's plan reads, and beyond that the size of
// the collection.
func (r *reader) Estimate(ctx context.Context, q search.Query) (int64, error) {
	if err := r.sent(ctx); err != nil {
		return 0, err
	}
	var total int64
	for _, typ := range q.Types {
		if !fhir.ValidTypeName(typ) {
			continue
		}
		where := q.Where
		if where != nil && hasChain(where) {
			where = withoutChains(where)
		}
		pl := r.planner(typ, where, "")
		if pl == nil {
			continue
		}
		c, err := pl.choose(ctx)
		if err != nil {
			return 0, err
		}
		best := c.candidate
		switch less, ok, err := pl.least(ctx, c.rivals, manyTerms); {
		case err != nil:
			return 0, err
		case ok:
			best = less
		case best.kind == all && len(c.rivals) > 0:
			best = c.rivals[0]
		}
		f, index := filter(search.KeyIn{IDs: best.ids}), ""
		if best.reads != nil {
			f, index = best.reads[0].filter, best.reads[0].index
		}
		if best.deleted {
			f = and(bson.A{f, live})
		}
		n, err := r.countUpTo(ctx, typ, f, index, maxEstimate)
		if err != nil {
			return 0, err
		}
		if n == maxEstimate {
			// Outside of the reader's moment: the server answers from the collection's metadata.
			if size, err := r.s.current(typ).EstimatedDocumentCount(context.WithoutCancel(ctx)); err == nil && best.kind == all {
				total += max(size, int64(n))
				continue
			}
		}
		total += int64(n)
	}
	return total, nil
}

// Counts implements storage.Reader by counting keys of an index.
func (r *reader) Counts(ctx context.Context) (map[string]int64, error) {
	if err := r.sent(ctx); err != nil {
		return nil, err
	}
	out := map[string]int64{}
	types, err := r.s.collections.types(ctx, r.s)
	if err != nil {
		return nil, err
	}
	for _, typ := range types {
		n, err := r.countUpTo(ctx, typ, bson.D{{Key: pathTerms, Value: termLive}}, indexTerms, unlimited)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out[typ] = int64(n)
		}
	}
	return out, nil
}

// countUpTo counts matches, and stops at limit.
func (r *reader) countUpTo(ctx context.Context, typ string, f bson.D, index string, limit int) (int, error) {
	var n int64
	err := r.read(ctx, typ, "count", func(ctx context.Context) error {
		opts := options.Count()
		if limit < unlimited {
			opts.SetLimit(int64(limit))
		}
		if index != "" {
			opts.SetHint(index)
		}
		var err error
		n, err = r.s.current(typ).CountDocuments(ctx, f, opts)
		if err != nil && noSuchIndex(err) && index != "" && r.tx == nil {
			opts = options.Count()
			if limit < unlimited {
				opts.SetLimit(int64(limit))
			}
			n, err = r.s.current(typ).CountDocuments(ctx, f, opts)
		}
		return err
	})
	return int(n), err
}
