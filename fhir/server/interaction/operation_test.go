package interaction

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// TestOperationsWithoutAResourceAreRefusedInBundlesBeforeTheyRun holds that such an operation is not run there, and that a transaction with it is not
// performed.
func TestOperationsWithoutAResourceAreRefusedInBundlesBeforeTheyRun(t *testing.T) {
	s := validating(t)
	ran := 0
	s.Serve(Served{Operations: []Operation{{
		Name: "raw", System: true, Get: true, Post: true, Raw: true,
		Run: func(context.Context, *Request) (OperationResponse, error) {
			ran++
			return OperationResponse{ContentType: "text/plain", Stream: func(context.Context, io.Writer) error { return nil }}, nil
		},
	}}})
	patient := request("PUT", "Patient/1", "", `{"resourceType":"Patient","id":"1"}`)
	b, err := send(t, s, "batch", "", request("GET", "$raw", "", ""), request("POST", "$raw", "", `{"resourceType":"Parameters"}`), patient)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if r := b.Entry[i].Response; r.Status != "501 Not Implemented" || !strings.Contains(string(r.Outcome), string(fhir.IDEntryStream)) {
			t.Errorf("entry %d of the batch: %s %s", i, r.Status, r.Outcome)
		}
	}
	if r := b.Entry[2].Response; !strings.HasPrefix(r.Status, "201") {
		t.Errorf("the write beside it: %s %s", r.Status, r.Outcome)
	}
	_, err = transact(t, s, request("DELETE", "Patient/1", "", ""), request("GET", "$raw", "", ""))
	check(t, err, fhir.KindNotSupported, fhir.IDEntryStream)
	if got := told(err); !strings.Contains(got, "Bundle.entry[1].request.url") {
		t.Errorf("the transaction: %s", got)
	}
	if _, err := s.Read(t.Context(), key("Patient/1")); err != nil {
		t.Errorf("the transaction was performed: %v", err)
	}
	if ran > 0 {
		t.Errorf("the operation ran %d times", ran)
	}
}

// TestAResponseOfATypeOfItsOwnIsThatOfARawOperation keeps others from making what no Bundle can hold.
func TestAResponseOfATypeOfItsOwnIsThatOfARawOperation(t *testing.T) {
	s := open(t, Options{})
	s.Serve(Served{Operations: []Operation{{
		Name: "text", System: true, Get: true,
		Run: func(context.Context, *Request) (OperationResponse, error) {
			return OperationResponse{ContentType: "text/plain", Stream: func(context.Context, io.Writer) error { return nil }}, nil
		},
	}}})
	q := &Request{Base: base}
	if err := s.Locate(q, "GET", []string{"$text"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), q); fhir.KindOf(err) != fhir.KindInternal {
		t.Errorf("got %v", err)
	}
}
