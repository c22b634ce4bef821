package load

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packageFiles are the members of a FHIR package.
func packageFiles() map[string]string {
	files := map[string]string{
		"package/package.json":                   `{"name":"x.y","version":"1.0.0","fhirVersions":["4.0.1"]}`,
		"package/.index.json":                    `{"index-version":1,"files":[]}`,
		"package/StructureDefinition-a.json":     `{"resourceType":"StructureDefinition","id":"a"}`,
		"package/example/Patient-p.json":         patient("p"),
		"package/other/validation-oo.json":       `{"resourceType":"OperationOutcome","id":"no"}`,
		"package/openapi/x.openapi.json":         `{"openapi":"3.0.2"}`,
		"package/xml/StructureDefinition-a.json": `{"resourceType":"StructureDefinition","id":"no"}`,
	}
	for i := range 12 {
		files[fmt.Sprintf("package/SearchParameter-s%02d.json", i)] = fmt.Sprintf(`{"resourceType":"SearchParameter","id":"s%02d"}`, i)
	}
	return files
}

// tgz returns files as a compressed archive.
func tgz(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var tarred bytes.Buffer
	tw := tar.NewWriter(&tarred)
	for name, content := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return gz(t, tarred.Bytes())
}

func TestAPackageIsLoadedWithItsSearchParametersInOneTransaction(t *testing.T) {
	unpacked := t.TempDir()
	for name, content := range packageFiles() {
		write(t, unpacked, name, []byte(content))
	}
	for how, file := range map[string]string{"packed": write(t, t.TempDir(), "x.tgz", tgz(t, packageFiles())), "unpacked": unpacked} {
		t.Run(how, func(t *testing.T) {
			rec := newRecorder(t)
			s, err := rec.run(t, Options{Files: []string{file}})
			if err != nil || s.Resources != 14 {
				t.Fatalf("%v %+v", err, s)
			}
			if d := cmp.Diff([]string{"POST /fhir", "PUT /fhir/Patient/p", "PUT /fhir/StructureDefinition/a"}, rec.lines()); d != "" {
				t.Fatal(d)
			}
			last := rec.received()[2]
			if b := last.bundle(t); last.path != "/fhir" || b.Type != "transaction" || len(b.Entry) != 12 {
				t.Fatalf("the last request is %s with %+v", last.path, b)
			}
		})
	}
}

// refusing responses transactions as a server does that takes all of one or nothing, and does not take entries whose URL has a word.
func refusing(word string) func(http.ResponseWriter, *request, int) bool {
	return func(w http.ResponseWriter, r *request, _ int) bool {
		var b bundle
		if json.Unmarshal(r.body, &b) != nil || b.Type != "transaction" {
			return false
		}
		for i, e := range b.Entry {
			if strings.Contains(e.Request.URL, word) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				fmt.Fprintf(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","diagnostics":"not an expression","expression":["Bundle.entry[%d].resource.expression"]}]}`, i)
				return true
			}
		}
		return false
	}
}

func TestOneRefusedSearchParameterDoesNotKeepTheOthersOut(t *testing.T) {
	rec := newRecorder(t)
	rec.before = refusing("s07")
	s, err := rec.run(t, Options{Files: []string{write(t, t.TempDir(), "x.tgz", tgz(t, packageFiles()))}})
	if err == nil || s.Resources != 13 || s.Failed != 1 || !strings.Contains(err.Error(), "package/SearchParameter-s07.json: 422 not an expression") {
		t.Fatalf("%v %+v", err, s)
	}
	if rec.count() != 4 {
		t.Errorf("%d requests", rec.count())
	}
}

func TestTheSameSearchParameterTwiceGoesInTwoTransactions(t *testing.T) {
	rec := newRecorder(t)
	dir := t.TempDir()
	for i := range 3 {
		write(t, dir, fmt.Sprint(i, ".json"), fmt.Appendf(nil, `{"resourceType":"SearchParameter","id":"s%d"}`, i%2))
	}
	if s, err := rec.run(t, Options{Files: []string{dir}, Jobs: 1}); err != nil || s.Resources != 3 || rec.count() != 2 {
		t.Fatalf("%v %+v, %d requests", err, s, rec.count())
	}
}

func TestAFileThatIsNoResourceDoesNotStopTheRest(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a.json": patient("a"), "b.json": `{"name":"x"}`, "c.json": `[1]`, "d.json": "<Patient/>", "e.json": "", "package.json": `{"name":"x"}`, "f.json": patient("f"),
		"g.json": `{"resourceType":"Bundle","type":"batch-response"}`} {
		write(t, dir, name, []byte(content))
	}
	rec := newRecorder(t)
	s, err := rec.run(t, Options{Files: []string{dir}})
	if err == nil || s.Resources != 2 || s.Failed != 5 || len(s.ByFile.Not) != 5 || len(s.ByFile.Whole) != 3 {
		t.Fatalf("%v %+v", err, s)
	}
	var out bytes.Buffer
	s.Write(&out)
	for _, name := range []string{"b.json", "c.json", "d.json", "e.json", "g.json"} {
		if !strings.Contains(out.String(), "at "+path.Join(dir, name)+"\n") {
			t.Errorf("%s is not named in\n%s", name, out.String())
		}
	}
}
