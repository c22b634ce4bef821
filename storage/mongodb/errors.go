package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Server error codes that mean something to the engine (MongoDB's error_codes.yml).
const (
	codeWriteConflict            = 112
	codeSnapshotUnavailable      = 246
	codeSnapshotTooOld           = 239
	codeNoSuchTransaction        = 251
	codeMaxTimeExpired           = 50
	codeBadValue                 = 2
	codeInvalidOptions           = 72
	codeNamespaceExists          = 48
	codeObjectTooLarge           = 10334
	codeOutOfDiskSpace           = 14031
	codeTransactionTooLargeCache = 334
	codeTemporarilyUnavailable   = 365
	codeDuplicateKey             = 11000
)

// unavailableCodes are those of a server that is stepping down, shutting down or has no primary: the driver tried again and gave up.
var unavailableCodes = []int{6, 7, 89, 91, 133, 189, 262, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436, 202, 63, 64}

// wrap turns an error of the driver into one of the contract: KindUnavailable where the server can't be reached or has no primary,
// KindFull where its disk is full, KindTooLarge where a document is larger than MongoDB stores. Errors of the context, of storage and
// those that carry a transaction label for Update to act on pass as they are.
func wrap(op string, err error) error {
	var fe *fhir.Error
	var se mongo.ServerError
	if w, ok := writeConcernFailed(err); ok {
		se = mongo.CommandError{Code: int32(w.WriteConcernError.Code), Message: w.WriteConcernError.Message, Labels: w.Labels}
		err = fmt.Errorf("%w: %w", se, err)
	}
	switch {
	case err == nil, errors.As(err, &fe), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &se):
		switch {
		case se.HasErrorLabel("TransientTransactionError"), se.HasErrorLabel("UnknownTransactionCommitResult"):
			return err
		case se.HasErrorCode(codeOutOfDiskSpace):
			e := fhir.NewError(fhir.KindFull, fhir.IssueNoStore, fhir.IDStorageFull, "the database has no space left for writes")
			e.Op, e.Err = op, err
			return e
		case se.HasErrorCode(codeTemporarilyUnavailable): // a write outside of a transaction
			return crowded(err)
		case se.HasErrorCode(codeObjectTooLarge):
			return tooLarge(op, err)
		case se.HasErrorCode(codeSnapshotTooOld), se.HasErrorCode(codeSnapshotUnavailable):
			return unavailable(op, err)
		}
		for _, c := range unavailableCodes {
			if se.HasErrorCode(c) {
				return unavailable(op, err)
			}
		}
	}
	switch {
	case noServer(err): // within the time that the store has for it, which the driver tells as a deadline, too
		return unavailable(op, err)
	case errors.Is(err, context.DeadlineExceeded):
		return err
	case poolCleared(err), mongo.IsNetworkError(err), mongo.IsTimeout(err), errors.Is(err, mongo.ErrClientDisconnected):
		return unavailable(op, err)
	}
	return fmt.Errorf("mongodb: %s: %w", op, err)
}

func unavailable(op string, err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageUnavailable, "the database can't be reached; try again")
	e.Op, e.Err = op, err
	return e
}

// locked says that the transaction of another, which may have died without an end to it, holds what is written.
func locked(op string, err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageLocked, "another write holds the resource or condition and does not end; try again")
	e.Op, e.Err = op, fmt.Errorf("%w: %w", storage.ErrConflict, err)
	return e
}

func tooLarge(op string, err error) error {
	e := fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDStorageTooLarge, "the resource is larger than the database stores (16 MB with its index entries)")
	e.Op, e.Err = op, err
	return e
}

// label reports whether err carries a server's label, which tells Update what to run again.
func label(err error, name string) bool {
	var l interface{ HasErrorLabel(string) bool }
	return errors.As(err, &l) && l.HasErrorLabel(name)
}

// commitUnknown reports whether a commit that failed with err may have been done, or be done by sending it again. The driver sends it twice;
// where no server can take the second one it returns the error of the first as that was, without the label that says so, and none has the error
// that no server can take the first one.
func commitUnknown(err error) bool {
	_, failed := writeConcernFailed(err)
	return failed || noServer(err) || poolCleared(err) || label(err, "UnknownTransactionCommitResult") || label(err, "RetryableWriteError")
}

// insertUnknown reports whether an insert outside of a transaction, which the driver sends twice where it may, may have been done all the same.
func insertUnknown(err error) bool {
	if err == nil || noServer(err) || poolCleared(err) || errors.Is(err, mongo.ErrClientDisconnected) {
		return false
	}
	var written mongo.WriteException
	if _, failed := writeConcernFailed(err); failed || errors.As(err, &written) && written.WriteConcernError != nil {
		return true
	}
	return label(err, "RetryableWriteError") || mongo.IsNetworkError(err) || mongo.IsTimeout(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// noServer reports whether err says that no server was there to take a command, or none with a connection to send it by.
func noServer(err error) bool {
	var selection topology.ServerSelectionError
	var queue topology.WaitQueueTimeoutError
	return errors.As(err, &selection) || errors.As(err, &queue)
}

// poolCleared reports whether err says that a command was not sent because the connection it was to go by was closed with all others to its server.
func poolCleared(err error) bool {
	var pool driver.RetryablePoolError
	return errors.As(err, &pool)
}

// writeConcernFailed returns the server's word that a command was done but is not known to be on a majority, where the driver passes it on as it
// is: then it is not a mongo.ServerError.
func writeConcernFailed(err error) (w driver.WriteCommandError, ok bool) {
	ok = errors.As(err, &w) && w.WriteConcernError != nil
	return w, ok
}

// cacheFull reports whether err is the storage engine's word that a transaction does not fit in its cache, where it may be the only one or one
// of several; it has more than one code. One of them is that of conflicts: the engine rolls back the oldest transaction where nothing else makes
// room. No two writers can conflict in an index other than that of _id, whose keys end with the document's own record.
func cacheFull(err error) bool {
	var se mongo.ServerError
	return errors.As(err, &se) && (se.HasErrorCode(codeTransactionTooLargeCache) || se.HasErrorMessage("will not fit in the storage engine cache") ||
		se.HasErrorCode(codeWriteConflict) && se.HasErrorMessage("WiredTigerIndexStandard::_insert"))
}

// transactionLimit says that a transaction is too large or too slow for the database.
func transactionLimit(err error) error {
	e := fhir.NewError(fhir.KindTooLarge, fhir.IssueTooCostly, fhir.IDTransactionLimit,
		"the transaction is too large for the database: its changes do not fit in the storage engine's cache, or it takes longer than 60 s; nothing of it is stored. "+
			"Split it into smaller ones, or give the database a larger cache (mongod --wiredTigerCacheSizeGB)")
	e.Op, e.Err = "update", err
	return e
}

// crowded says that the transactions of others fill the storage engine's cache.
func crowded(err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, fhir.IDStorageBusy, "other large transactions fill the database's cache; try again")
	e.Op, e.Err = "update", err
	return e
}

// code reports whether err carries a server's error code.
func code(err error, c int) bool {
	var se mongo.ServerError
	return errors.As(err, &se) && se.HasErrorCode(c)
}
