package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Config is what New needs. Service and Registry are required; every other zero field means its default.
type Config struct {
	Service  Service
	Registry *definition.Registry
	// Search says which parameters of a type can be searched by; nil means all that the Registry has.
	Search *search.Parameters
	// Operations are the named operations that are served.
	Operations []interaction.Operation
	// Authorize says whether a request may be performed; nil where everything may. It is asked once for each request, and for each entry of a Bundle.
	Authorize func(ctx context.Context, q *interaction.Request) error
	// Administer says whether a request may administer the server: erase patients; nil where none may.
	Administer func(ctx context.Context, q *interaction.Request) error
	// Lenient makes handling=lenient the default for clients that do not state a preference.
	Lenient bool

	// BaseURL is what links, Location and fullUrl start with, as in https://example.org/fhir. Without it they start with the address that
	// the client used.
	BaseURL string
	// TrustProxy takes scheme, host and prefix of that address from Forwarded and X-Forwarded-*. BaseURL goes before it.
	TrustProxy bool
	// LoopbackOnly says that the server is for programs on its own machine: a Host that is neither that nor BaseURL's is refused, unless a
	// proxy is trusted.
	LoopbackOnly bool
	// Origins may read responses from a browser (CORS), and write: "https://app.example.org", with ":*" any port of it, or "*". Nil means any
	// port of localhost and 127.0.0.1; an empty slice means none.
	Origins []string

	Limits Limits
	// CompressAbove is the size in bytes from which responses are compressed for clients that accept gzip or zstd; 64 KiB by default, negative never.
	CompressAbove int

	// Version is the software's version and Released its date (YYYY-MM-DD), for the CapabilityStatement.
	Version, Released string
	// Validation is "off", "base" or "full"; Integrity and MultipleDelete tell what the interactions were set to. All are only reported.
	Validation                string
	Integrity, MultipleDelete bool

	// Logger gets one line for each request at level Info and one for each failure at level Error; nil logs nothing.
	Logger *slog.Logger
	// Tracer makes a span for each request; nil for none.
	Tracer trace.Tracer
	// Metrics is where the metrics of requests are registered and what /metrics shows; nil means a registry of its own, with Go's metrics.
	Metrics *prometheus.Registry

	drainTime, stallTime, stallGrace time.Duration // for tests: in place of the constants of these names
}

// Limits bound what a request may be. A zero field means its default.
type Limits struct {
	Body int64 // bytes of a body, after it is unpacked; 64 MiB
	// Bodies is what the bodies of all requests together may take beyond a megabyte each; 512 MiB, or four times Body where that is more.
	Bodies int64
	URL    int // bytes of the request target; 256 KiB
	Depth  int // nested objects and arrays of a body; fhir.Limits' default
	Nodes  int // values of a body; fhir.Limits' default
	// Search bounds the time of a search or history; 60 s.
	Search time.Duration
	// Request bounds the time of a request from its header to the end of its response; 10 min. NewServer is given the same.
	Request time.Duration
}

// withDefaults returns the configuration with every zero field set, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Service == nil || c.Registry == nil {
		return c, fmt.Errorf("rest: a Service and a Registry are required")
	}
	if c.Search == nil {
		c.Search = search.NewParameters(c.Registry, search.Options{})
	}
	if c.Limits.Body == 0 {
		c.Limits.Body = 64 << 20
	}
	if c.Limits.Bodies == 0 {
		c.Limits.Bodies = max(512<<20, 4*c.Limits.Body)
	}
	if c.Limits.URL == 0 {
		c.Limits.URL = 256 << 10
	}
	if c.Limits.Search == 0 {
		c.Limits.Search = time.Minute
	}
	if c.Limits.Request == 0 {
		c.Limits.Request = RequestTime
	}
	if c.drainTime == 0 {
		c.drainTime = drainTime
	}
	if c.stallTime == 0 {
		c.stallTime, c.stallGrace = stallTime, stallGrace
	}
	if c.CompressAbove == 0 {
		c.CompressAbove = 64 << 10
	}
	if c.Origins == nil {
		c.Origins = []string{"http://localhost:*", "http://127.0.0.1:*"}
	}
	if c.Released == "" {
		c.Released = "2026-11-23"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return c, fmt.Errorf("rest: the base URL must be http or https, a host and a path, such as https://example.org/fhir")
		}
		c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	}
	return c, nil
}
