package validation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// TestLargeResourcesWaitForRoom holds that a large resource waits while others have all the room there is for large ones, and a small one does not.
func TestLargeResourcesWaitForRoom(t *testing.T) {
	v, err := New(definition.R4(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	parse := func(text string) fhir.Resource {
		r, err := fhir.ParseResource([]byte(`{"resourceType":"Patient","name":[{"text":"`+text+`"}]}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := v.large.Acquire(context.Background(), largeRoom); err != nil {
		t.Fatal(err)
	}
	large, done := parse(strings.Repeat("x", largeSize)), make(chan []fhir.Issue)
	go func() { done <- v.Validate(large, Base) }()
	if found := v.Validate(parse("x"), Base); len(found) > 0 {
		t.Errorf("%v", found)
	}
	select {
	case <-done:
		t.Error("the large one does not wait")
	case <-time.After(100 * time.Millisecond):
	}
	v.large.Release(largeRoom)
	if found := <-done; len(found) > 0 {
		t.Errorf("%v", found)
	}
}
