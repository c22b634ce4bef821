package rest_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// without returns a resource minified without its meta.versionId and meta.lastUpdated; a meta that is empty then is left out.
func without(t *testing.T, src []byte) []byte {
	t.Helper()
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for c := range r.Children() {
		var value []byte
		if c.Name() != "meta" {
			value = c.AppendJSON(nil)
		} else {
			for m := range c.Children() {
				if m.Name() != "versionId" && m.Name() != "lastUpdated" {
					value = m.AppendJSON(append(fhir.AppendString(append(value, ','), m.Name()), ':'))
				}
			}
		}
		if value != nil {
			out = append(append(append(fhir.AppendString(out, c.Name()), ':'), value...), '\n')
		}
	}
	return out
}

func TestOfficialExamplesComeBackAsTheyWereWritten(t *testing.T) {
	s := newServerOf(t, newConfigWith(t, nil, nil))
	for _, file := range corpustest.Files(t, "r4-examples/*.json") {
		src := corpustest.Read(t, file)
		r, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		path := "/fhir/" + r.Key().String()
		if a := s.do(t, "PUT", path, ct(jsonType, "Prefer", "return=minimal"), string(src)); a.status != 201 && a.status != 200 {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
			continue
		}
		a := s.do(t, "GET", path, []string{"Accept", jsonType}, "")
		if a.status != 200 {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
			continue
		}
		if got, want := without(t, a.body), without(t, src); !bytes.Equal(got, want) {
			t.Errorf("%s: came back in another form", name)
		}
		if p := s.do(t, "GET", path+"?_pretty=true", []string{"Accept", jsonType}, ""); compact(t, p.body) != string(a.body) {
			t.Errorf("%s: is another resource when it is indented", name)
		}
	}
}

func TestRecordsOfRealPatients(t *testing.T) {
	s := newServer(t)
	for _, file := range corpustest.Files(t, "synthea/*.gz")[:3] {
		src := corpustest.Read(t, file)
		if a := s.do(t, "POST", "/fhir", ct(jsonType), string(src)); a.status != 200 {
			t.Errorf("%s: %d %.500s", filepath.Base(file), a.status, a.body)
		}
	}
	b, _ := s.page(t, "/fhir/Patient?_count=0")
	if b.Total == nil || *b.Total != 3 {
		t.Errorf("patients: %v", b.Total)
	}
}
