package interaction

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// transact sends a transaction of entries.
func transact(t testing.TB, s *Service, entries ...string) (bundle, error) {
	t.Helper()
	return send(t, s, "transaction", "", entries...)
}

func send(t testing.TB, s *Service, kind, prefer string, entries ...string) (bundle, error) {
	t.Helper()
	r := resource(t, "%s", `{"resourceType":"Bundle","type":"`+kind+`","entry":[`+strings.Join(entries, ",")+`]}`)
	b, err := s.Bundle(t.Context(), BundleRequest{Base: base, Bundle: r, Return: prefer})
	if err != nil {
		return bundle{}, err
	}
	return decode(t, b), nil
}

// must is transact that fails the test where the transaction is refused.
func must(t testing.TB, s *Service, entries ...string) bundle {
	t.Helper()
	b, err := transact(t, s, entries...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// request makes an entry; resource and fullURL may be empty, more holds further members of request.
func request(method, url, fullURL, resource string, more ...string) string {
	e := `{"request":{"method":"` + method + `","url":"` + url + `"` + strings.Join(append([]string{""}, more...), ",") + `}`
	if fullURL != "" {
		e += `,"fullUrl":"` + fullURL + `"`
	}
	if resource != "" {
		e += `,"resource":` + resource
	}
	return e + `}`
}

// location returns the key that an entry's response locates.
func (b bundle) location(i int) fhir.Key {
	k, _, _ := strings.Cut(b.Entry[i].Response.Location, "/_history/")
	return key(k)
}

// body returns the stored JSON of a resource.
func body(t testing.TB, s *Service, k fhir.Key) string {
	t.Helper()
	rec, err := s.Read(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return string(rec.Body)
}

func TestTransactionRewritesReferencesEverywhere(t *testing.T) {
	s := open(t, Options{})
	b := must(t, s,
		request("POST", "Patient", "urn:uuid:p", `{"resourceType":"Patient"}`),
		request("POST", "Binary", "urn:oid:1.2.3", `{"resourceType":"Binary"}`),
		request("POST", "Composition", "", `{"resourceType":"Composition",
			"text":{"div":"<div><a href=\"urn:uuid:p\">urn:uuid:p</a><img src='urn:oid:1.2.3'/></div>"},
			"identifier":{"system":"urn:oid:1.2.4","value":"urn:uuid:p"},
			"subject":{"reference":"urn:uuid:p"},
			"author":[{"reference":"urn:uuid:p","display":"urn:uuid:p"}],
			"contained":[{"resourceType":"DocumentReference","id":"d","content":[{"attachment":{"url":"urn:oid:1.2.3"}}]}],
			"extension":[{"url":"http://x","valueUri":"urn:uuid:p"},{"url":"http://x","valueCanonical":"urn:uuid:p"},{"url":"http://x","valueUuid":"urn:uuid:p"},
				{"url":"http://x","valueOid":"urn:oid:1.2.3"},{"url":"http://x","valueUrl":"urn:uuid:p#name"},{"url":"http://x","valueString":"urn:uuid:p"},{"url":"http://x","valueReference":{"reference":"urn:uuid:p"}}]}`))
	p, bin := b.location(0).String(), b.location(1).String()
	got := body(t, s, b.location(2))
	want := strings.NewReplacer("P!", p, "B!", bin).Replace(`"text":{"div":"<div><a href=\"P!\">urn:uuid:p</a><img src='B!'/></div>"},` +
		`"identifier":{"system":"urn:oid:1.2.4","value":"urn:uuid:p"},"subject":{"reference":"P!"},"author":[{"reference":"P!","display":"urn:uuid:p"}],` +
		`"contained":[{"resourceType":"DocumentReference","id":"d","content":[{"attachment":{"url":"B!"}}]}],` +
		`"extension":[{"url":"http://x","valueUri":"P!"},{"url":"http://x","valueCanonical":"urn:uuid:p"},{"url":"http://x","valueUuid":"urn:uuid:p"},` +
		`{"url":"http://x","valueOid":"urn:oid:1.2.3"},{"url":"http://x","valueUrl":"P!#name"},{"url":"http://x","valueString":"urn:uuid:p"},{"url":"http://x","valueReference":{"reference":"P!"}}]}`)
	if !strings.HasSuffix(got, want) {
		t.Errorf("stored %s\nwant   %s", got, want)
	}
}

func TestTransactionResolvesRelativeReferencesAgainstFullURL(t *testing.T) {
	s := open(t, Options{})
	b := must(t, s,
		request("POST", "Patient", "http://example.org/fhir/Patient/7", `{"resourceType":"Patient","id":"7"}`),
		request("POST", "Observation", "http://example.org/fhir/Observation/8", `{"resourceType":"Observation","subject":{"reference":"Patient/7"}}`),
		request("POST", "Observation", "http://other.org/fhir/Observation/8", `{"resourceType":"Observation","subject":{"reference":"Patient/7"}}`),
		request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"http://example.org/fhir/Patient/7"}}`),
		request("PUT", "Observation/9", "", `{"resourceType":"Observation","id":"9","subject":{"reference":"Patient/7"}}`))
	p := b.location(0).String()
	for i, want := range []string{1: p, 2: "Patient/7", 3: p, 4: "Patient/7"} {
		if i > 0 && !strings.Contains(body(t, s, b.location(i)), `"reference":"`+want+`"`) {
			t.Errorf("entry %d is not about %s: %s", i, want, body(t, s, b.location(i)))
		}
	}
}

func TestTransactionLeavesStoredBundlesAlone(t *testing.T) {
	s := open(t, Options{})
	document := `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:p"},"focus":[{"reference":"urn:uuid:q"}]}}]}`
	b := must(t, s, request("POST", "Patient", "urn:uuid:p", `{"resourceType":"Patient"}`), request("POST", "Bundle", "", document),
		request("POST", "Parameters", "", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":`+document+`},{"name":"b","valueReference":{"reference":"urn:uuid:p"}}]}`))
	if got := body(t, s, b.location(1)); !strings.HasSuffix(got, document[len(`{"resourceType":"Bundle"`):]) {
		t.Errorf("%s", got)
	}
	if got := body(t, s, b.location(2)); !strings.Contains(got, document) || !strings.Contains(got, b.location(0).String()) {
		t.Errorf("%s", got)
	}
}

func TestTransactionAnswersInTheOrderOfItsRequests(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"old"}`)
	put(t, s, `{"resourceType":"Patient","id":"same"}`)
	b := must(t, s,
		request("GET", "Patient/new", "", ""),
		request("PUT", "Patient/new", "", `{"resourceType":"Patient","id":"new"}`),
		request("POST", "Patient", "", `{"resourceType":"Patient"}`),
		request("DELETE", "Patient/old", "", ""),
		request("PUT", "Patient/same", "", `{"resourceType":"Patient","id":"same"}`),
		request("GET", "Patient/new/_history/1", "", ""),
		request("HEAD", "Patient/new", "", ""),
		request("GET", "Patient/new", "", "", `"ifNoneMatch":"W/\"1\""`),
		request("GET", "Patient/old/_history", "", ""))
	if b.Type != "transaction-response" {
		t.Errorf("type %s", b.Type)
	}
	for i, want := range []string{"200 OK", "201 Created", "201 Created", "204 No Content", "200 OK", "200 OK", "200 OK", "304 Not Modified", "200 OK"} {
		if got := b.Entry[i].Response.Status; got != want {
			t.Errorf("entry %d: %s; want %s", i, got, want)
		}
	}
	for i, want := range []bool{true, false, false, false, false, true, false, false, true} {
		if got := b.Entry[i].Resource != nil; got != want {
			t.Errorf("entry %d has a resource: %v", i, got)
		}
	}
	if got := b.Entry[1].Response; got.Location != "Patient/new/_history/1" || got.Etag != `W/"1"` || got.LastModified == "" {
		t.Errorf("%+v", got)
	}
}

func TestTransactionIsRefusedAsAWhole(t *testing.T) {
	good := request("POST", "Patient", "urn:uuid:good", `{"resourceType":"Patient"}`)
	put1 := request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1"}`)
	for _, c := range []struct {
		name       string
		entries    []string
		kind       fhir.Kind
		issue      string
		expression string
	}{
		{"no request", []string{good, `{"resource":{"resourceType":"Patient"}}`}, fhir.KindInvalid, "entry-request", "Bundle.entry[1]"},
		{"unknown method", []string{good, request("LINK", "Patient/1", "", "")}, fhir.KindInvalid, "entry-method", "Bundle.entry[1].request.method"},
		{"no URL", []string{good, `{"request":{"method":"GET"}}`}, fhir.KindInvalid, "entry-url", "Bundle.entry[1].request.url"},
		{"another server", []string{good, request("GET", "http://example.org/Patient/1", "", "")}, fhir.KindInvalid, "entry-url", "Bundle.entry[1].request.url"},
		{"create with an id", []string{good, request("POST", "Patient/1", "", `{"resourceType":"Patient"}`)}, fhir.KindInvalid, "method-not-allowed", "Bundle.entry[1].request.method"},
		{"create of another type", []string{good, request("POST", "Group", "", `{"resourceType":"Patient"}`)}, fhir.KindInvalid, "resource-type", "Bundle.entry[1]"},
		{"create without a resource", []string{good, request("POST", "Patient", "", "")}, fhir.KindInvalid, "body-missing", "Bundle.entry[1]"},
		{"unknown type", []string{good, request("GET", "Nothing/1", "", "")}, fhir.KindInvalid, "unknown-type", "Bundle.entry[1].request.url"},
		{"metadata", []string{good, request("GET", "metadata", "", "")}, fhir.KindNotSupported, "no-capabilities", "Bundle.entry[1]"},
		{"operation", []string{good, request("POST", "Patient/$match", "", `{"resourceType":"Parameters"}`)}, fhir.KindInvalid, "unknown-operation", "Bundle.entry[1].request.url"},
		{"operation on a resource", []string{good, request("GET", "Patient/1/$everything", "", "")}, fhir.KindInvalid, "unknown-operation", "Bundle.entry[1].request.url"},
		{"update of a version", []string{good, request("PUT", "Patient/1/_history/3", "", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "method-not-allowed", "Bundle.entry[1].request.method"},
		{"update with parameters", []string{good, request("PUT", "Patient/1?active=true", "", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "misplaced-parameter", "Bundle.entry[1].request.url"},
		{"delete of a search", []string{good, request("DELETE", "Patient/_search?active=true", "", "")}, fhir.KindInvalid, "method-not-allowed", "Bundle.entry[1].request.method"},
		{"update in a compartment", []string{good, request("PUT", "Patient/1/Observation", "", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "method-not-allowed", "Bundle.entry[1].request.method"},
		{"a resource without a type", []string{good, request("POST", "Patient", "", `{"id":"1"}`)}, fhir.KindInvalid, "resource-type", "Bundle.entry[1].resource"},
		{"update of another id", []string{good, request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"2"}`)}, fhir.KindInvalid, "id-mismatch", "Bundle.entry[1].resource.id"},
		{"fullUrl that is no URL", []string{good, request("POST", "Patient", "Patient", `{"resourceType":"Patient"}`)}, fhir.KindInvalid, "entry-fullurl", "Bundle.entry[1].fullUrl"},
		{"fullUrl with a version", []string{good, request("POST", "Patient", "http://x/Patient/1/_history/1", `{"resourceType":"Patient"}`)}, fhir.KindInvalid, "entry-fullurl", "Bundle.entry[1].fullUrl"},
		{"relative fullUrl with a version", []string{good, request("PUT", "Patient/1", "Patient/1/_history/1", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "entry-fullurl", "Bundle.entry[1].fullUrl"},
		{"relative fullUrl of another id", []string{good, request("PUT", "Patient/1", "Patient/2", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "entry-fullurl", "Bundle.entry[1].fullUrl"},
		{"fullUrl of another id", []string{good, request("PUT", "Patient/1", "http://x/Patient/2", `{"resourceType":"Patient","id":"1"}`)}, fhir.KindInvalid, "entry-fullurl", "Bundle.entry[1].fullUrl"},
		{"fullUrl twice", []string{good, good}, fhir.KindInvalid, "duplicate-fullurl", "Bundle.entry[1].fullUrl"},
		{"two updates of one resource", []string{good, put1, put1}, fhir.KindInvalid, "duplicate-entry", "Bundle.entry[2]"},
		{"update and delete of one resource", []string{good, put1, request("DELETE", "Patient/1", "", "")}, fhir.KindInvalid, "duplicate-entry", "Bundle.entry[2]"},
		{"unresolved urn", []string{good, request("POST", "Observation", "", `{"resourceType":"Observation","performer":[{"reference":"urn:uuid:good"},{"reference":"urn:uuid:other"}]}`)},
			fhir.KindInvalid, "unresolved-reference", "Bundle.entry[1].resource.performer[1].reference"},
		{"stale If-Match", []string{good, request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1"}`, `"ifMatch":"W/\"3\""`)}, fhir.KindPrecondition, "if-match", "Bundle.entry[1]"},
		{"read of what is not there", []string{good, request("GET", "Patient/none", "", "")}, fhir.KindInvalid, "not-found", "Bundle.entry[1]"},
		{"patch", []string{good, request("PATCH", "Patient/1", "", `{"resourceType":"Binary"}`)}, fhir.KindMediaType, "content-type", "Bundle.entry[1].resource.contentType"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Options{})
			_, err := transact(t, s, c.entries...)
			check(t, err, c.kind, fhir.IssueID(c.issue))
			var e *fhir.Error
			if errors.As(err, &e); e.Issues[0].Expression != c.expression {
				t.Errorf("expression %s; want %s", e.Issues[0].Expression, c.expression)
			}
			b, err := s.History(t.Context(), HistoryRequest{Base: base})
			if err != nil || len(decode(t, b).Entry) > 0 {
				t.Errorf("something is stored: %s, %v", b.Body, err)
			}
		})
	}
}

func TestTransactionNamesAllEntriesAtFault(t *testing.T) {
	s := open(t, Options{})
	_, err := transact(t, s, request("POST", "Patient", "", ""), request("GET", "Patient", "", ""), request("PUT", "Patient/1", "", ""))
	var e *fhir.Error
	if !errors.As(err, &e) || len(e.Issues) != 2 || e.Issues[0].Expression != "Bundle.entry[0]" || e.Issues[1].Expression != "Bundle.entry[2]" {
		t.Errorf("%+v", e)
	}
}

func TestBundleLimits(t *testing.T) {
	s := open(t, Options{MaxBundleEntries: 2})
	e := request("POST", "Patient", "", `{"resourceType":"Patient"}`)
	for _, kind := range []string{"batch", "transaction"} {
		_, err := send(t, s, kind, "", e, e, e)
		check(t, err, fhir.KindTooLarge, "bundle-entries")
	}
	must(t, s, e, e)
	for kind, advice := range map[string]string{"collection": "fhirgate load", "history": "fhirgate load", "document": "POST it to Bundle", "": "batch or transaction"} {
		_, err := send(t, s, kind, "")
		check(t, err, fhir.KindInvalid, "bundle-type")
		if e := (*fhir.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Issues[0].Text, advice) {
			t.Errorf("%s: %v does not say %q", kind, err, advice)
		}
	}
	if b := must(t, s); len(b.Entry) != 0 {
		t.Errorf("%+v", b)
	}
}

func TestConditionalCreateInATransaction(t *testing.T) {
	s := open(t, Options{})
	patient := `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"1"}]}`
	create := request("POST", "Patient", "urn:uuid:p", patient, `"ifNoneExist":"identifier=http://x|1"`)
	about := request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"urn:uuid:p"}}`)
	first, second := must(t, s, create, about), must(t, s, create, about)
	if first.Entry[0].Response.Status != "201 Created" || second.Entry[0].Response.Status != "200 OK" {
		t.Errorf("%+v %+v", first.Entry[0], second.Entry[0])
	}
	p := first.location(0)
	if second.location(0) != p {
		t.Errorf("%s and %s", p, second.location(0))
	}
	for _, b := range []bundle{first, second} {
		if got := body(t, s, b.location(1)); !strings.Contains(got, `"reference":"`+p.String()+`"`) {
			t.Errorf("%s is not about %s", got, p)
		}
	}
	_, err := transact(t, s, create, strings.Replace(create, "urn:uuid:p", "urn:uuid:q", 1))
	if err != nil {
		t.Errorf("two conditional creates that find the same resource: %v", err)
	}
	for _, form := range []string{"?identifier", "Patient?identifier", base + "/Patient?identifier"} {
		if again := must(t, s, strings.Replace(create, `"identifier=`, `"`+form+"=", 1)); again.location(0) != p {
			t.Errorf("%s: %+v", form, again.Entry[0])
		}
	}
	_, err = transact(t, s, strings.Replace(create, `"identifier=`, `"Group?identifier=`, 1))
	check(t, err, fhir.KindInvalid, "if-none-exist")
	other := strings.NewReplacer("|1", "|2", `"1"`, `"2"`).Replace(create)
	// Two creates of one condition are one resource, and so is what refers to either.
	two := must(t, s, other, strings.Replace(other, "urn:uuid:p", "urn:uuid:q", 1),
		request("POST", "Observation", "", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:q"}}`))
	if two.location(0) != two.location(1) || two.Entry[0].Response.Status != "201 Created" || two.Entry[1].Response.Status != "200 OK" ||
		!strings.Contains(body(t, s, two.location(2)), two.location(0).String()) {
		t.Errorf("%+v", two)
	}
	if found := find(t, s, "Patient?identifier=http://x|2").names(); len(found) != 1 {
		t.Errorf("%v", found)
	}
}

