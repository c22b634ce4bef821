package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/traced"
	"github.com/fhirgate/fhirgate/validation"
)

// gateway is a server put together out of its layers, from the store up.
type gateway struct {
	store storage.Store
	// engine is the store where it is the embedded one, for what only that has: backups, checks, figures of its folder.
	engine *embedded.Store
	// place says where the data is.
	place string
	// address is where the server listens.
	address    string
	log        *slog.Logger
	parameters *search.Parameters
	validator  *validation.Validator
	service    *interaction.Service
	control    *control // nil where nothing is listened for
	tracing    *tracing // nil where nothing is traced
	// copying is set where the store is an unfinished copy, which copy finishes.
	copying bool
	closing sync.Once
	closed  error
}

// newGateway reads the site's schemas and opens the store, which may not be ready yet: a database that does not respond is waited for. What
// is wrong for good is an error that says what to do. address is where the server listens.
func newGateway(ctx context.Context, s *settings, address string, log *slog.Logger) (*gateway, error) {
	g := &gateway{address: address, log: log}
	var err error
	if g.validator, err = validation.New(definition.R4(), validation.Options{SchemaDir: s.schemaDir}); err != nil {
		return nil, err
	}
	if s.mongodb != "" {
		g.place = "MongoDB"
		g.store, err = mongodb.Open(ctx, mongodb.Options{URI: s.mongodb, MaxPool: uint64(max(0, s.mongodbPool)), Timeout: s.mongodbTimeout, Logger: log})
	} else {
		if g.place, err = filepath.Abs(s.data); err == nil {
			g.engine, err = embedded.Open(g.place, embedded.Options{Log: log, Cache: blockCache(), Existing: s.existing})
			g.store = g.engine
		}
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// readable returns nil where the store can be read: the embedded one since it is open, even where its disk is too full for writes.
func (g *gateway) readable(ctx context.Context) error {
	if g.engine != nil {
		return nil
	}
	return g.store.Ready(ctx)
}

// startControl listens for commands of the operator, where the embedded store has them. A server that can't serves all the same.
func (g *gateway) startControl() (err error) {
	if g.engine != nil {
		g.control, err = startControl(g.engine, g.place, g.log)
	}
	return err
}

// full reports whether an error says that the disk has no space for a write.
func full(err error) bool {
	var e *fhir.Error
	return errors.As(err, &e) && e.Kind == fhir.KindFull
}

// open puts the interactions on the store, which must be ready, in the time zone that the data is indexed in.
func (g *gateway) open(s *settings) error {
	z, err := settleZone(context.Background(), g.store, s.zone)
	if err != nil {
		return err
	}
	return g.openIn(s, z)
}

// openIn is open in a zone.
func (g *gateway) openIn(s *settings, z zone) error {
	if stage, err := copyStage(context.Background(), g.store); err != nil {
		return err
	} else if stage != "" && !g.copying {
		return unfinishedCopy("")
	}
	g.parameters = search.NewParameters(definition.R4(), search.Options{BaseURLs: ownURLs(s, g.address), Zone: z.location, OnSkipped: skipped(g.log)})
	level, err := validation.ParseLevel(s.validate.value)
	if err != nil {
		return err
	}
	store := g.store
	if g.tracing != nil {
		store = traced.New(store, g.tracing.provider.Tracer(tracerName))
	}
	g.service, err = interaction.New(store, definition.R4(), g.parameters, g.validator, interaction.Options{
		Level:                level,
		ReferentialIntegrity: s.integrity,
		MultipleDelete:       s.conditionalDelete.value == "multiple",
		MaxBundleEntries:     s.maxEntries,
		MaxPage:              s.maxPage,
		DefaultPage:          s.defaultPage,
		Shared:               s.mongodb != "",
		Logger:               g.log,
	})
	return err
}

// handler returns the handler of all requests. The gateway must be open.
func (g *gateway) handler(s *settings, log *slog.Logger) (http.Handler, error) {
	metrics, err := newMetrics(g.engine)
	if err != nil {
		return nil, err
	}
	var tracer trace.Tracer
	if g.tracing != nil {
		tracer = g.tracing.provider.Tracer(tracerName)
	}
	var administer func(context.Context, *interaction.Request) error
	if s.allowPurge {
		administer = func(context.Context, *interaction.Request) error { return nil }
	}
	return rest.New(rest.Config{
		Administer:     administer,
		Service:        g.service,
		Registry:       definition.R4(),
		Search:         g.parameters,
		Operations:     operation.Table(g.service, definition.R4(), operation.Options{Endpoints: s.messageEndpoints}),
		BaseURL:        s.baseURL,
		TrustProxy:     s.trustProxy,
		LoopbackOnly:   !s.insecureListen,
		Origins:        s.origins,
		Limits:         rest.Limits{Body: int64(s.maxBody), Depth: s.maxDepth, Search: s.searchTimeout, Request: s.requestTimeout},
		Version:        release(),
		Validation:     s.validate.value,
		Integrity:      s.integrity,
		MultipleDelete: s.conditionalDelete.value == "multiple",
		Lenient:        s.handling.value == "lenient",
		Logger:         log,
		Tracer:         tracer,
		Metrics:        metrics,
	})
}

// close ends background work and releases the store. It may be called more than once, and returns the same each time.
func (g *gateway) close() error {
	g.closing.Do(func() {
		if g.control != nil {
			g.control.close()
		}
		if g.service != nil {
			g.service.Close()
		}
		g.closed = g.store.Close()
		if g.tracing != nil {
			g.tracing.close()
		}
	})
	return g.closed
}

// ownURLs returns the bases under which clients may see the server: references that start with one are to its own resources.
func ownURLs(s *settings, address string) []string {
	urls := []string{s.scheme() + "://" + address + "/fhir"}
	if s.baseURL != "" {
		urls = append(urls, strings.TrimRight(s.baseURL, "/"))
	}
	return urls
}

// skipped returns what tells the operator that resources are not found by a parameter, because its expression fails on them: a line in the log
// for each parameter of a type, at its first time.
func skipped(log *slog.Logger) func(typ, param string, err error) {
	var told sync.Map
	return func(typ, param string, err error) {
		if _, before := told.LoadOrStore([2]string{typ, param}, true); !before {
			log.Warn("resources are not found by a parameter whose expression fails on them", "type", typ, "parameter", param, "reason", err.Error())
		}
	}
}
