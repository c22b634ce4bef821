package embedded

import (
	"context"
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Erase removes all rows of resources: documents, entries, superseded versions, histories and index keys, and counts them out. When the Update is
// committed, no read shows them, and the compactor writes the tables anew without them (compact.go).
func (t *tx) Erase(ctx context.Context, keys []fhir.Key) (versions int64, err error) {
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return versions, err
		}
		if _, put := t.puts[key]; put {
			return versions, fmt.Errorf("embedded: erase %s: it is put or erased in the same Update", key)
		}
		n, err := t.erase(key)
		if err != nil {
			return versions, err
		}
		versions += n
	}
	return versions, nil
}

// erase erases one resource, and returns how many versions it had.
func (t *tx) erase(key fhir.Key) (versions int64, err error) {
	typ, known := t.s.dict.find(key.Type, "")
	if !known {
		return 0, nil
	}
	docKey := typeKey(nil, tableDocument, typ, key.ID)
	v, err := t.stored(docKey)
	if err != nil || v == nil {
		return 0, err
	}
	current, err := decodeRecord(key, v, false)
	if err != nil {
		return 0, err
	}
	b := t.writable()
	if !current.Deleted {
		if err := t.replace(typ, &storage.Record{Key: key, Deleted: true}, true); err != nil {
			return 0, err
		}
	}
	if err := b.Delete(docKey, nil); err != nil {
		return 0, err
	}
	if err := b.Delete(historyKey(nil, typ, current.Updated.UnixMicro(), key.ID, current.Version), nil); err != nil {
		return 0, err
	}
	versions = 1
	prefix := append(typeKey(nil, tableOld, typ, key.ID), 0)
	it, err := t.s.db.NewIter(within(prefix))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		old, err := decodeRecord(key, v, false)
		if err != nil {
			return 0, err
		}
		if err := b.Delete(it.Key(), nil); err != nil {
			return 0, err
		}
		if err := b.Delete(historyKey(nil, typ, old.Updated.UnixMicro(), key.ID, old.Version), nil); err != nil {
			return 0, err
		}
		versions++
	}
	if err := it.Error(); err != nil {
		return 0, err
	}
	t.puts[key] = storage.Record{Key: key} // of version 0: it never existed
	t.erased = true
	return versions, nil
}
