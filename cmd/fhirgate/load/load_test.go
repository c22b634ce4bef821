package load

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const transaction = `{"resourceType":"Bundle","type":"transaction","entry":[
 {"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},
 {"resource":{"resourceType":"Observation","id":"o"},"request":{"method":"PUT","url":"Observation/o"}},
 {"request":{"method":"DELETE","url":"Encounter/e"}}]}`

func TestATransactionIsSentByteForByte(t *testing.T) {
	rec := newRecorder(t)
	dir := t.TempDir()
	s, err := rec.run(t, Options{Files: []string{write(t, dir, "t.json", []byte("\ufeff "+transaction+"\n"))}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rec.received()[0]; string(got.body) != transaction || got.path != "/fhir" || got.method != http.MethodPost {
		t.Fatalf("sent %s %s %q", got.method, got.path, got.body)
	}
	if h := rec.received()[0].header; h.Get("Content-Type") != "application/fhir+json" || h.Get("Prefer") != "return=minimal" {
		t.Fatalf("headers %v", h)
	}
	want := &Summary{Files: 1, Resources: 3, ByType: map[string]int{"Patient": 1, "Observation": 1, "Encounter": 1}, Created: 1, Updated: 1, Deleted: 1}
	s.Elapsed = 0
	if d := cmp.Diff(want, s); d != "" {
		t.Fatal(d)
	}
}

func TestEveryFormatArrives(t *testing.T) {
	resource := []byte(patient("one"))
	var zipped bytes.Buffer
	zw := zip.NewWriter(&zipped)
	for _, name := range []string{"a/one.json", "a/readme.txt", "__MACOSX/.x.json"} {
		w, err := zw.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(resource); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	var tarred bytes.Buffer
	tw := tar.NewWriter(&tarred)
	for name, content := range map[string][]byte{"one.json.gz": gz(t, resource), "notes.md": []byte("x")} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	formats := map[string][]byte{
		"one.json":    resource,
		"one.json.gz": gz(t, resource),
		"one.ndjson":  append(resource, '\n'),
		"one.zip":     zipped.Bytes(),
		"one.tar":     tarred.Bytes(),
		"one.tgz":     gz(t, tarred.Bytes()),
		"one.tar.gz":  gz(t, tarred.Bytes()),
		"one.zip.gz":  gz(t, zipped.Bytes()),
		"noending":    gz(t, resource),
	}
	for name, content := range formats {
		for _, how := range []string{"file", "standard input"} {
			t.Run(name+" as "+how, func(t *testing.T) {
				rec := newRecorder(t)
				o := Options{Files: []string{write(t, t.TempDir(), name, content)}}
				if how != "file" {
					o = Options{Files: []string{"-"}, Stdin: bytes.NewReader(content)}
				}
				s, err := rec.run(t, o)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff([]string{"PUT /fhir/Patient/one"}, rec.lines()); d != "" || s.Resources != 1 {
					t.Fatalf("%s%+v", d, s)
				}
				if !bytes.Equal(rec.received()[0].body, resource) {
					t.Fatalf("body %q", rec.received()[0].body)
				}
			})
		}
	}
}

func TestFoldersAndPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a", "sub/b", "sub/deep/c"} {
		id := n[len(n)-1:]
		write(t, dir, n+".json", []byte(patient(id)))
	}
	write(t, dir, "sub/readme.md", []byte("no"))
	write(t, dir, "sub/.hidden.json", []byte("no"))
	for args, want := range map[string][]string{
		dir:                   {"PUT /fhir/Patient/a", "PUT /fhir/Patient/b", "PUT /fhir/Patient/c"},
		dir + "/sub/*.json":   {"PUT /fhir/Patient/b"},
		dir + "/*":            {"PUT /fhir/Patient/a", "PUT /fhir/Patient/b", "PUT /fhir/Patient/c"},
		dir + "/sub/deep":     {"PUT /fhir/Patient/c"},
		dir + "/[a-c].json":   {"PUT /fhir/Patient/a"},
		dir + "/sub/./b.json": {"PUT /fhir/Patient/b"},
	} {
		rec := newRecorder(t)
		if _, err := rec.run(t, Options{Files: []string{args}}); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if d := cmp.Diff(want, rec.lines()); d != "" {
			t.Errorf("%s: %s", args, d)
		}
	}
	rec := newRecorder(t)
	for _, missing := range []string{dir + "/none.json", dir + "/*.xml", write(t, dir, "empty/x.txt", nil)[:len(dir)+len("/empty")]} {
		if _, err := rec.run(t, Options{Files: []string{missing}}); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", missing, err)
		}
	}
}

