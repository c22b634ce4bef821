package mongodb_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// sight is what a view saw.
type sight struct {
	moment time.Time
	sees   map[string]bool
}

// TestAnUpdateSlowerThanMomentsCome stores resources while views take moments all the time: each must see what is stamped up to its moment, and nothing
// else, and the function of an Update runs but a few times.
func TestAnUpdateSlowerThanMomentsCome(t *testing.T) {
	s := open(t)
	if err := put(t.Context(), s, "first", 0); err != nil {
		t.Fatal(err)
	}
	ids := []string{"a", "b", "c", "d"}
	keys := make([]fhir.Key, len(ids))
	for i, id := range ids {
		keys[i] = fhir.Key{Type: "Basic", ID: id}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var sights []sight
	var views, updates sync.WaitGroup
	for range 3 {
		views.Go(func() {
			for ctx.Err() == nil {
				one := sight{sees: map[string]bool{}}
				err := s.View(t.Context(), func(r storage.Reader) error {
					one.moment = r.Moment()
					recs, err := r.GetMany(t.Context(), keys)
					for _, rec := range recs {
						if rec.Version > 0 {
							one.sees[rec.Key.ID] = true
						}
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sights = append(sights, one)
				mu.Unlock()
			}
		})
	}
	runs := make([]int, len(ids))
	for i, id := range ids {
		updates.Go(func() {
			if err := s.Update(t.Context(), func(tx storage.Tx) error {
				if runs[i]++; runs[i] > 5 {
					return errors.New("it runs again and again")
				}
				begun := moments(&mu, &sights)
				for moments(&mu, &sights) < begun+3 && runs[i] == 1 { // so slow that moments are taken meanwhile
					time.Sleep(time.Millisecond)
				}
				time.Sleep(20 * time.Millisecond)
				return putIn(t.Context(), tx, id, 0)
			}); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	updates.Wait()
	stop()
	views.Wait()
	stamped := map[string]time.Time{}
	if err := s.View(t.Context(), func(r storage.Reader) error {
		recs, err := r.GetMany(t.Context(), keys)
		for _, rec := range recs {
			stamped[rec.Key.ID] = rec.Updated
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, one := range sights {
		for id, at := range stamped {
			if due := !at.After(one.moment); due != one.sees[id] {
				t.Fatalf("a view of %v sees %s: %t, which is of %v", one.moment, id, one.sees[id], at)
			}
		}
	}
	t.Logf("%v runs beside %d views", runs, len(sights))
}

func moments(mu *sync.Mutex, sights *[]sight) int {
	mu.Lock()
	defer mu.Unlock()
	return len(*sights)
}
