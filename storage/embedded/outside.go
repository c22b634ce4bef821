package embedded

import (
	"context"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// outsideReader is a reader as it is handed out: its errors say in words what is damaged.
type outsideReader struct{ *reader }

// Get implements storage.Reader.
func (r outsideReader) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	rec, err := r.reader.Get(ctx, key)
	return rec, r.s.failed(err)
}

// GetVersion implements storage.Reader.
func (r outsideReader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	rec, err := r.reader.GetVersion(ctx, key, version)
	return rec, r.s.failed(err)
}

// GetMany implements storage.Reader.
func (r outsideReader) GetMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error) {
	recs, err := r.reader.GetMany(ctx, keys)
	return recs, r.s.failed(err)
}

// Find implements storage.Reader.
func (r outsideReader) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	rows, err := r.reader.Find(ctx, q)
	return rows, r.s.failed(err)
}

// Explain implements storage.Reader.
func (r outsideReader) Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error) {
	rows, plan, err := r.reader.Explain(ctx, q)
	return rows, plan, r.s.failed(err)
}

// Count implements storage.Reader.
func (r outsideReader) Count(ctx context.Context, q search.Query) (int64, error) {
	n, err := r.reader.Count(ctx, q)
	return n, r.s.failed(err)
}

// ExplainCount implements storage.Reader.
func (r outsideReader) ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error) {
	n, plan, err := r.reader.ExplainCount(ctx, q)
	return n, plan, r.s.failed(err)
}

// CountCheap implements storage.Reader.
func (r outsideReader) CountCheap(ctx context.Context, q search.Query) (int64, bool, error) {
	n, ok, err := r.reader.CountCheap(ctx, q)
	return n, ok, r.s.failed(err)
}

// Estimate implements storage.Reader.
func (r outsideReader) Estimate(ctx context.Context, q search.Query) (int64, error) {
	n, err := r.reader.Estimate(ctx, q)
	return n, r.s.failed(err)
}

// History implements storage.Reader.
func (r outsideReader) History(ctx context.Context, q storage.HistoryQuery) ([]storage.Record, error) {
	recs, err := r.reader.History(ctx, q)
	return recs, r.s.failed(err)
}

// Counts implements storage.Reader.
func (r outsideReader) Counts(ctx context.Context) (map[string]int64, error) {
	n, err := r.reader.Counts(ctx)
	return n, r.s.failed(err)
}

// Meta implements storage.Reader.
func (r outsideReader) Meta(ctx context.Context, name string) ([]byte, error) {
	v, err := r.reader.Meta(ctx, name)
	return v, r.s.failed(err)
}

// Metas implements storage.Reader.
func (r outsideReader) Metas(ctx context.Context) (map[string][]byte, error) {
	all, err := r.reader.Metas(ctx)
	return all, r.s.failed(err)
}

// outsideTx is a tx as it is handed out.
type outsideTx struct {
	outsideReader
	t *tx
}

// Now implements storage.Tx.
func (t outsideTx) Now() time.Time { return t.t.Now() }

// Put implements storage.Tx.
func (t outsideTx) Put(ctx context.Context, rec storage.Record, expect int64) error {
	return t.s.failed(t.t.Put(ctx, rec, expect))
}

// Reindex implements storage.Tx.
func (t outsideTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	return t.s.failed(t.t.Reindex(ctx, key, version, entries))
}

// Erase implements storage.Tx.
func (t outsideTx) Erase(ctx context.Context, keys []fhir.Key) (int64, error) {
	n, err := t.t.Erase(ctx, keys)
	return n, t.s.failed(err)
}

// Guard implements storage.Tx.
func (t outsideTx) Guard(ctx context.Context, names ...string) error { return t.t.Guard(ctx, names...) }

// SetMeta implements storage.Tx.
func (t outsideTx) SetMeta(ctx context.Context, name string, value []byte) error {
	return t.s.failed(t.t.SetMeta(ctx, name, value))
}
