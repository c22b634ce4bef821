package mongodb

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// A find ends when it has found enough, however much it reads. Here are two that end when they have read enough: a pipeline that cuts its rows
// before it tries conditions on them, in one command but at five times the time a row; and the ids of the rows, which are keys of the index, of
// which batches are then tried.

// maxPipelined is up to how many rows a pipeline reads.
const maxPipelined = 128

// bounded returns rows of a plan in the order of its index where they are among the first that it finds, as many as it is to read. Where they are
// not, and there may be more, the error is errTooFar.
func (r *reader) bounded(ctx context.Context, p plan, scan, sort bson.D, limit int, desc bool) (rows []search.Row, err error) {
	var all bool
	if p.bound.rows <= maxPipelined {
		rows, all, err = r.pipelined(ctx, p, scan, sort, limit, desc)
	} else {
		rows, all, err = r.inBatches(ctx, p, scan, sort, limit, desc)
	}
	if err != nil {
		return nil, err
	}
	p.bound.met += len(rows)
	if len(rows) < limit && !all {
		return nil, errTooFar
	}
	return rows, nil
}

// pipelined returns those of the first rows that are read which satisfy all conditions, up to limit; all where there are no more rows to read.
func (r *reader) pipelined(ctx context.Context, p plan, scan, sort bson.D, limit int, desc bool) (rows []search.Row, all bool, err error) {
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: scan}},
		bson.D{{Key: "$sort", Value: sort}},
		bson.D{{Key: "$limit", Value: p.bound.rows}},
		bson.D{{Key: "$match", Value: and(p.tried())}},
		bson.D{{Key: "$limit", Value: limit}},
		bson.D{{Key: "$project", Value: p.projection()}},
	}
	err = r.read(ctx, p.typ, "find", func(ctx context.Context) error {
		rows = rows[:0]
		cur, err := r.s.current(p.typ).Aggregate(ctx, pipeline, options.Aggregate().SetHint(p.hint()).SetBatchSize(int32(limit)+1))
		if err != nil && noSuchIndex(err) && r.tx == nil {
			return errTooFar // it is being built
		}
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			rows = append(rows, rowOf(p.typ, p.by, desc, cur.Current))
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
	switch {
	case err != nil:
		return nil, false, err
	case len(rows) == limit:
		if r.told != nil { // the find of this page reads the same, but for what the server reads ahead
			err = r.told.find(ctx, r, p, p.whole(scan), sort, limit, len(rows))
		}
		return rows, false, err
	case r.told != nil:
		cmd := bson.D{{Key: "aggregate", Value: p.typ}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: p.hint()}}
		if err := r.told.explain(ctx, r, p, cmd, "", len(rows)); err != nil {
			return nil, false, err
		}
	}
	n, err := r.countUpTo(ctx, p.typ, scan, p.index, p.bound.rows)
	return rows, n < p.bound.rows, err
}

// inBatches is as pipelined.
func (r *reader) inBatches(ctx context.Context, p plan, scan, sort bson.D, limit int, desc bool) (rows []search.Row, all bool, err error) {
	var ids []string
	opts := options.Find().SetProjection(bson.D{{Key: fieldID, Value: 1}}).SetSort(sort).SetLimit(int64(p.bound.rows))
	if err := r.query(ctx, p.typ, scan, p.hint(), opts, func(raw bson.Raw) error {
		id, _ := raw.Lookup(fieldID).StringValueOK()
		ids = append(ids, id)
		return nil
	}); err != nil {
		return nil, false, err
	}
	of := p
	of.index, of.lead = "", nil
	if r.told != nil {
		keys := plan{typ: p.typ, index: p.index}
		if err := r.told.keys(ctx, r, keys, scan, sort, p.bound.rows, len(ids)); err != nil {
			return nil, false, err
		}
	}
	for left, n := ids, min(4*limit, loadChunk); len(left) > 0 && len(rows) < limit; n = min(2*n, loadChunk) {
		chunk := left[:min(n, len(left))]
		left = left[len(chunk):]
		at := make(map[string]int, len(chunk))
		for i, id := range chunk {
			at[id] = i
		}
		f := of.filter(bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}})
		var found []search.Row
		if err := r.query(ctx, p.typ, f, of.hint(), options.Find().SetProjection(p.projection()), func(raw bson.Raw) error {
			found = append(found, rowOf(p.typ, p.by, desc, raw))
			return nil
		}); err != nil {
			return nil, false, err
		}
		if r.told != nil {
			if err := r.told.find(ctx, r, of, f, nil, unlimited, len(found)); err != nil {
				return nil, false, err
			}
		}
		slices.SortFunc(found, func(a, b search.Row) int { return at[a.Key.ID] - at[b.Key.ID] })
		rows = append(rows, found...)
	}
	return rows[:min(len(rows), limit)], len(ids) < p.bound.rows, nil
}
