package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestHTTP2 sends many requests at once over one connection, without TLS, among them a body that shares the memory for large ones.
func TestHTTP2(t *testing.T) {
	s := newServer(t)
	transport := &http.Transport{Protocols: new(http.Protocols), MaxConnsPerHost: 1}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: patience, Transport: transport}
	large := strings.Repeat("x", 3<<20)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			url, text := fmt.Sprintf("%s/fhir/Patient/p%d", s.url, i), "small"
			if i == 7 {
				text = large
			}
			r, err := http.NewRequest("PUT", url, strings.NewReader(fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","name":[{"text":%q}]}`, i, text)))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", jsonType)
			for _, want := range []int{http.StatusCreated, http.StatusOK} {
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != want || res.ProtoMajor != 2 || !strings.Contains(string(body), text) {
					t.Errorf("%s: status %d, %s, %d bytes, %v", url, res.StatusCode, res.Proto, len(body), err)
				}
				if r, err = http.NewRequest("GET", url, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
