package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// put is one new version and the document it supersedes.
type put struct {
	rec    storage.Record
	expect int64
	before bson.Raw // nil where nothing was there
}

// Put implements storage.Tx.
func (t *tx) Put(ctx context.Context, rec storage.Record, expect int64) error {
	if rec.Version != expect+1 {
		return fmt.Errorf("mongodb: put of version %d where %d is expected to be current", rec.Version, expect)
	}
	if !rec.Updated.Equal(t.now) {
		return fmt.Errorf("mongodb: put of a version that is not stamped with the update's instant")
	}
	if _, ok := t.puts[rec.Key]; ok || t.erased[rec.Key] {
		return fmt.Errorf("mongodb: %s is put twice in one update", rec.Key.Type)
	}
	p := &put{rec: rec, expect: expect}
	t.puts[rec.Key] = p
	t.pending = append(t.pending, p)
	return t.s.prepare(ctx, rec.Key, len(rec.Body), rec.Entries)
}

// flush sends what is pending: for each type the superseded versions to their collection, then the current ones. A version that is not the
// expected one is errSuperseded.
func (t *tx) flush(ctx context.Context) error {
	pending := t.pending
	t.pending = nil
	byType := map[string][]*put{}
	var types []string
	for _, p := range pending {
		if byType[p.rec.Key.Type] == nil {
			types = append(types, p.rec.Key.Type)
		}
		byType[p.rec.Key.Type] = append(byType[p.rec.Key.Type], p)
	}
	for _, typ := range types {
		if err := t.flushType(ctx, typ, byType[typ]); err != nil {
			return err
		}
	}
	if len(t.reindex) > 0 {
		return t.sendReindex(ctx)
	}
	return nil
}

func (t *tx) flushType(ctx context.Context, typ string, puts []*put) error {
	if err := t.before(ctx, typ, puts); err != nil {
		return err
	}
	var old, inserts, more []any
	var replaces []mongo.WriteModel
	var gone []string
	for _, p := range puts {
		st, err := t.s.limits.currentDocument(p.rec)
		if err != nil {
			return err
		}
		doc := st.doc
		more = append(more, st.more...)
		if p.expect == 0 {
			inserts = append(inserts, doc)
			continue
		}
		if n, ok := p.before.Lookup(fieldMore).Int32OK(); ok {
			gone = append(gone, entriesIDs(p.rec.Key.ID, p.expect, int(n))...)
		}
		old = append(old, supersededDocument(p.rec.Key.ID, p.expect, p.before))
		replaces = append(replaces, mongo.NewReplaceOneModel().
			SetFilter(bson.D{{Key: fieldID, Value: p.rec.Key.ID}, {Key: fieldVersion, Value: p.expect}}).
			SetReplacement(doc))
	}
	sctx := t.session(ctx)
	if len(old) > 0 {
		if _, err := t.s.superseded(typ).InsertMany(sctx, old); err != nil {
			return wrap("put", err)
		}
		res, err := t.s.current(typ).BulkWrite(sctx, replaces)
		if err != nil {
			return wrap("put", err)
		}
		if res.MatchedCount != int64(len(replaces)) {
			return errSuperseded
		}
	}
	if len(inserts) > 0 {
		if _, err := t.s.current(typ).InsertMany(sctx, inserts); err != nil {
			return wrap("put", err)
		}
	}
	return t.replaceFurther(ctx, typ, gone, more)
}

// replaceFurther removes further documents and stores others.
func (t *tx) replaceFurther(ctx context.Context, typ string, gone []string, more []any) error {
	for chunk := range slices.Chunk(gone, loadChunk) {
		if _, err := t.s.further(typ).DeleteMany(t.session(ctx), bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}}); err != nil {
			return wrap("put", err)
		}
	}
	if len(more) > 0 {
		if _, err := t.s.further(typ).InsertMany(t.session(ctx), more); err != nil {
			return wrap("put", err)
		}
	}
	return nil
}

// before reads the documents that puts supersede.
func (t *tx) before(ctx context.Context, typ string, puts []*put) error {
	byID := map[string]*put{}
	var ids []string
	for _, p := range puts {
		if p.expect == 0 {
			continue
		}
		// A version never changes, so what was read before the transaction serves; the replace makes sure that it is current.
		if raw := t.seen[p.rec.Key]; raw != nil {
			if err := t.supersedes(p, raw); err != nil {
				return err
			}
			continue
		}
		byID[p.rec.Key.ID] = p
		ids = append(ids, p.rec.Key.ID)
	}
	for len(ids) > 0 {
		n := min(len(ids), loadChunk)
		err := t.query(ctx, typ, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids[:n]}}}}, nil, options.Find().SetProjection(noIndex), func(raw bson.Raw) error {
			id, _ := raw.Lookup(fieldID).StringValueOK()
			return t.supersedes(byID[id], append(bson.Raw(nil), raw...))
		})
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	for _, p := range byID {
		if p.before == nil {
			return errSuperseded
		}
	}
	return nil
}

