package interaction

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// openApart opens two gateways on one store that hear of each other's parameters by nothing but the requests that they answer. The first never
// gets its indexing done; between is run before the next Update of the second.
func openApart(t *testing.T) (a, b *Service, between *interposed) {
	t.Helper()
	store := openStore(t)
	between = &interposed{Store: store}
	return openOn(t, stalled{store, make(chan struct{})}, apart), openOn(t, between, apart), between
}

// interposed is a store that does something before an Update, once. Where indexing may be under way, whose Updates are not meant, the request is
// told from it by its context.
type interposed struct {
	storage.Store
	first atomic.Pointer[func()]
	// asked, where not nil, is the one key whose value a context has that is meant.
	asked any
}

func (i *interposed) Update(ctx context.Context, f func(storage.Tx) error) error {
	if i.asked == nil || ctx.Value(i.asked) != nil {
		if first := i.first.Swap(nil); first != nil {
			(*first)()
		}
	}
	return i.Store.Update(ctx, f)
}

func eyed(t *testing.T, s *Service, id, color string) {
	t.Helper()
	r := withEyes(t, id, color)
	if _, err := s.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
}

// found fails the test where the matches of a query are others, through whichever gateway.
func found(t *testing.T, gateways []*Service, query string, want ...string) {
	t.Helper()
	for i, s := range gateways {
		got := slices.DeleteFunc(find(t, s, query).names(), func(name string) bool { return !strings.HasPrefix(name, "Patient/") })
		if !slices.Equal(got, want) {
			t.Errorf("gateway %d: %s finds %v, want %v", i, query, got, want)
		}
	}
}

func refused(t *testing.T, gateways []*Service, query string) {
	t.Helper()
	for _, s := range gateways {
		_, err := try(t, s, query)
		check(t, err, fhir.KindInvalid, "unknown-parameter")
	}
}

