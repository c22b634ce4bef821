package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// post is a transaction that stores its resource twice where it is sent twice.
func post(n int) []byte {
	return fmt.Appendf(nil, `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","name":[{"family":"p%d"}]},"request":{"method":"POST","url":"Patient"}}]}`, n)
}

// families returns how often each family name of post arrived.
func (rec *recorder) families(t *testing.T) map[string]int {
	t.Helper()
	out := make(map[string]int)
	for _, r := range rec.received() {
		for _, e := range r.bundle(t).Entry {
			names, ok := e.Resource["name"].([]any)
			if !ok {
				t.Fatalf("%v", e.Resource)
			}
			out[names[0].(map[string]any)["family"].(string)]++
		}
	}
	return out
}

func TestAnInterruptedLoadGoesOnWithoutDoublingTransactions(t *testing.T) {
	dir, journals := t.TempDir(), t.TempDir()
	for i := range 40 {
		write(t, dir, fmt.Sprintf("%02d.json", i), post(i))
	}
	rec := newRecorder(t)
	ctx, cancel := context.WithCancel(t.Context())
	rec.before = func(_ http.ResponseWriter, _ *request, n int) bool {
		if n == 12 {
			cancel()
		}
		return false
	}
	o := Options{Server: rec.URL + "/fhir", Files: []string{dir}, Journals: journals}
	s, err := Run(ctx, o)
	if !errors.Is(err, ErrInterrupted) || s.Journal != nil || s.Resources < 13 || s.Resources == 40 {
		t.Fatalf("%v %+v", err, s)
	}
	if len(s.ByFile.Whole) != s.Resources || len(s.ByFile.Whole)+len(s.ByFile.Not) != 40 || s.ByFile.Leading > s.Resources {
		t.Fatalf("%+v", s.ByFile)
	}
	var out bytes.Buffer
	s.Write(&out)
	if !strings.Contains(out.String(), "all up to "+s.ByFile.Whole[s.ByFile.Leading-1]) || !strings.Contains(out.String(), "--resume") {
		t.Fatalf("%s", out.String())
	}
	o.Resume = true
	again, err := Run(t.Context(), o)
	if err != nil || again.Before != s.Resources || again.Resources != 40-s.Resources {
		t.Fatalf("%v %+v", err, again)
	}
	for name, n := range rec.families(t) {
		if n != 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
	if len(rec.families(t)) != 40 {
		t.Errorf("%d arrived", len(rec.families(t)))
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, errNothingToResume) {
		t.Errorf("resumed a finished load: %v", err)
	}
}

func TestALoadThatWasKilledNamesWhatMayBeStored(t *testing.T) {
	dir, journals := t.TempDir(), t.TempDir()
	for i := range 5 {
		write(t, dir, fmt.Sprintf("%d.json", i), post(i))
	}
	rec := newRecorder(t)
	ctx, cancel := context.WithCancel(t.Context())
	abort, answered := make(chan struct{}), make(chan struct{})
	rec.before = func(_ http.ResponseWriter, _ *request, n int) bool {
		if n == 2 { // it is stored, and its response never comes: as where the process is killed meanwhile
			cancel()
			close(abort)
			<-answered
			return true
		}
		return false
	}
	o := Options{Server: rec.URL + "/fhir", Files: []string{dir}, Journals: journals, Jobs: 1, Abort: abort}
	if s, err := Run(ctx, o); !errors.Is(err, ErrInterrupted) || s.Resources != 2 {
		t.Fatalf("%v %+v", err, s)
	}
	close(answered)
	o.Resume, o.Abort = true, nil
	s, err := Run(t.Context(), o)
	if err == nil || s.Failed != 1 || s.Unanswered != 1 || s.Before != 2 || s.Resources != 2 || !strings.Contains(err.Error(), "2.json") || !strings.Contains(err.Error(), "look on the server") {
		t.Fatalf("%v %+v", err, s)
	}
	if got := rec.families(t); len(got) != 5 || got["p2"] != 1 {
		t.Fatalf("%v", got)
	}
}

func TestWhatFailedIsLoadedWhereItIsMended(t *testing.T) {
	dir, journals := t.TempDir(), t.TempDir()
	line := func(family string) string {
		return `{"resourceType":"Patient","name":[{"family":"` + family + `"}]}` + "\n"
	}
	file := write(t, dir, "a.ndjson", []byte(line("a")+line("wrong")+line("c")))
	rec := newRecorder(t)
	rec.entry = func(_, _ string, resource map[string]any) string {
		if strings.Contains(fmt.Sprint(resource), "wrong") {
			return invalid
		}
		return ""
	}
	o := Options{Files: []string{file}, Journals: journals}
	if s, err := rec.run(t, o); err == nil || s.Resources != 2 || s.Failed != 1 || s.Journal != nil {
		t.Fatalf("%v %+v", err, s)
	}
	write(t, dir, "a.ndjson", []byte(line("a")+line("b")+line("c")))
	o.Resume = true
	if s, err := rec.run(t, o); err != nil || s.Before != 2 || s.Resources != 1 {
		t.Fatalf("%v %+v", err, s)
	}
	if got := rec.received()[1].bundle(t); len(got.Entry) != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestABatchThatWentInInPartIsNotSentTwice(t *testing.T) {
	journals := t.TempDir()
	file := write(t, t.TempDir(), "b.json", []byte(`{"resourceType":"Bundle","type":"batch","entry":[
	 {"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},
	 {"resource":{"resourceType":"Patient","id":"5"},"request":{"method":"PUT","url":"Patient/5"}}]}`))
	rec := newRecorder(t)
	rec.entry = faulty
	o := Options{Files: []string{file}, Journals: journals}
	if s, err := rec.run(t, o); err == nil || s.Resources != 1 || s.Failed != 1 {
		t.Fatalf("%v %+v", err, s)
	}
	o.Resume = true
	if _, err := rec.run(t, o); err == nil || !strings.Contains(err.Error(), "store them twice") || rec.count() != 1 {
		t.Fatalf("%v, %d requests", err, rec.count())
	}
}

func TestAServerThatWasNeverReachedIsToldBeforeAnythingIsRead(t *testing.T) {
	w := &waits{}
	var read atomic.Int64
	_, err := Run(t.Context(), Options{Server: "http://127.0.0.1:1/fhir", Files: []string{"-"}, Stdin: counted{strings.NewReader(patient("a")), &read}, pause: w.pause})
	if err == nil || !strings.Contains(err.Error(), "nothing is listening at http://127.0.0.1:1/fhir") {
		t.Fatal(err)
	}
	var waited time.Duration
	for _, d := range w.d {
		waited += d
	}
	if waited > 3*time.Second || read.Load() > 0 {
		t.Fatalf("waited %v, read %d bytes", waited, read.Load())
	}
}

// limitedTransaction is the response to a transaction that is too large for the server's database.
const limitedTransaction = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"too-costly","details":{"coding":[{"system":"urn:fhirgate:issue",
 "code":"transaction-limit"}]},"diagnostics":"the transaction is too large for the database's cache"}]}`

func TestATransactionTooLargeForTheDatabaseIsToldOnce(t *testing.T) {
	collection := `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Patient"}}]}`
	for _, status := range []int{413, 422, 503} {
		for _, content := range []string{transaction, collection} {
			rec := newRecorder(t)
			rec.before = func(w http.ResponseWriter, _ *request, _ int) bool {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, limitedTransaction)
				return true
			}
			s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
			if err == nil || !strings.Contains(err.Error(), "cache") || rec.count() != 1 || s.Failed != 1 {
				t.Errorf("%d: %v, %d requests, %+v", status, err, rec.count(), s)
			}
		}
	}
}

