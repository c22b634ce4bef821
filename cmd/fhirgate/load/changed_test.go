package load

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// told returns what a summary says before its hint to --resume.
func told(t *testing.T, s *Summary) string {
	t.Helper()
	var out bytes.Buffer
	s.Write(&out)
	before, _, hint := strings.Cut(out.String(), "--resume")
	if !hint {
		t.Fatalf("there is no hint: %s", out.String())
	}
	return before
}

func TestAFileThatIsCutOffIsToldBeforeTheHintToResume(t *testing.T) {
	line := patient("a") + "\n"
	for name, content := range map[string][]byte{
		"b.json":     []byte(`{"resourceType":"Patient","name":[{"family":"x`),
		"b.ndjson":   []byte(line + `{"resourceType":"Patient",`),
		"b.json.gz":  gz(t, []byte(strings.Repeat(line, 1000)))[:60],
		"broken.zip": []byte("PK\x03\x04 and no more"),
	} {
		t.Run(name, func(t *testing.T) {
			dir, rec := t.TempDir(), newRecorder(t)
			write(t, dir, "a.json", []byte(line))
			write(t, dir, "c.json", []byte(`{"resourceType":]`))
			file := write(t, dir, name, content)
			s, err := rec.run(t, Options{Files: []string{dir}, Journals: t.TempDir()})
			if err == nil {
				t.Fatal("loaded")
			}
			want := "Cut off: " + file + ". Get the whole file first."
			if got := told(t, s); strings.Contains(got, want) != (name != "broken.zip") {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestAFileThatChangesIsToldBeforeTheHintToResume(t *testing.T) {
	dir, rec := t.TempDir(), newRecorder(t)
	a, b := write(t, dir, "a.json", post(1)), write(t, dir, "b.json", post(2))
	rec.before = func(w http.ResponseWriter, r *request, n int) bool {
		if n == 0 {
			write(t, dir, "a.json", append(post(3), ' '))
		}
		return refuse(1, 422, "")(w, r, n)
	}
	s, err := rec.run(t, Options{Files: []string{dir}, Journals: t.TempDir(), Jobs: 1})
	if got := told(t, s); err == nil || !strings.Contains(got, "Changed or removed since the load began: "+a+".") || strings.Contains(got, "began: "+b) {
		t.Errorf("%v %s", err, got)
	}
}

// A large body is read again from its file. Where that has changed, the server does not get it, and it counts as not sent.
func TestABodyWhoseFileChangesIsNotSent(t *testing.T) {
	large := []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Binary","data":"` + strings.Repeat("A", heldBody) + `"},"request":{"method":"POST","url":"Binary"}}]}`)
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, heldBody/2) },
		"changed": func(path string) error {
			return os.WriteFile(path, bytes.ReplaceAll(large, []byte("A"), []byte("B")), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			path := filepath.Join(t.TempDir(), "a.json")
			if err := os.WriteFile(path, large, 0o600); err != nil {
				t.Fatal(err)
			}
			rec.before = func(w http.ResponseWriter, r *request, n int) bool {
				if n == 0 {
					if err := change(path); err != nil {
						t.Error(err)
					}
				}
				return refuse(1, 503, "")(w, r, n)
			}
			s, err := rec.run(t, Options{Files: []string{path}, Journals: t.TempDir(), Retries: 1})
			if err == nil || s.Unanswered > 0 || rec.count() != 1 || !strings.Contains(err.Error(), errChanged.Error()) {
				t.Errorf("%v %+v, %d requests", err, s, rec.count())
			}
			if got := told(t, s); !strings.Contains(got, "Changed or removed since the load began: "+path) {
				t.Errorf("%s", got)
			}
		})
	}
}
