package rest

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Web pages in a browser on a machine reach what listens on its loopback address. A page whose host name is bound to that address anew is of
// the server's own origin, and a form or a fetch of plain text from any page is sent without a preflight. Neither may read or change records.

// browserAllowed refuses what only a web page sends that has no business here.
func (h *Handler) browserAllowed(r *http.Request) error {
	if h.cfg.LoopbackOnly && !h.cfg.TrustProxy && !h.ownHost(r.Host) {
		return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, fhir.IDForeignHost,
			"the Host header names neither this machine nor the host of --base-url: the server is for programs on this machine")
	}
	origin := r.Header["Origin"]
	if len(origin) == 0 && len(r.Header["Sec-Fetch-Site"]) == 0 || len(origin) == 1 && h.origins.allowed(origin[0]) {
		return nil
	}
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_search") {
		return nil // as GET: it changes nothing, and the page cannot read the response
	}
	if h.crossOrigin.Check(r) == nil || len(origin) == 1 && h.ownOrigin(r, origin[0]) {
		return nil
	}
	return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, fhir.IDForeignOrigin,
		"a page of another origin can't write here; --cors-origins names the origins that may")
}

// ownOrigin reports whether an origin is that of the base URL: the configured one, or the one that a trusted proxy states.
func (h *Handler) ownOrigin(r *http.Request, origin string) bool {
	if h.baseOrigin != "" {
		return origin == h.baseOrigin
	}
	if !h.cfg.TrustProxy {
		return false
	}
	base, err := h.base(r)
	if err != nil {
		return false
	}
	_, own := originOfBase(base)
	return strings.EqualFold(own, origin)
}

// ownHost reports whether the Host header of a request is of this machine, or of the base URL.
func (h *Handler) ownHost(host string) bool {
	if host == "" || h.baseHost != "" && strings.EqualFold(host, h.baseHost) {
		return true // HTTP/1.0 has no Host, and browsers always send one
	}
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(name, "localhost") || len(name) > len(".localhost") && strings.EqualFold(name[len(name)-len(".localhost"):], ".localhost")
}

// originOfBase returns the host and the origin of the base URL; empty where there is none.
func originOfBase(base string) (host, origin string) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "", ""
	}
	return u.Host, u.Scheme + "://" + u.Host
}
