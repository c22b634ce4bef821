package interaction

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const eyeColor = `{"resourceType":"SearchParameter","id":"eye","url":"http://example.org/eye","name":"eye","status":"active","description":"d","code":"eye-color",
	"base":["Patient"],"type":"string","expression":"Patient.extension('http://example.org/eye').value"}`

func withEyes(t testing.TB, id, color string) fhir.Resource {
	return resource(t, `{"resourceType":"Patient","id":"%s","extension":[{"url":"http://example.org/eye","valueString":"%s"}]}`, id, color)
}

// patience is how long a test waits for what comes in a moment on a machine with nothing else to do.
const patience = 5 * time.Minute

// await waits until something is so, and fails the test where it never is.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never comes that %s", what)
		}
	}
}

// indexed waits until nothing is being indexed.
func indexed(t testing.TB, s *Service) {
	t.Helper()
	await(t, "nothing is being indexed", func() bool { return len(s.Reindexing()) == 0 })
}

func TestStoredSearchParameterIsActiveAtOnce(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	_, err := try(t, s, "Patient?eye-color=blue")
	check(t, err, fhir.KindInvalid, "unknown-parameter")
	r := withEyes(t, "old", "blue")
	if _, err := s.Update(ctx, r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "%s", eyeColor)
	r = withEyes(t, "new", "blue")
	if _, err := s.Update(ctx, r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(find(t, s, "Patient?eye-color=blue").names(), " "); !strings.Contains(got, "Patient/new") {
		t.Errorf("%s", got)
	}
	indexed(t, s)
	if got := strings.Join(find(t, s, "Patient?eye-color=blue").names(), " "); got != "Patient/new Patient/old" {
		t.Errorf("%s", got)
	}
	if _, err := s.Delete(ctx, key("SearchParameter/eye"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	_, err = try(t, s, "Patient?eye-color=blue")
	check(t, err, fhir.KindInvalid, "unknown-parameter")
	put(t, s, "%s", strings.Replace(eyeColor, `"active"`, `"retired"`, 1))
	_, err = try(t, s, "Patient?eye-color=blue")
	check(t, err, fhir.KindInvalid, "unknown-parameter")
}

// TestSearchParameterFindsWhatContainersHold indexes a parameter of a type in the resources of others that contain it.
func TestSearchParameterFindsWhatContainersHold(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p","extension":[{"url":"http://example.org/eye","valueString":"blue"}]}]}`)
	put(t, s, "%s", eyeColor)
	indexed(t, s)
	for query, want := range map[string]string{"Observation?subject:Patient.eye-color=blue": "Observation/o", "Patient?eye-color=blue&_contained=true": "Observation/o", "Observation?subject.eye-color=green": ""} {
		if got := strings.Join(find(t, s, query).names(), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// interrupted is a store whose views fail while it is told to.
type interrupted struct {
	storage.Store
	fails atomic.Bool
}

func (i *interrupted) View(ctx context.Context, f func(storage.Reader) error) error {
	if i.fails.Load() {
		return errors.New("the engine can't be read")
	}
	return i.Store.View(ctx, f)
}

func TestSearchParameterIsActiveOnceTheStoreCanBeReadAgain(t *testing.T) {
	store := &interrupted{Store: openStore(t)}
	s := openOn(t, store, Options{retry: 5 * time.Millisecond})
	r := withEyes(t, "a", "blue")
	if _, err := s.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	store.fails.Store(true)
	put(t, s, "%s", eyeColor)
	time.Sleep(20 * time.Millisecond)
	store.fails.Store(false)
	await(t, "the parameter is served after the store has come back", func() bool {
		b, err := try(t, s, "Patient?eye-color=blue")
		return err == nil && slices.Equal(b.names(), []string{"Patient/a"})
	})
}

func TestSearchParameterThatCanNotBeServedIsRefused(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	for from, to := range map[string]string{
		`"code":"eye-color"`: `"code":"gender"`, `Patient.extension(`: `Patient.extension((`, `"base":["Patient"]`: `"base":["Nothing"]`,
	} {
		_, err := s.Create(ctx, "SearchParameter", resource(t, "%s", strings.Replace(eyeColor, from, to, 1)), "")
		if fhir.KindOf(err) != fhir.KindUnprocessable {
			t.Errorf("%s: %v", to, err)
		}
	}
	put(t, s, "%s", eyeColor)
	_, err := s.Create(ctx, "SearchParameter", resource(t, "%s", strings.Replace(eyeColor, `"id":"eye",`, "", 1)), "")
	check(t, err, fhir.KindUnprocessable, "parameter-conflict")
	if res := put(t, s, "%s", strings.Replace(eyeColor, `"d"`, `"e"`, 1)); res.Action != Updated {
		t.Errorf("%+v", res)
	}
}

// stalled is a store whose Reindex waits.
type stalled struct {
	storage.Store
	gate chan struct{}
}

type stalledTx struct {
	storage.Tx
	gate chan struct{}
}

func (s stalled) Update(ctx context.Context, f func(storage.Tx) error) error {
	return s.Store.Update(ctx, func(tx storage.Tx) error { return f(stalledTx{tx, s.gate}) })
}

var errStalled = errors.New("stalled")

func (tx stalledTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	select {
	case <-tx.gate:
		return tx.Tx.Reindex(ctx, key, version, entries)
	default:
		return errStalled
	}
}

func TestSearchSaysThatItsParameterIsBeingIndexedAndRestartsGoOn(t *testing.T) {
	store := openStore(t)
	first := openOn(t, stalled{store, make(chan struct{})}, Options{})
	r := withEyes(t, "old", "blue")
	if _, err := first.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	put(t, first, "%s", eyeColor)
	b := find(t, first, "Patient?eye-color=blue")
	if len(b.Entry) != 1 || !strings.Contains(string(b.Entry[0].Resource), "parameter-indexing") {
		t.Errorf("%s", b.names())
	}
	if b := find(t, first, "Patient?gender=male"); len(b.Entry) != 0 {
		t.Errorf("%s", b.names())
	}
	if p := first.Reindexing(); len(p) != 1 || p[0].Code != "eye-color" || p[0].Types[0] != "Patient" {
		t.Errorf("%+v", p)
	}
	first.Close()
	second := openOn(t, store, Options{})
	indexed(t, second)
	if got := strings.Join(find(t, second, "Patient?eye-color=blue").names(), " "); got != "Patient/old" {
		t.Errorf("%s", got)
	}
	third := openOn(t, store, Options{})
	if p := third.Reindexing(); len(p) != 0 {
		t.Errorf("%+v", p)
	}
}

// staged is a store whose indexing waits for the test: Reindex fails until first is closed, and after the first Update that reindexed, which closes
// passed, views wait until second is.
type staged struct {
	storage.Store
	first, passed, second chan struct{}
	once                  sync.Once
}

type stagedTx struct {
	storage.Tx
	first   <-chan struct{}
	indexed *bool
}

func (tx stagedTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	select {
	case <-tx.first:
		*tx.indexed = true
		return tx.Tx.Reindex(ctx, key, version, entries)
	default:
		return errStalled
	}
}

func (s *staged) Update(ctx context.Context, f func(storage.Tx) error) error {
	var indexed bool
	err := s.Store.Update(ctx, func(tx storage.Tx) error { return f(stagedTx{tx, s.first, &indexed}) })
	if err == nil && indexed {
		s.once.Do(func() { close(s.passed) })
	}
	return err
}

func (s *staged) View(ctx context.Context, f func(storage.Reader) error) error {
	select {
	case <-s.passed:
		select {
		case <-s.second:
		case <-ctx.Done():
			return ctx.Err()
		}
	default:
	}
	return s.Store.View(ctx, f)
}

func TestGatewaysOnOneStoreShareTheirParameters(t *testing.T) {
	store := openStore(t)
	stages := &staged{Store: store, first: make(chan struct{}), passed: make(chan struct{}), second: make(chan struct{})}
	a := openOn(t, stages, Options{Shared: true, poll: 20 * time.Millisecond, retry: time.Millisecond})
	deaf := &interrupted{Store: store}
	b := openOn(t, deaf, apart)
	put(t, a, `{"resourceType":"Patient","id":"old"}`)
	put(t, a, "%s", eyeColor)
	close(stages.first)
	<-stages.passed
	// b can't hear of it until it ends, and a has been through what there was: what b writes is indexed later.
	deaf.fails.Store(true)
	r := withEyes(t, "b", "blue")
	if _, err := b.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if n := entriesLeft(t, &Service{own: store}, "Patient", "eye-color"); n != 0 {
		t.Fatal("b has heard of the parameter")
	}
	close(stages.second)
	indexed(t, a)
	b = openOn(t, store, apart)
	for _, s := range []*Service{a, b} {
		if got := strings.Join(find(t, s, "Patient?eye-color=blue").names(), " "); got != "Patient/b" {
			t.Errorf("%s", got)
		}
	}
	if _, err := b.Delete(t.Context(), key("SearchParameter/eye"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	_, err := try(t, a, "Patient?eye-color=blue")
	check(t, err, fhir.KindInvalid, "unknown-parameter")
}

func TestWritesWhileAParameterArrivesAreAllFound(t *testing.T) {
	s := open(t, Options{})
	const writers, writes = 4, 60
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range writes {
				r := withEyes(t, fmt.Sprintf("%d-%d", w, i), "blue")
				if _, err := s.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	put(t, s, "%s", eyeColor)
	all.Wait()
	indexed(t, s)
	if b := find(t, s, "Patient?eye-color=blue&_summary=count"); *b.Total != writers*writes {
		t.Errorf("%d of %d are found", *b.Total, writers*writes)
	}
}

func TestReindexAll(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	// Entries that disagree with the content, as an earlier release might have left them.
	err := s.own.Update(t.Context(), func(tx storage.Tx) error {
		return tx.Reindex(t.Context(), key("Patient/a"), 1, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, "Patient?gender=female").names(); got != nil {
		t.Fatalf("%v", got)
	}
	var last, total int64
	if _, err := s.ReindexAll(t.Context(), func(d, n int64) { last, total = d, n }); err != nil || last != 10 || total != 10 {
		t.Errorf("%d of %d, %v", last, total, err)
	}
	if got := strings.Join(find(t, s, "Patient?gender=female").names(), " "); got != "Patient/a" {
		t.Errorf("%s", got)
	}
}

func TestStoredTerminologyServesSearches(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	put(t, s, `{"resourceType":"CodeSystem","id":"cs","url":"http://loinc.org","status":"active","content":"fragment","concept":[{"code":"c0","concept":[{"code":"c1"}]}]}`)
	put(t, s, `{"resourceType":"ValueSet","id":"vs","url":"http://example.org/vs","version":"1","status":"active","compose":{"include":[{"system":"http://loinc.org","concept":[{"code":"c1"}]}]}}`)
	put(t, s, `{"resourceType":"ValueSet","id":"all","url":"http://example.org/all","status":"active","compose":{"include":[{"system":"http://loinc.org"}],"exclude":[{"valueSet":["http://example.org/vs"]}]}}`)
	put(t, s, `{"resourceType":"ValueSet","id":"self","url":"http://example.org/self","status":"active","compose":{"include":[{"valueSet":["http://example.org/self"]}]}}`)
	put(t, s, `{"resourceType":"ValueSet","id":"below","url":"http://example.org/below","status":"active","compose":{"include":[{"system":"http://loinc.org","filter":[{"property":"concept","op":"is-a","value":"c0"}]}]}}`)
	for query, want := range map[string]string{
		"Observation?code:in=http://example.org/vs":                            "Observation/1 Observation/3",
		"Observation?code:in=http://example.org/vs%7C1":                        "Observation/1 Observation/3",
		"Observation?code:in=ValueSet/vs":                                      "Observation/1 Observation/3",
		"Observation?code:not-in=http://example.org/vs":                        "Observation/0 Observation/2 Observation/4",
		"Observation?code:in=http://example.org/all":                           "Observation/0 Observation/2 Observation/4",
		"Observation?code:in=http://example.org/below&_count=1":                "Observation/0",
		"Observation?code:below=http://loinc.org%7Cc1":                         "Observation/1 Observation/3",
		"Observation?code:above=http://loinc.org%7Cc0":                         "Observation/0 Observation/2 Observation/4",
		"Observation?code:below=http://loinc.org%7Cc0":                         "Observation/0 Observation/1 Observation/2 Observation/3 Observation/4",
		"Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender": "Patient/a Patient/b",
	} {
		if got := strings.Join(find(t, s, query).names(), " "); got != want {
			t.Errorf("%s\nfinds %s\nwant  %s", query, got, want)
		}
	}
	for _, vs := range []string{"http://example.org/self", "http://example.org/none", "ValueSet/none"} {
		_, err := try(t, s, "Observation?code:in="+vs)
		check(t, err, fhir.KindInvalid, "unknown-value-set")
	}
}

func TestReferentialIntegrity(t *testing.T) {
	s, ctx := open(t, Options{ReferentialIntegrity: true}), t.Context()
	o := resource(t, `{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p"},"performer":[{"reference":"http://example.org/fhir/Patient/x"},{"reference":"#c"}]}`)
	_, err := s.Update(ctx, o.Key(), o, Conditions{})
	check(t, err, fhir.KindUnprocessable, "missing-reference")
	var e *fhir.Error
	if errors.As(err, &e); e.Issues[0].Expression != "Observation.subject.reference" {
		t.Errorf("%+v", e.Issues)
	}
	_, err = s.Read(ctx, o.Key())
	check(t, err, fhir.KindNotFound, "not-found")
	must(t, s, request("PUT", "Observation/o", "", string(o.Raw())), request("PUT", "Patient/p", "", `{"resourceType":"Patient","id":"p"}`))
	_, err = s.Delete(ctx, key("Patient/p"), Conditions{})
	check(t, err, fhir.KindConflict, "referenced")
	_, err = transact(t, s, request("DELETE", "Patient/p", "", ""))
	check(t, err, fhir.KindConflict, "referenced")
	must(t, s, request("DELETE", "Patient/p", "", ""), request("DELETE", "Observation/o", "", ""))
	b, err := send(t, s, "batch", "", request("PUT", "Patient/q", "", `{"resourceType":"Patient","id":"q"}`), request("POST", "Observation", "", string(o.Raw())))
	if err != nil || b.Entry[0].Response.Status != "201 Created" || b.Entry[1].Response.Status != "422 Unprocessable Entity" {
		t.Errorf("%+v, %v", b, err)
	}
	for _, reference := range []string{base + "/Patient/x", base + "/Patient/x/_history/2", "Patient/x/_history/2"} {
		r := resource(t, `{"resourceType":"Observation","subject":{"reference":"%s"}}`, reference)
		_, err := s.Create(ctx, "Observation", r, "")
		check(t, err, fhir.KindUnprocessable, "missing-reference")
	}
}

// entriesLeft returns how many resources of a type the store finds by a parameter, served or not.
func entriesLeft(t testing.TB, s *Service, typ, param string) (n int64) {
	t.Helper()
	err := s.own.View(t.Context(), func(r storage.Reader) (err error) {
		n, err = r.Count(t.Context(), search.Query{Types: []string{typ}, Where: search.Some{Param: param}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEntriesOfParametersThatGoAreTakenAway(t *testing.T) {
	s := open(t, Options{})
	eyes := func(typ string) {
		put(t, s, `{"resourceType":"%s","id":"a","extension":[{"url":"http://example.org/eye","valueString":"blue"}]}`, typ)
	}
	eyes("Patient")
	eyes("Person")
	both := strings.NewReplacer(`["Patient"]`, `["Patient","Person"]`, `Patient.ext`, `(Patient | Person).ext`).Replace(eyeColor)
	see := func(step string, patients, persons int64) {
		t.Helper()
		indexed(t, s)
		if a, b := entriesLeft(t, s, "Patient", "eye-color"), entriesLeft(t, s, "Person", "eye-color"); a != patients || b != persons {
			t.Fatalf("%s: %d patients and %d persons have entries", step, a, b)
		}
	}
	put(t, s, "%s", both)
	see("for two types", 1, 1)
	put(t, s, "%s", eyeColor)
	see("for one of them", 1, 0)
	put(t, s, "%s", strings.Replace(eyeColor, `"code":"eye-color"`, `"code":"eyes"`, 1))
	see("under another code", 0, 0)
	if n := entriesLeft(t, s, "Patient", "eyes"); n != 1 {
		t.Fatalf("%d have entries of the new code", n)
	}
	put(t, s, "%s", both)
	see("for two types again", 1, 1)
	put(t, s, "%s", strings.Replace(both, `"active"`, `"retired"`, 1))
	see("retired", 0, 0)
	put(t, s, "%s", both)
	see("in force again", 1, 1)
	must(t, s, request("DELETE", "SearchParameter/eye", "", ""))
	see("deleted", 0, 0)
	put(t, s, "%s", both)
	see("there again", 1, 1)
	if _, err := s.Delete(t.Context(), key("SearchParameter/eye"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	see("deleted by itself", 0, 0)
}

func TestRemovalIsToldAndSurvivesARestart(t *testing.T) {
	store := openStore(t)
	first := openOn(t, store, Options{})
	put(t, first, "%s", eyeColor)
	r := withEyes(t, "a", "blue")
	if _, err := first.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	indexed(t, first)
	first.Close()
	gate := make(chan struct{})
	s := openOn(t, stalled{store, gate}, Options{retry: time.Millisecond})
	if _, err := s.Delete(t.Context(), key("SearchParameter/eye"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	if p := s.Reindexing(); len(p) != 1 || !p[0].Removed || p[0].Code != "eye-color" || p[0].URL != "http://example.org/eye" || len(p[0].Types) != 1 {
		t.Fatalf("%+v", p)
	}
	if _, err := try(t, s, "Patient?eye-color=blue"); err == nil {
		t.Error("the parameter is served")
	}
	s.Close()
	s = openOn(t, store, Options{})
	indexed(t, s)
	if n := entriesLeft(t, s, "Patient", "eye-color"); n != 0 {
		t.Errorf("%d have entries", n)
	}
}

func TestAStoredParameterThatCanNotBeServedIsTold(t *testing.T) {
	store := openStore(t)
	s := openOn(t, store, Options{})
	put(t, s, "%s", eyeColor)
	indexed(t, s)
	s.Close()
	// Another release may have accepted what this one can't serve.
	err := store.Update(t.Context(), func(tx storage.Tx) error {
		broken := resource(t, "%s", strings.Replace(eyeColor, "value\"", "nonsense(\"", 1))
		return tx.Put(t.Context(), storage.Record{Key: key("SearchParameter/eye"), Version: 2, Updated: tx.Now(), Method: "PUT", Body: broken.Stamp("eye", 2, tx.Now())}, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	openOn(t, store, Options{Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if got := told.String(); !strings.Contains(got, "SearchParameter/eye") || !strings.Contains(got, "level=WARN") {
		t.Errorf("told %q", got)
	}
}

func TestAComponentOutlivesItsComposite(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, "%s", eyeColor)
	put(t, s, "%s", `{"resourceType":"SearchParameter","id":"both","url":"http://example.org/both","name":"both","status":"active","description":"d","code":"both",
		"base":["Patient"],"type":"composite","expression":"Patient","component":[
			{"definition":"http://example.org/eye","expression":"extension('http://example.org/eye').value"},
			{"definition":"http://hl7.org/fhir/SearchParameter/individual-gender","expression":"gender"}]}`)
	eye, both := key("SearchParameter/eye"), key("SearchParameter/both")
	_, err := s.Delete(ctx, eye, Conditions{})
	check(t, err, fhir.KindConflict, "parameter-in-use")
	_, err = s.Update(ctx, eye, resource(t, "%s", strings.Replace(eyeColor, `"active"`, `"retired"`, 1)), Conditions{})
	check(t, err, fhir.KindConflict, "parameter-in-use")
	if _, err := try(t, s, "Patient?both=blue$male"); err != nil {
		t.Error(err)
	}
	if _, err := transact(t, s, request("DELETE", both.String(), "", ""), request("DELETE", eye.String(), "", "")); err != nil {
		t.Error(err)
	}
	_, err = try(t, s, "Patient?both=blue$male")
	check(t, err, fhir.KindInvalid, "unknown-parameter")
}
