package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestReadyzTellsWhatAStartWaitsFor holds that operators are told why, with the command that helps, and clients nothing of the database.
func TestReadyzTellsWhatAStartWaitsFor(t *testing.T) {
	f := new(front)
	f.wait(nil)
	for _, c := range []struct {
		err  error
		path string
		says bool
	}{{nil, "/readyz", false}, {errors.New("no server answers: 127.0.0.1:1 (run rs.initiate() once)"), "/readyz", true}, {errors.New("run rs.initiate() once"), "/fhir/Patient/a", false}} {
		f.wait(c.err)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "rs.initiate()") != c.says {
			t.Errorf("%s, waiting for %v: %d %s", c.path, c.err, w.Code, w.Body)
		}
	}
}