func TestFilesThatOthersReferToGoFirst(t *testing.T) {
	rec := newRecorder(t)
	dir := t.TempDir()
	for _, n := range []string{"Aaron.json", "hospitalInformation1.json", "practitionerInformation1.json"} {
		write(t, dir, n, []byte(patient(n[:4])))
	}
	if _, err := rec.run(t, Options{Files: []string{dir}}); err != nil {
		t.Fatal(err)
	}
	if last := rec.received()[2].path; last != "/fhir/Patient/Aaro" {
		t.Fatalf("sent last: %s", last)
	}
}

func TestSequencesGoInBatches(t *testing.T) {
	var lines, pretty strings.Builder
	for i := range 450 {
		id := ""
		if i%3 > 0 {
			id = fmt.Sprint("p", i)
		}
		lines.WriteString(patient(id) + "\n")
		pretty.WriteString(strings.ReplaceAll(patient(id), ",", ",\n") + "\n")
	}
	for name, content := range map[string]string{"x.ndjson": lines.String(), "named.json": lines.String(), "concatenated.json": pretty.String()} {
		rec := newRecorder(t)
		s, err := rec.run(t, Options{Files: []string{write(t, t.TempDir(), name, []byte(content))}})
		if err != nil {
			t.Fatal(err)
		}
		if rec.count() != 3 || s.Resources != 450 || s.Created != 150 || s.Updated != 300 {
			t.Fatalf("%s: %d requests, %+v", name, rec.count(), s)
		}
		seen := 0
		for _, r := range rec.received() {
			b := r.bundle(t)
			if b.Type != "batch" {
				t.Fatalf("type %s", b.Type)
			}
			for _, e := range b.Entry {
				seen++
				want := "POST Patient"
				if id, ok := e.Resource["id"]; ok {
					want = "PUT Patient/" + id.(string)
				}
				if got := e.Request.Method + " " + e.Request.URL; got != want {
					t.Fatalf("%s, want %s", got, want)
				}
			}
		}
		if seen != 450 {
			t.Fatalf("%d resources arrived", seen)
		}
	}
}

func TestABrokenLineCostsOneResource(t *testing.T) {
	rec := newRecorder(t)
	content := patient("a") + "\n{\"resourceType\":\"Patient\",\"id\":\"b\"\n" + patient("c") + "\n\n{\"resourceType\":\"Patient\",\"id\":}\n" +
		"{\"resourceType\":\"Patient\",\"name\":\"x\n" + `{"id":"no-type"}` + "\n" + patient("d")
	s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
	if err == nil || s.Resources != 3 || s.Failed != 4 {
		t.Fatalf("%v %+v", err, s)
	}
	var places []string
	for _, f := range s.Faults {
		places = append(places, strings.Join(f.Places, ", ")+" | "+f.Reason)
	}
	slices.Sort(places)
	for i, want := range []string{"line 2", "line 5", "line 6", "standard input, line 7"} {
		if !slices.ContainsFunc(places, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%d: nothing names %s in %q", i, want, places)
		}
	}
}

func TestACollectionBecomesPutsAndPosts(t *testing.T) {
	rec := newRecorder(t)
	content := `{"resourceType":"Bundle","entry":[
	 {"fullUrl":"http://x/Patient/p","resource":{"resourceType":"Patient","id":"p"}},
	 {"resource":{"resourceType":"Observation","subject":{"reference":"Patient/p"}},"search":{"mode":"include"}},
	 {"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}],"type":"searchset"}`
	s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
	b := rec.received()[0].bundle(t)
	if rec.count() != 1 || b.Type != "batch" || len(b.Entry) != 2 || b.Entry[0].Request.URL != "Patient/p" || b.Entry[1].Request.Method != "POST" {
		t.Fatalf("%+v", b)
	}
	if s.ByType["Patient"] != 1 || s.ByType["Observation"] != 1 || len(s.ByType) != 2 {
		t.Fatalf("%+v", s)
	}
}

