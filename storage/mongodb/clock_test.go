package mongodb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// A machine's clock may be set back between two runs of a gateway. What is stored after that comes after all that was stored before, in each
// resource and in the history of all.
func TestInstantsNeverGoBack(t *testing.T) {
	uri := mongotest.URI(t)
	at := func(d time.Duration) *mongodb.Store {
		s := openURI(t, uri)
		mongodb.SetClock(s, func() time.Time { return time.Now().Add(d) })
		return s
	}
	put := func(s *mongodb.Store, typ, id string, expect int64, deleted bool) {
		t.Helper()
		if err := s.Update(t.Context(), func(tx storage.Tx) error {
			rec := storage.Record{Key: fhir.Key{Type: typ, ID: id}, Version: expect + 1, Updated: tx.Now(), Method: "PUT", Deleted: deleted}
			if !deleted {
				rec.Body = fmt.Appendf(nil, `{"resourceType":%q,"id":%q}`, typ, id)
			}
			return tx.Put(t.Context(), rec, expect)
		}); err != nil {
			t.Fatal(err)
		}
	}
	before := at(0)
	put(before, "Basic", "a", 0, false)
	put(before, "Device", "d", 0, false)
	put(before, "Device", "d", 1, true) // a deletion is the last of all
	before.Close()
	for i := range int64(3) {
		after := at(-time.Duration(i+1) * 365 * 24 * time.Hour)
		put(after, "Basic", fmt.Sprint("new", i), 0, false)
		put(after, "Basic", "a", i+1, false)
		put(after, "Patient", fmt.Sprint("p", i), 0, false)
		after.Close()
	}
	s := at(-365 * 24 * time.Hour)
	if err := s.View(t.Context(), func(r storage.Reader) error {
		moment := r.Moment()
		recs, err := r.History(t.Context(), storage.HistoryQuery{})
		if err != nil {
			return err
		}
		want := []string{"Patient/p2", "Basic/a", "Basic/new2", "Patient/p1", "Basic/a", "Basic/new1", "Patient/p0", "Basic/a", "Basic/new0", "Device/d", "Device/d", "Basic/a"}
		var got []string
		for _, rec := range recs {
			got = append(got, rec.Key.String())
			if rec.Updated.After(moment) {
				t.Errorf("%s of %v is visible at %v", rec.Key, rec.Updated, moment)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v\nnot\n%v", got, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
