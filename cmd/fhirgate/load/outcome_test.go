package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
)

// responses are responses to what must not be sent twice, with whether they leave open that it is stored.
var responses = []struct {
	status  int
	unknown bool
}{
	{302, false}, {400, false}, {401, false}, {403, false}, {404, false}, {408, true}, {409, false}, {412, false}, {413, false}, {422, false}, {429, false},
	{500, true}, {501, false}, {502, true}, {503, false}, {504, true}, {507, false}, {520, true},
}

// A proxy that gives up, and a server that fails, may have gone on with a request all the same.
func TestWhatMayBeStoredIsNotSentAgain(t *testing.T) {
	for _, tc := range responses {
		for name, content := range map[string]string{
			"resource":    patient(""),
			"transaction": string(post(1)),
			"batch":       `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + patient("") + `,"request":{"method":"POST","url":"Patient"}}]}`,
			"lines":       patient("") + "\n" + patient("") + "\n",
		} {
			t.Run(fmt.Sprint(tc.status, " ", name), func(t *testing.T) {
				file, rec := write(t, t.TempDir(), "a.json", []byte(content)), newRecorder(t)
				o := Options{Files: []string{file}, Journals: t.TempDir(), Retries: -1}
				rec.before = refuse(1, tc.status, "")
				s, err := rec.run(t, o)
				if err == nil || s.Resources != 0 {
					t.Fatalf("%v %+v", err, s)
				}
				resumedAfter(t, rec, o, s, err, tc.unknown)
			})
		}
	}
}

// The status of an entry is as open as that of a response.
func TestEntriesThatMayBeStoredAreNotSentAgain(t *testing.T) {
	for _, tc := range append(responses, struct {
		status  int
		unknown bool
	}{0, true}) {
		for name, content := range map[string]string{
			"batch": `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + patient("") + `,"request":{"method":"POST","url":"Patient"}}]}`,
			"lines": patient("") + "\n" + patient("x") + "\n",
		} {
			t.Run(fmt.Sprint(tc.status, " ", name), func(t *testing.T) {
				file, rec := write(t, t.TempDir(), "a.json", []byte(content)), newRecorder(t)
				o := Options{Files: []string{file}, Journals: t.TempDir(), Retries: -1}
				rec.entry = func(method, _ string, _ map[string]any) string {
					if method == http.MethodPost && rec.count() == 1 {
						return fmt.Sprintf(`{"status":"%d"}`, tc.status)
					}
					return ""
				}
				s, err := rec.run(t, o)
				if err == nil || s.Failed != 1 {
					t.Fatalf("%v %+v", err, s)
				}
				resumedAfter(t, rec, o, s, err, tc.unknown)
			})
		}
	}
}

// A connection that breaks, before the response or in it, says nothing of the request.
func TestWhatTheConnectionBrokeForIsNotSentAgain(t *testing.T) {
	for name, response := range map[string]func(http.ResponseWriter){
		"before": func(http.ResponseWriter) {},
		"in it": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"resourceType":"Bundle","entry":[{"response":{"status":"400"}}`)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		for kind, content := range map[string]string{"resource": patient(""), "transaction": string(post(1)), "lines": patient("") + "\n" + patient("") + "\n"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				file, rec := write(t, t.TempDir(), "a.json", []byte(content)), newRecorder(t)
				o := Options{Files: []string{file}, Journals: t.TempDir()}
				rec.before = func(w http.ResponseWriter, _ *request, n int) bool {
					if n == 0 {
						response(w)
						panic(http.ErrAbortHandler)
					}
					return false
				}
				s, err := rec.run(t, o)
				if err == nil || s.Resources != 0 {
					t.Fatalf("%v %+v", err, s)
				}
				resumedAfter(t, rec, o, s, err, true)
			})
		}
	}
}

// A server that says that its database may have stored a write has 503 for it, as for what it did not do.
func TestWhatTheDatabaseMayHaveStoredIsNotSentAgain(t *testing.T) {
	const outcome = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","details":{"coding":[{"system":"urn:fhirgate:issue","code":"storage-unknown"}]}}]}`
	for name, content := range map[string]string{"resource": patient(""), "transaction": string(post(1)), "lines": patient("") + "\n" + patient("x") + "\n",
		"collection": `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient"}}]}`} {
		for _, each := range []bool{false, true} {
			if each && name != "lines" {
				continue
			}
			t.Run(fmt.Sprint(name, " ", each), func(t *testing.T) {
				file, rec := write(t, t.TempDir(), "a.json", []byte(content)), newRecorder(t)
				o := Options{Files: []string{file}, Journals: t.TempDir()}
				rec.before = func(w http.ResponseWriter, _ *request, n int) bool {
					if n > 0 || each {
						return false
					}
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, outcome)
					return true
				}
				rec.entry = func(method, _ string, _ map[string]any) string {
					if each && method == http.MethodPost {
						return `{"status":"503","outcome":` + outcome + `}`
					}
					return ""
				}
				s, err := rec.run(t, o)
				if err == nil || rec.count() != 1 {
					t.Fatalf("%v %+v, %d requests", err, s, rec.count())
				}
				if name == "lines" && !each { // the one with an id is retried
					if s.Unanswered != 1 {
						t.Fatalf("%+v", s)
					}
					return
				}
				resumedAfter(t, rec, o, s, err, true)
			})
		}
	}
	rec := newRecorder(t)
	rec.before = func(w http.ResponseWriter, _ *request, n int) bool {
		if n == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, outcome)
		}
		return n == 0
	}
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(patient("a"))}); err != nil || rec.count() != 2 {
		t.Errorf("what may be sent twice: %v, %d requests", err, rec.count())
	}
}

// resumedAfter goes on after a run that has sent one request, with an outcome that is known or not.
func resumedAfter(t *testing.T, rec *recorder, o Options, s *Summary, err error, unknown bool) {
	t.Helper()
	var out bytes.Buffer
	s.Write(&out)
	for what, said := range map[string]bool{"error": strings.Contains(err.Error(), "it may be stored all the same"), "summary": s.Unanswered > 0} {
		if said != unknown {
			t.Errorf("the %s says that it may be stored: %v\n%v\n%s", what, said, err, out.String())
		}
	}
	o.Resume = true
	again, err := rec.run(t, o)
	if unknown && (err == nil || rec.count() != 1 || again.Unanswered != s.Unanswered || !strings.Contains(err.Error(), "look on the server")) ||
		!unknown && (err != nil || rec.count() != 2) {
		t.Errorf("%v, %d requests, %+v", err, rec.count(), again)
	}
}

// A server whose certificate is refused was sent nothing, and so was one for a file that is gone.
func TestWhatWasNotSentIsSentByAnotherRun(t *testing.T) {
	rec := newRecorder(t)
	o := Options{Server: strings.Replace(rec.URL, "http:", "https:", 1) + "/fhir", Files: []string{write(t, t.TempDir(), "a.json", post(1))}, Journals: t.TempDir(), Retries: -1}
	for range 2 {
		s, err := Run(t.Context(), o)
		if err == nil || s.Failed != 1 || s.Unanswered != 0 || strings.Contains(err.Error(), "look on the server") {
			t.Fatalf("%v %+v", err, s)
		}
		o.Resume = true
	}
	j := jobOf(&document{resourceType: "Patient", body: &body{open: func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }}})
	var unsent *unsentError
	if _, _, err := newClient(&Options{Server: rec.URL}).once(t.Context(), j); !errors.As(err, &unsent) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
