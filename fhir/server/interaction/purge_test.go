package interaction

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// TestPurgeGoesOnAfterAKill stops a purge in the middle, as the end of a process does, and opens the store again.
func TestPurgeGoesOnAfterAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var store storage.Store
	var s *Service
	open := func() {
		t.Helper()
		var err error
		if store, err = embedded.Open(dir, embedded.Options{}); err != nil {
			t.Fatal(err)
		}
		reg := definition.R4()
		if s, err = New(store, reg, search.NewParameters(reg, search.Options{}), nil, Options{poll: 10 * time.Millisecond, retry: 10 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	open()
	put := func(typ, id, more string) {
		t.Helper()
		r, err := fhir.ParseResource([]byte(`{"resourceType":"`+typ+`","id":"`+id+`"`+more+`}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
			t.Fatal(err)
		}
	}
	const members = 1000
	put("Patient", "p", "")
	for i := range members {
		put("Observation", fmt.Sprint("o", i), `,"subject":{"reference":"Patient/p"}`)
	}
	key := fhir.Key{Type: "Patient", ID: "p"}
	p, err := s.StartPurge(t.Context(), key, false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.StartPurge(t.Context(), key, false)
	if err == nil && again.ID != p.ID && !again.State.Ended() {
		t.Errorf("a second purge of the same patient beside the first")
	}
	erased := func() (n int) {
		t.Helper()
		if err := store.View(t.Context(), func(r storage.Reader) error {
			c, err := r.Counts(t.Context())
			n = members - int(c["Observation"])
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for erased() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	part := erased()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if part == members {
		t.Log("the purge was too fast to be stopped in the middle")
	}
	open()
	defer func() {
		s.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for !p.State.Ended() {
		if p, err = s.PurgeByID(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if p.State != job.Done || p.Counts["Observation"] != members || p.Counts["Patient"] != 1 || p.Versions != members+1 || p.Audit == "" {
		t.Errorf("%+v", p)
	}
	if n := erased(); n != members {
		t.Errorf("%d of %d are erased", n, members)
	}
	if _, err := s.Read(t.Context(), key); fhir.KindOf(err) != fhir.KindNotFound {
		t.Errorf("the patient: %v", err)
	}
	b, err := s.Search(context.Background(), SearchRequest{Types: []string{"AuditEvent"}, Path: "AuditEvent"})
	if err != nil || len(b.Body) == 0 {
		t.Fatal(err)
	}
	if n := bytes.Count(b.Body, []byte(`"resourceType":"AuditEvent"`)); n != 1 {
		t.Errorf("%d AuditEvents tell of it", n)
	}
}

func TestReferencesInBytes(t *testing.T) {
	key := fhir.Key{Type: "Patient", ID: "1"}
	for text, want := range map[string]bool{
		`{"reference":"Patient/1"}`: true, `{"reference":"Patient\/1"}`: true, `{"reference":"http://x/fhir/Patient/1/_history/2"}`: true, `{"reference":"Patient/12"}`: false,
		`{"reference":"Patient/1-2"}`: false, `{"reference":"Patient/12"},{"reference":"Patient/1"}`: true, `{"reference":"Patient/2"}`: false, ``: false, `Patient/1`: true,
	} {
		if got := refersTo([]byte(text), key); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
