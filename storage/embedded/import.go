package embedded

import (
	"context"

	"github.com/fhirgate/fhirgate/storage"
)

// Import stores the versions by one commit a call.
func (s *Store) Import(ctx context.Context, versions []storage.Version) error {
	return s.update(ctx, func(t *tx) error {
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
	typ, err := t.s.dict.intern(v.Key.Type, "")
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
