package rest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// FuzzHistoryInstants asks for histories since and at any text: each is an instant or a 400, and none takes the server down.
func FuzzHistoryInstants(f *testing.F) {
	for _, s := range []string{"2026-11-23T09:30:00Z", "2026-11-23T09:30:00+01:00", "2026-11-23", "2026-11", "2026", "ge2026", "", "24:00", "9999-12-31T23:59:60Z", "0000-00-00", "2026-02-30T00:00:00Z", "-1", "2026-11-23T09:30:00 01:00"} {
		f.Add(s, "")
		f.Add("", s)
	}
	s := newServer(f)
	s.put(f, "Patient/jane", jane)
	f.Fuzz(func(t *testing.T, since, at string) {
		v := url.Values{}
		if since != "" {
			v.Set("_since", since)
		}
		if at != "" {
			v.Set("_at", at)
		}
		for _, path := range []string{"/fhir/Patient/jane/_history", "/fhir/_history"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", path, nil)
			r.URL.RawQuery = v.Encode()
			s.handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("_since=%q _at=%q: %d %s", since, at, w.Code, w.Body)
			}
		}
	})
}
