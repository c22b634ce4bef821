package rest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// exchange is one request and its response, from the route on. It belongs to the goroutine of the request and is used again afterwards:
// nothing may keep it.
type exchange struct {
	h     *Handler
	c     *gin.Context
	r     *http.Request
	w     gin.ResponseWriter
	name  string // the interaction, for metrics
	start time.Time
	// q is the request for an interaction; format is what negotiation chose for its response, nil before it.
	q      interaction.Request
	format *formatType
	parts  [6]string // room for those of the path
	// upload is the body, where it is large; nil for none.
	upload *upload
	// span is what is traced of the request; nil where requests are not traced.
	span trace.Span
}

// exchanges are used again, because there is one for every request.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(h *Handler, c *gin.Context, name string) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{h: h, c: c, r: c.Request, w: c.Writer, name: name, start: time.Now()}
	x.trace()
	return x
}

// finish ends an exchange: a panic becomes a 500, or cuts the connection where a part of the response is on its way.
func (x *exchange) finish() {
	defer x.end()
	if p := recover(); p == http.ErrAbortHandler {
		panic(p)
	} else if p != nil {
		x.fail(&panicked{p, debug.Stack()})
	}
}

// end counts and logs the request, and gives back what it held, however it ended. Log lines hold the route's pattern and neither ids, values, headers
// nor bodies.
func (x *exchange) end() {
	took := time.Since(x.start)
	status := x.w.Status()
	x.h.metrics.observe(x.name, status, took)
	x.endTrace(status)
	if log := x.h.cfg.Logger; log.Enabled(x.r.Context(), slog.LevelInfo) {
		log.LogAttrs(x.r.Context(), slog.LevelInfo, "request",
			slog.String("method", methodName(x.r.Method)), slog.String("route", x.c.FullPath()), slog.Int("status", status),
			slog.Duration("took", took), slog.String("request", x.requestID()))
	}
	if x.upload != nil {
		x.upload.release()
	}
	*x = exchange{}
	exchanges.Put(x)
}

// methodName returns the method if it is one of HTTP's: the text of any other is the client's and stays out of the log.
func methodName(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return m
	}
	return "other"
}

// panicked is the error of a handler that panicked.
type panicked struct {
	value any
	stack []byte
}

// Error returns a line for logs. The value of a panic that is an error is shown by its type only: its text may quote data.
func (p *panicked) Error() string {
	if err, ok := p.value.(interface{ RuntimeError() }); ok {
		if e, ok := err.(error); ok {
			return "panic: " + e.Error()
		}
	}
	if s, ok := p.value.(string); ok {
		return "panic: " + s
	}
	return "panic"
}

// requestID returns the id that the response carries in X-Request-Id.
func (x *exchange) requestID() string {
	if v := x.w.Header()["X-Request-Id"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// requestID returns the id of a request: the client's own, if it is up to 64 letters, digits, dashes, dots and underscores, or a new one.
func requestID(h http.Header) string {
	if v := h["X-Request-Id"]; len(v) == 1 && len(v[0]) > 0 && len(v[0]) <= 64 {
		ok := true
		for i := 0; i < len(v[0]); i++ {
			c := v[0][i]
			ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_')
		}
		if ok {
			return v[0]
		}
	}
	var b [16]byte
	out := strconv.AppendUint(b[:0], rand.Uint64()|1<<63, 16)
	return string(out)
}

// fail responds with the error's OperationOutcome. Errors of the server's own are logged, once, here.
func (x *exchange) fail(err error) {
	var e *fhir.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &tooLarge):
		e = errBodyTooLarge(tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = fhir.NewError(fhir.KindUnavailable, fhir.IssueTimeout, fhir.IDTimeout, "this took longer than the server allows")
		e.Err = err
	default:
		e = &fhir.Error{Kind: fhir.KindInternal, Err: err}
	}
	// A client that has gone is not a failure of the server.
	gone := errors.Is(x.r.Context().Err(), context.Canceled) && e.Kind == fhir.KindUnavailable
	if e.Kind.Status() >= http.StatusInternalServerError && e.Kind != fhir.KindNotSupported && !gone {
		x.logFailure(e, err)
	}
	if x.w.Written() {
		// Part of the response is on its way: what remains is to cut the connection, so that the client can't take it for the whole.
		panic(http.ErrAbortHandler)
	}
	x.drain()
	x.outcome(e)
}

// logFailure writes the one log line of a failure.
func (x *exchange) logFailure(e *fhir.Error, err error) {
	attrs := []slog.Attr{slog.String("request", x.requestID()), slog.String("route", x.c.FullPath()), slog.Int("status", e.Kind.Status()), slog.String("op", e.Op)}
	if cause := e.Err; cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	x.h.cfg.Logger.LogAttrs(x.r.Context(), slog.LevelError, "request failed", attrs...)
}
