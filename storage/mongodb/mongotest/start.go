package mongotest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Start starts a set of n members of t's own, which ends with t. It skips as URI does; FHIRGATE_TEST_MONGODB does not serve here, because
// such tests kill what they use.
func Start(t testing.TB, n int) *Cluster {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	c, err := start(path, t.TempDir(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// StartSmall starts a set of one whose storage engine has as small a cache as there is, 256 MB. It skips as Start does.
func StartSmall(t testing.TB) *Cluster {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	c, err := start(path, t.TempDir(), 1, cacheOption, "0.25")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// StartUninitiated starts a mongod that is to be a member of a replica set which was never initiated, and returns its address. It skips as Start
// does.
func StartUninitiated(t testing.TB) string {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	m := &member{dir: t.TempDir(), addr: freeAddr()}
	if err := m.start(path, "fhirgate"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	if err := m.await(); err != nil {
		t.Fatal(err)
	}
	return m.addr
}

// StartSecured starts a set of one that asks for a user's name and password. It skips as Start does.
func StartSecured(t testing.TB, user, password string) *Cluster {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("fhirgatefhirgatefhirgate"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := start(path, dir, 1, "--keyFile", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	// The first user may be made from the same machine without one.
	err = c.members[0].admin(bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{"root"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Standalone starts one mongod that is no replica set and returns its URI.
func Standalone(t testing.TB) string {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	m := &member{dir: t.TempDir(), addr: freeAddr()}
	if err := m.start(path, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	if err := m.await(); err != nil {
		t.Fatal(err)
	}
	return "mongodb://" + m.addr + "/fhir"
}

// start starts a set, and again on other ports where it does not come up: another program may have taken one in between.
func start(path, dir string, n int, more ...string) (c *Cluster, err error) {
	return startWith(path, dir, n, "", more...)
}

// startWith is start for a set whose clients need options in their connection strings.
func startWith(path, dir string, n int, options string, more ...string) (c *Cluster, err error) {
	for range 3 {
		if c, err = startOnce(path, dir, n, options, more...); err == nil {
			return c, nil
		}
		for i := range n {
			os.RemoveAll(filepath.Join(dir, fmt.Sprint("member", i)))
		}
	}
	return nil, err
}

func startOnce(path, dir string, n int, options string, more ...string) (*Cluster, error) {
	c := &Cluster{Name: "fhirgate", path: path, more: more}
	var docs bson.A
	for i := range n {
		m := &member{dir: filepath.Join(dir, fmt.Sprint("member", i)), addr: freeAddr(), options: options}
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			return nil, err
		}
		c.members = append(c.members, m)
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: m.addr}})
		if err := m.start(path, c.Name, more...); err != nil {
			c.stop()
			return nil, err
		}
	}
	for _, m := range c.members {
		if err := m.await(); err != nil {
			c.stop()
			return nil, err
		}
	}
	config := bson.D{{Key: "_id", Value: c.Name}, {Key: "members", Value: docs},
		{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 5000}, {Key: "heartbeatIntervalMillis", Value: 500}}}}
	if err := c.members[0].admin(bson.D{{Key: "replSetInitiate", Value: config}}, nil); err != nil {
		c.stop()
		return nil, err
	}
	if err := c.AwaitPrimary(); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}
