package storagetest_test

import (
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

func TestBothEnginesAnswerAlike(t *testing.T) {
	queries := 1_000
	if testing.Short() {
		queries = 200
	}
	storagetest.RunPair(t, func(t *testing.T) (a, b storage.Store) {
		uri := mongotest.URI(t)
		e, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return e, m
	}, queries)
}
