package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const invalid = `{"status":"422 Unprocessable Entity","outcome":{"resourceType":"OperationOutcome","issue":[
 {"severity":"warning","code":"value","diagnostics":"a warning"},
 {"severity":"error","code":"value","details":{"text":"not a code"},"expression":["Patient.gender"]}]}}`

// faulty makes every entry fail whose id ends in 5.
func faulty(_, url string, _ map[string]any) string {
	if strings.HasSuffix(url, "5") {
		return invalid
	}
	return ""
}

// patients returns n lines.
func patients(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(patient(fmt.Sprint("p", i)) + "\n")
	}
	return b.String()
}

func TestTheFirstErrorEndsTheRun(t *testing.T) {
	rec := newRecorder(t)
	rec.entry = faulty
	dir := t.TempDir()
	for i := range 50 {
		write(t, dir, fmt.Sprintf("%02d.ndjson", i), []byte(patients(20)))
	}
	s, err := rec.run(t, Options{Files: []string{dir}, Jobs: 2, Stop: true})
	var f *Failure
	if !errors.As(err, &f) || !strings.Contains(f.Place, ".ndjson, line 6") || f.Reason != "422 not a code (Patient.gender)" {
		t.Fatalf("%v", err)
	}
	if n := rec.count(); n > 4 || s.Failed == 0 {
		t.Fatalf("%d requests after a failure", n)
	}
}

func TestWhatStandsBeforeABrokenLineIsLoaded(t *testing.T) {
	for name, broken := range map[string]string{"syntax": "{\n", "value": "7\n", "a type": "{\"id\":\"x\"}\n", "a resource": `{"resourceType":"Patient","resourceType":"Patient"}` + "\n"} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			file := write(t, t.TempDir(), "a.ndjson", []byte(patient("a")+"\n"+broken+patient("b")+"\n"))
			s, err := rec.run(t, Options{Files: []string{file}, Stop: true})
			var f *Failure
			if !errors.As(err, &f) || !strings.Contains(f.Error(), "line 2") || s.Resources != 1 || s.Failed != 1 {
				t.Fatalf("%v %+v", err, s)
			}
			var out bytes.Buffer
			s.Write(&out)
			if !strings.HasPrefix(out.String(), "1 resource loaded from 1 file in ") {
				t.Error(out.String())
			}
		})
	}
}

func TestFilesWithNothingInThem(t *testing.T) {
	dir := t.TempDir()
	full, empty := write(t, dir, "full.json", []byte(patient("a"))), write(t, dir, "empty.json", nil)
	lines, blank := write(t, dir, "empty.ndjson", nil), write(t, dir, "blank.json", []byte(" \n"))
	for _, tc := range []struct {
		files []string
		want  string // "" for none
	}{
		{[]string{empty}, "empty.json: there is no JSON in it"},
		{[]string{full, empty}, "empty.json: there is no JSON in it"},
		{[]string{blank}, "blank.json: there is no JSON in it"},
		{[]string{lines}, "empty.ndjson: there is no resource in it"},
		{[]string{full, lines}, ""}, // an export may have a type without resources
	} {
		_, err := newRecorder(t).run(t, Options{Files: tc.files})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tc.want)) {
			t.Errorf("%v: %v, want %q", tc.files, err, tc.want)
		}
	}
}

func TestErrorsDoNotStopTheRest(t *testing.T) {
	rec := newRecorder(t)
	rec.entry = faulty
	rec.before = func(w http.ResponseWriter, r *request, n int) bool {
		if !bytes.Contains(r.body, []byte("transaction")) {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"wrong","expression":["Bundle.entry[1]"]}]}`)
		return true
	}
	dir := t.TempDir()
	write(t, dir, "1.json", []byte(transaction))
	write(t, dir, "2.json", []byte(transaction))
	write(t, dir, "3.ndjson", []byte(patients(40)))
	s, err := rec.run(t, Options{Files: []string{dir}})
	if err == nil || s.Resources != 36 || s.Failed != 6 || len(s.Faults) != 2 {
		t.Fatalf("%v %+v", err, s)
	}
	var out bytes.Buffer
	s.Elapsed = 2 * time.Second
	s.Write(&out)
	want := fmt.Sprintf(`36 resources loaded from 3 files in 2.0 s (18 a second)
