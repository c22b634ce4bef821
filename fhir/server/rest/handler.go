package rest

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Handler serves FHIR under /fhir, and /healthz, /readyz and /metrics beside it.
type Handler struct {
	cfg     Config
	engine  *gin.Engine
	origins origins
	// crossOrigin tells requests that pages of other origins make; baseHost and baseOrigin are of Config.BaseURL.
	crossOrigin          *http.CrossOriginProtection
	baseHost, baseOrigin string

	metrics    *metrics
	capability capability
	typeNames  []string
	// corsMethods are the methods that pages of other origins may use.
	corsMethods string
	// lastBase is the base URL that was made last: most requests have the same.
	lastBase atomic.Pointer[namedBase]
	// described is the OpenAPI document that was made last.
	described atomic.Pointer[described]
	formats   *formats
	uploads   *uploads
}

// New builds the handler. It reads nothing but its configuration; whatever costs time is made at its first use.
func New(cfg Config) (*Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, origins: newOrigins(cfg.Origins), crossOrigin: http.NewCrossOriginProtection(), formats: newFormats(&jsonFormat, newXMLFormat(cfg.Registry))}
	h.baseHost, h.baseOrigin = originOfBase(cfg.BaseURL)
	h.typeNames = cfg.Registry.ResourceTypes()
	h.uploads = &uploads{limit: cfg.Limits.Bodies, stallTime: cfg.stallTime, grace: cfg.stallGrace, reading: map[*upload]struct{}{}}
	cfg.Service.Serve(interaction.Served{
		Operations: cfg.Operations, Capabilities: func(c interaction.Capability) []byte { return h.capabilities(c).body }, Authorize: cfg.Authorize, Administer: cfg.Administer, SearchTime: cfg.Limits.Search,
		Body: cfg.Limits.Body, Depth: cfg.Limits.Depth, Format: h.formats.serves,
	})
	if h.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	h.engine = gin.New()
	h.engine.RedirectTrailingSlash = false
	h.engine.RedirectFixedPath = false
	h.engine.HandleMethodNotAllowed = true
	h.engine.UseRawPath = true
	h.engine.ContextWithFallback = false
	h.engine.ForwardedByClientIP = false
	h.routes()
	return h, nil
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Request-Id"] = []string{requestID(r.Header)}
	if h.cors(w, r) {
		return
	}
	if n := len(r.URL.Path); n > 1 && r.URL.Path[n-1] == '/' {
		r.URL.Path = strings.TrimRight(r.URL.Path, "/")
		r.URL.RawPath = strings.TrimRight(r.URL.RawPath, "/")
	}
	if raw := r.URL.RawPath; raw != "" && !strings.Contains(raw, "%2F") && !strings.Contains(raw, "%2f") {
		// Only an escaped slash must be kept from being one; "%24everything" is $everything.
		r.URL.RawPath = ""
	}
	h.engine.ServeHTTP(w, r)
}
