// Package traced makes spans of what a store does, for those who look for where the time of a request went. A span has the name of the store's method,
// the resource types that are asked for, and counts; never an id, a value or a condition.
package traced

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Names of attributes, beside those of OpenTelemetry's conventions.
const (
	typesKey = attribute.Key("fhir.resource.types")
	rowsKey  = attribute.Key("db.response.returned_rows")
)

// New returns store with a span for each View and Update, and within them for each read, where the context already has a span that is recorded. Puts are
// not told apart: engines gather them until the Update commits.
func New(store storage.Store, tracer trace.Tracer) storage.Store { return &traced{store, tracer} }

// traced is a storage.Store that makes spans.
type traced struct {
	storage.Store
	tracer trace.Tracer
}

// View implements storage.Store.
func (s *traced) View(ctx context.Context, f func(storage.Reader) error) error {
	ctx, end := start(ctx, s.tracer, "storage.View")
	err := s.Store.View(ctx, func(r storage.Reader) error { return f(&reader{r, s.tracer, trace.SpanFromContext(ctx)}) })
	end(err)
	return err
}

// ViewAt implements storage.Store.
func (s *traced) ViewAt(ctx context.Context, mark storage.Mark, f func(storage.Reader) error) error {
	ctx, end := start(ctx, s.tracer, "storage.ViewAt")
	err := s.Store.ViewAt(ctx, mark, func(r storage.Reader) error { return f(&reader{r, s.tracer, trace.SpanFromContext(ctx)}) })
	end(err)
	return err
}

// Update implements storage.Store.
func (s *traced) Update(ctx context.Context, f func(storage.Tx) error) error {
	ctx, end := start(ctx, s.tracer, "storage.Update")
	err := s.Store.Update(ctx, func(t storage.Tx) error {
		trace.SpanFromContext(ctx).AddEvent("attempt")
		return f(&tx{reader{t, s.tracer, trace.SpanFromContext(ctx)}, t})
	})
	end(err)
	return err
}

// start begins a span below that of ctx; where that one is not recorded, there is none. end takes what the work ended with.
func start(ctx context.Context, tracer trace.Tracer, name string, attrs ...attribute.KeyValue) (context.Context, func(error)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, func(err error) {
		if err != nil && !expected(err) {
			span.SetStatus(codes.Error, "") // the text may quote data
		}
		span.End()
	}
}

// expected reports whether an error is an outcome and not a failure.
func expected(err error) bool {
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrDeleted) || errors.Is(err, storage.ErrConflict) {
		return true
	}
	var e *fhir.Error
	return errors.As(err, &e) && e.Kind.Status() < 500
}
