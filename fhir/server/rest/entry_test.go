package rest_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestABatchReadsMetadata(t *testing.T) {
	s := newServer(t)
	alone := s.do(t, "GET", "/fhir/metadata", nil, "")
	a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"metadata"}},{"request":{"method":"GET","url":"metadata?mode=full&_elements=status"}},{"request":{"method":"HEAD","url":"metadata"}},
		{"request":{"method":"GET","url":"metadata?mode=terminology"}},{"request":{"method":"DELETE","url":"metadata"}}]}`)
	var b struct {
		Entry []struct {
			Resource json.RawMessage
			Response struct{ Status string }
		}
	}
	if err := json.Unmarshal(a.body, &b); err != nil || len(b.Entry) != 5 {
		t.Fatalf("%v in %.300s", err, a.body)
	}
	if string(b.Entry[0].Resource) != string(alone.body) {
		t.Errorf("the batch reads %.200s", b.Entry[0].Resource)
	}
	if got := string(b.Entry[1].Resource); !strings.Contains(got, `"status":"active"`) || strings.Contains(got, "searchParam") {
		t.Errorf("_elements yields %.200s", got)
	}
	for i, want := range []string{"200 OK", "200 OK", "200 OK", "200 OK", "405 Method Not Allowed"} {
		if got := b.Entry[i].Response.Status; got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
	if b.Entry[2].Resource != nil {
		t.Errorf("HEAD answers %.200s", b.Entry[2].Resource)
	}
}

// TestLocationsOfEntriesAreThoseOfTheHeader holds that what an entry's response locates, relative to the base, is what Location and
// Content-Location say of the same request by itself.
func TestLocationsOfEntriesAreThoseOfTheHeader(t *testing.T) {
	const update = `{"resourceType":"Patient","id":"p","active":%v}`
	s := newServer(t)
	for i, body := range []string{strings.Replace(update, "%v", "true", 1), strings.Replace(update, "%v", "false", 1), strings.Replace(update, "%v", "true", 1)} {
		alone := s.do(t, "PUT", "/fhir/Patient/p", ct(jsonType), body)
		header := alone.header.Get("Location") + alone.header.Get("Content-Location")
		a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"PUT","url":"Patient/q"},"resource":`+strings.Replace(body, `"p"`, `"q"`, 1)+`}]}`)
		var b struct {
			Entry []struct{ Response struct{ Location string } }
		}
		if err := json.Unmarshal(a.body, &b); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(strings.TrimPrefix(header, s.url+"/fhir/"), "Patient/p", "Patient/q", 1)
		if got := b.Entry[0].Response; got.Location != want || want == "" {
			t.Errorf("version %d: the entry's location is %q, the header's %q", i+1, got.Location, header)
		}
	}
}

// TestExpressionsAreOfWhatTheClientSent makes the same faults in a request of their own, where no element is at fault, and in a Bundle's entry.
func TestExpressionsAreOfWhatTheClientSent(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		method, path string
		header       []string
		entry, want  string
	}{
		{"PATCH", "Patient/a/_history/1", nil, `{"method":"PATCH","url":"Patient/a/_history/1"}`, "request.method"},
		{"GET", "Patient/a", []string{"If-None-Exist", "_id=a"}, `{"method":"GET","url":"Patient/a","ifNoneExist":"_id=a"}`, "request.ifNoneExist"},
		{"DELETE", "Patient?active=true", []string{"If-Match", `W/"1"`}, `{"method":"DELETE","url":"Patient?active=true","ifMatch":"W/\"1\""}`, "request.ifMatch"},
	} {
		alone := s.do(t, c.method, "/fhir/"+c.path, c.header, "")
		if alone.status < 400 || strings.Contains(string(alone.body), "expression") {
			t.Errorf("%s %s alone: %d %s", c.method, c.path, alone.status, alone.body)
		}
		entry := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":`+c.entry+`}]}`)
		if !strings.Contains(string(entry.body), `"Bundle.entry[0].`+c.want+`"`) {
			t.Errorf("%s %s in a Bundle: %s", c.method, c.path, entry.body)
		}
	}
}

// TestWhatRefusesAnEntryIsWhatRefusesItByItself sends resources that are wrong with requests that are refused before a body is read.
func TestWhatRefusesAnEntryIsWhatRefusesItByItself(t *testing.T) {
	s := newServerOf(t, newValidating(t))
	for _, c := range []struct {
		method, url, resource string
		status                int
		id                    string
	}{
		{"POST", "Patient/$nope", `{"resourceType":"Patient","gender":"x"}`, 404, "unknown-operation"},
		{"POST", "Patient/$nope", `{"active":true}`, 404, "unknown-operation"},
		{"POST", "Patient/$everything", `{"resourceType":"Patient","spam":1}`, 404, "unknown-operation"},
		{"PUT", "Patient/a/_history/1", `{"resourceType":"Patient","id":"a","gender":"x"}`, 405, "method-not-allowed"},
		{"PUT", "Patiant/a", `{"resourceType":"Patient","id":"a","gender":"x"}`, 404, "unknown-type"},
		{"PUT", "Patient/a?_format=yaml", `{"resourceType":"Patient","id":"a","gender":"x"}`, 406, "not-acceptable"},
		{"PUT", "Patient/a?_format=yaml", `{"active":true}`, 406, "not-acceptable"},
	} {
		alone := s.do(t, c.method, "/fhir/"+c.url, ct(jsonType), c.resource)
		if _, id := alone.issue(t); alone.status != c.status || id != c.id {
			t.Errorf("%s %s alone: %d %s", c.method, c.url, alone.status, alone.body)
		}
		entry := `{"request":{"method":"` + c.method + `","url":"` + c.url + `"},"resource":` + c.resource + `}`
		var b struct {
			Entry []struct {
				Response struct {
					Status  string
					Outcome struct {
						Issue []struct {
							Details struct{ Coding []struct{ Code string } }
						}
					}
				}
			}
		}
		a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[`+entry+`]}`)
		if err := json.Unmarshal(a.body, &b); err != nil || len(b.Entry) != 1 || len(b.Entry[0].Response.Outcome.Issue) == 0 {
			t.Fatalf("%d %v in %s", a.status, err, a.body)
		}
		got := b.Entry[0].Response
		if id := got.Outcome.Issue[0].Details.Coding[0].Code; !strings.HasPrefix(got.Status, strconv.Itoa(c.status)+" ") || id != c.id {
			t.Errorf("%s %s in a batch: %s", c.method, c.url, a.body)
		}
		if len(got.Outcome.Issue) < 2 {
			t.Errorf("%s %s in a batch does not tell of the resource: %s", c.method, c.url, a.body)
		}
		a = s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"transaction","entry":[`+entry+`]}`)
		if _, id := a.issue(t); a.status != 400 || id != c.id {
			t.Errorf("%s %s in a transaction: %d %s", c.method, c.url, a.status, a.body)
		}
	}
}

func TestAnEntryIsInTheFormatOfItsBundle(t *testing.T) {
	s := newServer(t)
	s.put(t, "Patient/a", `{"resourceType":"Patient","id":"a"}`)
	a := s.do(t, "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/a?_format=xml"}}]}`)
	if a.status != 200 || !strings.Contains(string(a.body), `"resource":{"resourceType":"Patient","id":"a"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
