package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirgate/fhirgate/fhir"
)

// routes registers every interaction (R4 http, 3.1.0.1.4 Summary). HEAD is served wherever GET is.
func (h *Handler) routes() {
	get := func(path, name string, f func(*exchange) error) {
		g := h.handle(name, f)
		h.engine.GET(path, g)
		h.engine.HEAD(path, g)
	}
	post := func(path, name string, f func(*exchange) error) { h.engine.POST(path, h.handle(name, f)) }
	put := func(path, name string, f func(*exchange) error) { h.engine.PUT(path, h.handle(name, f)) }
	del := func(path, name string, f func(*exchange) error) { h.engine.DELETE(path, h.handle(name, f)) }

	get("/healthz", "healthz", h.healthz)
	get("/readyz", "readyz", h.readyz)
	get("/metrics", "metrics", h.showMetrics)

	const b = basePath
	get(b+"/metadata", "capabilities", h.metadata)

	get(b, "search-system", h.searchSystem)
	post(b, "batch", h.bundle)
	post(b+"/_search", "search-system", h.searchSystem)
	get(b+"/_history", "history-system", h.historySystem)

	get(b+"/:type", "search-type", h.searchType)
	post(b+"/:type", "create", h.create)
	put(b+"/:type", "update-conditional", h.updateConditional)
	del(b+"/:type", "delete-conditional", h.deleteConditional)
	post(b+"/:type/_search", "search-type", h.searchType)
	get(b+"/:type/_history", "history-type", h.historyType)

	get(b+"/:type/:id", "read", h.read)
	put(b+"/:type/:id", "update", h.update)
	del(b+"/:type/:id", "delete", h.delete)
	get(b+"/:type/:id/_history", "history-instance", h.historyInstance)
	get(b+"/:type/:id/_history/:vid", "vread", h.vread)
	post(b+"/:type/:id/_search", "search-compartment", h.searchCompartment)
	get(b+"/:type/:id/:sub", "search-compartment", h.searchCompartment)
	post(b+"/:type/:id/:sub/_search", "search-compartment", h.searchCompartment)

	for i := range h.cfg.Operations {
		o := &h.cfg.Operations[i]
		run := h.runOperation(o)
		for _, level := range []struct {
			on   bool
			path string
		}{{o.System, b + "/$" + o.Name}, {o.Type, b + "/:type/$" + o.Name}, {o.Instance, b + "/:type/:id/$" + o.Name}} {
			if level.on && o.Get {
				get(level.path, "$"+o.Name, run)
			}
			if level.on && o.Post {
				post(level.path, "$"+o.Name, run)
			}
		}
	}

	h.engine.NoRoute(h.handle("unknown", func(x *exchange) error { return h.unknownPath(x) }))
	h.engine.NoMethod(h.handle("unknown", h.notAllowed))
}

// handle makes the function of an interaction a Gin handler: everything that all interactions have in common happens here.
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

// unknownPath answers a path that is no FHIR path.
func (h *Handler) unknownPath(x *exchange) error {
	if x.r.Method == http.MethodOptions {
		return h.options(x, "")
	}
	text := "FHIR is served under " + basePath
	if strings.HasPrefix(x.r.URL.Path, basePath+"/") {
		text = "the path is none of R4's: [type], [type]/[id], [type]/[id]/_history/[vid] ..."
	}
	return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownPath, text)
}

// notAllowed answers a method that the path does not have; Gin has set Allow to those it has.
func (h *Handler) notAllowed(x *exchange) error {
	head := x.w.Header()
	allow := head.Get("Allow") + ", OPTIONS"
	if x.r.Method == http.MethodOptions {
		return h.options(x, allow)
	}
	if before, name, ok := strings.Cut(x.r.URL.Path, "/$"); ok && !strings.Contains(name, "/") {
		return x.unknownOperation(name, x.servedAt(name, strings.Split(strings.TrimPrefix(before, basePath), "/")))
	}
	return methodNotAllowed(x, allow)
}

