package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
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
	switch {
	case err == nil, errors.As(err, &fe), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &se):
		switch {
		case se.HasErrorLabel("TransientTransactionError"), se.HasErrorLabel("UnknownTransactionCommitResult"):
			return err
		case se.HasErrorCode(codeOutOfDiskSpace):
			e := fhir.NewError(fhir.KindFull, fhir.IssueNoStore, "storage-full", "the database has no space left for writes")
			e.Op, e.Err = op, err
			return e
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
	var selection topology.ServerSelectionError
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.As(err, &selection) || errors.Is(err, mongo.ErrClientDisconnected) {
		return unavailable(op, err)
	}
	return fmt.Errorf("mongodb: %s: %w", op, err)
}

func unavailable(op string, err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, "storage-unavailable", "the database can't be reached; try again")
	e.Op, e.Err = op, err
	return e
}

// locked says that the transaction of another, which may have died without an end to it, holds what is written.
func locked(op string, err error) error {
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, "storage-locked", "another write holds the resource or condition and does not end; try again")
	e.Op, e.Err = op, fmt.Errorf("%w: %w", storage.ErrConflict, err)
	return e
}

func tooLarge(op string, err error) error {
	e := fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, "storage-too-large", "the resource is larger than the database stores (16 MB with its index entries)")
	e.Op, e.Err = op, err
	return e
}

// label reports whether err carries a server's label, which tells Update what to run again.
func label(err error, name string) bool {
	var l interface{ HasErrorLabel(string) bool }
	return errors.As(err, &l) && l.HasErrorLabel(name)
}

// cacheFull reports whether err is the storage engine's word that a transaction does not fit in its cache, where it may be the only one or one
// of several; it has had more than one code.
func cacheFull(err error) bool {
	var se mongo.ServerError
	return errors.As(err, &se) && (se.HasErrorCode(codeTransactionTooLargeCache) || se.HasErrorMessage("will not fit in the storage engine cache"))
}

// code reports whether err carries a server's error code.
func code(err error, c int) bool {
	var se mongo.ServerError
	return errors.As(err, &se) && se.HasErrorCode(c)
}