func TestConditionalUpdateAndDeleteInATransaction(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"a","identifier":[{"system":"http://x","value":"1"}]}`)
	put(t, s, `{"resourceType":"Patient","id":"b","identifier":[{"system":"http://x","value":"2"}]}`)
	b := must(t, s,
		request("PUT", "Patient?identifier=http://x|1", "urn:uuid:p", `{"resourceType":"Patient","active":true}`),
		request("DELETE", "Patient?identifier=http://x|2", "", ""),
		request("DELETE", "Patient?identifier=http://x|9", "", ""),
		request("PUT", "Patient?identifier=http://x|3", "", `{"resourceType":"Patient","id":"c"}`),
		request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"urn:uuid:p"}}`))
	if b.location(0) != key("Patient/a") || b.location(3) != key("Patient/c") || !strings.Contains(body(t, s, b.location(4)), `"Patient/a"`) {
		t.Errorf("%+v", b)
	}
	_, err := s.Read(t.Context(), key("Patient/b"))
	check(t, err, fhir.KindGone, "deleted")
	put(t, s, `{"resourceType":"Patient","id":"d","identifier":[{"system":"http://x","value":"4"}]}`)
	update := request("PUT", "Patient?identifier=http://x|4", "", `{"resourceType":"Patient"}`)
	for _, other := range []string{
		request("DELETE", "Patient/d", "", ""), request("DELETE", "Patient?identifier=http://x|4", "", ""),
		request("PUT", "Patient/d", "", `{"resourceType":"Patient","id":"d"}`),
	} {
		_, err := transact(t, s, update, other)
		check(t, err, fhir.KindInvalid, "duplicate-entry")
	}
	_, err = transact(t, s, request("POST", "Patient", "", `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"5"}]}`),
		request("PUT", "Patient?identifier=http://x|5", "", `{"resourceType":"Patient"}`))
	check(t, err, fhir.KindInvalid, "duplicate-entry")
}

