package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/storage"
)

// basic is a message that carries one Basic.
func basic(envelope, header string) string {
	return admission(envelope, header, carried("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3", `{"resourceType":"Basic","code":{"text":"x"}}`))
}

// refusing is a store that refuses Updates with an error, where one is set.
type refusing struct {
	storage.Store
	err atomic.Pointer[error]
}

func (r *refusing) Update(ctx context.Context, f func(storage.Tx) error) error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return r.Store.Update(ctx, f)
}

func TestMessageThatCannotBeProcessedAtTheMomentMayComeAgain(t *testing.T) {
	store := &refusing{Store: openStore(t, nil)}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newServerOf(t, newConfigOn(t, store, nil))
	for i, refusal := range []error{
		fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageUnavailable, "the database cannot be reached"),
		fhir.NewError(fhir.KindFull, fhir.IssueTransient, fhir.IDStorageFull, "no space is left"),
		storage.ErrConflict,
	} {
		message := basic(fmt.Sprintf("b%d", i), fmt.Sprintf("h%d", i))
		store.err.Store(&refusal)
		m, body := s.process(t, message)
		if m.code() != "transient-error" || len(m.Entry) != 2 {
			t.Errorf("%v: %s", refusal, body)
		}
		store.err.Store(nil)
		if m, body := s.process(t, message); m.code() != "ok" {
			t.Errorf("%v, sent again: %s", refusal, body)
		}
	}
	failure := fmt.Errorf("the engine failed")
	store.err.Store(&failure)
	if a := s.do(t, "POST", "/fhir/$process-message", ct(jsonType), basic("b", "h")); a.status != http.StatusInternalServerError {
		t.Errorf("%d %s", a.status, a.body)
	}
	store.err.Store(nil)
	if m, body := s.process(t, basic("b", "h")); m.code() != "ok" {
		t.Errorf("after a failure: %s", body)
	}
}

func TestMessageIsAuthorizedLikeTheRequestsThatItStandsFor(t *testing.T) {
	refuse := true
	s := newServer(t, func(c *rest.Config) {
		c.Authorize = func(_ context.Context, q *interaction.Request) error {
			if refuse && q.Code == interaction.CodeCreate && q.Key.Type == "Basic" {
				return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, "no-right", "this is not for you")
			}
			return nil
		}
	})
	if a := s.do(t, "POST", "/fhir/$process-message", ct(jsonType), basic("b", "h")); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "Bundle.entry[1]") {
		t.Errorf("%d %s", a.status, a.body)
	}
	refuse = false
	if b, _ := s.page(t, "/fhir/Basic"); len(b.Entry) != 0 {
		t.Error("what was refused was done")
	}
	if m, body := s.process(t, basic("b", "h")); m.code() != "ok" {
		t.Errorf("with the right: %s", body)
	}
}

func TestMessageWhoseResponseSomebodyElseHasWrittenIsNotTakenForProcessed(t *testing.T) {
	s := newServer(t)
	m, body := s.process(t, basic("b", "h"))
	other := newServer(t)
	forged := strings.Replace(body, `"code":"ok"`, `"code":"fatal-error"`, 1)
	other.put(t, "Bundle/"+m.ID, forged)
	a := other.do(t, "POST", "/fhir/$process-message", ct(jsonType), basic("b", "h"))
	if _, id := a.issue(t); a.status != http.StatusConflict || id != "message-reused" {
		t.Errorf("%d %s", a.status, a.body)
	}
	// A Bundle with the identifier of a message's Bundle is no response.
	third := newServer(t)
	third.do(t, "POST", "/fhir/Bundle", ct(jsonType), forged)
	third.put(t, "Bundle/response-0", strings.Replace(forged, m.ID, "response-0", 1))
	if m, body := third.process(t, basic("b", "h")); m.code() != "ok" {
		t.Errorf("%s", body)
	}
}

func TestMessageMayComeInXMLAndIsBounded(t *testing.T) {
	s := newServer(t)
	doc := `<Bundle xmlns="http://hl7.org/fhir"><id value="b"/><type value="message"/><entry><fullUrl value="urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f1"/><resource><MessageHeader><id value="h"/>` +
		`<eventCoding><system value="http://terminology.hl7.org/CodeSystem/message-events"/><code value="admin-notify"/></eventCoding><source><endpoint value="http://hospital.example.org/fhir"/></source></MessageHeader></resource></entry>` +
		`<entry><fullUrl value="urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4f3"/><resource><Basic><code><text value="x"/></code></Basic></resource></entry></Bundle>`
	if a := s.do(t, "POST", "/fhir/$process-message", []string{"Content-Type", xmlType, "Accept", xmlType}, doc); a.status != 200 || !strings.Contains(string(a.body), `<code value="ok"/>`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, body := s.process(t, basic("b", "h")); !strings.Contains(body, `"code":"ok"`) {
		t.Errorf("the same message in JSON: %s", body)
	}
	if b, _ := s.page(t, "/fhir/Basic"); len(b.Entry) != 1 {
		t.Errorf("%d are stored", len(b.Entry))
	}
	bounded := newServerOf(t, newConfigOf(t, openStoreFor(t), nil, interaction.Options{MaxBundleEntries: 3}))
	entry := func(n int) string {
		return carried(fmt.Sprintf("urn:uuid:5f2dd7f5-5ea0-4d2e-8e61-3f3ff7f3b4%02d", n), `{"resourceType":"Basic","code":{"text":"x"}}`)
	}
	if m, body := bounded.process(t, admission("b1", "h1", entry(1), entry(2))); m.code() != "ok" {
		t.Errorf("%s", body)
	}
	a := bounded.do(t, "POST", "/fhir/$process-message", ct(jsonType), admission("b2", "h2", entry(1), entry(2), entry(3)))
	if _, id := a.issue(t); a.status != http.StatusRequestEntityTooLarge || id != "bundle-entries" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// openStoreFor opens an empty store until the test ends.
func openStoreFor(t *testing.T) storage.Store {
	t.Helper()
	store := openStore(t, nil)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
