package mongodb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// History implements storage.Reader: each collection concerned gives its newest versions in the order asked for, by the index on updated,
// and the merge of them is cut at the limit. A page costs at most Limit documents a collection.
func (r *reader) History(ctx context.Context, q storage.HistoryQuery) ([]storage.Record, error) {
	if err := r.sent(ctx); err != nil {
		return nil, err
	}
	types := q.Types
	switch {
	case q.Key != fhir.Key{}:
		types = []string{q.Key.Type}
	case len(types) == 0:
		var err error
		if types, err = r.s.collections.types(ctx, r.s); err != nil {
			return nil, err
		}
	}
	var all []record
	superseded := int64(maxVersions + 1) // of the resource that is asked for
	if q.Key != (fhir.Key{}) {
		var err error
		if superseded, err = r.supersededVersions(ctx, q.Key); err != nil {
			return nil, err
		}
	}
	for _, typ := range types {
		for _, current := range []bool{true, false} {
			if !current && superseded == 0 {
				continue
			}
			recs, err := r.versions(ctx, typ, current, superseded, q)
			if err != nil {
				return nil, err
			}
			all = append(all, recs...)
			if q.Limit > 0 && len(all) > 4*q.Limit {
				all = newest(all, q.Limit)
			}
		}
	}
	all = newest(all, q.Limit)
	if err := r.unpack(ctx, all); err != nil {
		return nil, err
	}
	out := make([]storage.Record, len(all))
	for i := range all {
		out[i] = all[i].Record
	}
	return out, nil
}

// newest sorts records as a history does and keeps the first limit; 0 keeps all.
func newest(recs []record, limit int) []record {
	slices.SortFunc(recs, func(a, b record) int {
		return cmp.Or(b.Updated.Compare(a.Updated), a.Key.Compare(b.Key), cmp.Compare(b.Version, a.Version))
	})
	if limit > 0 && len(recs) > limit {
		recs = recs[:limit]
	}
	return recs
}

// maxVersions is up to how many superseded versions are asked for by their ids, which a router sends to the shards that have them.
const maxVersions = 1000

// supersededVersions returns how many superseded versions a resource has.
func (r *reader) supersededVersions(ctx context.Context, key fhir.Key) (n int64, err error) {
	f := bson.D{{Key: fieldID, Value: key.ID}}
	err = r.query(ctx, key.Type, f, nil, options.Find().SetProjection(bson.D{{Key: fieldVersion, Value: 1}}), func(raw bson.Raw) error {
		v, _ := raw.Lookup(fieldVersion).AsInt64OK()
		n = v - 1
		return nil
	})
	return n, err
}

// versions reads one collection's part of a history; of one resource, that has so many superseded versions.
func (r *reader) versions(ctx context.Context, typ string, current bool, superseded int64, q storage.HistoryQuery) ([]record, error) {
	c := r.s.superseded(typ)
	if current {
		c = r.s.current(typ)
	}
	// Versions are in the order (updated desc, _id asc); the _id of superseded versions orders those of one instant by resource. One
	// resource has at most one version an instant, so the order is the contract's.
	filter := bson.A{}
	add := func(d bson.D) { filter = append(filter, d) }
	if q.Key != (fhir.Key{}) {
		switch {
		case current:
			add(bson.D{{Key: fieldID, Value: q.Key.ID}})
		case superseded <= maxVersions:
			ids := make([]string, superseded)
			for i := range ids {
				ids[i] = versionID(q.Key.ID, int64(i)+1)
			}
			add(bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}})
		default:
			add(bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: q.Key.ID + "#"}, {Key: "$lt", Value: q.Key.ID + "$"}}}})
		}
	}
	if !q.Since.IsZero() {
		add(bson.D{{Key: fieldUpdated, Value: bson.D{{Key: "$gte", Value: q.Since.Add(time.Microsecond - 1).UnixMicro()}}}})
	}
	if !q.Until.IsZero() {
		add(bson.D{{Key: fieldUpdated, Value: bson.D{{Key: "$lte", Value: q.Until.UnixMicro()}}}})
	}
	if q.After != nil {
		at := q.After.Updated.UnixMicro()
		older := bson.D{{Key: fieldUpdated, Value: bson.D{{Key: "$lt", Value: at}}}}
		switch c := cmp.Compare(typ, q.After.Key.Type); {
		case c < 0: // of the same instant, this type's versions come before the position
			add(older)
		case c > 0:
			add(bson.D{{Key: fieldUpdated, Value: bson.D{{Key: "$lte", Value: at}}}})
		default:
			behind := bson.D{{Key: "$gt", Value: q.After.Key.ID}}
			if !current { // "id#version": behind all versions of the resource
				behind = bson.D{{Key: "$gt", Value: q.After.Key.ID + "$"}}
			}
			add(bson.D{{Key: "$or", Value: bson.A{older, bson.D{{Key: fieldUpdated, Value: at}, {Key: fieldID, Value: behind}}}}})
		}
	}
	opts := options.Find().SetProjection(noIndex).SetSort(bson.D{{Key: fieldUpdated, Value: -1}, {Key: fieldID, Value: 1}})
	if q.Limit > 0 {
		opts.SetLimit(int64(q.Limit))
	}
	if q.Key != (fhir.Key{}) {
		opts.SetHint(bson.D{{Key: fieldID, Value: 1}}) // the versions of one resource are few, and sorted when they are found
	}
	var where any = bson.D{}
	if len(filter) > 0 {
		where = bson.D{{Key: "$and", Value: filter}}
	}
	var out []record
	err := r.read(ctx, typ, "history", func(ctx context.Context) error {
		cur, err := c.Find(ctx, where, opts)
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			rec, err := decodeRecord(typ, cur.Current)
			if err != nil {
				cur.Close(ctx)
				return err
			}
			out = append(out, rec)
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
	return out, err
}
