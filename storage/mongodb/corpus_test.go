package mongodb_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/storage"
)

func TestOfficialExamplesComeBackByteForByte(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	stored := map[fhir.Key][]byte{}
	var recs []storage.Record
	for _, name := range corpustest.Files(t, "r4-examples/*.json") {
		raw := corpustest.Read(t, name)
		r, err := fhir.ParseResource(raw, fhir.Limits{})
		if err != nil {
			continue // a few are no resources of R4's grammar; fhir's own tests name them
		}
		k := fhir.Key{Type: r.Type(), ID: r.ID()}
		if k.ID == "" || stored[k] != nil {
			continue
		}
		body := r.Stamp(k.ID, 1, time.Unix(1e9, 0).UTC())
		if len(recs)%50 == 0 {
			body = raw // as it stands in the file, with its white space
		}
		stored[k] = body
		recs = append(recs, storage.Record{Key: k, Version: 1, Method: "PUT", Body: body})
	}
	if len(recs) < 600 {
		t.Fatalf("only %d examples", len(recs))
	}
	if err := s.Update(ctx, func(tx storage.Tx) error {
		for _, rec := range recs {
			rec.Updated = tx.Now()
			if err := tx.Put(ctx, rec, 0); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.View(ctx, func(r storage.Reader) error {
		for k, want := range stored {
			got, err := r.Get(ctx, k)
			if err != nil {
				return err
			}
			if !bytes.Equal(got.Body, want) {
				t.Errorf("%s came back as other bytes", k)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
