package mongotest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Keep starts a set of one on a folder, or again on what it holds, and returns the connection string of one of its databases. The set ends with
// t and the folder stays: benchmarks keep in it what takes long to make. Its cache has 4 GB. It skips as Start does.
func Keep(t testing.TB, dir, db string) string {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const name = "fhirgate"
	// A set knows its members by their addresses.
	file := filepath.Join(dir, "address")
	addr, err := os.ReadFile(file)
	found := err == nil
	if !found {
		addr = []byte(freeAddr())
	}
	m := &member{dir: filepath.Join(dir, "data"), addr: strings.TrimSpace(string(addr)), cache: "4"}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.start(path, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.end)
	if err := m.await(); err != nil {
		t.Fatal(err)
	}
	if !found {
		config := bson.D{{Key: "_id", Value: name}, {Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: m.addr}}}}}
		if err := m.admin(bson.D{{Key: "replSetInitiate", Value: config}}, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(m.addr), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &Cluster{Name: name, path: path, members: []*member{m}}
	if err := c.AwaitPrimary(); err != nil {
		t.Fatal(err)
	}
	return c.URI(db)
}

// end asks the member to end and waits for it; where it does not, it is killed.
func (m *member) end() {
	p := m.running()
	if p == nil {
		return
	}
	// The answer is that the connection ends.
	m.ask(bson.D{{Key: "shutdown", Value: 1}, {Key: "force", Value: true}, {Key: "timeoutSecs", Value: 1}}, nil, 30*time.Second)
	select {
	case <-p.ended:
	case <-time.After(patience):
		fmt.Fprintln(os.Stderr, "mongod does not end; it is killed")
		p.cmd.Process.Kill()
		<-p.ended
	}
}