func TestJournalsOfDifferentLoadsAreApart(t *testing.T) {
	journals, file := t.TempDir(), write(t, t.TempDir(), "a.json", post(1))
	rec := newRecorder(t)
	rec.before = refuse(1, 422, "")
	if _, err := rec.run(t, Options{Files: []string{file}, Journals: journals}); err == nil {
		t.Fatal("loaded")
	}
	for _, o := range []Options{{Files: []string{file, file}}, {Files: []string{file}, Server: "http://127.0.0.1:1/fhir"}} {
		o.Journals, o.Resume = journals, true
		o.Server = strings.Replace(rec.URL, "127.0.0.1", "localhost", 1) + map[bool]string{true: "/fhir", false: "/other"}[len(o.Files) == 2]
		if _, err := Run(t.Context(), o); !errors.Is(err, errNothingToResume) {
			t.Errorf("%v: %v", o.Files, err)
		}
	}
	if slices.Contains(rec.lines(), "POST /other") {
		t.Error("sent")
	}
}

func TestWhereNothingCanBeRecordedTheSummarySaysSo(t *testing.T) {
	file := write(t, t.TempDir(), "a.json", post(1))
	for _, journals := range []string{"", write(t, t.TempDir(), "a file", nil)} {
		rec := newRecorder(t)
		rec.before = refuse(1, 422, "")
		s, err := rec.run(t, Options{Files: []string{file}, Journals: journals})
		var out strings.Builder
		s.Write(&out)
		if err == nil || s.Journal == nil || !strings.Contains(out.String(), "--resume is not possible") {
			t.Errorf("%q: %v\n%s", journals, err, out.String())
		}
		if _, err := rec.run(t, Options{Files: []string{file}, Journals: journals, Resume: true}); err == nil || !strings.Contains(err.Error(), "--resume") {
			t.Errorf("%q: %v", journals, err)
		}
	}
}

func TestAJournalOutlivesAServerThatIsNotThere(t *testing.T) {
	file, journals := write(t, t.TempDir(), "a.ndjson", []byte(patient("a")+"\n"+patient("5")+"\n")), t.TempDir()
	rec, shown := newRecorder(t), &display{}
	rec.entry = faulty
	o := Options{Server: rec.URL + "/fhir", Files: []string{file}, Journals: journals, Progress: shown}
	if _, err := Run(t.Context(), o); err == nil {
		t.Fatal("loaded")
	}
	served := rec.Config.Handler
	address := rec.Listener.Addr().String()
	rec.Close()
	o.pause = func(context.Context, time.Duration) error { return nil }
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "nothing is listening") {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", address)
	for end := time.Now().Add(2 * time.Minute); err != nil; ln, err = net.Listen("tcp", address) { // another test may have the port for a while
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s := &http.Server{Handler: served}
	t.Cleanup(func() { _ = s.Close() })
	go func() { _ = s.Serve(ln) }()
	o.Resume = true
	if s, err := Run(t.Context(), o); err == nil || s.Before != 1 {
		t.Fatalf("%v %+v", err, s)
	}
	o.Resume = false
	if s, err := Run(t.Context(), o); err == nil || s.Before != 0 || !strings.Contains(shown.String(), "did not finish") {
		t.Fatalf("%v %+v %s", err, s, shown)
	}
}