func TestParametersAreInForceThroughAllGatewaysWhenTheirWriteIsAnswered(t *testing.T) {
	a, b, _ := openApart(t)
	both := []*Service{b, a}
	refused(t, both, "Patient?eye-color=blue")
	put(t, a, "%s", eyeColor)
	found(t, both[:1], "Patient?eye-color=blue")
	eyed(t, b, "p", "blue")
	found(t, both, "Patient?eye-color=blue", "Patient/p")

	// By another definition the name of the patient is what is asked for.
	put(t, a, "%s", strings.Replace(eyeColor, `Patient.extension('http://example.org/eye').value`, `Patient.id`, 1))
	found(t, both[:1], "Patient?eye-color=q")
	eyed(t, b, "q", "blue")
	found(t, both, "Patient?eye-color=q", "Patient/q")
	found(t, both, "Patient?eye-color=blue&_id=q")

	put(t, b, "%s", strings.Replace(eyeColor, `"active"`, `"retired"`, 1))
	refused(t, []*Service{a, b}, "Patient?eye-color=blue")
	put(t, a, "%s", eyeColor)
	eyed(t, b, "r", "blue")
	found(t, both, "Patient?eye-color=blue&_id=r", "Patient/r")
	if _, err := a.Delete(t.Context(), key("SearchParameter/eye"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	refused(t, both, "Patient?eye-color=blue")
}

func TestSearchesThatNameAParameterOfAnotherGatewayAskForIt(t *testing.T) {
	const general = `{"resourceType":"SearchParameter","id":"gp","url":"http://example.org/gp","name":"gp","status":"active","description":"d","code":"house-doctor",
		"base":["Patient"],"type":"reference","expression":"Patient.extension('http://example.org/gp').value.ofType(Reference)","target":["Practitioner"]}`
	for _, query := range []string{
		"Patient?_include=Patient:house-doctor", "Patient?_include=*", "Patient?_include=Patient:*", "Patient?house-doctor=Practitioner/d&_include=Patient:house-doctor",
		"Patient?house-doctor:Practitioner.name=x&_include=*", "Patient?house-doctor:missing=false&_include=Patient:house-doctor:Practitioner",
	} {
		t.Run(query, func(t *testing.T) {
			a, b, _ := openApart(t)
			put(t, a, "%s", general)
			put(t, a, `{"resourceType":"Practitioner","id":"d","name":[{"family":"x"}]}`)
			put(t, a, `{"resourceType":"Patient","id":"p","extension":[{"url":"http://example.org/gp","valueReference":{"reference":"Practitioner/d"}}]}`)
			if got := find(t, b, query).names(); !slices.Contains(got, "Patient/p") || !slices.Contains(got, "Practitioner/d include") {
				t.Errorf("finds %v", got)
			}
			// A gateway that knows one which has gone asks too.
			if _, err := a.Delete(t.Context(), key("SearchParameter/gp"), Conditions{}); err != nil {
				t.Fatal(err)
			}
			got, err := try(t, b, query)
			if err == nil && slices.Contains(got.names(), "Practitioner/d include") {
				t.Errorf("finds %v by a parameter that was deleted", got.names())
			}
		})
	}
}

func TestConditionsSeeTheParametersOfOtherGateways(t *testing.T) {
	type request struct{}
	store := openStore(t)
	between := &interposed{Store: store, asked: request{}}
	quick := Options{Shared: true, poll: time.Millisecond, retry: time.Millisecond, await: patience}
	a, b := openOn(t, store, quick), openOn(t, between, quick)
	b.jobs.Close() // its indexing would wait for its own write
	put(t, a, "%s", eyeColor)
	eyed(t, a, "p", "blue")
	res, err := b.Create(t.Context(), "Patient", withEyes(t, "", "blue"), "eye-color=blue")
	if err != nil || res.Action != Unchanged || res.Record.Key.ID != "p" {
		t.Errorf("%+v, %v", res, err)
	}
	// It changes once more, between the reading of the condition and the Update.
	first := func() {
		put(t, a, "%s", strings.Replace(eyeColor, `Patient.extension('http://example.org/eye').value`, `Patient.id`, 1))
		eyed(t, a, "green", "brown")
		indexed(t, a)
		indexed(t, b)
	}
	between.first.Store(&first)
	res, err = b.Create(context.WithValue(t.Context(), request{}, true), "Patient", withEyes(t, "", "green"), "eye-color=green")
	if err != nil || res.Action != Unchanged || res.Record.Key.ID != "green" {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestWritesThatAParameterOvertakesAreFoundByIt(t *testing.T) {
	for what, write := range map[string]func(t *testing.T, s *Service){
		"update": func(t *testing.T, s *Service) { eyed(t, s, "p", "blue") },
		"batch": func(t *testing.T, s *Service) {
			if _, err := send(t, s, "batch", "", request("PUT", "Patient/p", "", string(withEyes(t, "p", "blue").Raw())),
				request("PUT", "Patient/q", "", string(withEyes(t, "q", "green").Raw()))); err != nil {
				t.Fatal(err)
			}
		},
		"transaction": func(t *testing.T, s *Service) {
			must(t, s, request("PUT", "Patient/p", "", string(withEyes(t, "p", "blue").Raw())), request("PUT", "Patient/q", "", string(withEyes(t, "q", "green").Raw())))
		},
	} {
		t.Run(what, func(t *testing.T) {
			a, b, between := openApart(t)
			first := func() { put(t, a, "%s", eyeColor) }
			between.first.Store(&first)
			write(t, b)
			found(t, []*Service{a, b}, "Patient?eye-color=blue", "Patient/p")
		})
	}
}

func TestWritesThatAreStampedWhenAParameterComesAreFoundByIt(t *testing.T) {
	store, err := mongodb.Open(t.Context(), mongodb.Options{URI: mongotest.URI(t), Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	h := &held{Store: store, stamped: make(chan struct{}), release: make(chan struct{})}
	a, b := openOn(t, stalled{store, make(chan struct{})}, apart), openOn(t, h, apart)
	h.armed.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := b.Update(context.WithoutCancel(t.Context()), key("Patient/p"), withEyes(t, "p", "blue"), Conditions{})
		done <- err
	}()
	<-h.stamped
	put(t, a, "%s", eyeColor)
	close(h.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	found(t, []*Service{a, b}, "Patient?eye-color=blue", "Patient/p")
}

func TestReindexingTakesNothingAwayThatAnotherGatewayHasAdded(t *testing.T) {
	a, b, _ := openApart(t)
	put(t, a, "%s", eyeColor)
	eyed(t, a, "p", "blue")
	if _, err := b.ReindexAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	found(t, []*Service{a, b}, "Patient?eye-color=blue", "Patient/p")
}

// failing is a store whose Views fail from when an Update is stored until it is told otherwise.
type failing struct {
	interrupted
	armed atomic.Bool
}

func (f *failing) Update(ctx context.Context, do func(storage.Tx) error) error {
	err := f.Store.Update(ctx, do)
	if f.armed.CompareAndSwap(true, false) {
		f.fails.Store(true)
	}
	return err
}

func TestWritesAreFoundByAParameterThatTheirGatewayCouldNotReadInTime(t *testing.T) {
	store := openStore(t)
	f := &failing{interrupted: interrupted{Store: store}}
	often := apart
	often.retry = time.Millisecond
	a, b := openOn(t, stalled{store, make(chan struct{})}, apart), openOn(t, f, often)
	put(t, a, "%s", eyeColor)
	f.armed.Store(true)
	eyed(t, b, "p", "blue")
	if !f.fails.Load() {
		t.Fatal("nothing failed")
	}
	f.fails.Store(false)
	await(t, "the write is found once the store has come back", func() bool {
		return slices.Contains(find(t, a, "Patient?eye-color=blue").names(), "Patient/p")
	})
}

// counted is a store that counts how often its Views are asked for the revision of the parameters.
type counted struct {
	storage.Store
	asked atomic.Int64
}

type countedReader struct {
	storage.Reader
	asked *atomic.Int64
}

func (c *counted) View(ctx context.Context, f func(storage.Reader) error) error {
	return c.Store.View(ctx, func(r storage.Reader) error { return f(countedReader{r, &c.asked}) })
}

func (r countedReader) Meta(ctx context.Context, name string) ([]byte, error) {
	if name == "search-parameters-revised" {
		r.asked.Add(1)
	}
	return r.Reader.Meta(ctx, name)
}

func TestOnlySearchesByCustomParametersAskForTheirRevision(t *testing.T) {
	const r4 = "Patient?gender=male&_sort=-birthdate&_include=Patient:organization&_has:Observation:patient:code=x&general-practitioner:Practitioner.name=y"
	for _, shared := range []bool{false, true} {
		store := &counted{Store: openStore(t)}
		opt := apart
		opt.Shared = shared
		opt.poll = time.Millisecond
		s := openOn(t, store, opt)
		put(t, s, "%s", eyeColor)
		indexed(t, s)
		s.custom.Close() // which polls
		for query, want := range map[string]int64{r4: 0, "Patient": 0, "Patient?eye-color=blue": 1, "Patient?_sort=-eye-color": 1, "Patient?_include=*": 1,
			"Observation?patient.eye-color=x": 1, "Observation?subject:Patient.eye-color=x": 1, "Observation?_has:Patient:link:eye-color=x": 1} {
			if !shared {
				want = 0
			}
			before := store.asked.Load()
			try(t, s, query)
			if n := store.asked.Load() - before; n != want {
				t.Errorf("shared %t: %s asks %d times, want %d", shared, query, n, want)
			}
		}
		before := store.asked.Load()
		eyed(t, s, "p", "blue")
		if n := store.asked.Load() - before; n != map[bool]int64{true: 1}[shared] {
			t.Errorf("shared %t: a write asks %d times", shared, n)
		}
	}
}
