package embedded

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// putBodies stores n Observations of a size with one code, and as many small ones with another, so that the index is worth reading.
func putBodies(t *testing.T, s *Store, n, size int) {
	t.Helper()
	err := s.Update(context.Background(), func(tx storage.Tx) error {
		for i := range 2 * n {
			id, code, size := fmt.Sprintf("o%04d", i), hot, size
			if i >= n {
				code, size = code0, 100
			}
			body := bytes.Repeat([]byte{' '}, size)
			copy(body, fmt.Sprintf(`{"resourceType":"Observation","id":%q}`, id))
			rec := storage.Record{Key: fhir.Key{Type: "Observation", ID: id}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: body,
				Entries: []search.Entry{{Param: "code", System: loinc, Code: code}}}
			if err := tx.Put(context.Background(), rec, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPageReadsEachDocumentOnce asks for the documents of a page in the orders that pages have, and for some of another resource between.
func TestPageReadsEachDocumentOnce(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	putBodies(t, s, 30, 200)
	for _, order := range []string{"found", "reverse", "odd ones first", "with others"} {
		err := s.View(context.Background(), func(r storage.Reader) error {
			rows, err := r.Find(context.Background(), search.Query{Types: []string{"Observation"}, Where: eq("code", loinc, hot), Limit: 21})
			if err != nil {
				return err
			}
			in := r.(outsideReader).reader
			if len(rows) != 21 || len(in.kept.records) != 21 {
				t.Fatalf("%d rows, %d kept", len(rows), len(in.kept.records))
			}
			var keys []fhir.Key
			for i, row := range rows {
				switch {
				case order == "odd ones first" && i%2 == 0:
					continue
				case order == "with others":
					keys = append(keys, fhir.Key{Type: "Observation", ID: "o0029"}, fhir.Key{Type: "Observation", ID: "none"})
				}
				keys = append(keys, row.Key)
			}
			if order == "odd ones first" {
				for i := 0; i < len(rows); i += 2 {
					keys = append(keys, rows[i].Key)
				}
			}
			if order == "reverse" {
				slices.Reverse(keys)
			}
			records, err := r.GetMany(context.Background(), keys)
			if err != nil {
				return err
			}
			for i, rec := range records {
				switch {
				case keys[i].ID == "none":
					if rec.Version != 0 {
						t.Errorf("%s: a record for %s", order, keys[i])
					}
				case rec.Key != keys[i] || rec.Version != 1 || !bytes.Contains(rec.Body, []byte(keys[i].ID)):
					t.Errorf("%s: %s gave %s %d %s", order, keys[i], rec.Key, rec.Version, rec.Body)
				}
			}
			for _, rec := range in.kept.records {
				if rec.Version != 0 {
					t.Errorf("%s: %s was read again", order, rec.Key)
				}
			}
			again, err := r.GetMany(context.Background(), keys)
			if err == nil && len(again[0].Body) != 200 {
				t.Errorf("%s: the second time %d bytes", order, len(again[0].Body))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPageKeepsFewBytes holds that what Find keeps of large documents is bounded, and that all of them are found and given.
func TestPageKeepsFewBytes(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	const size = 300_000
	putBodies(t, s, 12, size)
	err := s.View(context.Background(), func(r storage.Reader) error {
		rows, err := r.Find(context.Background(), search.Query{Types: []string{"Observation"}, Where: eq("code", loinc, hot), Limit: 20})
		if err != nil {
			return err
		}
		if have := r.(outsideReader).reader.kept.bytes; len(rows) != 12 || have < size || have > maxKeptBytes+size {
			t.Errorf("%d rows, %d bytes kept", len(rows), have)
		}
		keys := make([]fhir.Key, len(rows))
		for i := range rows {
			keys[i] = rows[i].Key
		}
		records, err := r.GetMany(context.Background(), keys)
		for i, rec := range records {
			if rec.Key != keys[i] || len(rec.Body) != size {
				t.Errorf("%s gave %s, %d bytes", keys[i], rec.Key, len(rec.Body))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOldVersionBehindAPage looks for a superseded version in a View that has looked up several current ones.
func TestOldVersionBehindAPage(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	layers(t, s, 2)
	err := s.View(context.Background(), func(r storage.Reader) error {
		keys := []fhir.Key{{Type: "Patient", ID: "p001"}, {Type: "Patient", ID: "p002"}, {Type: "Patient", ID: "p003"}}
		if _, err := r.GetMany(context.Background(), keys); err != nil {
			return err
		}
		for _, k := range keys {
			rec, err := r.GetVersion(context.Background(), k, 1)
			if err != nil || rec.Version != 1 || rec.Key != k {
				t.Errorf("%s: version %d of %s, %v", k, rec.Version, rec.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
