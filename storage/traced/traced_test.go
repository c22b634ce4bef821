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
