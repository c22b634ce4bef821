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
	type bulk struct{ current, superseded, further []mongo.WriteModel }
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
		if err := s.prepare(ctx, v.Key, len(v.Body), v.Entries); err != nil {
			return err
		}
		id, list := v.Key.ID, &b.current
		var st stored
		var err error
		if v.Current {
			st, err = s.limits.currentDocument(v.Record)
		} else {
			id, list = versionID(v.Key.ID, v.Version), &b.superseded
			st, err = s.limits.importedDocument(id, v.Record)
		}
		if err != nil {
			return err
		}
		*list = append(*list, replacing(id, st.doc))
		for _, doc := range st.more {
			id, _ := doc.(bson.Raw).Lookup(fieldID).StringValueOK()
			b.further = append(b.further, replacing(id, doc.(bson.Raw)))
		}
	}
	for typ, b := range bulks {
		for _, part := range []struct {
			c      *mongo.Collection
			models []mongo.WriteModel
		}{{s.current(typ), b.current}, {s.superseded(typ), b.superseded}, {s.further(typ), b.further}} {
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
func (l *limits) importedDocument(id string, rec storage.Record) (stored, error) {
	at, dst := bsoncore.AppendDocumentStart(nil)
	dst = bsoncore.AppendStringElement(dst, fieldID, id)
	dst, more, err := l.appendRecord(dst, rec)
	if err != nil {
		return stored{}, err
	}
	dst, err = bsoncore.AppendDocumentEnd(dst, at)
	return stored{dst, more}, err
}

// replacing is the write of a document that may be there already.
func replacing(id string, doc bson.Raw) mongo.WriteModel {
	return mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: fieldID, Value: id}}).SetReplacement(doc).SetUpsert(true)
}
