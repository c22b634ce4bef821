package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// tracing sends spans to a collector of OpenTelemetry.
type tracing struct{ provider *trace.TracerProvider }

// tracerName names what makes the spans.
const tracerName = "github.com/fhirgate/fhirgate"

// newTracing reads the standard environment variables of OpenTelemetry; nil where they ask for no traces. The exporter, the sampler, the limits and the
// batches read theirs themselves.
func newTracing(ctx context.Context, log *slog.Logger) (*tracing, error) {
	wanted, err := tracesWanted(os.Getenv)
	if err != nil || !wanted {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "fhirgate"), attribute.String("service.version", release())),
		resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(seldom(log))
	return &tracing{trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(res))}, nil
}

// tracesWanted reports whether the environment asks for traces: by the name of an exporter, or by an endpoint. What it asks for and is not there is an error.
func tracesWanted(env func(string) string) (bool, error) {
	if strings.EqualFold(strings.TrimSpace(env("OTEL_SDK_DISABLED")), "true") {
		return false, nil
	}
	endpoint := env("OTEL_EXPORTER_OTLP_ENDPOINT") + env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	switch exporter := strings.TrimSpace(env("OTEL_TRACES_EXPORTER")); exporter {
	case "none":
		return false, nil
	case "otlp":
	case "":
		if endpoint == "" {
			return false, nil
		}
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q; traces are sent with otlp, or not at all with none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := env(name); protocol != "" {
			if protocol != "http/protobuf" {
				return false, fmt.Errorf("%s is %q; traces are sent with http/protobuf", name, protocol)
			}
			break
		}
	}
	return true, nil
}

// seldom logs an error of the exporter, and until a minute has passed no other: a collector that is away fails every few seconds.
func seldom(log *slog.Logger) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		now := time.Now().Unix()
		if before := last.Load(); now-before >= 60 && last.CompareAndSwap(before, now) {
			log.Warn("traces are not sent", "error", err.Error())
		}
	}
}

// close sends what is left, for a few seconds at most.
func (t *tracing) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// What can't be sent is lost; the exporter has logged why.
	_ = t.provider.Shutdown(ctx)
}
