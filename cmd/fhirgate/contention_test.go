package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// updaters is how many clients update one resource at once.
const updaters = 64

// counted returns a Patient that carries a text.
func counted(id, text string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"text":%q}]}`, id, text)
}

// heavy returns a Patient with a text that is not searched by.
func heavy(id, text string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"extension":[{"url":"urn:x","valueString":%q}]}`, id, text)
}

func TestManyClientsUpdatingOneResourceLoseNothing(t *testing.T) {
	p := startServer(t, freshData(t))
	const each = 10
	var mu sync.Mutex
	acked := make(map[int64]string)
	var clients sync.WaitGroup
	for c := range updaters {
		clients.Go(func() {
			for i := range each {
				text := fmt.Sprintf("client %d, update %d", c, i)
				r, err := send(t.Context(), "PUT", p.base+"/Patient/one", counted("one", text))
				if err := expect(r, err, 200, 201); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if was, ok := acked[r.version()]; ok {
					t.Errorf("version %d was given to %q and %q", r.version(), was, text)
				}
				acked[r.version()] = text
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if t.Failed() {
		return
	}
	var h struct {
		Total int
		Entry []struct {
			Resource struct {
				Meta struct{ VersionID string }
				Name []struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal(must(t, 200, "GET", p.base+"/Patient/one/_history?_count=1000", "").body, &h); err != nil {
		t.Fatal(err)
	}
	if h.Total != updaters*each || len(h.Entry) != updaters*each {
		t.Fatalf("%d updates made %d versions, of which %d are shown", updaters*each, h.Total, len(h.Entry))
	}
	for i, e := range h.Entry {
		n := int64(updaters*each - i)
		if e.Resource.Meta.VersionID != fmt.Sprint(n) || e.Resource.Name[0].Text != acked[n] {
			t.Errorf("version %s says %q, and %d was acknowledged for %q", e.Resource.Meta.VersionID, e.Resource.Name[0].Text, n, acked[n])
		}
	}
}

func TestIfMatchHasExactlyOneWinner(t *testing.T) {
	p := startServer(t, freshData(t))
	must(t, 201, "PUT", p.base+"/Patient/one", counted("one", "start"))
	for round := range 10 {
		current := must(t, 200, "GET", p.base+"/Patient/one", "")
		var mu sync.Mutex
		var winners []string
		var clients sync.WaitGroup
		for c := range updaters {
			clients.Go(func() {
				text := fmt.Sprintf("round %d, client %d", round, c)
				r, err := send(t.Context(), "PUT", p.base+"/Patient/one", counted("one", text), "If-Match", current.header.Get("ETag"))
				if err := expect(r, err, 200, 412); err != nil {
					t.Error(err)
					return
				}
				if r.status == 200 {
					mu.Lock()
					defer mu.Unlock()
					winners = append(winners, text)
				}
			})
		}
		clients.Wait()
		after := must(t, 200, "GET", p.base+"/Patient/one", "")
		if len(winners) != 1 || after.version() != current.version()+1 || !strings.Contains(string(after.body), winners[0]) {
			t.Fatalf("round %d: winners %v, version %d after %d: %s", round, winners, after.version(), current.version(), after.body)
		}
	}
}

func TestConditionalCreatesThatRaceMakeOneResource(t *testing.T) {
	p := startServer(t, freshData(t))
	for round := range 5 {
		var mu sync.Mutex
		made := make(map[string]int)
		statuses := make(map[int]int)
		var clients sync.WaitGroup
		for range 32 {
			clients.Go(func() {
				body := fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"%d"}]}`, round)
				r, err := send(t.Context(), "POST", p.base+"/Patient", body, "If-None-Exist", fmt.Sprintf("identifier=urn:x|%d", round))
				if err := expect(r, err, 200, 201); err != nil {
					t.Error(err)
					return
				}
				key, _ := located(r.header.Get("Location"))
				mu.Lock()
				defer mu.Unlock()
				made[key]++
				statuses[r.status]++
			})
		}
		clients.Wait()
		if len(made) != 1 || statuses[201] != 1 {
			t.Fatalf("round %d: %v with statuses %v", round, made, statuses)
		}
	}
}
