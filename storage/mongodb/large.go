package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// MongoDB stores no document of more than 16 MB, and no more than 100,000 keys of one index for one. A resource may be larger: a Group of
// 100,000 members. What does not fit in its own document is in further ones, in the collection Group_more:
//
//	{_id: "g1#0000000003#b00000", part: <bytes>}              a part of the compressed JSON of version 3
//	{_id: "g1#0000000003#e00000", of: "g1", index: {terms, ranges, entries}}   entries of the current version; see largeindex.go
//
// Its own document then says so: packed: {parts: 1, size: 7123456, left: ["member"]} tells the number of parts and which members are left out
// of resource, more: 21 the number of documents with entries.

// moreSuffix marks the collection of further documents: Group_more beside Group.
const moreSuffix = "_more"

// Members of large documents, and of further ones.
const (
	fieldPacked = "packed"
	fieldMore   = "more"
	fieldPart   = "part"
	fieldOf     = "of"

	memberParts = "parts"
	memberSize  = "size"
	memberLeft  = "left"
)

// limits say what is in a resource's own document, and how much in a further one. Tests have smaller ones.
type limits struct {
	// body is up to how many bytes of BSON, or of JSON kept as text, a resource is kept whole in its own document.
	body int
	// part is how many bytes of a compressed body one further document takes.
	part int
	// entries and size are up to how many entries, and bytes of them, are in a resource's own document; joints is up to how many joined
	// terms one compound makes there.
	entries, size, joints int
	// furtherEntries and furtherSize are up to how many entries, and about how many bytes of them, one further document has.
	furtherEntries, furtherSize int
	// far is how many resources on the far side of a chain, or found by further documents, become a condition.
	far int
	// wait is how long a parameter is known to be spilled before it is for the first time.
	wait time.Duration
	// locked is how long an Update is tried again that the transaction of another keeps from what it writes; a single insert waits twice as long.
	locked time.Duration
	// commit is how long a commit whose result is unknown is asked for again.
	commit time.Duration
}

var theLimits = limits{body: 4 << 20, part: 8 << 20, entries: 2000, size: 1 << 20, joints: 10_000, furtherEntries: 2000, furtherSize: 512 << 10,
	far: maxJoined, wait: 3 * time.Second, locked: 10 * time.Second, commit: 15 * time.Second}

// maxMember and maxMembers bound what stays in resource of a body that is packed: each member, and all of them.
const maxMember, maxMembers = 64 << 10, 1 << 20

// further returns the collection of a type's further documents.
func (s *Store) further(typ string) *mongo.Collection { return s.db.Collection(typ + moreSuffix) }

// partID is the _id of a part of a body, entriesID that of a document of entries.
func partID(id string, version int64, n int) string {
	return fmt.Sprintf("%s#b%05d", versionID(id, version), n)
}

func entriesID(id string, version int64, n int) string {
	return fmt.Sprintf("%s#e%05d", versionID(id, version), n)
}

// entriesIDs are the _ids of all documents of entries of a version.
func entriesIDs(id string, version int64, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = entriesID(id, version, i)
	}
	return out
}

// stored is a version as it is sent: its own document and its further ones.
type stored struct {
	doc  bson.Raw
	more []any
}

// packer and unpacker compress and expand whole bodies; both may be used by many goroutines.
var (
	packer   = sync.OnceValues(func() (*zstd.Encoder, error) { return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) })
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))
	})
)

// appendPacked appends what stays of a body in its version's own document: the small members of resource, where there is one, and how to find
// the rest. It returns the further documents that hold the body.
func (l *limits) appendPacked(dst []byte, rec storage.Record, resource []byte) ([]byte, []any, error) {
	enc, err := packer()
	if err != nil {
		return nil, nil, fmt.Errorf("mongodb: %w", err)
	}
	packed := enc.EncodeAll(rec.Body, nil)
	var more []any
	for n := 0; n == 0 || len(packed) > 0; n++ {
		part := packed[:min(len(packed), l.part)]
		packed = packed[len(part):]
		at, d := bsoncore.AppendDocumentStart(make([]byte, 0, len(part)+128))
		d = bsoncore.AppendStringElement(d, fieldID, partID(rec.Key.ID, rec.Version, n))
		d = bsoncore.AppendBinaryElement(d, fieldPart, bson.TypeBinaryGeneric, part)
		if d, err = bsoncore.AppendDocumentEnd(d, at); err != nil {
			return nil, nil, err
		}
		more = append(more, bson.Raw(d))
	}
	var left []string
	if resource != nil {
		at, d := bsoncore.AppendDocumentElementStart(dst, fieldResource)
		kept := 0
		for rest := body(resource); ; {
			e, tail, ok := bsoncore.ReadElement(rest)
			if !ok {
				break
			}
			rest = tail
			if len(e) > maxMember || kept+len(e) > maxMembers {
				left = append(left, e.Key())
				continue
			}
			kept += len(e)
			d = append(d, e...)
		}
		if dst, err = bsoncore.AppendDocumentEnd(d, at); err != nil {
			return nil, nil, err
		}
	}
	at, dst := bsoncore.AppendDocumentElementStart(dst, fieldPacked)
	dst = bsoncore.AppendInt32Element(dst, memberParts, int32(len(more)))
	dst = bsoncore.AppendInt64Element(dst, memberSize, int64(len(rec.Body)))
	k, dst := bsoncore.AppendArrayElementStart(dst, memberLeft)
	for i, name := range left {
		dst = bsoncore.AppendStringElement(dst, strconv.Itoa(i), name)
	}
	dst, _ = bsoncore.AppendArrayEnd(dst, k)
	dst, err = bsoncore.AppendDocumentEnd(dst, at)
	return dst, more, err
}

