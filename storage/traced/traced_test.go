package traced_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/traced"
)

// store is one whose reads end with err.
type store struct {
	storage.Store
	err error
}

func (s store) View(_ context.Context, f func(storage.Reader) error) error {
	return f(reader{err: s.err})
}

type reader struct {
	storage.Reader
	err error
}

func (r reader) Find(context.Context, search.Query) ([]search.Row, error) {
	return make([]search.Row, 3), r.err
}

// TestSpansOfAView holds that a read's span is below its View's, has types and rows and not the condition, and that what is an outcome is no error.
func TestSpansOfAView(t *testing.T) {
	for _, c := range []struct {
		err    error
		failed bool
	}{{nil, false}, {storage.ErrNotFound, false}, {fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBadEncoding, "x"), false}, {errors.New("the disk is gone"), true}} {
		spans := tracetest.NewSpanRecorder()
		tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
		s := traced.New(store{err: c.err}, tracer)
		find := func(ctx context.Context) error {
			return s.View(ctx, func(r storage.Reader) error {
				rows, err := r.Find(ctx, search.Query{Types: []string{"Patient"}})
				if len(rows) != 3 {
					t.Errorf("%d rows", len(rows))
				}
				return err
			})
		}
		if err := find(t.Context()); err != c.err || len(spans.Ended()) > 0 {
			t.Errorf("%v and %d spans without a request that is traced", err, len(spans.Ended()))
		}
		ctx, request := tracer.Start(t.Context(), "request")
		if err := find(ctx); err != c.err {
			t.Errorf("%v, want %v", err, c.err)
		}
		request.End()
		ended := spans.Ended()
		if len(ended) != 3 {
			t.Fatalf("%d spans", len(ended))
		}
		if ended[0].Parent().SpanID() != ended[1].SpanContext().SpanID() || ended[1].Parent().SpanID() != ended[2].SpanContext().SpanID() {
			t.Error("the spans are not one below the other")
		}
		if got := fmt.Sprint(ended[0].Attributes()); got != fmt.Sprint([]attribute.KeyValue{attribute.StringSlice("fhir.resource.types", []string{"Patient"}), attribute.Int("db.response.returned_rows", 3)}) {
			t.Errorf("attributes %s", got)
		}
		for _, span := range ended[:2] {
			if failed := span.Status().Code == codes.Error; failed != c.failed || span.Status().Description != "" {
				t.Errorf("%v: %s has status %v", c.err, span.Name(), span.Status())
			}
		}
	}
}

// every is a store whose reads all succeed, and whose Update runs its function twice, as an engine does after a conflict.
type every struct{ storage.Store }

func (every) View(_ context.Context, f func(storage.Reader) error) error { return f(everyTx{}) }

func (every) ViewAt(_ context.Context, _ storage.Mark, f func(storage.Reader) error) error {
	return f(everyTx{})
}

func (every) Update(_ context.Context, f func(storage.Tx) error) error {
	return errors.Join(f(everyTx{}), f(everyTx{}))
}

type everyTx struct{ storage.Tx }

func (everyTx) Get(context.Context, fhir.Key) (storage.Record, error) { return storage.Record{}, nil }
func (everyTx) GetVersion(context.Context, fhir.Key, int64) (storage.Record, error) {
	return storage.Record{}, nil
}
func (everyTx) GetMany(context.Context, []fhir.Key) ([]storage.Record, error) { return nil, nil }
func (everyTx) Find(context.Context, search.Query) ([]search.Row, error)      { return nil, nil }
func (everyTx) Explain(context.Context, search.Query) ([]search.Row, search.Plan, error) {
	return nil, search.Plan{}, nil
}
func (everyTx) Count(context.Context, search.Query) (int64, error) { return 0, nil }
func (everyTx) ExplainCount(context.Context, search.Query) (int64, search.Plan, error) {
	return 0, search.Plan{}, nil
}
func (everyTx) CountCheap(context.Context, search.Query) (int64, bool, error) { return 0, true, nil }
func (everyTx) Estimate(context.Context, search.Query) (int64, error)         { return 0, nil }
func (everyTx) History(context.Context, storage.HistoryQuery) ([]storage.Record, error) {
	return nil, nil
}

// TestEachReadHasASpanBelowItsViewOrUpdate holds that no read of a View, a ViewAt or an Update is left out, and that an Update that runs twice says so.
func TestEachReadHasASpanBelowItsViewOrUpdate(t *testing.T) {
	ctx, q := t.Context(), search.Query{Types: []string{"Patient"}}
	reads := map[string]func(r storage.Reader){
		"Get":          func(r storage.Reader) { _, _ = r.Get(ctx, fhir.Key{}) },
		"GetVersion":   func(r storage.Reader) { _, _ = r.GetVersion(ctx, fhir.Key{}, 1) },
		"GetMany":      func(r storage.Reader) { _, _ = r.GetMany(ctx, nil) },
		"Find":         func(r storage.Reader) { _, _ = r.Find(ctx, q) },
		"Explain":      func(r storage.Reader) { _, _, _ = r.Explain(ctx, q) },
		"Count":        func(r storage.Reader) { _, _ = r.Count(ctx, q) },
		"ExplainCount": func(r storage.Reader) { _, _, _ = r.ExplainCount(ctx, q) },
		"CountCheap":   func(r storage.Reader) { _, _, _ = r.CountCheap(ctx, q) },
		"Estimate":     func(r storage.Reader) { _, _ = r.Estimate(ctx, q) },
		"History":      func(r storage.Reader) { _, _ = r.History(ctx, storage.HistoryQuery{}) },
	}
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	s := traced.New(every{}, tracer)
	request, _ := tracer.Start(ctx, "request")
	for outer, run := range map[string]func(read func(storage.Reader)) error{
		"View": func(read func(storage.Reader)) error {
			return s.View(request, func(r storage.Reader) error { read(r); return nil })
		},
		"ViewAt": func(read func(storage.Reader)) error {
			return s.ViewAt(request, "", func(r storage.Reader) error { read(r); return nil })
		},
		"Update": func(read func(storage.Reader)) error {
			return s.Update(request, func(tx storage.Tx) error { read(tx); return nil })
		},
	} {
		for inner, read := range reads {
			spans.Reset()
			if err := run(read); err != nil {
				t.Fatal(err)
			}
			ended, want := spans.Ended(), 1
			if outer == "Update" {
				want = 2
			}
			if len(ended) != want+1 || ended[want].Name() != "storage."+outer || outer == "Update" && len(ended[want].Events()) != 2 {
				t.Fatalf("%s in %s: %d spans", inner, outer, len(ended))
			}
			for _, span := range ended[:want] {
				if span.Name() != "storage."+inner || span.Parent().SpanID() != ended[want].SpanContext().SpanID() {
					t.Errorf("%s in %s: %s", inner, outer, span.Name())
				}
			}
		}
	}
}
