package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/fhirgate/fhirgate/fhir"
)

// clearedPool is as the driver's error of a pool that is cleared while a command waits for a connection.
type clearedPool struct{}

func (clearedPool) Error() string   { return "connection pool was cleared" }
func (clearedPool) Retryable() bool { return true }

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
	nobody := topology.ServerSelectionError{Wrapped: context.DeadlineExceeded}
	if got := fhir.KindOf(wrap("op", nobody)); got != fhir.KindUnavailable || !commitUnknown(nobody) {
		t.Errorf("no server in time is of the kind %d", got)
	}
	cleared := fmt.Errorf("outer: %w", clearedPool{})
	if got := fhir.KindOf(wrap("op", cleared)); got != fhir.KindUnavailable || !commitUnknown(cleared) || insertUnknown(cleared) {
		t.Errorf("a connection that was closed with its pool is of the kind %d", got)
	}
	// The answer to a commit whose primary steps down, where there is none yet to send it to again.
	stepped := driver.WriteCommandError{WriteConcernError: &driver.WriteConcernError{Code: 11602, Name: "InterruptedDueToReplStateChange"}}
	if !commitUnknown(stepped) || !commitUnknown(mongo.CommandError{Code: 10107, Labels: []string{"RetryableWriteError"}}) {
		t.Error("a commit that may have been done is taken for one that was not")
	}
	if commitUnknown(mongo.CommandError{Code: codeNoSuchTransaction, Labels: []string{"TransientTransactionError"}}) {
		t.Error("a commit that was not done is taken for one that may have been")
	}
	if got := fhir.KindOf(wrap("op", stepped)); got != fhir.KindUnavailable {
		t.Errorf("a write concern that failed is of the kind %d", got)
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
	conflict := " :: caused by :: WriteConflict error: this operation conflicted with another operation. Please retry your operation or multi-document transaction."
	if !cacheFull(mongo.CommandError{Code: codeWriteConflict, Labels: []string{"TransientTransactionError"},
		Message: "WiredTigerIndexStandard::_insert: index: terms; uri: table:index-50-4477781967756058859" + conflict}) {
		t.Error("a full cache that is told as a conflict is not told")
	}
	if cacheFull(mongo.CommandError{Code: codeWriteConflict, Message: "WiredTigerRecordStore::updateRecord" + conflict}) {
		t.Error("a conflict is taken for a full cache")
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
