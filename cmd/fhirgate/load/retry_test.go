package load

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// waits records the pauses of a run in place of making them.
type waits struct {
	mu sync.Mutex
	d  []time.Duration
}

func (w *waits) pause(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.d = append(w.d, d)
	w.mu.Unlock()
	return ctx.Err()
}

// refuse responses the first n requests with a status.
func refuse(n, status int, retryAfter string) func(http.ResponseWriter, *request, int) bool {
	return func(w http.ResponseWriter, r *request, i int) bool {
		if i >= n {
			return false
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"throttled","diagnostics":"too much"}]}`)
		return true
	}
}

func TestBusyServersAreAskedAgain(t *testing.T) {
	put, post := patient("a"), patient("")
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   int // requests
	}{
		{"429 to a PUT", 429, put, 4}, {"503 to a POST", 503, post, 4}, {"503 to a transaction", 503, transaction, 4}, {"502 to a PUT", 502, put, 4},
		{"502 to a POST", 502, post, 1}, {"504 to a transaction with a POST", 504, transaction, 1}, {"500 to a PUT", 500, put, 1}, {"422 to a PUT", 422, put, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec, w := newRecorder(t), &waits{}
			rec.before = refuse(3, tc.status, "")
			_, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(tc.body), pause: w.pause})
			if rec.count() != tc.want || (err == nil) != (tc.want == 4) {
				t.Fatalf("%d requests, want %d; %v", rec.count(), tc.want, err)
			}
			for _, r := range rec.received() {
				if !bytes.Equal(r.body, []byte(tc.body)) {
					t.Fatalf("body %q", r.body)
				}
			}
			for i := 1; i < len(w.d); i++ {
				if w.d[i] < w.d[i-1] || w.d[i] > 2*time.Second {
					t.Fatalf("waits %v do not grow slowly", w.d)
				}
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	rec, w := newRecorder(t), &waits{}
	rec.before = refuse(1, 503, "7")
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(patient("a")), pause: w.pause}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]time.Duration{7 * time.Second}, w.d); d != "" {
		t.Fatal(d)
	}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for h, want := range map[string]time.Duration{"": 0, "x": 0, "-3": 0, "3": 3 * time.Second, "99999999999999999": maxRetryAfter,
		"Mon, 23 Nov 2026 09:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 08:00:30 GMT": 0, "Tue, 24 Nov 2026 09:00:30 GMT": maxRetryAfter} {
		if got := retryAfter(h, now); got != want {
			t.Errorf("Retry-After: %s means %v, want %v", h, got, want)
		}
	}
}

func TestAServerThatStartsLateIsWaitedFor(t *testing.T) {
	rec := newRecorder(t)
	// The port is free until the server takes it: no other test listens on this address of the machine's own, where it has more than one.
	ln, err := net.Listen("tcp", "127.83.71.14:0")
	if err != nil {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	tries := 0
	o := Options{Server: "http://" + addr + "/fhir", Files: []string{"-"}, Stdin: strings.NewReader(patient("")), Jobs: 1}
	o.pause = func(ctx context.Context, d time.Duration) error {
		if tries++; tries == 3 {
			ln, err := net.Listen("tcp", addr)
			if err != nil {
				return err
			}
			s := &http.Server{Handler: http.HandlerFunc(rec.serve)}
			t.Cleanup(func() { _ = s.Close() })
			go func() { _ = s.Serve(ln) }()
		}
		return nil
	}
	if _, err := Run(t.Context(), o); err != nil || tries != 3 || rec.count() != 1 {
		t.Fatalf("%v after %d tries, %d requests", err, tries, rec.count())
	}
}

func TestAServerThatIsNotThereIsNamed(t *testing.T) {
	o := Options{Server: "http://127.0.0.1:1/fhir", Files: []string{"-"}, Stdin: strings.NewReader(patient("a")), Retries: 2}
	o.pause = func(context.Context, time.Duration) error { return nil }
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "nothing is listening at http://127.0.0.1:1/fhir") {
		t.Fatal(err)
	}
}

func TestAServerThatIsGoneEndsTheRun(t *testing.T) {
	rec := newRecorder(t)
	dir := t.TempDir()
	for i := range 50 {
		write(t, dir, fmt.Sprintf("%02d.json", i), []byte(patient(fmt.Sprint("p", i))))
	}
	o := Options{Server: "http://127.0.0.1:1/fhir", Files: []string{dir}, Retries: 2}
	s, err := rec.run(t, o)
	if err != nil || s.Failed != 0 {
		t.Fatalf("%v %+v", err, s)
	}
	o.pause = func(context.Context, time.Duration) error { return nil }
	if s, err = Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "nothing is listening") || s.Failed > 10 {
		t.Fatalf("%v, %d failed", err, s.Failed)
	}
}

func TestABrokenConnectionRepeatsOnlyWhatIsSafe(t *testing.T) {
	for body, want := range map[string]int{patient("a"): 3, patient(""): 1} {
		rec := newRecorder(t)
		rec.before = func(w http.ResponseWriter, r *request, n int) bool {
			if n < 2 {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		_, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(body)})
		if rec.count() != want || (err == nil) != (want == 3) {
			t.Errorf("%s: %d requests, want %d; %v", body, rec.count(), want, err)
		}
	}
}

func TestEntriesThatWerePutOffAreSentAgain(t *testing.T) {
	rec := newRecorder(t)
	var mu sync.Mutex
	met := map[string]int{}
	rec.entry = func(method, url string, _ map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		if met[url]++; met[url] == 1 && strings.HasSuffix(url, "7") {
			return `{"status":"503 Service Unavailable","outcome":{"resourceType":"OperationOutcome","issue":[]}}`
		}
		return ""
	}
	var b strings.Builder
	for i := range 30 {
		b.WriteString(patient(fmt.Sprint("p", i)) + "\n")
	}
	s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(b.String())})
	if err != nil || s.Resources != 30 {
		t.Fatalf("%v %+v", err, s)
	}
	if got := len(rec.received()[1].bundle(t).Entry); rec.count() != 2 || got != 3 {
		t.Fatalf("%d requests, the second with %d entries", rec.count(), got)
	}
}
