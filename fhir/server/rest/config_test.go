package rest_test

import (
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/validation"
)

// newConfig returns the configuration of a server over an empty embedded store in memory, with base validation.
func newConfig(t testing.TB) rest.Config {
	t.Helper()
	validator, err := validation.New(definition.R4(), validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newConfigWith(t, validator, nil)
}

// newConfigWith is newConfig with another validator and clock of the store; nil validates nothing, and is the machine's clock.
func newConfigWith(t testing.TB, validator *validation.Validator, clock func() time.Time) rest.Config {
	t.Helper()
	store := openStore(t, clock)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return newConfigOn(t, store, validator)
}

// newConfigOn is newConfigWith on a store that is there.
func newConfigOn(t testing.TB, store storage.Store, validator *validation.Validator) rest.Config {
	t.Helper()
	return newConfigOf(t, store, validator, interaction.Options{})
}

// newConfigOf is newConfigOn with options of the interactions.
func newConfigOf(t testing.TB, store storage.Store, validator *validation.Validator, options interaction.Options) rest.Config {
	t.Helper()
	reg := definition.R4()
	parameters := search.NewParameters(reg, search.Options{BaseURLs: []string{"http://example.org/fhir"}})
	service, err := interaction.New(store, reg, parameters, validator, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	return rest.Config{Service: service, Registry: reg, Search: parameters, Operations: operation.Table(service, reg, operation.Options{})}
}

// newValidating returns the configuration of a server that holds writes to base validation.
func newValidating(t testing.TB) rest.Config {
	t.Helper()
	validator, err := validation.New(definition.R4(), validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, nil)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return newConfigOf(t, store, validator, interaction.Options{Level: validation.Base})
}

// openStore opens an empty store: an embedded one in memory, or with FHIRGATE_TEST_ENGINE=mongodb a database of its own, which has no clock but
// the machine's.
func openStore(t testing.TB, clock func() time.Time) storage.Store {
	t.Helper()
	if os.Getenv("FHIRGATE_TEST_ENGINE") == "mongodb" && clock == nil {
		store, err := mongodb.Open(t.Context(), mongodb.Options{URI: mongotest.URI(t), Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem(), Cache: 32 << 20, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
