package rest_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/interaction"
	"github.com/fhirgate/fhirgate/fhir/operation"
	"github.com/fhirgate/fhirgate/fhir/rest"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/validation"
)

// newConfig returns the configuration of a server over an empty embedded store in memory, with base validation.
func newConfig(t testing.TB) rest.Config {
	t.Helper()
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem(), Cache: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	reg := definition.R4()
	validator, err := validation.New(reg, validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parameters := search.NewParameters(reg, search.Options{})
	service, err := interaction.New(store, reg, parameters, validator, interaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	return rest.Config{Service: service, Registry: reg, Search: parameters, Operations: operation.Table(service, reg)}
}
