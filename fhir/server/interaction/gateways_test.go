package interaction

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// held is a store of which one Update waits between its instant and its commit.
type held struct {
	*mongodb.Store
	armed            atomic.Bool
	stamped, release chan struct{}
}

func (h *held) Update(ctx context.Context, f func(storage.Tx) error) error {
	return h.Store.Update(ctx, func(tx storage.Tx) error {
		err := f(tx)
		if h.armed.CompareAndSwap(true, false) {
			close(h.stamped)
			<-h.release
		}
		return err
	})
}

// openGateways opens two Services on one database, which MongoDB alone lets them share; the Updates of the first can be held.
func openGateways(t *testing.T) (a, b *Service, h *held) {
	t.Helper()
	uri := mongotest.URI(t)
	stores := make([]*mongodb.Store, 2)
	for i := range stores {
		store, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		stores[i] = store
	}
	h = &held{Store: stores[0], stamped: make(chan struct{}), release: make(chan struct{})}
	return openOn(t, h, Options{}), openOn(t, stores[1], Options{}), h
}

const dated = `{"resourceType":"Observation","id":"%s","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"%s"}`

// hold begins the update of a resource through the gateway of h, which is stamped when hold returns; commit lets it go on and waits for it.
func (h *held) hold(t *testing.T, s *Service, r fhir.Resource) (commit func()) {
	t.Helper()
	done := make(chan error, 1)
	h.armed.Store(true)
	go func() {
		_, err := s.Update(context.WithoutCancel(t.Context()), r.Key(), r, Conditions{})
		done <- err
	}()
	<-h.stamped
	return func() {
		t.Helper()
		close(h.release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpdateInFlightElsewhereMovesNothingBetweenPages(t *testing.T) {
	a, b, h := openGateways(t)
	put(t, a, `{"resourceType":"Patient","id":"p"}`)
	var want []string
	for i := range 9 {
		put(t, a, dated, fmt.Sprint("o", i), fmt.Sprintf("2024-01-0%d", i+1))
		want = append(want, fmt.Sprintf("Observation/o%d", i))
	}
	commit := h.hold(t, a, resource(t, dated, "o7", "2001-01-01")) // which puts it before the first page
	page := find(t, b, "Observation?_sort=date&_count=3&_include=Observation:subject")
	got := page.names()
	commit()
	if names := find(t, b, "Observation?_sort=date&_count=1").names(); !slices.Equal(names, []string{"Observation/o7"}) {
		t.Fatalf("the update was not made: the first is %v", names)
	}
	put(t, b, dated, "o4", "2002-01-01")
	put(t, b, dated, "later", "2024-01-06")
	if _, err := b.Delete(t.Context(), key("Observation/o5"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	var pages []bundle
	for page.query("next") != "" {
		pages = append(pages, page)
		page = find(t, b, "Observation?"+page.query("next"))
		got = append(got, page.names()...)
	}
	isPatient := func(name string) bool { return name == "Patient/p include" }
	if n := len(got); n == 0 || len(slices.DeleteFunc(slices.Clone(got), isPatient))+len(pages)+1 != n {
		t.Errorf("not every page includes the patient once: %v", got)
	}
	want = slices.DeleteFunc(want, func(name string) bool { return name == "Observation/o5" })
	if got = slices.DeleteFunc(got, isPatient); !slices.Equal(got, want) {
		t.Errorf("the pages are %v, want %v", got, want)
	}
	// A page that was refilled for what was deleted is as long as the others.
	if n := len(pages[1].names()); n != 4 {
		t.Errorf("the second page has %d entries", n)
	}
	// And back, through a gateway that was opened since.
	c := openOn(t, h.Store, Options{})
	var back []string
	for page.query("previous") != "" {
		page = find(t, c, "Observation?"+page.query("previous"))
		back = append(slices.DeleteFunc(page.names(), isPatient), back...)
	}
	if !slices.Equal(back, want[:len(back)]) || len(back) < 5 {
		t.Errorf("backwards the pages are %v", back)
	}
}

func TestUpdateInFlightElsewhereIsInNoLaterPageOfAHistory(t *testing.T) {
	a, b, h := openGateways(t)
	put(t, a, dated, "o", "2024")
	commit := h.hold(t, a, resource(t, dated, "o", "2025"))
	want := []string{"Observation/o"}
	for i := range 5 {
		put(t, b, dated, fmt.Sprint("later", i), "2024")
		want = append([]string{fmt.Sprintf("Observation/later%d", i)}, want...)
	}
	var got []string
	for query := "_count=2"; query != ""; {
		out, err := b.History(t.Context(), HistoryRequest{Base: base, Type: "Observation", Parameters: pairs(query)})
		if err != nil {
			t.Fatal(err)
		}
		if got == nil {
			commit()
		}
		page := decode(t, out)
		got, query = append(got, page.names()...), page.query("next")
	}
	if !slices.Equal(got, want) {
		t.Errorf("the pages are %v, want %v", got, want)
	}
}

func TestPagesThatAreNoLongerKeptAreThoseOfTheMoment(t *testing.T) {
	a, b, _ := openGateways(t)
	for i := range 6 {
		put(t, a, dated, fmt.Sprint("o", i), fmt.Sprintf("2024-01-0%d", i+1))
	}
	for what, forge := range map[string]func(storage.Mark) storage.Mark{
		"before anything":    func(m storage.Mark) storage.Mark { return "\x00\x00\x00\x01" + m[4:] },
		"the future":         func(m storage.Mark) storage.Mark { return "\xff\xff\xff\xff" + m[4:] },
		"of no store":        func(storage.Mark) storage.Mark { return "forged" },
		"of another release": func(storage.Mark) storage.Mark { return "" },
	} {
		page := find(t, b, "Observation?_sort=date&_count=2")
		got := page.names()
		query := page.query("next")
		binding, text, _ := strings.Cut(query, "&"+cursorParameter+"=")
		values := strings.Split(binding, "&")
		slices.Sort(values)
		binding = "Observation?" + strings.Join(values, "&")
		c, err := b.sealer.open(text, binding)
		if err != nil || c.mark == "" {
			t.Fatalf("%v, mark %q", err, c.mark)
		}
		c.mark = forge(c.mark)
		put(t, b, dated, "o5", "2001-0"+fmt.Sprint(1+len(what)%9))
		for query = strings.Replace(query, text, b.sealer.seal(c, binding), 1); query != ""; query = page.query("next") {
			page = find(t, b, "Observation?"+query)
			got = append(got, page.names()...)
		}
		if len(got) != 6 || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Compact(slices.Sorted(slices.Values(got)))) {
			t.Errorf("%s: the pages are %v", what, got)
		}
	}
}

// TestWalksOverTwoGatewaysLoseNothing reads a search page by page, each from either gateway, while resources are updated through both.
func TestWalksOverTwoGatewaysLoseNothing(t *testing.T) {
	a, b, _ := openGateways(t)
	gateways := []*Service{a, b}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const observations, walks = 60, 6
	put(t, a, `{"resourceType":"Patient","id":"p"}`)
	var want []string
	for i := range observations {
		put(t, a, dated, fmt.Sprint("o", i), fmt.Sprintf("2024-01-%02d", 1+i%28))
		want = append(want, fmt.Sprint("Observation/o", i))
	}
	slices.Sort(want)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer func() {
		stop()
		writers.Wait()
	}()
	for g, s := range gateways {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(g)))
			for ctx.Err() == nil {
				i := 2*random.IntN(observations/2) + g // no two writers update one resource
				r := resource(t, dated, fmt.Sprint("o", i), fmt.Sprintf("20%02d-01-01", random.IntN(100)))
				if _, err := s.Update(context.WithoutCancel(ctx), r.Key(), r, Conditions{}); err != nil {
					t.Errorf("update: %v", err)
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 2))
	for walk := range walks {
		var got []string
		for query := fmt.Sprintf("_sort=%s&_count=10", []string{"-date", "date", "_lastUpdated"}[walk%3]); query != ""; {
			page := find(t, gateways[random.IntN(2)], "Observation?"+query)
			got, query = append(got, page.names()...), page.query("next")
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("walk %d finds %d: %v", walk, len(got), got)
		}
	}
}
