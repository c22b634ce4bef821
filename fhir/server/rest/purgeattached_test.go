package rest_test

import (
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// TestPurgeFollowsAttachments erases a patient whose resources name Binaries: of their own, and of others too.
func TestPurgeFollowsAttachments(t *testing.T) {
	s := newServer(t, administered)
	about := func(typ, id, more string) {
		t.Helper()
		s.put(t, typ+"/"+id, `{"resourceType":"`+typ+`","id":"`+id+`",`+more+`}`)
	}
	remove := func(key string) {
		t.Helper()
		if a := s.do(t, "DELETE", "/fhir/"+key, nil, ""); a.status != 204 {
			t.Fatalf("DELETE %s: %d", key, a.status)
		}
	}
	const p, q, a = `{"reference":"Patient/p"}`, `{"reference":"Patient/q"}`, `"contentType":"text/plain","data":"c2VjcmV0"`
	gone := []string{"document", "former", "media", "photo", "own", "secured", "deletedResource", "deleted", "contained"}
	stay := []string{"shared", "sharedFormer", "ofAnother", "unnamed"}
	for _, id := range slices.Concat(gone, stay, []string{"others"}) {
		about("Binary", id, a)
	}
	about("Binary", "document", `"contentType":"text/plain","data":"c2VjcmV0ZXI="`)
	about("Binary", "secured", `"securityContext":`+p+`,`+a)
	about("Binary", "ofAnother", `"securityContext":`+q+`,`+a)
	about("Binary", "unnamed", `"securityContext":`+p+`,`+a)
	about("Patient", "p", `"photo":[{"url":"Binary/photo"}]`)
	about("Patient", "q", `"photo":[{"url":"Binary/others"}]`)
	document := func(id, subject, url string) {
		t.Helper()
		about("DocumentReference", id, `"status":"current","subject":`+subject+`,"content":[{"attachment":{"url":"`+url+`"}}]`)
	}
	document("a", p, "Binary/former")
	document("a", p, "http://example.org/fhir/Binary/document")
	document("shared", p, "Binary/shared")
	document("sharedToo", q, "Binary/shared")
	document("former", p, "Binary/sharedFormer")
	document("formerToo", q, "Binary/sharedFormer")
	document("formerToo", q, "Binary/others")
	document("secured", p, "Binary/secured")
	document("ofAnother", p, "Binary/ofAnother")
	document("elsewhere", p, "http://elsewhere.example.org/fhir/Binary/others")
	document("deleted", p, "Binary/deletedResource")
	remove("DocumentReference/deleted")
	document("deletedBinary", p, "Binary/deleted")
	remove("Binary/deleted")
	about("Media", "m", `"status":"completed","subject":`+p+`,"content":{"url":"Binary/media"}`)
	about("List", "l", `"status":"current","mode":"working","subject":`+p+`,"entry":[{"item":{"reference":"Binary/own"}}]`)
	about("List", "contained", `"status":"current","mode":"working","subject":`+p+`,"contained":[{"resourceType":"Media","id":"m","status":"completed","content":{"url":"Binary/contained"}}],"entry":[{"item":{"reference":"#m"}}]`)
	about("AuditEvent", "seen", `"type":{"code":"rest"},"recorded":"2024-01-01T00:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"x"}},"entity":[{"what":{"reference":"Binary/document"}}]`)
	checkAttached(t, "a dry run", purgeOf(t, s.do(t, "POST", "/fhir/Patient/p/$purge?dryRun=true", nil, "")), len(gone))
	checkAttached(t, "the purge", purgeOf(t, s.do(t, "POST", "/fhir/Patient/p/$purge", nil, "")), len(gone))
	for _, id := range gone {
		for _, path := range []string{"", "/_history", "/_history/1"} {
			if a := s.do(t, "GET", "/fhir/Binary/"+id+path, nil, ""); a.status != 404 {
				t.Errorf("Binary/%s%s: %d", id, path, a.status)
			}
		}
	}
	for _, id := range append(stay, "others") {
		if a := s.do(t, "GET", "/fhir/Binary/"+id, nil, ""); a.status != 200 {
			t.Errorf("Binary/%s: %d", id, a.status)
		}
	}
}

func checkAttached(t *testing.T, name string, got purged, gone int) {
	t.Helper()
	outside := []string{"Binary/ofAnother", "Binary/shared", "Binary/sharedFormer", "Binary/unnamed"}
	if got.state != "done" || got.erased["Binary"] != gone || got.erased["DocumentReference"] != 8 || !slices.Equal(got.lists["outside"], outside) || len(got.lists["past"]) > 0 {
		t.Errorf("%s: %+v", name, got)
	}
}

// TestPurgeErasesDocuments erases the stored documents of a patient, and lists those that others are in as well.
func TestPurgeErasesDocuments(t *testing.T) {
	const base = "http://example.org/fhir"
	s := newServer(t, administered, func(c *rest.Config) { c.BaseURL = base })
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p"}`)
	s.put(t, "Patient/q", `{"resourceType":"Patient","id":"q"}`)
	s.put(t, "Binary/scan", `{"resourceType":"Binary","id":"scan","contentType":"text/plain","data":"c2VjcmV0"}`)
	bundle := func(id, fullURL, subject, more string) {
		t.Helper()
		s.put(t, "Bundle/"+id, `{"resourceType":"Bundle","id":"`+id+`","type":"document","timestamp":"2024-01-01T00:00:00Z","identifier":{"system":"urn:x","value":"`+id+`"},"entry":[{"fullUrl":"`+fullURL+
			`","resource":{"resourceType":"Composition","status":"final","type":{"text":"x"},"subject":{"reference":"`+subject+`"},"date":"2024-01-01","author":[{"display":"x"}],"title":"x"}},{"fullUrl":"`+base+
			`/Patient/p","resource":{"resourceType":"Patient","id":"p"}}`+more+`]}`)
	}
	const observation = `,{"fullUrl":"` + base + `/Observation/o","resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"`
	bundle("own", base+"/Composition/c", "Patient/p", "")
	bundle("own", base+"/Composition/c", "Patient/p", observation+`Patient/p"}}}`)
	bundle("scanned", base+"/Composition/c", base+"/Patient/p", `,{"fullUrl":"`+base+`/Media/m","resource":{"resourceType":"Media","status":"completed","subject":{"reference":"Patient/p"},"content":{"url":"Binary/scan"}}}`)
	bundle("deleted", base+"/Composition/c", "Patient/p", "")
	if a := s.do(t, "DELETE", "/fhir/Bundle/deleted", nil, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	bundle("mixed", base+"/Composition/c", "Patient/p", observation+`Patient/q"}}}`)
	bundle("two", base+"/Composition/c", "Patient/p", `,{"fullUrl":"`+base+`/Patient/q","resource":{"resourceType":"Patient","id":"q"}}`)
	bundle("another", base+"/Composition/c", "Patient/q", "")
	bundle("foreign", "http://elsewhere.example.org/fhir/Composition/c", "Patient/p", "")
	s.put(t, "Bundle/collection", `{"resourceType":"Bundle","id":"collection","type":"collection","entry":[{"fullUrl":"`+base+`/Patient/p","resource":{"resourceType":"Patient","id":"p"}}]}`)
	outside := []string{"Bundle/another", "Bundle/collection", "Bundle/foreign", "Bundle/mixed", "Bundle/two"}
	for _, dry := range []string{"?dryRun=true", ""} {
		got := purgeOf(t, s.do(t, "POST", "/fhir/Patient/p/$purge"+dry, nil, ""))
		if got.state != "done" || got.erased["Bundle"] != 3 || got.erased["Binary"] != 1 || got.versions != 1+2+1+2+1 || !slices.Equal(got.lists["outside"], outside) {
			t.Errorf("the purge%s: %+v", dry, got)
		}
	}
	for id, want := range map[string]int{"own": 404, "own/_history/1": 404, "scanned": 404, "deleted": 404, "mixed": 200, "two": 200, "another": 200, "foreign": 200, "collection": 200} {
		if a := s.do(t, "GET", "/fhir/Bundle/"+id, nil, ""); a.status != want {
			t.Errorf("Bundle/%s: %d", id, a.status)
		}
	}
	if a := s.do(t, "GET", "/fhir/Binary/scan", nil, ""); a.status != 404 {
		t.Errorf("what a document names: %d", a.status)
	}
}
