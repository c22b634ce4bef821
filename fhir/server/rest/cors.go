package rest

import (
	"net/http"
	"net/url"
	"strings"
)

// Cross-origin requests of browsers (R4 http, 3.1.0.1.3; the Fetch standard).

// The headers of responses to other origins.
const (
	corsAllow  = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, X-Requested-With, X-Security-Context, X-Request-Id, X-Explain"
	corsExpose = "Content-Location, ETag, Last-Modified, Location, Retry-After, X-Request-Id, X-Security-Context"
)

// origins decides which origins may read responses.
type origins struct {
	all   bool
	exact map[string]bool
	// hosts hold origins without a port, of which every port may.
	hosts []string
}

// newOrigins reads the configured list.
func newOrigins(list []string) origins {
	o := origins{exact: map[string]bool{}}
	for _, s := range list {
		s = strings.TrimSuffix(s, "/")
		switch {
		case s == "*":
			o.all = true
		case strings.HasSuffix(s, ":*"):
			o.hosts = append(o.hosts, strings.TrimSuffix(s, ":*"))
		default:
			o.exact[s] = true
		}
	}
	return o
}

// allowed reports whether the origin, as a browser states it, may read responses.
func (o *origins) allowed(origin string) bool {
	if o.all || o.exact[origin] {
		return true
	}
	for _, h := range o.hosts {
		if origin == h {
			return true
		}
		if rest, ok := strings.CutPrefix(origin, h+":"); ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
			return true
		}
	}
	return false
}

// cors adds what a browser needs to know and responds to preflights; done is true when nothing is left to do.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header["Origin"]
	if len(origin) != 1 {
		return false
	}
	head := w.Header()
	preflight := r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0
	if h.origins.allowed(origin[0]) {
		if h.origins.all {
			head.Set("Access-Control-Allow-Origin", "*")
		} else {
			head.Set("Access-Control-Allow-Origin", originOf(origin[0]))
		}
		head.Set("Access-Control-Expose-Headers", corsExpose)
		if preflight {
			head.Set("Access-Control-Allow-Methods", h.corsMethods)
			head.Set("Access-Control-Allow-Headers", corsAllow)
			head.Set("Access-Control-Max-Age", "3600")
		}
	}
	if !preflight {
		return false
	}
	head.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// originOf returns the origin as it is put into the response: parsed and written again, so that nothing else comes along.
func originOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "null"
	}
	return u.Scheme + "://" + u.Host
}