// currentDocument makes the documents of a current version.
func (l *limits) currentDocument(rec storage.Record) (stored, error) {
	at, dst := bsoncore.AppendDocumentStart(make([]byte, 0, 3*len(rec.Body)+512))
	dst = bsoncore.AppendStringElement(dst, fieldID, rec.Key.ID)
	dst, more, err := l.appendRecord(dst, rec)
	if err != nil {
		return stored{}, err
	}
	if !rec.Deleted {
		spilled := l.heaviest(rec.Key.Type, rec.Entries)
		if spilled != nil {
			_, entries := divide(rec.Entries, spilled)
			docs, err := l.entriesDocuments(rec.Key.ID, rec.Version, entries)
			if err != nil {
				return stored{}, err
			}
			more = append(more, docs...)
			dst = bsoncore.AppendInt32Element(dst, fieldMore, int32(len(docs)))
		}
		dst = appendIndex(dst, rec.Key, rec.Entries, spilled)
	}
	if dst, err = bsoncore.AppendDocumentEnd(dst, at); err != nil {
		return stored{}, err
	}
	if len(dst) > maxDocument {
		return stored{}, tooLarge("put", nil)
	}
	return stored{dst, more}, nil
}

// supersededDocument makes the document of a superseded version out of the one that was current (read without its index).
func supersededDocument(id string, version int64, before bson.Raw) bson.Raw {
	at, dst := bsoncore.AppendDocumentStart(make([]byte, 0, len(before)+16))
	dst = bsoncore.AppendStringElement(dst, fieldID, versionID(id, version))
	for rest := body(before); ; {
		e, tail, ok := bsoncore.ReadElement(rest)
		if !ok {
			break
		}
		rest = tail
		if e.Key() != fieldID && e.Key() != fieldMore {
			dst = append(dst, e...)
		}
	}
	dst, _ = bsoncore.AppendDocumentEnd(dst, at)
	return dst
}

// reindexing is a Reindex that has not been sent.
type reindexing struct {
	key     fhir.Key
	version int64
	entries []search.Entry
}

// Reindex implements storage.Tx.
func (t *tx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	t.reindex = append(t.reindex, reindexing{key, version, entries})
	return t.s.prepare(ctx, key, 0, entries)
}

// sendReindex replaces indexes where the version is still current, one bulk a type.
func (t *tx) sendReindex(ctx context.Context) error {
	list := t.reindex
	t.reindex = nil
	byType := map[string][]mongo.WriteModel{}
	for _, x := range list {
		if t.s.spills.of(x.key.Type) != nil {
			if err := t.reindexLarge(ctx, x); err != nil {
				return err
			}
			continue
		}
		at, dst := bsoncore.AppendDocumentStart(nil)
		dst = appendIndex(dst, x.key, x.entries, nil)
		dst, err := bsoncore.AppendDocumentEnd(dst, at)
		if err != nil {
			return err
		}
		byType[x.key.Type] = append(byType[x.key.Type], mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: fieldID, Value: x.key.ID}, {Key: fieldVersion, Value: x.version}, {Key: fieldDeleted, Value: nil}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.Raw(dst)}}))
	}
	for typ, models := range byType {
		if _, err := t.s.current(typ).BulkWrite(t.session(ctx), models); err != nil {
			return wrap("reindex", err)
		}
	}
	return nil
}

// reindexLarge replaces the index of a resource of a type of which some have further documents.
func (t *tx) reindexLarge(ctx context.Context, x reindexing) error {
	current := bson.D{{Key: fieldID, Value: x.key.ID}, {Key: fieldVersion, Value: x.version}, {Key: fieldDeleted, Value: nil}}
	spilled := t.s.limits.heaviest(x.key.Type, x.entries)
	var more []any
	if spilled != nil {
		_, entries := divide(x.entries, spilled)
		var err error
		if more, err = t.s.limits.entriesDocuments(x.key.ID, x.version, entries); err != nil {
			return err
		}
	}
	at, dst := bsoncore.AppendDocumentStart(nil)
	dst = bsoncore.AppendInt32Element(dst, fieldMore, int32(len(more)))
	dst = appendIndex(dst, x.key, x.entries, spilled)
	dst, err := bsoncore.AppendDocumentEnd(dst, at)
	if err != nil {
		return err
	}
	if len(dst) > maxDocument {
		return tooLarge("reindex", nil)
	}
	before, err := t.s.current(x.key.Type).FindOneAndUpdate(t.session(ctx), current, bson.D{{Key: "$set", Value: bson.Raw(dst)}},
		options.FindOneAndUpdate().SetProjection(bson.D{{Key: fieldMore, Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return wrap("reindex", err)
	}
	n, _ := before.Lookup(fieldMore).Int32OK()
	return t.replaceFurther(ctx, x.key.Type, entriesIDs(x.key.ID, x.version, int(n)), more)
}
