package interaction

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/storage"
)

var errShut = errors.New("nobody may")

// shut is a Store that lets nobody read or write.
type shut struct{ storage.Store }

func (shut) View(context.Context, func(storage.Reader) error) error                 { return errShut }
func (shut) ViewAt(context.Context, storage.Mark, func(storage.Reader) error) error { return errShut }
func (shut) Update(context.Context, func(storage.Tx) error) error                   { return errShut }

// TestWhatClientsAskPassesTheClientsStore shuts the clients' store, and then the server's own: requests pass the first one alone, whatever they ask,
// and what the server does for itself passes the second.
func TestWhatClientsAskPassesTheClientsStore(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, "%s", eyeColor)
	for i := range 3 {
		put(t, s, `{"resourceType":"Patient","id":"p%d","gender":"male"}`, i)
	}
	indexed(t, s)
	key := fhir.Key{Type: "Patient", ID: "p0"}
	patient := resource(t, `{"resourceType":"Patient","id":"p0","gender":"female"}`)
	next := find(t, s, "Patient?_count=1").query("next")
	if next == "" {
		t.Fatal("there is no second page")
	}
	patch := Patch(func(fhir.Resource) ([]byte, error) {
		return []byte(`{"resourceType":"Patient","id":"p0","active":true}`), nil
	})
	requests := map[string]func() error{
		"read":        func() error { _, err := s.Read(ctx, key); return err },
		"vread":       func() error { _, err := s.VRead(ctx, key, "1"); return err },
		"search":      func() error { _, err := try(t, s, "Patient?gender=male&eye-color=blue"); return err },
		"second page": func() error { _, err := try(t, s, "Patient?"+next); return err },
		"value set":   func() error { _, err := try(t, s, "Patient?gender:in=http://example.org/v"); return err },
		"history":     func() error { _, err := s.History(ctx, HistoryRequest{Base: base}); return err },
		"create":      func() error { _, err := s.Create(ctx, "Patient", patient, ""); return err },
		"create once": func() error { _, err := s.Create(ctx, "Patient", patient, "gender=male"); return err },
		"update":      func() error { _, err := s.Update(ctx, key, patient, Conditions{}); return err },
		"conditional update": func() error {
			_, err := s.UpdateConditional(ctx, "Patient", patient, "gender=male", Conditions{})
			return err
		},
		"patch":              func() error { _, err := s.Patch(ctx, key, patch, Conditions{}); return err },
		"delete":             func() error { _, err := s.Delete(ctx, key, Conditions{}); return err },
		"conditional delete": func() error { _, err := s.DeleteConditional(ctx, "Patient", "gender=male", Conditions{}); return err },
		"transaction": func() error {
			_, err := transact(t, s, `{"request":{"method":"GET","url":"Patient/p0"}}`)
			return err
		},
		"transaction that writes": func() error {
			_, err := transact(t, s, `{"request":{"method":"DELETE","url":"Patient/p0"}}`)
			return err
		},
		"batch": func() error {
			b, err := send(t, s, "batch", "", `{"request":{"method":"GET","url":"Patient?gender=male"}}`, `{"request":{"method":"DELETE","url":"Patient/p0"}}`)
			if err == nil && len(b.Entry) == 2 && !strings.HasPrefix(b.Entry[0].Response.Status, "2") && !strings.HasPrefix(b.Entry[1].Response.Status, "2") {
				return errShut
			}
			return err
		},
		"resolve": func() error {
			_, _, err := s.Knowledge().Resolve(ctx, fhir.Resource{}, "Patient/p0")
			return err
		},
		"memberOf": func() error {
			_, _, err := s.Knowledge().MemberOf(ctx, slices.Values([]fhirpath.Code{{System: "http://example.org/cs", Code: "a"}}), "http://example.org/v")
			return err
		},
		"subsumes": func() error {
			_, _, err := s.Knowledge().Subsumes(ctx, fhirpath.Code{System: "http://example.org/cs", Code: "a"}, fhirpath.Code{System: "http://example.org/cs", Code: "b"})
			return err
		},
	}
	open := s.clients
	s.clients = shut{open}
	for name, request := range requests {
		if err := request(); !errors.Is(err, errShut) {
			t.Errorf("%s with the clients' store shut: %v", name, err)
		}
	}
	if _, err := s.ReindexAll(ctx, nil); err != nil {
		t.Errorf("indexing with the clients' store shut: %v", err)
	}
	// The parameters in force and the indexing have been given the server's own store when the Service was made.
	s.clients, s.own = open, shut{open}
	for name, request := range requests {
		if err := request(); errors.Is(err, errShut) && name != "batch" {
			t.Errorf("%s with the server's own store shut: %v", name, err)
		}
	}
	s.own = open
}
