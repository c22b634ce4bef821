package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// front hands requests to the gateway's handler once there is one, and says before that that the server is starting: it lives, and is not
// ready.
type front struct {
	handler atomic.Pointer[http.Handler]
	reason  atomic.Pointer[string] // what is waited for
}

// wait tells clients what is waited for.
func (f *front) wait(err error) {
	reason := "the server is starting and waits for its database"
	var e *fhir.Error
	if errors.As(err, &e) && e.Kind == fhir.KindFull && len(e.Issues) > 0 {
		reason = "the server is starting and waits: " + e.Issues[0].Text
	}
	f.reason.Store(&reason)
}

// open hands requests to h from here on.
func (f *front) open(h http.Handler) { f.handler.Store(&h) }

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json;charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(fhir.AppendOutcome(nil, []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTransient, ID: fhir.IDNotReady,
		Text: *f.reason.Load()}}))
}

// awaitReady returns when the store is ready, or with the context's error.
func awaitReady(ctx context.Context, store storage.Store) error {
	for {
		if store.Ready(ctx) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