// servedAt reports whether the named operation is served behind a path: "" for the system, then type and id.
func (x *exchange) servedAt(name string, path []string) bool {
	o := x.h.operations[name]
	switch {
	case o == nil:
		return false
	case len(path) == 1:
		return o.System
	case len(path) == 2:
		return o.Type && o.On(path[1])
	}
	return o.Instance && o.On(path[1])
}

// methodNotAllowed makes the error of a method that a path does not have.
func methodNotAllowed(x *exchange, allow string) error {
	x.w.Header().Set("Allow", allow)
	return fhir.NewError(fhir.KindNotAllowed, fhir.IssueNotSupported, fhir.IDMethodNotAllowed, "this path is served with "+allow)
}

// options answers OPTIONS: the CapabilityStatement for the base, and what the path allows for any other.
func (h *Handler) options(x *exchange, allow string) error {
	if allow == "" {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownPath, "FHIR is served under "+basePath)
	}
	x.w.Header().Set("Allow", allow)
	if x.r.URL.Path == basePath {
		return h.metadata(x)
	}
	x.c.Status(http.StatusNoContent)
	return nil
}

// typeOf returns the resource type of the path. Where there is none of that name the error says which name is nearest, or, for a word that
// FHIR has in this place, which methods it is served with.
func (x *exchange) typeOf() (string, error) {
	name := x.c.Param("type")
	if x.h.types[name] {
		return name, nil
	}
	switch name {
	case "metadata", "_history":
		return "", methodNotAllowed(x, "GET, HEAD, OPTIONS")
	case "_search":
		return "", methodNotAllowed(x, "POST, OPTIONS")
	}
	if strings.HasPrefix(name, "$") {
		return "", x.unknownOperation(name[1:], x.h.operations[name[1:]] != nil && x.h.operations[name[1:]].System)
	}
	text := "this is not a resource type of R4" + fhir.DidYouMean(name, slices.Values(x.h.typeNames))
	return "", fhir.NewError(fhir.KindNotFound, fhir.IssueNotSupported, fhir.IDUnknownType, text)
}

// keyOf returns the resource type and id of the path.
func (x *exchange) keyOf() (fhir.Key, error) {
	typ, err := x.typeOf()
	if err != nil {
		return fhir.Key{}, err
	}
	id := x.c.Param("id")
	if fhir.ValidID(id) {
		return fhir.Key{Type: typ, ID: id}, nil
	}
	switch id {
	case "_history":
		return fhir.Key{}, methodNotAllowed(x, "GET, HEAD, OPTIONS")
	case "_search":
		return fhir.Key{}, methodNotAllowed(x, "POST, OPTIONS")
	}
	if strings.HasPrefix(id, "$") {
		o := x.h.operations[id[1:]]
		return fhir.Key{}, x.unknownOperation(id[1:], o != nil && o.Type && o.On(typ))
	}
	return fhir.Key{}, errID()
}

// errID is the answer to an id that is not of R4's form.
func errID() error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidID, "an id is 1 to 64 letters, digits, dashes and dots")
}

// unknownOperation answers the name of an operation in a place or with a method that it is not served with.
func (x *exchange) unknownOperation(name string, here bool) error {
	if here {
		o := x.h.operations[name]
		allow := "OPTIONS"
		if o.Post {
			allow = "POST, " + allow
		}
		if o.Get {
			allow = "GET, HEAD, " + allow
		}
		return methodNotAllowed(x, allow)
	}
	names := make([]string, 0, len(x.h.cfg.Operations))
	for i := range x.h.cfg.Operations {
		names = append(names, "$"+x.h.cfg.Operations[i].Name)
	}
	text := "no operation of this name is served here" + fhir.DidYouMean("$"+name, slices.Values(names))
	return fhir.NewError(fhir.KindNotFound, fhir.IssueNotSupported, fhir.IDUnknownOperation, text)
}
