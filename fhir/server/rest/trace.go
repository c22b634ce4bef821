package rest

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of a request's span, as OpenTelemetry's conventions for HTTP name them, and two of FHIR's. None holds an id, a value or anything else that is
// a client's own text.
const (
	methodKey       = attribute.Key("http.request.method")
	routeKey        = attribute.Key("http.route")
	statusKey       = attribute.Key("http.response.status_code")
	requestIDKey    = attribute.Key("fhirgate.request.id")
	interactionKey  = attribute.Key("fhir.interaction")
	resourceTypeKey = attribute.Key("fhir.resource.type")
)

// propagator reads the trace that a client's request belongs to (W3C Trace Context).
var propagator propagation.TraceContext

// trace begins the span of a request, where requests are traced.
func (x *exchange) trace() {
	tracer := x.h.cfg.Tracer
	if tracer == nil {
		return
	}
	ctx := propagator.Extract(x.r.Context(), propagation.HeaderCarrier(x.r.Header))
	method, route := methodName(x.r.Method), x.c.FullPath()
	name := method
	if route != "" {
		name += " " + route
	}
	ctx, x.span = tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(x.start),
		trace.WithAttributes(methodKey.String(method), routeKey.String(route)))
	x.r = x.r.WithContext(ctx)
	x.c.Request = x.r
}

// endTrace ends the span of a request, whose response has a status.
func (x *exchange) endTrace(status int) {
	span := x.span
	if span == nil {
		return
	}
	span.SetAttributes(statusKey.Int(status), interactionKey.String(x.name), requestIDKey.String(x.requestID()))
	if t, ok := x.h.cfg.Registry.Resource(x.q.Key.Type); ok {
		span.SetAttributes(resourceTypeKey.String(t.Name))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