func TestUrnReferencesOfACollectionKeepWorking(t *testing.T) {
	const p, o = "urn:uuid:0B0B2F5C-1111-4c4c-8d8d-000000000001", "urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000002"
	make := func(n int) string {
		var b strings.Builder
		// The references come before what they refer to.
		fmt.Fprintf(&b, `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"%s","resource":{"resourceType":"Observation",
		 "identifier":[{"value":"%s"}],"subject":{"reference":"%s"},"performer":[{"reference":"urn:oid:1.2.3"},{"reference":"urn:uuid:unknown"}]}}`, o, p, p)
		fmt.Fprintf(&b, `,{"fullUrl":"%s","resource":{"resourceType":"Patient"}},{"fullUrl":"urn:oid:1.2.3","resource":{"resourceType":"Practitioner","id":"doc"}}`, p)
		for i := range n {
			fmt.Fprintf(&b, `,{"resource":%s}`, patient(fmt.Sprint("f", i)))
		}
		return b.String() + "]}"
	}
	t.Run("a small one as one transaction", func(t *testing.T) {
		rec := newRecorder(t)
		if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(make(3))}); err != nil {
			t.Fatal(err)
		}
		b := rec.received()[0].bundle(t)
		if b.Type != "transaction" || len(b.Entry) != 6 || b.Entry[0].FullURL != o || b.Entry[0].Request.Method != "POST" {
			t.Fatalf("%+v", b)
		}
	})
	t.Run("a large one with references rewritten", func(t *testing.T) {
		rec := newRecorder(t)
		s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(make(1500)), Jobs: 1})
		if err != nil || s.Resources != 1503 {
			t.Fatalf("%v %+v", err, s)
		}
		b := rec.received()[0].bundle(t)
		got, err := json.Marshal(b.Entry[0].Resource)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"id":"0b0b2f5c-1111-4c4c-8d8d-000000000002","identifier":[{"value":"` + p + `"}],"performer":[{"reference":"Practitioner/doc"},` +
			`{"reference":"urn:uuid:unknown"}],"resourceType":"Observation","subject":{"reference":"Patient/0b0b2f5c-1111-4c4c-8d8d-000000000001"}}`
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Fatal(d)
		}
		if u := b.Entry[1].Request.URL; b.Type != "batch" || u != "Patient/0b0b2f5c-1111-4c4c-8d8d-000000000001" {
			t.Fatalf("%s %s", b.Type, u)
		}
	})
}

func TestACollectionWithAResourceTwiceGoesInABatch(t *testing.T) {
	rec := newRecorder(t)
	content := `{"resourceType":"Bundle","type":"collection","entry":[
	 {"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient","id":"p"}},
	 {"resource":{"resourceType":"Patient","id":"p","active":true}},
	 {"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001"}}}]}`
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
	b := rec.received()[0].bundle(t)
	if ref := b.Entry[2].Resource["subject"].(map[string]any)["reference"]; rec.count() != 1 || b.Type != "batch" || ref != "Patient/p" {
		t.Fatalf("%d requests, %s, %v", rec.count(), b.Type, ref)
	}
}

func TestAHistoryLoadsTheNewestVersions(t *testing.T) {
	rec := newRecorder(t)
	content := `{"resourceType":"Bundle","type":"history","entry":[
	 {"resource":{"resourceType":"Patient","id":"p","meta":{"versionId":"2"}},"request":{"method":"PUT","url":"Patient/p"}},
	 {"fullUrl":"http://x/Patient/gone","request":{"method":"DELETE","url":"Patient/gone"}},
	 {"resource":{"resourceType":"Patient","id":"p","meta":{"versionId":"1"}},"request":{"method":"POST","url":"Patient"}},
	 {"resource":{"resourceType":"Patient","id":"gone"},"request":{"method":"POST","url":"Patient"}}]}`
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
	b := rec.received()[0].bundle(t)
	if len(b.Entry) != 1 || b.Entry[0].Resource["meta"].(map[string]any)["versionId"] != "2" {
		t.Fatalf("%+v", b)
	}
}

func TestDocumentsAreStoredWhole(t *testing.T) {
	rec := newRecorder(t)
	_, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(`{"resourceType":"Bundle","id":"d","type":"document","entry":[]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"PUT /fhir/Bundle/d"}, rec.lines()); d != "" {
		t.Fatal(d)
	}
}

func TestWhatCannotBeLoadedIsNamed(t *testing.T) {
	for content, want := range map[string]string{
		`{"resourceType":"Bundle","type":"transaction-response"}`: `standard input: a Bundle of type transaction-response is the response to a request`,
		`{"resourceType":"Bundle"}`:                               `cannot load a Bundle of type ""`,
		`<Patient xmlns="http://hl7.org/fhir"/>`:                  "this is XML",
		`{"a":1}`:                                                 "it has no resourceType",
		`[1]`:                                                     "expected a JSON object",
		`{"resourceType":"Patient"`:                               "the document ends inside a value",
		`{"resourceType":"Patient"]`:                              "expected a comma",
		`{"a":[{]}}`:                                              "brackets do not match",
		`{"a":{"b":[}]}`:                                          "brackets do not match",
		`{"a":` + strings.Repeat("[", 600):                        "too deeply",
		`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":5}}]}`: "Bundle.entry[0]",
		"\x1f\x8bgarbage":   "gzip",
		"PK\x03\x04garbage": "zip",
	} {
		rec := newRecorder(t)
		_, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", content, err, want)
		}
		if rec.count() > 0 {
			t.Errorf("%.60q: sent %v", content, rec.lines())
		}
	}
}
