package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

const base = "http://localhost/fhir"

// openStore opens an empty store: an embedded one in memory, or with FHIRGATE_TEST_ENGINE=mongodb a database of its own.
func openStore(t testing.TB) storage.Store {
	t.Helper()
	if os.Getenv("FHIRGATE_TEST_ENGINE") == "mongodb" {
		store, err := mongodb.Open(context.Background(), mongodb.Options{URI: mongotest.URI(t), Timeout: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	}
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem(), Cache: 128 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// open returns a Service on an empty store, without validation.
func open(t testing.TB, opt Options) *Service {
	t.Helper()
	return openOn(t, openStore(t), opt)
}

// openOn returns a Service on a store, without validation.
func openOn(t testing.TB, store storage.Store, opt Options) *Service {
	t.Helper()
	reg := definition.R4()
	s, err := New(store, reg, search.NewParameters(reg, search.Options{BaseURLs: []string{base}}), nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// resource parses JSON.
func resource(t testing.TB, src string, args ...any) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource(fmt.Appendf(nil, src, args...), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// key reads "Type/id".
func key(s string) fhir.Key {
	typ, id, _ := strings.Cut(s, "/")
	return fhir.Key{Type: typ, ID: id}
}

// put updates a resource and fails the test where that is refused.
func put(t testing.TB, s *Service, src string, args ...any) Result {
	t.Helper()
	r := resource(t, src, args...)
	res, err := s.Update(t.Context(), r.Key(), r, Conditions{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// check fails the test where err is not of the kind, or has no issue of the id.
func check(t testing.TB, err error, kind fhir.Kind, id fhir.IssueID) {
	t.Helper()
	var e *fhir.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v; want kind %d, issue %s", err, kind, id)
	}
	if e.Kind != kind || len(e.Issues) == 0 || e.Issues[0].ID != id {
		t.Fatalf("error %v of kind %d, issues %+v; want kind %d, issue %s", e, e.Kind, e.Issues, kind, id)
	}
}

// bundle is what tests read of a Bundle.
type bundle struct {
	Type  string
	Total *int64
	Link  []struct{ Relation, URL string }
	Entry []struct {
		FullURL  string
		Resource json.RawMessage
		Search   struct{ Mode string }
		Request  struct{ Method, URL string }
		Response struct {
			Status, Location, Etag, LastModified string
			Outcome                              json.RawMessage
		}
	}
}

func decode(t testing.TB, b Bundle) bundle {
	t.Helper()
	if _, err := fhir.Parse(b.Body, fhir.Limits{}); err != nil {
		t.Fatalf("%v in %s", err, b.Body)
	}
	var out bundle
	if err := json.Unmarshal(b.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// next returns the query of a link; "" where the Bundle has none.
func (b bundle) query(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			_, query, _ := strings.Cut(l.URL, "?")
			return query
		}
	}
	return ""
}

// names returns what the entries hold: "Type/id", with mode where it is not match.
func (b bundle) names() []string {
	var out []string
	for _, e := range b.Entry {
		name := strings.TrimPrefix(e.FullURL, base+"/")
		if e.Search.Mode != "" && e.Search.Mode != "match" {
			name += " " + e.Search.Mode
		}
		out = append(out, name)
	}
	return out
}

// decodeBundle is decode without a test to fail.
func decodeBundle(body []byte) bundle {
	var out bundle
	if err := json.Unmarshal(body, &out); err != nil {
		panic(err)
	}
	return out
}

// ctxOf returns the context of a test, or of a rapid test.
func ctxOf(t any) context.Context {
	if c, ok := t.(interface{ Context() context.Context }); ok {
		return c.Context()
	}
	return context.Background()
}

// openRapid opens a Service for one run of a rapid test.
func openRapid(t *rapid.T) *Service {
	t.Helper()
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem(), Cache: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	reg := definition.R4()
	s, err := New(store, reg, search.NewParameters(reg, search.Options{BaseURLs: []string{base}}), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pairs reads the parameters of a URL; nil where there are none.
func pairs(query string) []search.Pair {
	p, err := search.ReadQuery(query)
	if err != nil {
		panic(err)
	}
	return p
}
