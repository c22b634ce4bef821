package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// reader reads one moment: a snapshot, or the database under an Update's batch.
type reader struct {
	s      *Store
	src    pebble.Reader
	micros int64
	tx     *tx // nil in a View
	points points
	kept   kept
	known  *known // counters of the moment; nil in an Update
}

// Moment is the instant of the newest visible commit.
func (r *reader) Moment() time.Time { return time.UnixMicro(r.micros).UTC() }

// Now is Moment: a View puts nothing.
func (r *reader) Now() time.Time { return r.Moment() }

// Mark is none: see ViewAt.
func (r *reader) Mark() storage.Mark { return "" }

// ready checks ctx and makes an Update's own writes visible to src.
func (r *reader) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.tx != nil {
		return r.tx.view()
	}
	return nil
}

// Get returns the current version.
func (r *reader) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	rec, err := r.get(ctx, key)
	if err == nil && rec.Deleted {
		err = storage.ErrDeleted
	}
	return rec, err
}

// get is Get without ErrDeleted.
func (r *reader) get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return storage.Record{}, err
	}
	if r.tx != nil {
		if rec, ok := r.tx.puts[key]; ok {
			if rec.Version == 0 { // erased
				return rec, storage.ErrNotFound
			}
			return rec, nil
		}
	}
	if rec, ok := r.kept.take(key); ok {
		return rec, nil
	}
	typ, ok := r.s.dict.find(key.Type, "")
	if !ok {
		return storage.Record{}, storage.ErrNotFound
	}
	return r.read(key, typ)
}

// read reads the current version of a resource, whose type has the number typ, from the database.
func (r *reader) read(key fhir.Key, typ uint32) (storage.Record, error) {
	var room [96]byte
	return r.record(key, typeKey(room[:0], tableDocument, typ, key.ID))
}

// record reads the record at a key of the database.
func (r *reader) record(key fhir.Key, at []byte) (storage.Record, error) {
	v, done, err := r.point(at)
	if err != nil {
		return storage.Record{}, err
	}
	if v == nil {
		return storage.Record{}, storage.ErrNotFound
	}
	rec, err := decodeRecord(key, v, true)
	done()
	return rec, err
}

// GetVersion returns one version.
func (r *reader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	if version < 1 {
		return storage.Record{}, storage.ErrNotFound
	}
	rec, err := r.get(ctx, key)
	if err != nil || rec.Version == version {
		return rec, err
	}
	if version > rec.Version {
		return storage.Record{}, storage.ErrNotFound
	}
	if err := r.ready(ctx); err != nil {
		return storage.Record{}, err
	}
	typ, _ := r.s.dict.find(key.Type, "")
	return r.record(key, oldKey(typ, key.ID, version))
}

// GetMany returns current versions.
func (r *reader) GetMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error) {
	out := make([]storage.Record, len(keys))
	if err := r.several(len(keys) - len(r.kept.records)); err != nil { // the others are looked up
		return nil, err
	}
	for i, k := range keys {
		rec, err := r.get(ctx, k)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return nil, err
		case !rec.Deleted:
			out[i] = rec
		}
	}
	return out, nil
}

// The methods as they are stored; 0 stands for any other, which follows as text.
var methods = [...]string{1: "POST", 2: "PUT", 3: "PATCH", 4: "DELETE"}

// The marks of a deletion, and of what follows one, in a record's first byte beside the method's number.
const (
	deletedBit = 0x80
	revivedBit = 0x40
)

// appendRecord appends a record as tableDocument and tableOld hold it: method, instant, version, body.
func appendRecord(b []byte, rec *storage.Record) []byte {
	var head byte
	for i, m := range methods {
		if m == rec.Method && m != "" {
			head = byte(i)
		}
	}
	method := head
	if rec.Deleted {
		head |= deletedBit
	}
	if rec.Revived {
		head |= revivedBit
	}
	b = append(b, head)
	if method == 0 {
		b = appendText(b, rec.Method)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Updated.UnixMicro()))
	b = binary.AppendUvarint(b, uint64(rec.Version))
	return append(b, rec.Body...)
}

// decodeRecord reads a record; the body, where it is asked for, is a copy.
func decodeRecord(key fhir.Key, v []byte, body bool) (storage.Record, error) {
	rec := storage.Record{Key: key}
	if len(v) == 0 {
		return rec, errDamaged
	}
	d := decoder{b: v[1:]}
	rec.Deleted, rec.Revived = v[0]&deletedBit != 0, v[0]&revivedBit != 0
	if m := int(v[0] &^ (deletedBit | revivedBit)); m >= len(methods) {
		return rec, errDamaged
	} else if m == 0 {
		rec.Method = string([]byte(d.text()))
	} else {
		rec.Method = methods[m]
	}
	micros, version := d.header()
	if d.bad {
		return rec, errDamaged
	}
	rec.Updated, rec.Version = time.UnixMicro(micros).UTC(), version
	if body && !rec.Deleted {
		rec.Body = append(make([]byte, 0, len(d.b)), d.b...)
	}
	return rec, nil
}

// oldKey is the key of a superseded version.
func oldKey(typ uint32, id string, version int64) []byte {
	b := append(typeKey(make([]byte, 0, 64), tableOld, typ, id), 0)
	return appendDescending(b, version)
}