// TestConditionalUpdateTakesNoOtherResource has the condition find nothing, and the body name a resource: one that exists is left alone, and one
// that does not, or no longer, is made.
func TestConditionalUpdateTakesNoOtherResource(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"a","gender":"female"}`)
	const other = "identifier=http://x|other"
	r := resource(t, `{"resourceType":"Patient","id":"a","active":true}`)
	entry := request("PUT", "Patient?"+other, "", string(r.Raw()))
	_, err := s.UpdateConditional(ctx, "Patient", r, other, Conditions{})
	check(t, err, fhir.KindConflict, "id-exists")
	_, err = transact(t, s, entry)
	check(t, err, fhir.KindConflict, "id-exists")
	if b, err := send(t, s, "batch", "", entry); err != nil || b.Entry[0].Response.Status != "409 Conflict" {
		t.Errorf("%+v, %v", b, err)
	}
	if got := body(t, s, key("Patient/a")); !strings.Contains(got, "female") || !strings.Contains(got, `"versionId":"1"`) {
		t.Errorf("%s", got)
	}
	if _, err := s.Delete(ctx, key("Patient/a"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	if res, err := s.UpdateConditional(ctx, "Patient", r, other, Conditions{}); err != nil || res.Action != Created || res.Record.Key != key("Patient/a") {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestConditionalReferences(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"a","identifier":[{"system":"http://x","value":"1"}]}`)
	about := request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"Patient?identifier=http://x|1"}}`)
	b := must(t, s, about)
	if got := body(t, s, b.location(0)); !strings.Contains(got, `"reference":"Patient/a"`) {
		t.Errorf("%s", got)
	}
	// What the transaction itself brings counts, and what it deletes does not.
	moved := request("POST", "Patient", "", `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"1"}]}`)
	b = must(t, s, about, moved, request("DELETE", "Patient/a", "", ""))
	if got := body(t, s, b.location(0)); !strings.Contains(got, `"reference":"`+b.location(1).String()+`"`) {
		t.Errorf("%s is not about %s", got, b.location(1))
	}
	_, err := transact(t, s, about, moved)
	check(t, err, fhir.KindPrecondition, "conditional-reference")
	_, err = transact(t, s, strings.Replace(about, "|1", "|2", 1))
	check(t, err, fhir.KindUnprocessable, "conditional-reference")
	var e *fhir.Error
	if errors.As(err, &e); e.Issues[0].Expression != "Bundle.entry[0].resource.subject.reference" {
		t.Errorf("%+v", e.Issues)
	}
	_, err = transact(t, s, strings.Replace(about, "Patient?identifier", "Nothing?identifier", 1))
	check(t, err, fhir.KindInvalid, "unknown-type")
}

func TestConcurrentConditionalCreatesCreateOne(t *testing.T) {
	s := open(t, Options{})
	const clients = 64
	results := make([]Result, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			r := resource(t, `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"1"}],"multipleBirthInteger":%d}`, i)
			var err error
			if results[i], err = s.Create(t.Context(), "Patient", r, "identifier=http://x|1"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	created := 0
	for i := range results {
		if results[i].Action == Created {
			created++
		}
		if results[i].Record.Key != results[0].Record.Key || string(results[i].Record.Body) != string(results[0].Record.Body) {
			t.Errorf("%s and %s", results[i].Record.Key, results[0].Record.Key)
		}
	}
	if created != 1 {
		t.Errorf("%d created", created)
	}
}

func TestConcurrentTransactionsWithTheSameConditionCreateOne(t *testing.T) {
	s := open(t, Options{})
	var all sync.WaitGroup
	keys := make([]fhir.Key, 32)
	for i := range keys {
		all.Go(func() {
			b := must(t, s, request("POST", "Patient", "urn:uuid:p", `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"1"}]}`, `"ifNoneExist":"identifier=http://x|1"`),
				request("POST", "Observation", "", fmt.Sprintf(`{"resourceType":"Observation","id":"%d","subject":{"reference":"urn:uuid:p"}}`, i)))
			keys[i] = b.location(0)
			if got := body(t, s, b.location(1)); !strings.Contains(got, keys[i].String()) {
				t.Errorf("%s is not about %s", got, keys[i])
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Errorf("%s and %s", k, keys[0])
		}
	}
}

func TestConditionalInteractions(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	for _, id := range []string{"a", "b"} {
		put(t, s, `{"resourceType":"Patient","id":"%s","identifier":[{"system":"http://x","value":"2"},{"system":"http://x","value":"%s"}]}`, id, id)
	}
	_, err := s.Create(ctx, "Patient", resource(t, `{"resourceType":"Patient"}`), "identifier=http://x|2")
	check(t, err, fhir.KindPrecondition, "multiple-matches")
	_, err = s.Create(ctx, "Patient", resource(t, `{"resourceType":"Patient"}`), "_count=1")
	check(t, err, fhir.KindInvalid, "misplaced-parameter")
	_, err = s.Create(ctx, "Patient", resource(t, `{"resourceType":"Patient"}`), "_type=Patient")
	check(t, err, fhir.KindPrecondition, "empty-condition")
	_, err = s.UpdateConditional(ctx, "Patient", resource(t, `{"resourceType":"Patient"}`), "identifier=http://x|2", Conditions{})
	check(t, err, fhir.KindPrecondition, "multiple-matches")
	_, err = s.UpdateConditional(ctx, "Patient", resource(t, `{"resourceType":"Patient","id":"b"}`), "identifier=http://x|a", Conditions{})
	check(t, err, fhir.KindInvalid, "id-mismatch")
	res, err := s.UpdateConditional(ctx, "Patient", resource(t, `{"resourceType":"Patient","active":true}`), "identifier=http://x|a", Conditions{})
	if err != nil || res.Record.Key != key("Patient/a") || res.Record.Version != 2 {
		t.Errorf("%+v, %v", res, err)
	}
	res, err = s.UpdateConditional(ctx, "Patient", resource(t, `{"resourceType":"Patient","id":"new"}`), "identifier=http://x|n", Conditions{})
	if err != nil || res.Record.Key != key("Patient/new") || res.Action != Created {
		t.Errorf("%+v, %v", res, err)
	}
	if deleted, err := s.DeleteConditional(ctx, "Patient", "identifier=http://x|none", Conditions{}); err != nil || len(deleted) != 0 {
		t.Errorf("%+v, %v", deleted, err)
	}
	if deleted, err := s.DeleteConditional(ctx, "Patient", "identifier=http://x|b", Conditions{}); err != nil || len(deleted) != 1 {
		t.Errorf("%+v, %v", deleted, err)
	}
}

func TestConditionalDeleteOfSeveral(t *testing.T) {
	for _, multiple := range []bool{false, true} {
		s, ctx := open(t, Options{MultipleDelete: multiple, MaxDeletes: 3}), t.Context()
		for i := range 3 {
			put(t, s, `{"resourceType":"Patient","id":"%d","identifier":[{"system":"http://x","value":"1"}]}`, i)
		}
		deleted, err := s.DeleteConditional(ctx, "Patient", "identifier=http://x|1", Conditions{})
		if !multiple {
			check(t, err, fhir.KindPrecondition, "multiple-matches")
			continue
		}
		if err != nil || len(deleted) != 3 {
			t.Errorf("%+v, %v", deleted, err)
		}
		for i := range 4 {
			put(t, s, `{"resourceType":"Patient","id":"%d","identifier":[{"system":"http://x","value":"1"}]}`, i)
		}
		_, err = s.DeleteConditional(ctx, "Patient", "identifier=http://x|1", Conditions{})
		check(t, err, fhir.KindPrecondition, "too-many-matches")
	}
}
