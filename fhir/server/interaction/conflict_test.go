package interaction

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// statusBy is a SearchParameter of Observation.
func statusBy(id, url, code, expression string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":"%s","url":"http://example.org/%s","name":"n","status":"active","description":"d","code":"%s",
		"base":["Observation"],"type":"token","expression":"%s"}`, id, url, code, expression)
}

// apart are gateways that hear of each other's parameters by nothing but the requests that they answer.
var apart = Options{Shared: true, poll: time.Hour, retry: time.Hour}

// meeting is a store of which Updates wait, where it is told to, until so many have begun: what they do before is done without the others.
type meeting struct {
	storage.Store
	absent atomic.Int64
	all    sync.WaitGroup
}

func (m *meeting) expect(n int) {
	m.all.Add(n)
	m.absent.Store(int64(n))
}

func (m *meeting) Update(ctx context.Context, f func(storage.Tx) error) error {
	if m.absent.Add(-1) >= 0 {
		m.all.Done()
		m.all.Wait()
	}
	return m.Store.Update(ctx, f)
}

func TestConflictingParametersOfOneBundleAreRefused(t *testing.T) {
	for what, second := range map[string]string{
		"code": statusBy("", "second", "first", "Observation.category"), "url": statusBy("", "first", "second", "Observation.category"),
	} {
		t.Run(what, func(t *testing.T) {
			s := open(t, Options{})
			entries := []string{request("POST", "SearchParameter", "", statusBy("", "first", "first", "Observation.status")), request("POST", "SearchParameter", "", second)}
			_, err := transact(t, s, entries...)
			check(t, err, fhir.KindUnprocessable, "parameter-conflict")
			if where := failure("", fhir.Key{}, err).(*fhir.Error).Issues[0].Expression; where != "Bundle.entry[1].resource."+what {
				t.Errorf("the fault is at %s", where)
			}
			if n := len(find(t, s, "SearchParameter").names()); n != 0 {
				t.Errorf("%d are stored", n)
			}
			b, err := send(t, s, "batch", "", entries...)
			if err != nil || b.Entry[0].Response.Status != "201 Created" || b.Entry[1].Response.Status != "422 Unprocessable Entity" ||
				!strings.Contains(string(b.Entry[1].Response.Outcome), "parameter-conflict") {
				t.Errorf("%+v, %v", b, err)
			}
			if n := len(find(t, s, "SearchParameter").names()); n != 1 {
				t.Errorf("%d are stored", n)
			}
			find(t, s, "Observation?first=final")
		})
	}
}

func TestARefusedParameterLeavesTheOneBeforeInForce(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "%s", statusBy("a", "a", "first", "Observation.status"))
	put(t, s, "%s", statusBy("b", "b", "second", "Observation.status"))
	// The first entry is refused; the second conflicts with what the refused one would have replaced.
	b, err := send(t, s, "batch", "", request("PUT", "SearchParameter/a", "", statusBy("a", "a", "second", "Observation.status")),
		request("PUT", "SearchParameter/c", "", statusBy("c", "c", "first", "Observation.category")))
	if err != nil || b.Entry[0].Response.Status != "422 Unprocessable Entity" || b.Entry[1].Response.Status != "422 Unprocessable Entity" {
		t.Errorf("%+v, %v", b, err)
	}
	find(t, s, "Observation?first=final&second=final")
}

func TestWhatABundleDeletesConflictsWithNothing(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "%s", statusBy("a", "a", "first", "Observation.status"))
	must(t, s, request("PUT", "SearchParameter/b", "", statusBy("b", "b", "first", "Observation.category")), request("DELETE", "SearchParameter/a", "", ""))
	if p := s.parameters.Custom(); len(p) != 1 || p[0].URL != "http://example.org/b" {
		t.Errorf("%d are served", len(p))
	}
	// Under another url it is the same resource, whose own code is not in its way.
	put(t, s, "%s", statusBy("b", "c", "first", "Observation.category"))
	if p := s.parameters.Custom(); len(p) != 1 || p[0].URL != "http://example.org/c" {
		t.Errorf("%d are served", len(p))
	}
}

func TestConflictingParametersAtTheSameTimeAreStoredOnce(t *testing.T) {
	const writers = 8
	for what, write := range map[string]func(i int) string{
		"code": func(i int) string {
			return statusBy(fmt.Sprint("p", i), fmt.Sprint("u", i), "race", []string{"Observation.status", "Observation.category"}[i%2])
		},
		"url": func(i int) string {
			return statusBy(fmt.Sprint("p", i), "race", fmt.Sprint("race-", i), "Observation.status")
		},
	} {
		for gateways, opt := range map[int]Options{1: {}, 2: apart} {
			t.Run(fmt.Sprintf("%s through %d gateways", what, gateways), func(t *testing.T) {
				store := &meeting{Store: openStore(t)}
				var through []*Service
				for range gateways {
					through = append(through, openOn(t, store, opt))
				}
				store.expect(writers)
				faults := make([]error, writers)
				var all sync.WaitGroup
				for i := range writers {
					r := resource(t, "%s", write(i))
					all.Go(func() {
						_, faults[i] = through[i%gateways].Update(t.Context(), r.Key(), r, Conditions{})
					})
				}
				all.Wait()
				faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil })
				if len(faults) != writers-1 {
					t.Errorf("%d of %d are refused", len(faults), writers)
				}
				for _, err := range faults {
					check(t, err, fhir.KindUnprocessable, "parameter-conflict")
				}
				for _, s := range through {
					if n := len(find(t, s, "SearchParameter").names()); n != 1 {
						t.Errorf("%d are stored", n)
					}
				}
			})
		}
	}
}
