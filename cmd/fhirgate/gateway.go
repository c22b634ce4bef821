package main

import (
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/interaction"
	"github.com/fhirgate/fhirgate/fhir/operation"
	"github.com/fhirgate/fhirgate/fhir/rest"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/validation"
)

// gateway is a server put together: what answers requests, and what has to be closed.
type gateway struct {
	handler http.Handler
	// place says where the data is.
	place string
	// reload reads the site's schemas again. After an error the ones before stay in force.
	reload func() error
	// close ends background work and releases the store. Only its first call does something.
	close func() error
}

// levels are the words of --validate.
var levels = map[string]validation.Level{"off": validation.Off, "base": validation.Base}

// openGateway opens the store and puts the layers above it together. address is where the server listens. A fault says what to do.
func openGateway(s settings, address string, log *slog.Logger) (*gateway, error) {
	place, err := filepath.Abs(s.data)
	if err != nil {
		return nil, err
	}
	registry := definition.R4()
	validator, err := validation.New(registry, validation.Options{SchemaDir: s.schemaDir})
	if err != nil {
		return nil, err
	}
	store, err := embedded.Open(place, embedded.Options{Log: log})
	if err != nil {
		return nil, err
	}
	parameters := search.NewParameters(registry, search.Options{BaseURLs: ownURLs(s, address)})
	service, err := interaction.New(store, registry, parameters, validator, interaction.Options{
		Level:                levels[s.validate.value],
		ReferentialIntegrity: s.integrity,
		MultipleDelete:       s.conditionalDelete.value == "multiple",
		MaxBundleEntries:     s.maxEntries,
		MaxPage:              s.maxPage,
		DefaultPage:          s.defaultPage,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	handler, err := rest.New(rest.Config{
		Service:        service,
		Registry:       registry,
		Search:         parameters,
		Operations:     operation.Table(service, registry),
		BaseURL:        s.baseURL,
		TrustProxy:     s.trustProxy,
		Origins:        s.origins,
		Limits:         rest.Limits{Body: int64(s.maxBody), Depth: s.maxDepth, Search: s.searchTimeout},
		Version:        release(),
		Validation:     s.validate.value,
		Integrity:      s.integrity,
		MultipleDelete: s.conditionalDelete.value == "multiple",
		Logger:         log,
	})
	if err != nil {
		service.Close()
		return nil, errors.Join(err, store.Close())
	}
	return &gateway{
		handler: handler,
		place:   place,
		reload:  validator.Reload,
		close:   sync.OnceValue(func() error { service.Close(); return store.Close() }),
	}, nil
}

// ownURLs returns the bases under which clients may see the server: references that start with one are to its own resources.
func ownURLs(s settings, address string) []string {
	urls := []string{"http://" + address + "/fhir"}
	if s.baseURL != "" {
		urls = append(urls, strings.TrimRight(s.baseURL, "/"))
	}
	return urls
}
