package operation

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// written is a log.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// String returns what was logged so far.
func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// TestResponseThatIsNotTakenTellsNoURL sends to a receiver that is not there. What went wrong is kept and logged, without the URL.
func TestResponseThatIsNotTakenTellsNoURL(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	log := &written{}
	jobs := job.New(store, job.Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Poll: 10 * time.Millisecond, Retry: time.Hour})
	c := newCourier(jobs, []string{closed.URL + "/in"})
	jobs.Start()
	defer jobs.Close()
	if err := store.Update(t.Context(), func(tx storage.Tx) error {
		return c.send(t.Context(), tx, closed.URL+"/in/Patient/12345?token=secret", []byte(`{}`))
	}); err != nil {
		t.Fatal(err)
	}
	jobs.Wake(courierKind)
	kept := ""
	for kept == "" {
		time.Sleep(time.Millisecond)
		list, err := jobs.List(t.Context(), courierKind)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %d jobs", err, len(list))
		}
		kept = list[0].Error
	}
	for name, text := range map[string]string{"what is kept": kept, "what is logged": log.String()} {
		if strings.Contains(text, "12345") || strings.Contains(text, "secret") || strings.Contains(text, "/in") || !strings.Contains(text, "dial") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestErrorWithoutItsURL(t *testing.T) {
	if err := withoutURL(&url.Error{Op: "Post", URL: "http://example.org/secret", Err: io.ErrUnexpectedEOF}); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	if err := errors.New("another"); withoutURL(err) != err || withoutURL(nil) != nil {
		t.Error("an error without a URL is another one")
	}
}
