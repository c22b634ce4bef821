package mongodb

import (
	"context"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/storage"
)

// Import stores the versions by one unordered bulk a collection, without a transaction. A collection that the import makes has its
// indexes made when the import is over: by the first View or Update after it, or by Close; where the process ends before, at the next start.
func (s *Store) Import(ctx context.Context, versions []storage.Version) error {
	if err := s.usable(); err != nil {
		return err
	}
	type bulk struct{ current, superseded, further []any }
	bulks := map[string]*bulk{}
	for i := range versions {
		v := &versions[i]
		b := bulks[v.Key.Type]
		if b == nil {
			if err := s.collections.ensureBare(ctx, s, v.Key.Type); err != nil {
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
		*list = append(*list, st.doc)
		b.further = append(b.further, st.more...)
	}
	for typ, b := range bulks {
		for _, part := range []struct {
			c    *mongo.Collection
			docs []any
		}{{s.current(typ), b.current}, {s.superseded(typ), b.superseded}, {s.further(typ), b.further}} {
			if len(part.docs) == 0 {
				continue
			}
			_, err := part.c.InsertMany(ctx, part.docs, options.InsertMany().SetOrdered(false))
			if code(err, codeDuplicateKey) { // what a call that failed had stored
				models := make([]mongo.WriteModel, len(part.docs))
				for i, doc := range part.docs {
					id, _ := doc.(bson.Raw).Lookup(fieldID).StringValueOK()
					models[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: fieldID, Value: id}}).SetReplacement(doc).SetUpsert(true)
				}
				_, err = part.c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
			}
			if err != nil {
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

// ensureBare makes the collections of a type without indexes where the database has none of it, and is ensure otherwise.
func (c *collections) ensureBare(ctx context.Context, s *Store, typ string) error {
	c.mu.Lock()
	known := c.known[typ] != nil
	bare := c.bare[typ]
	c.mu.Unlock()
	if known || bare {
		return nil
	}
	c.finishing.Lock()
	defer c.finishing.Unlock()
	names, err := s.db.ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: bson.A{typ, typ + supersededSuffix}}}}})
	if err != nil {
		return wrap("import", err)
	}
	c.mu.Lock()
	bare = c.bare[typ] // another call was faster
	c.mu.Unlock()
	if bare {
		return nil
	}
	if len(names) > 0 {
		return c.ensure(ctx, s, typ)
	}
	for _, name := range []string{typ, typ + supersededSuffix} {
		if err := s.db.CreateCollection(ctx, name); err != nil && !code(err, codeNamespaceExists) {
			return wrap("import", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bare == nil {
		c.bare = map[string]bool{}
	}
	c.bare[typ] = true
	s.importing.Store(true)
	return nil
}

// finishImport makes the indexes of what was imported.
func (s *Store) finishImport(ctx context.Context) error {
	c := &s.collections
	c.finishing.Lock()
	defer c.finishing.Unlock()
	c.mu.Lock()
	types := slices.Sorted(maps.Keys(c.bare))
	c.mu.Unlock()
	for _, typ := range types {
		if err := c.ensure(ctx, s, typ); err != nil {
			return err
		}
		c.mu.Lock()
		delete(c.bare, typ)
		c.mu.Unlock()
	}
	s.importing.Store(false)
	return nil
}
