package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAbsoluteReferencesWithinACollectionKeepWorking(t *testing.T) {
	const content = `{"resourceType":"Bundle","type":"collection","entry":[
	 {"fullUrl":"http:\/\/src.example.org/fhir/Patient/p","resource":{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"http://src.example.org/fhir/Patient/elsewhere"}}]}},
	 {"fullUrl":"http://src.example.org/fhir/Binary/b","resource":{"resourceType":"Binary","id":"b"}},
	 {"fullUrl":"http://src.example.org/fhir/Practitioner/no-id","resource":{"resourceType":"Practitioner"}},
	 {"fullUrl":"http://src.example.org/StructureDefinition/x","resource":{"resourceType":"StructureDefinition","id":"x","url":"http://src.example.org/StructureDefinition/x"}},
	 {"fullUrl":"http://src.example.org/odd","resource":{"resourceType":"Device","id":"d"}},
	 {"fullUrl":"http://src.example.org/fhir/DocumentReference/o","resource":{"resourceType":"DocumentReference","id":"o",
	  "extension":[{"url":"http://src.example.org/StructureDefinition/x","valueUri":"http://src.example.org/fhir/Patient/p"}],
	  "subject":{"reference":"http://src.example.org/fhir/Patient/p"},
	  "author":[{"reference":"http://src.example.org/fhir/Practitioner/no-id"},{"reference":"http://src.example.org/odd"},{"reference":"http://src.example.org/fhir/Patient/p/_history/3"}],
	  "content":[{"attachment":{"url":"http://src.example.org/fhir/Binary/b"}}]}}]}`
	rec := newRecorder(t)
	if _, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
	b := rec.received()[0].bundle(t)
	if b.Type != "batch" || rec.count() != 1 {
		t.Fatalf("%s", b.Type)
	}
	got, err := json.Marshal(b.Entry[5].Resource)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"author":[{"reference":"Practitioner/no-id"},{"reference":"Device/d"},{"reference":"Patient/p"}],"content":[{"attachment":{"url":"Binary/b"}}],` +
		`"extension":[{"url":"http://src.example.org/StructureDefinition/x","valueUri":"http://src.example.org/fhir/Patient/p"}],"id":"o","resourceType":"DocumentReference","subject":{"reference":"Patient/p"}}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	if url := b.Entry[3].Resource["url"]; url != "http://src.example.org/StructureDefinition/x" {
		t.Errorf("the canonical URL became %v", url)
	}
	if ref := fmt.Sprint(b.Entry[0].Resource["link"]); !strings.Contains(ref, "http://src.example.org/fhir/Patient/elsewhere") {
		t.Errorf("a reference to what is not in the collection became %s", ref)
	}
	if u := b.Entry[2].Request.URL; u != "Practitioner/no-id" {
		t.Errorf("a resource without an id was sent to %s", u)
	}
}

func TestARefusedCollectionIsSplit(t *testing.T) {
	rec := newRecorder(t)
	rec.before = refusing("Observation")
	rec.entry = func(method, url string, _ map[string]any) string {
		if strings.Contains(url, "Observation") {
			return invalid
		}
		return ""
	}
	content := `{"resourceType":"Bundle","type":"collection","entry":[
	 {"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient"}},
	 {"resource":{"resourceType":"Observation","status":"wrong"}},
	 {"resource":{"resourceType":"Encounter","subject":{"reference":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001"}}}]}`
	s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
	if err == nil || s.Resources != 2 || s.Failed != 1 || !strings.Contains(err.Error(), "Bundle.entry[1]") {
		t.Fatalf("%v %+v", err, s)
	}
	b := rec.received()[1].bundle(t)
	if b.Type != "batch" || b.Entry[0].Request.URL != "Patient/0b0b2f5c-1111-4c4c-8d8d-000000000001" ||
		fmt.Sprint(b.Entry[2].Resource["subject"]) != "map[reference:Patient/0b0b2f5c-1111-4c4c-8d8d-000000000001]" {
		t.Fatalf("%+v", b)
	}
}

func TestWhatAHistoryDeletedAndSupersededIsCounted(t *testing.T) {
	rec := newRecorder(t)
	content := `{"resourceType":"Bundle","type":"history","entry":[
	 {"resource":{"resourceType":"Patient","id":"p"},"request":{"method":"PUT","url":"Patient/p"}},
	 {"request":{"method":"DELETE","url":"Patient/gone"}},
	 {"resource":{"resourceType":"Patient","id":"p"},"request":{"method":"PUT","url":"Patient/p"}},
	 {"resource":{"resourceType":"Patient","id":"gone"},"request":{"method":"POST","url":"Patient"}}]}`
	s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)})
	if err != nil || s.Resources != 1 || s.Deletions != 1 || s.Superseded != 2 {
		t.Fatalf("%v %+v", err, s)
	}
	var out strings.Builder
	s.Write(&out)
	if !strings.Contains(out.String(), "1 deleted according to a history Bundle") {
		t.Error(out.String())
	}
}

func TestAnInterruptedServerLetsACollectionBeSentLater(t *testing.T) {
	rec := newRecorder(t)
	rec.before = func(w http.ResponseWriter, _ *request, n int) bool {
		if n == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n == 0
	}
	content := `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:0b0b2f5c-1111-4c4c-8d8d-000000000001","resource":{"resourceType":"Patient"}}]}`
	if s, err := rec.run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(content)}); err != nil || s.Resources != 1 || rec.count() != 2 {
		t.Fatalf("%v %+v", err, s)
	}
}
