package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/storage"
)

var _ storage.Importer = (*Store)(nil)

// Metas implements storage.Importer.
func (s *Store) Metas(ctx context.Context) (map[string][]byte, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	cur, err := s.db.Collection(metaCollection).Find(ctx, bson.D{})
	if err != nil {
		return nil, wrap("metas", err)
	}
	out := map[string][]byte{}
	for cur.Next(ctx) {
		var doc struct {
			Name  string `bson:"_id"`
			Value []byte `bson:"value"`
		}
		if err := cur.Decode(&doc); err != nil {
			cur.Close(ctx)
			return nil, wrap("metas", err)
		}
		out[doc.Name] = doc.Value
	}
	return out, wrap("metas", errors.Join(cur.Err(), cur.Close(ctx)))
}

// Import implements storage.Importer by one unordered bulk a collection, without a transaction.
func (s *Store) Import(ctx context.Context, versions []storage.Version) error {
	if err := s.usable(); err != nil {
		return err
	}
	type bulk struct{ current, superseded []mongo.WriteModel }
	bulks := map[string]*bulk{}
	for i := range versions {
		v := &versions[i]
		b := bulks[v.Key.Type]
		if b == nil {
			if err := s.collections.ensure(ctx, s, v.Key.Type); err != nil {
				return err
			}
			b = &bulk{}
			bulks[v.Key.Type] = b
		}
		s.saw(v.Updated)
		id, list := v.Key.ID, &b.current
		var doc bson.Raw
		var err error
		if v.Current {
			doc, err = currentDocument(v.Record)
		} else {
			id, list = versionID(v.Key.ID, v.Version), &b.superseded
			doc, err = importedDocument(id, v.Record)
		}
		if err != nil {
			return err
		}
		*list = append(*list, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: fieldID, Value: id}}).SetReplacement(doc).SetUpsert(true))
	}
	for typ, b := range bulks {
		for _, part := range []struct {
			c      *mongo.Collection
			models []mongo.WriteModel
		}{{s.current(typ), b.current}, {s.superseded(typ), b.superseded}} {
			if len(part.models) == 0 {
				continue
			}
			if _, err := part.c.BulkWrite(ctx, part.models, options.BulkWrite().SetOrdered(false)); err != nil {
				return wrap("import", err)
			}
		}
	}
	return nil
}

// importedDocument makes the document of a superseded version out of its record.
func importedDocument(id string, rec storage.Record) (bson.Raw, error) {
	at, dst := bsoncore.AppendDocumentStart(nil)
	dst = bsoncore.AppendStringElement(dst, fieldID, id)
	dst, err := appendRecord(dst, rec)
	if err != nil {
		return nil, err
	}
	return bsoncore.AppendDocumentEnd(dst, at)
}
