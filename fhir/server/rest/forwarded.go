package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// basePath is the path under which FHIR is served.
const basePath = "/fhir"

// base returns the server's base URL without a trailing slash, as the client of r sees it (R4 http, 3.1.0.1.2 Service Base URL). Only where
// a proxy is trusted do Forwarded (RFC 7239) or X-Forwarded-Proto, -Host, -Port and -Prefix count, of each the first hop; a trusted proxy
// that sends something that is not a host, scheme or path is an error.
func (h *Handler) base(r *http.Request) (string, error) {
	if h.cfg.BaseURL != "" {
		return h.cfg.BaseURL, nil
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if h.cfg.TrustProxy {
		var err error
		if scheme, host, prefix, err = forwarded(r.Header, scheme, host); err != nil {
			return "", err
		}
	}
	if last := h.lastBase.Load(); last != nil && last.scheme == scheme && last.host == host && prefix == "" {
		return last.base, nil
	}
	if !validHost(host) {
		return "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDHost, "the Host header is not a host")
	}
	base := scheme + "://" + host + prefix + basePath
	if prefix == "" {
		h.lastBase.Store(&namedBase{scheme, host, base})
	}
	return base, nil
}

// namedBase is a base URL and what it was made of.
type namedBase struct{ scheme, host, base string }

// forwarded returns scheme, host and path prefix as the headers of a trusted proxy state them, and the given ones where they don't.
func forwarded(h http.Header, scheme, host string) (string, string, string, error) {
	prefix := ""
	if v := h["Forwarded"]; len(v) > 0 {
		first, _ := cut(v[0], ',')
		for first != "" {
			var pair string
			pair, first = cut(first, ';')
			key, value, _ := strings.Cut(pair, "=")
			value = unquote(trim(value))
			switch strings.ToLower(trim(key)) {
			case "proto":
				scheme = strings.ToLower(value)
			case "host":
				host = value
			}
		}
	} else {
		if v := firstOf(h, "X-Forwarded-Proto"); v != "" {
			scheme = strings.ToLower(v)
		}
		if v := firstOf(h, "X-Forwarded-Host"); v != "" {
			host = v
		}
		if v := firstOf(h, "X-Forwarded-Port"); v != "" && !(scheme == "https" && v == "443" || scheme == "http" && v == "80") {
			if _, err := strconv.ParseUint(v, 10, 16); err != nil {
				v = "/" // no host has that
			}
			host = withoutPort(host) + ":" + v
		}
	}
	prefix = strings.TrimRight(firstOf(h, "X-Forwarded-Prefix"), "/")
	if scheme != "http" && scheme != "https" || !validHost(host) || !validPrefix(prefix) {
		return "", "", "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDForwarded, "the proxy's Forwarded or X-Forwarded headers name no http address")
	}
	return scheme, host, prefix, nil
}

// firstOf returns the first element of a header that is a list.
func firstOf(h http.Header, name string) string {
	v := h[name]
	if len(v) == 0 {
		return ""
	}
	first, _ := cut(v[0], ',')
	return trim(first)
}

// withoutPort returns the host of host:port.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// validHost reports whether s can be host and port of a URL: letters, digits, and what names and addresses are written with.
func validHost(s string) bool {
	if s == "" || len(s) > 300 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']') {
			return false
		}
	}
	return true
}

// validPrefix reports whether s is empty or a path of plain segments.
func validPrefix(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != '/' || len(s) > 300 || strings.HasPrefix(s, "//") {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' || c == '~' || c == '/') {
			return false
		}
	}
	return true
}
