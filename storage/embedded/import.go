package embedded

import (
	"bytes"
	"context"

	"github.com/fhirgate/fhirgate/storage"
)

var _ storage.Importer = (*Store)(nil)

// Metas implements storage.Importer.
func (s *Store) Metas(ctx context.Context) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := s.View(ctx, func(r storage.Reader) error {
		it, err := r.(*reader).src.NewIter(within([]byte{tableMeta}))
		if err != nil {
			return err
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			out[string(it.Key()[1:])] = bytes.Clone(it.Value())
		}
		return it.Error()
	})
	return out, err
}

// Import implements storage.Importer by one commit a call.
func (s *Store) Import(ctx context.Context, versions []storage.Version) error {
	return s.Update(ctx, func(x storage.Tx) error {
		t := x.(*tx)
		for i := range versions {
			if err := t.take(&versions[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// take writes the rows of one version.
func (t *tx) take(v *storage.Version) error {
	typ, err := t.s.names.intern(v.Key.Type, "")
	if err != nil {
		return err
	}
	b := t.writable()
	micros := v.Updated.UnixMicro()
	t.now = max(t.now, micros+1) // Views that begin later see it
	if err := b.Set(historyKey(nil, typ, micros, v.Key.ID, v.Version), nil, nil); err != nil {
		return err
	}
	t.buf = appendRecord(t.buf[:0], &v.Record)
	if !v.Current {
		return b.Set(oldKey(typ, v.Key.ID, v.Version), t.buf, nil)
	}
	if err := b.Set(typeKey(nil, tableDocument, typ, v.Key.ID), t.buf, nil); err != nil {
		return err
	}
	return t.replace(typ, &v.Record, false)
}
