package traced

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// reader is a storage.Reader that makes spans below that of its View or Update, whose context the reads of an interaction do not have.
type reader struct {
	storage.Reader
	tracer trace.Tracer
	parent trace.Span
}

// start begins a span below that of the View. end takes the number of rows, or -1, and what the read ended with.
func (r *reader) start(ctx context.Context, name string, types ...string) (context.Context, func(rows int, err error)) {
	if !r.parent.IsRecording() {
		return ctx, func(int, error) {}
	}
	ctx, end := start(trace.ContextWithSpan(ctx, r.parent), r.tracer, name, typesKey.StringSlice(types))
	span := trace.SpanFromContext(ctx)
	return ctx, func(rows int, err error) {
		if rows >= 0 {
			span.SetAttributes(rowsKey.Int(rows))
		}
		end(err)
	}
}

// Get implements storage.Reader.
func (r *reader) Get(ctx context.Context, key fhir.Key) (rec storage.Record, err error) {
	ctx, end := r.start(ctx, "storage.Get", key.Type)
	rec, err = r.Reader.Get(ctx, key)
	end(-1, err)
	return rec, err
}

// GetVersion implements storage.Reader.
func (r *reader) GetVersion(ctx context.Context, key fhir.Key, version int64) (rec storage.Record, err error) {
	ctx, end := r.start(ctx, "storage.GetVersion", key.Type)
	rec, err = r.Reader.GetVersion(ctx, key, version)
	end(-1, err)
	return rec, err
}

// GetMany implements storage.Reader.
func (r *reader) GetMany(ctx context.Context, keys []fhir.Key) (recs []storage.Record, err error) {
	ctx, end := r.start(ctx, "storage.GetMany")
	recs, err = r.Reader.GetMany(ctx, keys)
	end(len(recs), err)
	return recs, err
}

// Find implements storage.Reader.
func (r *reader) Find(ctx context.Context, q search.Query) (rows []search.Row, err error) {
	ctx, end := r.start(ctx, "storage.Find", q.Types...)
	rows, err = r.Reader.Find(ctx, q)
	end(len(rows), err)
	return rows, err
}

// Explain implements storage.Reader.
func (r *reader) Explain(ctx context.Context, q search.Query) (rows []search.Row, plan search.Plan, err error) {
	ctx, end := r.start(ctx, "storage.Explain", q.Types...)
	rows, plan, err = r.Reader.Explain(ctx, q)
	end(len(rows), err)
	return rows, plan, err
}

// Count implements storage.Reader.
func (r *reader) Count(ctx context.Context, q search.Query) (n int64, err error) {
	ctx, end := r.start(ctx, "storage.Count", q.Types...)
	n, err = r.Reader.Count(ctx, q)
	end(-1, err)
	return n, err
}

// ExplainCount implements storage.Reader.
func (r *reader) ExplainCount(ctx context.Context, q search.Query) (n int64, plan search.Plan, err error) {
	ctx, end := r.start(ctx, "storage.ExplainCount", q.Types...)
	n, plan, err = r.Reader.ExplainCount(ctx, q)
	end(-1, err)
	return n, plan, err
}

// CountCheap implements storage.Reader.
func (r *reader) CountCheap(ctx context.Context, q search.Query) (n int64, ok bool, err error) {
	ctx, end := r.start(ctx, "storage.CountCheap", q.Types...)
	n, ok, err = r.Reader.CountCheap(ctx, q)
	end(-1, err)
	return n, ok, err
}

// Estimate implements storage.Reader.
func (r *reader) Estimate(ctx context.Context, q search.Query) (n int64, err error) {
	ctx, end := r.start(ctx, "storage.Estimate", q.Types...)
	n, err = r.Reader.Estimate(ctx, q)
	end(-1, err)
	return n, err
}

// History implements storage.Reader.
func (r *reader) History(ctx context.Context, q storage.HistoryQuery) (recs []storage.Record, err error) {
	ctx, end := r.start(ctx, "storage.History", q.Types...)
	recs, err = r.Reader.History(ctx, q)
	end(len(recs), err)
	return recs, err
}

// tx is a storage.Tx whose reads make spans.
type tx struct {
	reader
	tx storage.Tx
}

// Put implements storage.Tx.
func (t *tx) Put(ctx context.Context, rec storage.Record, expect int64) error {
	return t.tx.Put(ctx, rec, expect)
}

// Reindex implements storage.Tx.
func (t *tx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	return t.tx.Reindex(ctx, key, version, entries)
}

// Erase implements storage.Tx.
func (t *tx) Erase(ctx context.Context, keys []fhir.Key) (int64, error) { return t.tx.Erase(ctx, keys) }

// Guard implements storage.Tx.
func (t *tx) Guard(ctx context.Context, names ...string) error { return t.tx.Guard(ctx, names...) }

// SetMeta implements storage.Tx.
func (t *tx) SetMeta(ctx context.Context, name string, value []byte) error {
	return t.tx.SetMeta(ctx, name, value)
}
