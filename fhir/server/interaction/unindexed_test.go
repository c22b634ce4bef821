package interaction

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/storage"
)

// TestResourcesThatCannotBeIndexedAreToldToWhoMaySeeThem has two whose stored bodies are not read any more, as an earlier release may have left them.
func TestResourcesThatCannotBeIndexedAreToldToWhoMaySeeThem(t *testing.T) {
	s := open(t, Options{})
	for _, name := range []string{"Patient/a", "Patient/b", "ValueSet/v"} {
		k := key(name)
		err := s.own.Update(t.Context(), func(tx storage.Tx) error {
			body := fmt.Sprintf(`{"resourceType":"%s","id":"%s","meta":{"versionId":"1"},"a":1,"a":2}`, k.Type, k.ID)
			return tx.Put(t.Context(), storage.Record{Key: k, Version: 1, Updated: tx.Now(), Method: "PUT", Body: []byte(body)}, 0)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, `{"resourceType":"Patient","id":"good","gender":"female"}`)
	told := func(ctx context.Context) string {
		t.Helper()
		all, err := s.Unindexed(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(all)
	}
	if got := told(t.Context()); got != "[]" {
		t.Errorf("before: %s", got)
	}
	if failed, err := s.ReindexAll(t.Context(), nil); failed != 3 || err != nil {
		t.Fatalf("%d, %v", failed, err)
	}
	await(t, "the failures are noted", func() bool { return told(t.Context()) != "[]" })
	if got := told(t.Context()); got != "[{Patient 2 [a b]} {ValueSet 1 [v]}]" {
		t.Errorf("%s", got)
	}
	s.clients = hiding{s.clients}
	if got := told(context.WithValue(t.Context(), blind{}, true)); got != "[{Patient 2 [a b]}]" {
		t.Errorf("to a client that sees no ValueSet: %s", got)
	}
	if _, err := s.Delete(t.Context(), key("ValueSet/v"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	put(t, s, `{"resourceType":"Patient","id":"b"}`)
	if got := told(t.Context()); got != "[{Patient 1 [a]}]" {
		t.Errorf("when two are deleted or stored again: %s", got)
	}
	if got := strings.Join(find(t, s, "Patient?gender=female").names(), " "); got != "Patient/good" {
		t.Errorf("found %s", got)
	}
}
