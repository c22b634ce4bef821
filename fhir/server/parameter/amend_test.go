package parameter

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// TestParameterThatComesWhileAnotherIsFinishedIsTakenUp stores a second parameter when all types of the first have been gone through, and tells the Set nothing
// of it, as if the writer had not come so far: the indexing has to bring it into force before it goes through its type.
func TestParameterThatComesWhileAnotherIsFinishedIsTakenUp(t *testing.T) {
	engines(t, func(t *testing.T, store storage.Store) {
		g := open(t, store)
		g.must(append(resources("Patient", 2), resources("Basic", 2)...)...)
		// The List contains a Basic: it is gone through when all of Basic have been.
		g.must(`{"resourceType":"List","id":"l","status":"current","mode":"working","contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"},
			"extension":[{"url":"http://example.org/x","valueString":"v"}]}],"entry":[{"item":{"reference":"#b"}}]}`)
		var fault error
		came := false
		g.onEntries = func(rec storage.Record) {
			if rec.Key.Type != "List" || came {
				return
			}
			came = true
			fault = store.Update(t.Context(), func(tx storage.Tx) error {
				second, err := fhir.ParseResource([]byte(parameter("second", `"Patient"`)), fhir.Limits{})
				if err != nil {
					return err
				}
				if err := g.Plan(t.Context(), tx, second.Key(), storage.Record{}, second); err != nil {
					return err
				}
				return tx.Put(t.Context(), storage.Record{Key: second.Key(), Version: 1, Updated: tx.Now(), Method: "PUT", Body: second.Stamp(second.ID(), 1, tx.Now())}, 0)
			})
		}
		g.must(parameter("first", `"Basic"`))
		g.indexed()
		if fault != nil || !came {
			t.Fatal(came, fault)
		}
		if n := g.found("Patient", "second"); n != 2 {
			t.Errorf("%d of 2 have entries of the second", n)
		}
	})
}
