package mongodb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// A cache without room is told to whoever writes. Only a transaction that may fill it by itself is told to be split; a small one waits for the others.
func TestASmallTransactionIsNotToldThatItIsTooLarge(t *testing.T) {
	c := mongotest.StartFailing(t)
	s := openURI(t, c.URI("fhir"))
	if err := put(t.Context(), s, "first", 0); err != nil {
		t.Fatal(err)
	}
	c.Fail(t, "insert", -1, bson.E{Key: "errorCode", Value: 334}, bson.E{Key: "errorLabels", Value: bson.A{}})
	defer c.Fail(t, "insert", 0)
	for text, want := range map[string]fhir.IssueID{"small": fhir.IDStorageBusy, strings.Repeat("large", 1<<20): fhir.IDTransactionLimit} {
		err := s.Update(t.Context(), func(tx storage.Tx) error {
			for i := range 2 {
				rec := storage.Record{Key: fhir.Key{Type: "Basic", ID: fmt.Sprint("a", i)}, Version: 1, Updated: tx.Now(), Method: "PUT",
					Body: fmt.Appendf(nil, `{"resourceType":"Basic","id":"a%d","code":{"text":%q}}`, i, text)}
				if err := tx.Put(t.Context(), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Issues[0].ID != want {
			t.Errorf("%d bytes: %v, want %s", len(text), err, want)
		}
	}
}
