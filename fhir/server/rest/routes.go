package rest

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// routes registers what is served: the table of routes (interaction.Routes), and what is beside FHIR. HEAD is served wherever GET is. Every request
// below the base has one handler, whatever Gin makes of its path; the pattern is for the log.
func (h *Handler) routes() {
	beside := func(path, name string, f func(*exchange) error) {
		g := h.handle(name, f)
		h.engine.GET(path, g)
		h.engine.HEAD(path, g)
	}
	beside("/healthz", "healthz", h.healthz)
	beside("/readyz", "readyz", h.readyz)
	beside("/metrics", "metrics", h.showMetrics)
	beside("/openapi.json", "openapi", h.openAPI)
	beside("/openapi", "openapi", h.openAPIPage)
	beside("/openapi.css", "openapi", h.openAPIStyle)

	serve := h.handle("unknown", h.serve)
	methods := map[string]bool{}
	for _, r := range h.cfg.Service.Routes() {
		path := strings.TrimSuffix(basePath+"/"+r.Path, "/")
		h.engine.Handle(r.Method, path, serve)
		if methods[r.Method] = true; r.Method == http.MethodGet {
			h.engine.HEAD(path, serve)
		}
	}
	h.engine.NoRoute(serve)
	h.engine.NoMethod(h.handle("unknown", func(x *exchange) error {
		if belowBase(x.r) {
			return h.serve(x)
		}
		return fhir.NewError(fhir.KindNotAllowed, fhir.IssueNotSupported, fhir.IDMethodNotAllowed, "this path is served with "+x.w.Header().Get("Allow"))
	}))

	list := []string{http.MethodGet, http.MethodHead}
	for _, m := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if methods[m] {
			list = append(list, m)
		}
	}
	h.corsMethods = strings.Join(append(list, http.MethodOptions), ", ")
}

// handle makes the function of a route a Gin handler: everything that all requests have in common happens here.
func (h *Handler) handle(name string, f func(*exchange) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		x := newExchange(h, c, name)
		defer x.finish()
		if len(x.r.RequestURI) > h.cfg.Limits.URL {
			x.fail(errURITooLong())
			return
		}
		if err := h.browserAllowed(x.r); err != nil {
			x.fail(err)
			return
		}
		if err := f(x); err != nil {
			x.fail(err)
		}
	}
}

// belowBase reports whether the path of a request is the base or below it.
func belowBase(r *http.Request) bool {
	return (r.URL.Path == basePath || strings.HasPrefix(r.URL.Path, basePath+"/")) && !strings.HasPrefix(r.URL.RawPath, basePath+"%")
}

// serve serves every interaction.
func (h *Handler) serve(x *exchange) error {
	x.w.Header().Del("Allow") // of Gin, which does not know all paths
	if !belowBase(x.r) {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownPath, "FHIR is served under "+basePath)
	}
	if x.r.Method == http.MethodOptions {
		return h.options(x)
	}
	if err := x.readRequest(); err != nil {
		return err
	}
	return x.do()
}

// do performs the request that was read, and responds.
func (x *exchange) do() error {
	res, err := x.h.cfg.Service.Do(x.r.Context(), &x.q)
	if err != nil {
		if fhir.KindOf(err) == fhir.KindNotAllowed {
			x.allowOfDefinition()
		}
		return err
	}
	return x.respond(&res)
}

// options serves OPTIONS: the CapabilityStatement for the base (R4 http, 3.1.0.10), and what the path allows for any other.
func (h *Handler) options(x *exchange) error {
	path, err := interaction.SplitPath(nil, x.path())
	if err != nil {
		return err
	}
	if len(h.cfg.Service.Allowed(path)) == 0 {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownPath, "there is nothing at this path")
	}
	x.allow(path)
	if len(path) > 0 {
		x.c.Status(http.StatusNoContent)
		return nil
	}
	if err := h.cfg.Service.Locate(&x.q, http.MethodGet, []string{"metadata"}); err != nil {
		return err
	}
	x.name = nameOf(&x.q)
	if x.q.Base, err = h.base(x.r); err != nil {
		return err
	}
	if err := x.q.ReadQuery(x.r.URL.RawQuery); err != nil {
		return err
	}
	if err := x.negotiate(); err != nil {
		return err
	}
	return x.do()
}
