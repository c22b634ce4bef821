package mongodb

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/storage"
)

// Collections beside those of resources.
const (
	metaCollection  = "fhirgate_meta"   // {_id: name, value: bytes}
	guardCollection = "fhirgate_guards" // {_id: hash of the name, n: count, used: date}
)

// Meta implements storage.Reader.
func (r *reader) Meta(ctx context.Context, name string) ([]byte, error) {
	if r.tx != nil {
		if value, ok := r.tx.metas[name]; ok {
			if value == nil {
				return nil, storage.ErrNotFound
			}
			return value, nil
		}
		if err := r.tx.upgrade(ctx); err != nil {
			return nil, err
		}
	}
	var doc struct {
		Value []byte `bson:"value"`
	}
	err := r.read(ctx, "", "meta", func(ctx context.Context) error {
		return r.s.db.Collection(metaCollection).FindOne(ctx, bson.D{{Key: fieldID, Value: name}}).Decode(&doc)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, storage.ErrNotFound
	}
	return doc.Value, err
}

// Metas returns all named values.
func (r *reader) Metas(ctx context.Context) (map[string][]byte, error) {
	if r.tx != nil {
		if err := r.tx.upgrade(ctx); err != nil {
			return nil, err
		}
	}
	var docs []struct {
		Name  string `bson:"_id"`
		Value []byte `bson:"value"`
	}
	err := r.read(ctx, "", "metas", func(ctx context.Context) error {
		cur, err := r.s.db.Collection(metaCollection).Find(ctx, bson.D{})
		if err != nil {
			return err
		}
		return cur.All(ctx, &docs)
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(docs))
	for _, doc := range docs {
		out[doc.Name] = doc.Value
	}
	if r.tx != nil {
		for name, value := range r.tx.metas {
			if out[name] = value; value == nil {
				delete(out, name)
			}
		}
	}
	return out, nil
}

// SetMeta implements storage.Tx.
func (t *tx) SetMeta(ctx context.Context, name string, value []byte) error {
	if value != nil {
		value = append([]byte{}, value...)
	}
	t.metas[name] = value
	return nil
}

// sendMetas writes what SetMeta was given.
func (t *tx) sendMetas(ctx context.Context) error {
	c := t.s.db.Collection(metaCollection)
	for name, value := range t.metas {
		filter := bson.D{{Key: fieldID, Value: name}}
		var err error
		if value == nil {
			_, err = c.DeleteOne(t.session(ctx), filter)
		} else {
			_, err = c.ReplaceOne(t.session(ctx), filter, bson.D{{Key: "value", Value: value}}, options.Replace().SetUpsert(true))
		}
		if err != nil {
			return wrap("set meta", err)
		}
	}
	return nil
}

// guardFor is how long a guard stays after its last use; it must outlive every transaction.
const guardFor = time.Hour

// Guard implements storage.Tx: two transactions that write the same document conflict, and the server aborts one. Guards are named by a hash,
// because a condition may be patient data, and the server removes them some time after their last use.
func (t *tx) Guard(ctx context.Context, names ...string) error {
	if err := t.upgrade(ctx); err != nil {
		return err
	}
	var touches []mongo.WriteModel
	touch := bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "$set", Value: bson.D{{Key: guardUsed, Value: time.Now()}}}}
	for _, name := range names {
		if t.guards[name] {
			continue
		}
		t.guards[name] = true
		id := sha256.Sum256([]byte(name))
		touches = append(touches, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: fieldID, Value: id[:]}}).SetUpdate(touch).SetUpsert(true))
	}
	if len(touches) == 0 {
		return nil
	}
	_, err := t.s.db.Collection(guardCollection).BulkWrite(t.session(ctx), touches)
	return wrap("guard", err)
}

// guardUsed is when a guard was last used.
const guardUsed = "used"

// makeGuards makes the collection of guards and lets the server remove those that are out of use.
func (s *Store) makeGuards(ctx context.Context) error {
	_, err := s.db.Collection(guardCollection).Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys: bson.D{{Key: guardUsed, Value: 1}}, Options: options.Index().SetExpireAfterSeconds(int32(guardFor.Seconds()))})
	return err
}
