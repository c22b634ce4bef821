package interaction

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
)

// TestTransactionsAreAtomicAndTheirReferencesHold sends random transactions. One that is refused leaves the store as it was; after one that is
// not, each reference names what the entry that it named became.
func TestTransactionsAreAtomicAndTheirReferencesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := openRapid(t)
		for range rapid.IntRange(1, 4).Draw(t, "transactions") {
			oneTransaction(t, s)
		}
	})
}

func oneTransaction(t *rapid.T, s *Service) {
	n := rapid.IntRange(1, 8).Draw(t, "entries")
	refersTo := make([]int, n)
	method := make([]string, n)
	var entries []string
	for i := range n {
		method[i] = rapid.SampledFrom([]string{"POST", "POST", "PUT", "PUT", "DELETE", "BAD"}).Draw(t, "method")
		refersTo[i] = rapid.IntRange(0, n-1).Draw(t, "refersTo")
	}
	for i := range n {
		id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "id")
		ref := fmt.Sprintf("urn:uuid:%d", refersTo[i])
		content := fmt.Sprintf(`"language":"%d","managingEntity":{"reference":"%s"}`, rapid.IntRange(0, 3).Draw(t, "content"), ref)
		full := fmt.Sprintf("urn:uuid:%d", i)
		switch method[i] {
		case "POST":
			entries = append(entries, request("POST", "Group", full, `{"resourceType":"Group",`+content+`}`))
		case "PUT":
			entries = append(entries, request("PUT", "Group/"+id, full, `{"resourceType":"Group","id":"`+id+`",`+content+`}`))
		case "DELETE":
			entries = append(entries, request("DELETE", "Group/"+id, "", ""))
		default:
			// It fails in the store, after others were written.
			entries = append(entries, request("PUT", "Group/"+id, full, `{"resourceType":"Group","id":"`+id+`"}`, `"ifMatch":"W/\"999\""`))
		}
	}
	before := snapshot(t, s)
	r, err := fhir.ParseResource([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Bundle(ctxOf(t), BundleRequest{Base: base, Bundle: r})
	if err != nil {
		if after := snapshot(t, s); after != before {
			t.Fatalf("a refused transaction (%v) changed the store\nfrom %s\nto   %s", err, before, after)
		}
		return
	}
	b := decodeBundle(out.Body)
	for i := range n {
		if method[i] == "DELETE" {
			continue
		}
		rec, err := s.Read(ctxOf(t), b.location(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := `"reference":"` + b.location(refersTo[i]).String() + `"`; !strings.Contains(string(rec.Body), want) {
			t.Fatalf("entry %d is %s; want %s", i, rec.Body, want)
		}
	}
}

// snapshot returns all versions there are.
func snapshot(t *rapid.T, s *Service) string {
	b, err := s.History(ctxOf(t), HistoryRequest{Base: base, Parameters: pairs("_count=1000")})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(decodeBundle(b.Body).names(), " ") + string(b.Body[strings.Index(string(b.Body), `"type"`):])
}

// FuzzBundle sends arbitrary Bundles. Whatever they hold, the server answers, and what it stores has no reference left to resolve.
func FuzzBundle(f *testing.F) {
	f.Add(request("POST", "Patient", "urn:uuid:a", `{"resourceType":"Patient","link":[{"other":{"reference":"urn:uuid:a"}}]}`))
	f.Add(request("PUT", "Patient?identifier=x|1", "http://x/Patient/1", `{"resourceType":"Patient","text":{"div":"<a href=\"http://x/Patient/1#a\">"}}`))
	f.Add(request("DELETE", "Patient/1", "", "") + "," + request("GET", "Patient/1/_history?_count=1", "", ""))
	f.Add(request("POST", "Group", "urn:oid:1", `{"resourceType":"Group","managingEntity":{"reference":"Patient?identifier=x|1"}}`, `"ifNoneExist":"?identifier=x|1"`))
	f.Add(`{"request":[]},{"resource":5,"request":{"method":"POST","url":"Patient"}},null`)
	s := open(f, Options{})
	f.Fuzz(func(t *testing.T, entries string) {
		for _, kind := range []string{"transaction", "batch"} {
			r, err := fhir.ParseResource([]byte(`{"resourceType":"Bundle","type":"`+kind+`","entry":[`+entries+`]}`), fhir.Limits{})
			if err != nil {
				return
			}
			b, err := s.Bundle(t.Context(), BundleRequest{Base: base, Bundle: r, Return: "representation"})
			if err != nil {
				if fhir.KindOf(err) == fhir.KindInternal {
					t.Fatal(err)
				}
				continue
			}
			for _, e := range decode(t, b).Entry {
				if kind != "transaction" || len(e.Resource) == 0 || !strings.HasPrefix(e.Response.Status, "201") {
					continue
				}
				stored := resource(t, "%s", e.Resource)
				for _, m := range mentions(s.registry, stored, nil, "") {
					if m.kind == mentionUnknown {
						t.Fatalf("%s is stored in %s", m.node.Raw(), e.Resource)
					}
				}
			}
		}
	})
}