// unpack reads the bodies of records that are packed.
func (r *reader) unpack(ctx context.Context, recs []record) error {
	for i := range recs {
		rec := &recs[i]
		if rec.parts == 0 || rec.Body != nil {
			continue
		}
		ids := make([]string, rec.parts)
		for n := range ids {
			ids[n] = partID(rec.Key.ID, rec.Version, n)
		}
		var packed []byte
		found := 0
		opts := options.Find().SetSort(bson.D{{Key: fieldID, Value: 1}}).SetHint(bson.D{{Key: fieldID, Value: 1}})
		err := r.read(ctx, rec.Key.Type, "unpack", func(ctx context.Context) error {
			packed, found = packed[:0], 0
			cur, err := r.s.further(rec.Key.Type).Find(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}}, opts)
			if err != nil {
				return err
			}
			for cur.Next(ctx) {
				if _, b, ok := cur.Current.Lookup(fieldPart).BinaryOK(); ok {
					packed = append(packed, b...)
					found++
				}
			}
			return errors.Join(cur.Err(), cur.Close(ctx))
		})
		if err != nil {
			return err
		}
		if found != rec.parts {
			return fmt.Errorf("mongodb: %d of %d parts of a version of %s are there", found, rec.parts, rec.Key.Type)
		}
		dec, err := unpacker()
		if err != nil {
			return fmt.Errorf("mongodb: %w", err)
		}
		if rec.Body, err = dec.DecodeAll(packed, make([]byte, 0, rec.size)); err != nil {
			return fmt.Errorf("mongodb: a version of %s can't be unpacked: %w", rec.Key.Type, err)
		}
	}
	return nil
}

// entriesDocuments makes the documents that hold entries which are not in a version's own document.
func (l *limits) entriesDocuments(id string, version int64, entries []search.Entry) ([]any, error) {
	var out []any
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && n < l.furtherEntries && (n == 0 || size < l.furtherSize) {
			size += weight(&entries[n])
			n++
		}
		at, dst := bsoncore.AppendDocumentStart(nil)
		dst = bsoncore.AppendStringElement(dst, fieldID, entriesID(id, version, len(out)))
		dst = bsoncore.AppendStringElement(dst, fieldOf, id)
		dst = appendSpilled(dst, entries[:n])
		dst, err := bsoncore.AppendDocumentEnd(dst, at)
		if err != nil {
			return nil, err
		}
		if len(dst) > maxDocument {
			return nil, tooLarge("put", nil)
		}
		out = append(out, bson.Raw(dst))
		entries = entries[n:]
	}
	return out, nil
}

// makeFurther makes the collection of a type's further documents and its indexes.
func (c *collections) makeFurther(ctx context.Context, s *Store, typ string) error {
	c.mu.Lock()
	known := c.further[typ]
	c.mu.Unlock()
	if known {
		return nil
	}
	// Not in ctx's session: index builds can't be part of a transaction.
	_, err := s.further(typ).Indexes().CreateMany(context.WithoutCancel(ctx), []mongo.IndexModel{
		{Keys: bson.D{{Key: pathTerms, Value: 1}, {Key: fieldOf, Value: 1}}, Options: options.Index().SetName(indexTerms)},
		{Keys: bson.D{{Key: pathRanges + "." + memberParam, Value: 1}, {Key: pathRanges + "." + memberWidth, Value: 1},
			{Key: pathRanges + "." + memberLo, Value: 1}, {Key: fieldOf, Value: 1}}, Options: options.Index().SetName(indexRanges)},
		{Keys: bson.D{{Key: fieldOf, Value: 1}}, Options: options.Index().SetName(fieldOf)},
	})
	if err != nil {
		return wrap("make indexes", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.further == nil {
		c.further = map[string]bool{}
	}
	c.further[typ] = true
	return nil
}
