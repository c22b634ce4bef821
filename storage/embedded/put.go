package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Put stores a new current version. Its rows, the superseded version's and the difference of their index keys go into the Update's batch.
func (t *tx) Put(ctx context.Context, rec storage.Record, expect int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.check(&rec, expect); err != nil {
		return err
	}
	typ, err := t.s.dict.intern(rec.Key.Type, "")
	if err != nil {
		return err
	}
	b := t.writable()
	docKey := typeKey(nil, tableDocument, typ, rec.Key.ID)
	var current storage.Record
	old, err := t.stored(docKey)
	if err != nil {
		return err
	}
	if old != nil {
		if current, err = decodeRecord(rec.Key, old, false); err != nil {
			return err
		}
	}
	if current.Version != expect {
		return storage.ErrConflict
	}
	if current.Version > 0 {
		if err := b.Set(oldKey(typ, rec.Key.ID, current.Version), old, nil); err != nil {
			return err
		}
	}
	t.buf = appendRecord(t.buf[:0], &rec)
	if err := b.Set(docKey, t.buf, nil); err != nil {
		return err
	}
	t.buf = historyKey(t.buf[:0], typ, rec.Updated.UnixMicro(), rec.Key.ID, rec.Version)
	if err := b.Set(t.buf, nil, nil); err != nil {
		return err
	}
	was := current.Version > 0 && !current.Deleted
	if err := t.replace(typ, &rec, was); err != nil {
		return err
	}
	t.puts[rec.Key] = readable(rec)
	return nil
}

// stored returns the value of a document or counter as it was before this Update; nil where there is none. It is valid until the next is
// asked for.
//
// Most of what is put is new, and the filters tell that without a look into a block of the last layer, which would mostly have to be read and
// decompressed for it. Reads find what they look for, and don't ask the filters of that layer.
func (t *tx) stored(key []byte) (v []byte, err error) {
	if t.before == nil {
		t.before, err = t.s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tableCount}, UpperBound: []byte{tableEntries}, UseL6Filters: true})
		if err != nil {
			return nil, err
		}
	}
	if !t.before.SeekPrefixGE(key) {
		return nil, t.before.Error()
	}
	return t.before.ValueAndErr()
}

// readable is a record as readers return it.
func readable(rec storage.Record) storage.Record {
	rec.Entries = nil
	rec.Updated = rec.Updated.UTC()
	return rec
}

// check refuses what the contract forbids: these are defects of the caller.
func (t *tx) check(rec *storage.Record, expect int64) error {
	_, twice := t.puts[rec.Key]
	switch {
	case rec.Key.Type == "" || rec.Key.ID == "" || strings.ContainsRune(rec.Key.ID, 0) || strings.ContainsRune(rec.Key.Type, 0):
		return fmt.Errorf("embedded: put: the key %q is not one", rec.Key.String())
	case expect < 0 || rec.Version != expect+1:
		return fmt.Errorf("embedded: put %s: version %d does not follow %d", rec.Key, rec.Version, expect)
	case rec.Updated.UnixMicro() != t.now:
		return fmt.Errorf("embedded: put %s: the version is not stamped with Now", rec.Key)
	case rec.Deleted && (len(rec.Body) > 0 || len(rec.Entries) > 0):
		return fmt.Errorf("embedded: put %s: a deletion with content", rec.Key)
	case twice:
		return fmt.Errorf("embedded: put %s: twice in one Update", rec.Key)
	}
	return nil
}

// replace exchanges the entries of a resource: the row of tableEntries, the index keys that differ, the counters. was says that the
// resource exists before.
func (t *tx) replace(typ uint32, rec *storage.Record, was bool) error {
	n := t.s.dict
	oldKeys, newKeys := &t.keys[0], &t.keys[1]
	oldKeys.reset()
	newKeys.reset()
	row := typeKey(nil, tableEntries, typ, rec.Key.ID)
	if was {
		v, closer, err := t.entriesRow(row)
		if err != nil {
			return err
		}
		err = n.decodeEntries(v, &t.old)
		if err == nil {
			err = n.collect(oldKeys, rec.Key.Type, rec.Key.ID, t.old.entries)
		}
		if closer != nil {
			closer()
		}
		if err != nil {
			return err
		}
	}
	if rec.Deleted {
		if was {
			if err := t.batch.Delete(row, nil); err != nil {
				return err
			}
		}
	} else {
		v, err := n.appendEntries(t.buf[:0], rec.Key.Type, rec.Updated, rec.Version, rec.Entries)
		if err != nil {
			return err
		}
		t.buf = v
		if err := t.batch.Set(row, v, nil); err != nil {
			return err
		}
		if err := n.collect(newKeys, rec.Key.Type, rec.Key.ID, rec.Entries); err != nil {
			return err
		}
	}
	if was != !rec.Deleted {
		d := int64(1)
		if was {
			d = -1
		}
		t.deltas[string(appendNumber(nil, typ))] += d
	}
	for _, num := range oldKeys.has {
		t.deltas[presence(num)]--
	}
	for _, num := range newKeys.has {
		t.deltas[presence(num)]++
	}
	return t.writeIndex(rec.Key.ID, oldKeys.keys, newKeys.keys)
}

// entriesRow reads a row of tableEntries, of this Update's batch where that was made readable.
func (t *tx) entriesRow(row []byte) ([]byte, func(), error) {
	v, closer, err := t.src.Get(row)
	if err != nil {
		return nil, nil, fmt.Errorf("embedded: the entries of a resource are missing: %w", err)
	}
	return v, func() { closer.Close() }, nil
}

// writeIndex writes the difference of two sorted sets of index keys.
func (t *tx) writeIndex(id string, old, new [][]byte) error {
	sample, sparse := sampled(id)
	tables := [...]struct {
		table byte
		on    bool
	}{{tableIndex, true}, {tableSample, sample}, {tableSparse, sparse}}
	write := func(key []byte, add bool) error {
		d := int64(-1)
		if add {
			d = 1
		}
		t.buf = counterOf(t.buf[:0], key)
		if len(t.buf) > 0 {
			t.deltas[string(t.buf)] += d
		}
		for _, tb := range tables {
			if !tb.on {
				continue
			}
			if add {
				op := t.batch.SetDeferred(1+len(key), 0)
				op.Key[0] = tb.table
				copy(op.Key[1:], key)
				if err := op.Finish(); err != nil {
					return err
				}
				continue
			}
			op := t.batch.DeleteDeferred(1 + len(key))
			op.Key[0] = tb.table
			copy(op.Key[1:], key)
			if err := op.Finish(); err != nil {
				return err
			}
		}
		return nil
	}
	for len(old) > 0 || len(new) > 0 {
		c := 0
		switch {
		case len(old) == 0:
			c = 1
		case len(new) == 0:
			c = -1
		default:
			c = bytes.Compare(old[0], new[0])
		}
		switch {
		case c < 0:
			if err := write(old[0], false); err != nil {
				return err
			}
			old = old[1:]
		case c > 0:
			if err := write(new[0], true); err != nil {
				return err
			}
			new = new[1:]
		default:
			old, new = old[1:], new[1:]
		}
	}
	return nil
}

// Reindex replaces the entries of a current version.
func (t *tx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	rec, err := t.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrDeleted) {
		return nil
	}
	if err != nil || rec.Version != version {
		return err
	}
	t.writable()
	if err := t.view(); err != nil { // the entries may be of this Update
		return err
	}
	typ, err := t.s.dict.intern(key.Type, "")
	if err != nil {
		return err
	}
	rec.Entries = entries
	return t.replace(typ, &rec, true)
}