36 updated

By type
        36  Patient

Not loaded: 6, by error
         4  422 not a code (Patient.gender)
            at %[1]s/3.ndjson, line 6
            at %[1]s/3.ndjson, line 16
            at %[1]s/3.ndjson, line 26
            at %[1]s/3.ndjson, line 36
         2  400 wrong (Bundle.entry[..])
            at %[1]s/`, dir)
	if !strings.HasPrefix(out.String(), want) {
		t.Fatalf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestAnswersThatAreNoFHIR(t *testing.T) {
	for _, tc := range []struct {
		status             int
		header, body, want string
	}{
		{502, "", "<html><body>Bad   gateway\n</body></html>", "502 <html><body>Bad gateway </body></html>"},
		{500, "", "", "500 without an OperationOutcome"},
		{500, "", `{"message":"no"}`, "500 without an OperationOutcome"},
		{302, "https://elsewhere/fhir", "", "302 the server redirects to https://elsewhere/fhir"},
		{200, "", `{"resourceType":"Bundle","entry":[]}`, "200: the response has 0 entries for 3 requests"},
		{200, "", `{"resourceType":"Bundle","entry":[{"response"`, "the response broke off"},
	} {
		rec := newRecorder(t)
		rec.before = func(w http.ResponseWriter, r *request, n int) bool {
			if tc.header != "" {
				w.Header().Set("Location", tc.header)
			}
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
			return true
		}
		_, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(transaction), Retries: -1})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%d %q: %v, want %s", tc.status, tc.body, err, tc.want)
		}
	}
}

func TestAnInterruptEndsTheRun(t *testing.T) {
	rec := newRecorder(t)
	ctx, cancel := context.WithCancel(t.Context())
	rec.before = func(w http.ResponseWriter, r *request, n int) bool {
		cancel()
		time.Sleep(20 * time.Millisecond)
		return false
	}
	_, err := Run(ctx, Options{Server: rec.URL + "/fhir", Files: []string{"-"}, Stdin: strings.NewReader(patients(2000))})
	if err == nil || err.Error() != "interrupted" {
		t.Fatal(err)
	}
}

func TestHeadersAreSent(t *testing.T) {
	rec := newRecorder(t)
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(patient("a")), Header: http.Header{"Authorization": {"Bearer x"}}}); err != nil {
		t.Fatal(err)
	}
	if got := rec.received()[0].header.Get("Authorization"); got != "Bearer x" {
		t.Fatalf("Authorization: %q", got)
	}
}

// display keeps what the progress writes, and tells when it has shown something.
type display struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (d *display) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

// String returns all that was shown.
func (d *display) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// shown loads ten files to a server that leaves the last but one unanswered until something has been shown often enough.
func shown(t *testing.T, o Options, text string, often int) string {
	t.Helper()
	rec, out := newRecorder(t), &display{}
	rec.before = func(_ http.ResponseWriter, _ *request, n int) bool {
		for end := time.Now().Add(10 * time.Minute); n == 8 && strings.Count(out.String(), text) < often && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return false
	}
	dir := t.TempDir()
	for i := range 10 {
		write(t, dir, fmt.Sprint(i, ".ndjson"), []byte(patients(20)))
	}
	o.Files, o.Jobs, o.Progress = []string{dir}, 1, out
	if _, err := rec.run(t, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestProgressIsLinesWithoutATerminal(t *testing.T) {
	out := shown(t, Options{Interval: time.Millisecond}, "waiting for the last responses\n", 3)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if len(lines) < 3 || !strings.Contains(last, "/s, ") || !strings.Contains(last, "of 10 files, waiting for") || strings.Contains(out, "100 %") || strings.ContainsAny(out, "\r\x1b") {
		t.Fatalf("%q", out)
	}
}

func TestProgressIsABarOnATerminal(t *testing.T) {
	out := shown(t, Options{Terminal: true}, "%", 2)
	if !strings.Contains(out, "resources, ") || !strings.Contains(out, "%") || !strings.Contains(out, "\r") || strings.Contains(out, "\n") {
		t.Fatalf("%q", out)
	}
}
