package mongodb_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// open returns a store on an empty database, which ends with t.
func open(t testing.TB) *mongodb.Store {
	t.Helper()
	return openURI(t, mongotest.URI(t))
}

// patience is how long tests wait for what comes in a moment on a machine with nothing else to do.
const patience = 5 * time.Minute

// uris are the connection strings of the stores that tests of this package opened.
var uris = map[storage.Store]string{}

func openURI(t testing.TB, uri string) *mongodb.Store {
	t.Helper()
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: patience, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	uris[s] = uri
	return s
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store { return open(t) },
		storagetest.WithQueries(2_000),
		storagetest.WithReopen(func(t *testing.T, s storage.Store) storage.Store {
			uri := uris[s]
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openURI(t, uri)
		}))
}
