package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
)

// Erase removes all documents of resources: current and superseded versions, and their further ones. It goes on in a transaction. What MongoDB keeps of
// documents that were removed is said in doc.go.
func (t *tx) Erase(ctx context.Context, keys []fhir.Key) (versions int64, err error) {
	byType := map[string][]string{}
	for _, key := range keys {
		if _, put := t.puts[key]; put || t.erased[key] {
			return 0, fmt.Errorf("mongodb: a resource of type %s is put or erased twice in one update", key.Type)
		}
		if t.erased == nil {
			t.erased = map[fhir.Key]bool{}
		}
		t.erased[key] = true
		byType[key.Type] = append(byType[key.Type], key.ID)
	}
	if err := t.send(ctx); err != nil {
		return 0, err
	}
	for typ, ids := range byType {
		for chunk := range slices.Chunk(ids, loadChunk) {
			n, err := t.eraseChunk(ctx, typ, chunk)
			if err != nil {
				return 0, err
			}
			versions += n
		}
	}
	return versions, nil
}

// eraseChunk erases resources of one type, and returns how many versions they had.
func (t *tx) eraseChunk(ctx context.Context, typ string, ids []string) (versions int64, err error) {
	var old, further []string
	seen := func(id string, raw bson.Raw) {
		version, _ := raw.Lookup(fieldVersion).AsInt64OK()
		entries, _ := raw.Lookup(fieldMore).AsInt64OK()
		parts, _ := raw.Lookup(fieldPacked, memberParts).AsInt64OK()
		further = append(further, entriesIDs(id, version, int(entries))...)
		for n := range int(parts) {
			further = append(further, partID(id, version, n))
		}
	}
	heads := bson.D{{Key: fieldVersion, Value: 1}, {Key: fieldMore, Value: 1}, {Key: fieldPacked, Value: 1}}
	err = t.query(ctx, typ, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}}, nil, options.Find().SetProjection(heads), func(raw bson.Raw) error {
		id, _ := raw.Lookup(fieldID).StringValueOK()
		version, _ := raw.Lookup(fieldVersion).AsInt64OK()
		versions += version
		seen(id, raw)
		for v := range version - 1 {
			old = append(old, versionID(id, v+1))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(old, loadChunk) {
		packed := bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}, {Key: fieldPacked, Value: bson.D{{Key: "$exists", Value: true}}}}
		err := t.read(ctx, typ, "erase", func(ctx context.Context) error {
			cur, err := t.s.superseded(typ).Find(ctx, packed, options.Find().SetProjection(heads))
			if err != nil {
				return err
			}
			for cur.Next(ctx) {
				id, _ := cur.Current.Lookup(fieldID).StringValueOK()
				seen(resourceID(id), cur.Current)
			}
			return errors.Join(cur.Err(), cur.Close(ctx))
		})
		if err != nil {
			return 0, err
		}
	}
	for _, gone := range []struct {
		from *mongo.Collection
		ids  []string
	}{{t.s.current(typ), ids}, {t.s.superseded(typ), old}, {t.s.further(typ), further}} {
		for chunk := range slices.Chunk(gone.ids, loadChunk) {
			if _, err := gone.from.DeleteMany(t.session(ctx), bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}}); err != nil {
				return 0, wrap("erase", err)
			}
		}
	}
	return versions, nil
}
