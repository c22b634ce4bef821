package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// inMongoDB are the arguments of a command on a database that may be busy: it waits for it at its start.
func inMongoDB(uri string) []string {
	return []string{"--mongodb", uri, "--mongodb-timeout", patience.String()}
}

func TestServeFromMongoDB(t *testing.T) {
	uri := mongotest.URIOfKilled(t)
	p := startServer(t, "", inMongoDB(uri)...)
	if said := p.stdout.String(); !strings.Contains(said, "The data is in MongoDB") || strings.Contains(said, uri) {
		t.Fatalf("%q", said)
	}
	awaitReadyz(t, p)
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a","gender":"female"}`)
	if status := p.stop(t); status != 0 {
		t.Fatalf("status %d: %s", status, p.stderr)
	}
	p = startServer(t, "", inMongoDB(uri)...)
	if r := must(t, 200, "GET", p.base+"/Patient?gender=female", ""); !strings.Contains(string(r.body), "/fhir/Patient/a") {
		t.Fatalf("%s", r.body)
	}
}

// awaitReadyz waits until the server says that it is ready, for which it asks the database: that may take longer than it waits for the answer.
func awaitReadyz(t *testing.T, p *process) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		r, err := send(t.Context(), "GET", p.root+"/readyz", "")
		if err == nil && r.status == 200 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the server does not become ready")
		}
	}
}

func TestADatabaseThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	// The port is free until the server takes it: no other test listens on this address of the machine's own, where it has more than one.
	ln, err := net.Listen("tcp", "127.83.71.13:0")
	if err != nil {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--listen", address, "--mongodb", "mongodb://someone:secret@127.0.0.1:1/fhir?serverSelectionTimeoutMS=200")
	cmd.Env = quietEnv()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := send(t.Context(), "GET", "http://"+address+"/healthz", "")
		if err == nil && r.status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it does not live: %v", err)
		}
	}
	must(t, 503, "GET", "http://"+address+"/readyz", "")
	if r := must(t, 503, "GET", "http://"+address+"/fhir/Patient/a", ""); r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "OperationOutcome") {
		t.Fatalf("%v %s", r.header, r.body)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exited:
		if err != nil || !strings.Contains(said.String(), "is waiting for MongoDB") || strings.Contains(said.String(), "secret") {
			t.Fatalf("%v %s", err, said.String())
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}

func TestAConnectionStringThatCannotBeUsedIsOneLine(t *testing.T) {
	fails(t, "the connection string can't be used", "--listen", "127.0.0.1:0", "--mongodb", "postgres://someone:secret@x/fhir")
	fails(t, "set only one of them", "--data", freshData(t), "--mongodb", "mongodb://127.0.0.1/fhir")
}
