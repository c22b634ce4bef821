package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestServerErrorsHaveTheKindsThatClientsUnderstand(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		kind fhir.Kind
	}{
		{"not primary", mongo.CommandError{Code: 10107, Message: "not primary"}, fhir.KindUnavailable},
		{"stepped down while it wrote", mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 189}}, fhir.KindUnavailable},
		{"shutting down", mongo.CommandError{Code: 91}, fhir.KindUnavailable},
		{"snapshot too old", mongo.CommandError{Code: codeSnapshotTooOld}, fhir.KindUnavailable},
		{"connection lost", mongo.CommandError{Labels: []string{"NetworkError"}}, fhir.KindUnavailable},
		{"disk full", mongo.CommandError{Code: codeOutOfDiskSpace}, fhir.KindFull},
		{"document too large", mongo.CommandError{Code: codeObjectTooLarge}, fhir.KindTooLarge},
		{"anything else", mongo.CommandError{Code: 8000}, fhir.KindInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fhir.KindOf(wrap("op", fmt.Errorf("outer: %w", c.err))); got != c.kind {
				t.Errorf("kind %d, want %d", got, c.kind)
			}
		})
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded} {
		if got := wrap("op", err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if !cacheFull(mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 1,
		Message: "-31800: transaction is too large and will not fit in the storage engine cache"}}}}) {
		t.Error("a full cache is not told")
	}
	if err := wrap("op", mongo.CommandError{Labels: []string{"TransientTransactionError"}}); !label(err, "TransientTransactionError") {
		t.Error("a label is lost")
	}
}

func TestMessagesHoldNoPassword(t *testing.T) {
	const uri = "mongodb://gate:p%40ss@host/fhir"
	for _, msg := range []string{"bad " + uri, "user gate:p%40ss failed", "the password p@ss is wrong"} {
		if got := redact(msg, uri); strings.Contains(got, "p@ss") || strings.Contains(got, "p%40ss") {
			t.Errorf("%q", got)
		}
	}
}
