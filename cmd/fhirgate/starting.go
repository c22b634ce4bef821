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
// ready. A server that shuts down is not ready either, but serves what still comes.
type front struct {
	handler atomic.Pointer[http.Handler]
	leaving atomic.Bool
	reason  atomic.Pointer[string] // what clients are told
	detail  atomic.Pointer[string] // what /readyz tells operators
}

// wait tells clients what is waited for, and operators, at /readyz, why.
func (f *front) wait(err error) {
	reason := "the server is starting and waits for its database"
	detail := reason
	var e *fhir.Error
	switch {
	case errors.As(err, &e) && e.Kind == fhir.KindFull && len(e.Issues) > 0:
		reason = "the server is starting and waits: " + e.Issues[0].Text
		detail = reason
	case err != nil:
		detail += ": " + err.Error()
	}
	f.reason.Store(&reason)
	f.detail.Store(&detail)
}

// open hands requests to h from here on.
func (f *front) open(h http.Handler) { f.handler.Store(&h) }

// leave says at /readyz from here on that the server shuts down.
func (f *front) leave() {
	reason := "the server is shutting down"
	f.detail.Store(&reason)
	f.leaving.Store(true)
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.handler.Load(); h != nil && (r.URL.Path != "/readyz" || !f.leaving.Load()) {
		(*h).ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	text := f.reason.Load()
	if r.URL.Path == "/readyz" {
		text = f.detail.Load()
	}
	w.Header().Set("Content-Type", "application/fhir+json;charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(fhir.AppendOutcome(nil, []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTransient, ID: fhir.IDNotReady,
		Text: *text}}))
}

// awaitReady returns when the store is ready, or with the context's error. told, unless it is nil, is called with what the store waits for.
func awaitReady(ctx context.Context, store storage.Store, told func(error)) error {
	for {
		err := store.Ready(ctx)
		if err == nil {
			return nil
		}
		if told != nil && ctx.Err() == nil {
			told(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
