package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// TestOwnReferencesAreOwnByAnyNameOfTheServer writes and finds references under the address of the socket, under another Host, and under the name that a
// trusted proxy states. The server was started with none of them.
func TestOwnReferencesAreOwnByAnyNameOfTheServer(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.TrustProxy = true })
	names := []struct {
		base    string
		headers []string
	}{
		{s.url + "/fhir", nil},
		{"http://localhost:4711/fhir", []string{"Host", "localhost:4711"}},
		{"https://fhir.example.org/r4/fhir", []string{"X-Forwarded-Host", "fhir.example.org", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/r4"}},
	}
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","gender":"female"}`)
	s.put(t, "Patient/q", `{"resourceType":"Patient","id":"q","gender":"male"}`)
	observation := `{"resourceType":"Observation","id":"%s","status":"final","code":{"text":"x"},"subject":{"reference":"%s/Patient/p"},"performer":[{"reference":"http://elsewhere.example.org/fhir/Patient/p"}],"focus":[{"reference":"%s/Patient/q/_history/1"}]}`
	want := 0
	for i, n := range names {
		with := ct(jsonType, n.headers...)
		for _, c := range []struct{ method, path, body string }{
			{"PUT", "/fhir/Observation/put%d", observation},
			{"POST", "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + observation + `,"request":{"method":"PUT","url":"` + n.base + `/Observation/batch%d"}}]}`},
			{"POST", "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + observation + `,"request":{"method":"PUT","url":"Observation/transaction%d"}}]}`},
			{"PUT", "/fhir/Observation?_id=conditional%d", observation},
		} {
			kind := map[bool]string{true: "put"}[c.path == "/fhir/Observation/put%d"]
			for _, k := range []string{"batch", "transaction", "conditional"} {
				if strings.Contains(c.body+c.path, k+"%d") {
					kind = k
				}
			}
			id := fmt.Sprintf("%s%d", kind, i)
			body := strings.Replace(strings.Replace(c.body, "%s", id, 1), "%s", n.base, 2)
			replace := strings.NewReplacer("%d", fmt.Sprint(i))
			if a := s.do(t, c.method, replace.Replace(c.path), with, replace.Replace(body)); a.status > 201 {
				t.Fatalf("%s %s: %d %.300s", n.base, kind, a.status, a.body)
			}
			want++
			stored := string(s.do(t, "GET", "/fhir/Observation/"+id, nil, "").body)
			for _, reference := range []string{`"reference":"Patient/p"`, `"reference":"Patient/q/_history/1"`, `"reference":"http://elsewhere.example.org/fhir/Patient/p"`} {
				if !strings.Contains(stored, reference) {
					t.Errorf("%s %s: no %s in %s", n.base, kind, reference, stored)
				}
			}
		}
	}
	for _, n := range names {
		for _, query := range []string{"subject=" + n.base + "/Patient/p", "subject=Patient/p", "subject.gender=female", "focus=" + n.base + "/Patient/q", "subject:Patient=" + n.base + "/Patient/p"} {
			a := s.do(t, "GET", "/fhir/Observation?_count=0&"+query, n.headers, "")
			if !strings.Contains(string(a.body), fmt.Sprintf(`"total":%d,`, want)) {
				t.Errorf("%s, %s: %.300s; want %d", n.base, query, a.body, want)
			}
		}
		if a := s.do(t, "GET", "/fhir/Patient/p/Observation?_count=0", n.headers, ""); !strings.Contains(string(a.body), fmt.Sprintf(`"total":%d,`, want)) {
			t.Errorf("%s, compartment: %.300s; want %d", n.base, a.body, want)
		}
		a := s.do(t, "POST", "/fhir/Observation", ct(jsonType, append(n.headers, "If-None-Exist", "subject="+n.base+"/Patient/p&_id=put0")...), `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`)
		if a.status != http.StatusOK {
			t.Errorf("%s, If-None-Exist: %d %.300s", n.base, a.status, a.body)
		}
	}
}

// TestIfModifiedSinceHidesNoChange polls a resource that changes several times in a second.
func TestIfModifiedSinceHidesNoChange(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 100_000_000, time.UTC)
	s := newServerOf(t, newConfigWith(t, nil, func() time.Time { return now }))
	version := func(n int) string {
		return fmt.Sprintf(`{"resourceType":"Patient","id":"p","name":[{"family":"f%d"}]}`, n)
	}
	poll := func(since string) int {
		a := s.do(t, "GET", "/fhir/Patient/p", []string{"If-Modified-Since", since}, "")
		at, err := http.ParseTime(since)
		if err != nil {
			t.Fatal(err)
		}
		b := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p","ifModifiedSince":"`+at.UTC().Format(time.RFC3339)+`"}}]}`)
		if !strings.Contains(string(b.body), fmt.Sprintf(`"status":"%d `, a.status)) {
			t.Errorf("by HTTP %d, in a Bundle %s", a.status, b.body)
		}
		return a.status
	}
	s.put(t, "Patient/p", version(1))
	first := s.do(t, "GET", "/fhir/Patient/p", nil, "").header.Get("Last-Modified")
	if got := poll(first); got != http.StatusNotModified {
		t.Errorf("nothing has changed: %d", got)
	}
	now = now.Add(300 * time.Millisecond)
	s.put(t, "Patient/p", version(2))
	if got := poll(first); got != http.StatusOK {
		t.Errorf("a change in the same second: %d", got)
	}
	now = now.Add(2 * time.Second)
	s.put(t, "Patient/p", version(3))
	if got := poll(first); got != http.StatusOK {
		t.Errorf("a change in a later second: %d", got)
	}
	if got := poll(s.do(t, "GET", "/fhir/Patient/p", nil, "").header.Get("Last-Modified")); got != http.StatusNotModified {
		t.Errorf("nothing has changed in this second or since: %d", got)
	}
	if got := poll(now.Add(-time.Hour).Format(http.TimeFormat)); got != http.StatusOK {
		t.Errorf("a change since an hour ago: %d", got)
	}
	if got := poll(now.Add(time.Hour).Format(http.TimeFormat)); got != http.StatusNotModified {
		t.Errorf("none since the future: %d", got)
	}
	precise := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p","ifModifiedSince":"2026-11-30T09:00:02.399Z"}},{"request":{"method":"GET","url":"Patient/p","ifModifiedSince":"2026-11-30T09:00:02.400Z"}}]}`)
	if got := string(precise.body); !strings.Contains(got, `"status":"200 OK"`) || !strings.Contains(got, `"status":"304 `) {
		t.Errorf("at its own precision: %s", got)
	}
}
