package mongodb_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// Searches are planned while a store that was just opened takes over the indexes it finds; the race detector sees what the two share.
func TestSearchesWhileAStoreOpens(t *testing.T) {
	uri := mongotest.URI(t)
	for i := range 3 {
		if err := put(t.Context(), openURI(t, uri), fmt.Sprint(i), 0, search.Entry{Param: "code", Code: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	s := openURI(t, uri)
	q := search.Query{Types: []string{"Basic"}, Where: eq("code", "", "x"), Sort: []search.Sort{{Param: "_lastUpdated", Desc: true}}}
	var searches sync.WaitGroup
	for range 8 {
		searches.Go(func() {
			for opening := true; opening; {
				opening = len(s.Building()) > 0
				if err := s.View(t.Context(), func(r storage.Reader) error {
					rows, err := r.Find(t.Context(), q)
					if err == nil && len(rows) != 3 {
						t.Errorf("%d rows of 3", len(rows))
					}
					return err
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	searches.Wait()
}
