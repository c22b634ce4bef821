package rest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// healthz serves GET /healthz: the process answers.
func (h *Handler) healthz(x *exchange) error {
	x.text(http.StatusOK, "ok\n")
	return nil
}

// readyz serves GET /readyz: 200 when requests can be served, 503 with the reason while they can't. Indexes that are being made meanwhile are
// named in a line of their own.
func (h *Handler) readyz(x *exchange) error {
	ctx, cancel := context.WithTimeout(x.r.Context(), 5*time.Second)
	defer cancel()
	if err := h.cfg.Service.Ready(ctx); err != nil {
		x.w.Header()["Retry-After"] = retryAfter
		e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDNotReady, "not ready: "+reason(err))
		e.Err = err
		return e
	}
	text := "ready\n"
	if types := h.cfg.Service.Building(); len(types) > 0 {
		text += "indexes are being made: " + strings.Join(types, ", ") + "\n"
	}
	x.text(http.StatusOK, text)
	return nil
}

// reason returns what an error says to a client.
func reason(err error) string {
	if e, ok := err.(*fhir.Error); ok && len(e.Issues) > 0 {
		return e.Issues[0].Text
	}
	return err.Error()
}

// text writes a plain text response.
func (x *exchange) text(status int, s string) {
	head := x.w.Header()
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head["Cache-Control"] = noStore
	x.w.WriteHeader(status)
	x.w.WriteString(s)
}
