package embedded

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/storage"
)

// Meta returns a named value.
func (r *reader) Meta(ctx context.Context, name string) ([]byte, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	v, closer, err := r.src.Get(append([]byte{tableMeta}, name...))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(v)
	if out == nil {
		out = []byte{}
	}
	return out, closer.Close()
}

// Metas returns all named values.
func (r *reader) Metas(ctx context.Context) (map[string][]byte, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	it, err := r.src.NewIter(within([]byte{tableMeta}))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	out := map[string][]byte{}
	for ok := it.First(); ok; ok = it.Next() {
		out[string(it.Key()[1:])] = append([]byte{}, it.Value()...)
	}
	return out, it.Error()
}

// SetMeta stores a named value; nil removes it.
func (t *tx) SetMeta(ctx context.Context, name string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k := append([]byte{tableMeta}, name...)
	if value == nil {
		return t.writable().Delete(k, nil)
	}
	return t.writable().Set(k, value, nil)
}
