package rest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// TestALongPageIsTheSameInPieces holds that pages whose resources are not copied together are what they would be in one piece: with gzip, indented,
// in a batch and in XML.
func TestALongPageIsTheSameInPieces(t *testing.T) {
	s := newServer(t)
	text := strings.Repeat("x", 6000)
	for b := range 2 {
		var entries []string
		for i := range 110 {
			id := fmt.Sprintf("o%d%03d", b, i)
			entries = append(entries, `{"resource":{"resourceType":"Observation","id":"`+id+`","status":"final","code":{"text":"`+text+`"}},"request":{"method":"PUT","url":"Observation/`+id+`"}}`)
		}
		if a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`); a.status != 200 {
			t.Fatalf("%d %.300s", a.status, a.body)
		}
	}
	// What differs from one response to the next.
	own := regexp.MustCompile(`^\{"resourceType":"Bundle","id":"[^"]*","meta":\{"lastUpdated":"[^"]*"\},`)
	same := func(name string, got, want []byte) {
		t.Helper()
		var a, b bytes.Buffer
		if err := json.Compact(&a, own.ReplaceAll(got, []byte("{"))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := json.Compact(&b, own.ReplaceAll(want, []byte("{"))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: %d bytes differ from %d", name, a.Len(), b.Len())
		}
	}
	for _, path := range []string{"Observation?_count=1000", "Observation/_history?_count=1000"} {
		plain := s.do(t, "GET", "/fhir/"+path, nil, "")
		if plain.status != 200 || len(plain.body) < 220*6000 || strings.Count(string(plain.body), `"fullUrl"`) != 220 {
			t.Fatalf("%s: %d, %d bytes", path, plain.status, len(plain.body))
		}
		batch := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"`+path+`"}}]}`)
		var b struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(batch.body, &b); err != nil || len(b.Entry) != 1 {
			t.Fatalf("%s: %v %.300s", path, err, batch.body)
		}
		same(path+" in a batch", plain.body, b.Entry[0].Resource)
		packed := s.do(t, "GET", "/fhir/"+path, []string{"Accept-Encoding", "gzip"}, "")
		z, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		same(path+" with gzip", unpacked, plain.body)
		if a := s.do(t, "GET", "/fhir/"+path+"&_format=xml", nil, ""); a.status != 200 || strings.Count(string(a.body), "<Observation>") != 220 {
			t.Errorf("%s as XML: %d", path, a.status)
		}
		if a := s.do(t, "GET", "/fhir/"+path+"&_pretty=true", nil, ""); a.status != 200 || strings.Count(string(a.body), `"fullUrl"`) != 220 {
			t.Errorf("%s, indented: %d", path, a.status)
		}
		if a := s.do(t, "HEAD", "/fhir/"+path, nil, ""); a.status != 200 || len(a.body) != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, a.status, len(a.body))
		}
	}
}
