package mongodb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

func TestOptionsThatAreNotKnownAreNamed(t *testing.T) {
	for _, c := range []struct{ uri, names string }{
		{"mongodb://gate:s3cret@127.0.0.1:1/fhir?replicaset2=rs0&maxPoolsize=5", "unknown option replicaset2"},
		{"mongodb://gate:s3cret@127.0.0.1:1/fhir?tlss=true&apname=x", "unknown option apname, tlss"},
		{"mongodb://gate:s3cret@127.0.0.1:1/fhir?s3cret@x=1", "%40 for @"},
	} {
		_, err := mongodb.Open(t.Context(), mongodb.Options{URI: c.uri, Timeout: time.Minute})
		if err == nil || !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, which does not name %q", err, c.names)
		}
	}
}

func TestWrongNameOfTheSetIsTold(t *testing.T) {
	c := mongotest.Start(t, 1)
	uri := strings.Replace(c.URI("fhir"), "replicaSet="+c.Name, "replicaSet=another", 1)
	if !strings.Contains(uri, "another") {
		t.Fatalf("the connection string of a set does not name it")
	}
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := s.Ready(t.Context())
		if err != nil && strings.Contains(err.Error(), "set another") && strings.Contains(err.Error(), "replicaSet="+c.Name) && !strings.Contains(err.Error(), "\n") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%v", err)
		}
	}
}
