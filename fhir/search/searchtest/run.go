package searchtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// Backend is what scripts run against.
type Backend interface {
	// Put stores a resource, which has resourceType and id, as the current version of its key.
	Put(key fhir.Key, body []byte) error
	// Delete deletes a resource.
	Delete(key fhir.Key) error
	// Search answers the part of a search URL behind the base, "Observation?date=2024" (still escaped), with the keys of all matches in
	// order, over all pages and without included resources. A refusal is an *fhir.Error whose issues have the ids that a client sees.
	Search(url string) ([]fhir.Key, error)
	// Reset removes everything.
	Reset() error
}

// Files returns the scripts of testdata/search; the test fails where there are none.
func Files(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpustest.Root(t), "testdata", "search", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/search: %v", err)
	}
	return files
}

// Run runs scripts against a backend, each from an empty store and as a subtest of its own.
func Run(t *testing.T, files []string, backend Backend) {
	t.Helper()
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			if err := backend.Reset(); err != nil {
				t.Fatal(err)
			}
			RunScript(t, filepath.Base(file), src, backend)
		})
	}
}

// RunScript runs one script. Every search that answers otherwise than it says is a failure that names file and line; a line that can't be
// read, or a resource that can't be stored, ends the test.
func RunScript(t testing.TB, name string, src []byte, backend Backend) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(src))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		var err error
		switch verb {
		case "put":
			err = put(backend, rest)
		case "delete":
			var key fhir.Key
			if key, err = readKey(rest); err == nil {
				err = backend.Delete(key)
			}
		case "reset":
			err = backend.Reset()
		case "search":
			if msg := find(backend, rest); msg != "" {
				t.Errorf("%s:%d: search %s", name, n, msg)
			}
		default:
			err = errors.New("a line is put, delete, search or reset")
		}
		if err != nil {
			t.Fatalf("%s:%d: %v", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func readKey(s string) (fhir.Key, error) {
	typ, id, ok := strings.Cut(s, "/")
	if !ok || !fhir.ValidTypeName(typ) || !fhir.ValidID(id) {
		return fhir.Key{}, errors.New("a key is Type/id")
	}
	return fhir.Key{Type: typ, ID: id}, nil
}

func put(backend Backend, rest string) error {
	name, body, _ := strings.Cut(rest, " ")
	key, err := readKey(name)
	if err != nil {
		return err
	}
	body, ok := strings.CutPrefix(strings.TrimSpace(body), "{")
	if !ok {
		return errors.New("a resource is an object")
	}
	comma := ","
	if strings.TrimSpace(body) == "}" {
		comma = ""
	}
	full := fmt.Sprintf(`{"resourceType":%q,"id":%q%s%s`, key.Type, key.ID, comma, body)
	if _, err := fhir.ParseResource([]byte(full), fhir.Limits{}); err != nil {
		return err
	}
	return backend.Put(key, []byte(full))
}

// find runs one search; "" means that it answered as expected.
func find(backend Backend, rest string) string {
	at := strings.LastIndex(rest, "->")
	if at < 0 {
		return rest + ": no -> and expectation"
	}
	url, want := strings.TrimSpace(rest[:at]), strings.TrimSpace(rest[at+2:])
	keys, err := backend.Search(escape(url))
	if id, refused := strings.CutPrefix(want, "error "); refused {
		var e *fhir.Error
		switch {
		case err == nil:
			return fmt.Sprintf("%s: found %s, want error %s", url, strings.Join(show(url, keys), " "), id)
		case !errors.As(err, &e) || !slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool { return i.ID == fhir.IssueID(id) }):
			return fmt.Sprintf("%s: error %v, want error %s", url, err, id)
		}
		return ""
	}
	if err != nil {
		return fmt.Sprintf("%s: error %v, want %s", url, err, want)
	}
	got, expected := show(url, keys), strings.Fields(want)
	if want == "none" {
		expected = nil
	} else if want == "" {
		return url + `: what is expected is missing; "none" stands for nothing`
	}
	ordered := strings.Contains(url, "_sort=")
	a, b := slices.Clone(got), slices.Clone(expected)
	if !ordered {
		slices.Sort(a)
		slices.Sort(b)
	}
	if !slices.Equal(a, b) {
		return fmt.Sprintf("%s: found %q, want %q", url, got, expected)
	}
	return ""
}

// escape escapes what scripts write as it is for people to read: spaces, quotes, and characters past ASCII. Everything else is the script's
// own, + and % included.
func escape(url string) string {
	var b strings.Builder
	for i := 0; i < len(url); i++ {
		switch c := url[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// show returns ids of the type that the URL names, and keys of others.
func show(url string, keys []fhir.Key) []string {
	path, _, _ := strings.Cut(url, "?")
	out := make([]string, len(keys))
	for i, k := range keys {
		if k.Type == path {
			out[i] = k.ID
		} else {
			out[i] = k.String()
		}
	}
	return out
}
