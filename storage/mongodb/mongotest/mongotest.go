// Package mongotest gives tests a real MongoDB: a replica set of their own on loopback, or the server named by FHIRGATE_TEST_MONGODB.
//
// # Design
//
// A test binary starts at most one shared set of one member, at its first need, and takes a database of its own for each test. Tests of
// failure start a set of three with Start and kill members as they like. Members end with the test binary.
package mongotest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// patience is how long is waited for what comes in a moment on a machine with nothing else to do.
const patience = 5 * time.Minute

// EnvURI names the environment variable that holds the URI of a replica set for tests, without a database.
const EnvURI = "FHIRGATE_TEST_MONGODB"

var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// URI returns the connection string of an empty database on the shared set; the database is dropped when t ends, which fails t where it has left a
// transaction open. It skips t where there is neither FHIRGATE_TEST_MONGODB nor a mongod on the PATH, and fails it for that in CI.
func URI(t testing.TB) string {
	t.Helper()
	return database(t, func(err error) { t.Error(err) })
}

// URIOfKilled is URI for tests that kill the processes which use the database: the transactions that these leave are ended with the database.
func URIOfKilled(t testing.TB) string {
	t.Helper()
	return database(t, func(err error) { t.Log(err) })
}

// database is URI; left is called with the transactions that t has left open.
func database(t testing.TB, left func(error)) string {
	t.Helper()
	base := os.Getenv(EnvURI)
	if base == "" {
		shared.once.Do(func() {
			path, err := find()
			if err != nil {
				shared.err = err
				return
			}
			sweep()
			// The set lives as long as the test binary, not as long as t, so its folder is not t's.
			dir, err := makeFolder()
			if err != nil {
				shared.err = err
				return
			}
			shared.cluster, shared.err = start(path, dir, 1)
		})
		if shared.err != nil {
			missing(t, shared.err)
		}
		base = shared.cluster.URI("")
	}
	var b [6]byte
	rand.Read(b[:])
	name := "fhirgate_test_" + hex.EncodeToString(b[:])
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("%s: %v", EnvURI, err)
	}
	u.Path = "/" + name
	uri := u.String()
	t.Cleanup(func() {
		open, err := drop(uri, name, idleFor)
		if open != nil {
			left(open)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return uri
}

var errNoServer = errors.New("no MongoDB: set " + EnvURI + "=mongodb://host/?replicaSet=name, or put mongod on the PATH")

func find() (string, error) {
	path, err := exec.LookPath("mongod")
	if err != nil {
		return "", errNoServer
	}
	return path, nil
}

// missing skips t, or fails it in CI or for any other reason than that there is no server.
func missing(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNoServer) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	t.Fatal(err)
}
