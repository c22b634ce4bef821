// Package mongotest gives tests a real MongoDB: a replica set of their own on loopback, or the server named by FHIRGATE_TEST_MONGODB.
//
// # Design
//
// A test binary starts at most one shared set of one member, at its first need, and takes a database of its own for each test. Tests of
// failure start a set of three with Start and kill members as they like. Members end with the test binary.
//
// # Decisions
//
// 1. A real server, no stand-in (2026-11-23). Context: what breaks an engine on MongoDB is what the server does (multikey bounds, write
// conflicts, elections). Choice: run mongod. Consequence: without one the tests skip and say how to give one; in CI (CI=true) that is a
// failure.
package mongotest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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

// URI returns the connection string of an empty database on the shared set; the database is dropped when t ends. It skips t where there is
// neither FHIRGATE_TEST_MONGODB nor a mongod on the PATH, and fails it for that in CI.
func URI(t testing.TB) string {
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
		c, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Database(name).Drop(ctx)
		c.Disconnect(ctx)
	})
	return uri
}

// folderPrefix starts the names of the shared sets' folders in os.TempDir.
const folderPrefix = "fhirgate-mongod-"

// makeFolder makes a folder that other test binaries leave alone as long as this one runs.
func makeFolder() (string, error) {
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return "", err
	}
	// The file has its name only once it is held: no other binary sees it before.
	file := filepath.Join(dir, heldName)
	if err := hold(file + ".part"); err != nil {
		return "", err
	}
	return dir, os.Rename(file+".part", file)
}

// heldName is the file in a folder that the test binary holds which uses it.
const heldName = "held"

// sweep removes the folders that earlier test binaries left, which nobody holds. One that is not yet held is that of a binary which starts.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range dirs {
		if left(filepath.Join(dir, heldName)) {
			os.RemoveAll(dir)
		}
	}
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

// Cluster is a replica set of mongod processes on loopback.
type Cluster struct {
	// Name is the replica set's name.
	Name    string
	path    string
	more    []string // further arguments
	members []*member
}

type member struct {
	dir  string
	addr string
	// options are those of connection strings of clients.
	options string
	cache   string // of the storage engine, in GB
	mu      sync.Mutex
	process *process // nil where it does not run
}

// process is a mongod.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

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

// URI returns a connection string with the database db.
func (c *Cluster) URI(db string) string {
	hosts := make([]string, len(c.members))
	for i, m := range c.members {
		hosts[i] = m.addr
	}
	return "mongodb://" + strings.Join(hosts, ",") + "/" + db + "?replicaSet=" + c.Name
}

// Primary returns the index of the member that is primary; -1 where none is.
func (c *Cluster) Primary() int {
	for i, m := range c.members {
		if m.isPrimary() {
			return i
		}
	}
	return -1
}

// Elected waits until a member is primary and returns its index.
func (c *Cluster) Elected(t testing.TB) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if i := c.Primary(); i >= 0 {
			return i
		}
	}
	t.Fatal("no member becomes primary")
	return -1
}

// Kill ends member i with SIGKILL.
func (c *Cluster) Kill(i int) { c.members[i].kill() }

// Restart starts member i again on its data and waits until it answers. It tries again where it ends: another program may have had its port.
func (c *Cluster) Restart(i int) error {
	m := c.members[i]
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		if err := m.start(c.path, c.Name, c.more...); err != nil {
			return err
		}
		err := m.await()
		if err == nil || time.Now().After(end) {
			return err
		}
		m.kill()
	}
}

// StepDown makes the primary, member i, step down for some seconds.
func (c *Cluster) StepDown(i int, seconds int) error {
	return c.members[i].admin(bson.D{{Key: "replSetStepDown", Value: seconds}, {Key: "force", Value: true}}, nil)
}

// SetParameter sets a parameter of every member.
func (c *Cluster) SetParameter(name string, value any) error {
	for _, m := range c.members {
		if err := m.admin(bson.D{{Key: "setParameter", Value: 1}, {Key: name, Value: value}}, nil); err != nil {
			return err
		}
	}
	return nil
}

// AwaitPrimary waits until some member is primary.
func (c *Cluster) AwaitPrimary() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c.Primary() >= 0 {
			return nil
		}
	}
	return fmt.Errorf("no primary after %v", patience)
}

// AwaitNoTransaction waits until no member has a transaction that is open. It must be called where none is begun.
func (c *Cluster) AwaitNoTransaction(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		open := int64(0)
		for _, m := range c.members {
			var status struct {
				Transactions struct {
					CurrentOpen int64 `bson:"currentOpen"`
				} `bson:"transactions"`
			}
			if err := m.admin(bson.D{{Key: "serverStatus", Value: 1}}, &status); err != nil {
				t.Fatal(err)
			}
			open += status.Transactions.CurrentOpen
		}
		if open == 0 {
			return
		}
	}
	t.Fatal("a transaction stays open")
}

func (c *Cluster) stop() {
	for _, m := range c.members {
		m.kill()
	}
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

// freeAddr returns a loopback address whose port was free a moment ago. It is below the ports that systems give to clients, so that no connection
// of another test takes it before mongod does; which it is, is drawn, so that two test binaries hardly ever draw the same.
func freeAddr() string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 15000+mathrand.IntN(15000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}

// logName is the member's log in its folder, which begins again with each start.
const logName = "mongod.log"

// cacheOption sets the size of the storage engine's cache, in GB.
const cacheOption = "--wiredTigerCacheSizeGB"

// start runs mongod; an empty set makes it a standalone.
func (m *member) start(path, set string, more ...string) error {
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		return err
	}
	args := []string{"--dbpath", m.dir, "--port", port, "--bind_ip", "127.0.0.1",
		"--logpath", filepath.Join(m.dir, logName), "--nounixsocket", "--oplogSize", "256", "--setParameter", "diagnosticDataCollectionEnabled=false"}
	if set != "" {
		args = append(args, "--replSet", set)
	}
	if !slices.Contains(more, cacheOption) {
		args = append(args, cacheOption, cmp.Or(m.cache, "1"))
	}
	args = append(args, more...)
	// await reads what this start writes.
	log := filepath.Join(m.dir, logName)
	if err := os.Rename(log, log+".before"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd, err := run(path, args)
	if err != nil {
		return err
	}
	p := &process{cmd, make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.cmd.Wait()
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.process = p
	return nil
}

// running returns the member's process; nil where it was not started, or killed.
func (m *member) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

func (m *member) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil {
		m.process.cmd.Process.Kill()
		<-m.process.ended
		m.process = nil
	}
}

// await waits until the member, which was started, answers. What its port answers may be the mongod of another test that was faster to take
// it, so the member's own log has to say that it listens.
func (m *member) await() error {
	p := m.running()
	err := errors.New("it does not listen")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-p.ended:
			return fmt.Errorf("mongod at %s has ended: %v", m.addr, p.cmd.ProcessState)
		default:
		}
		log, _ := os.ReadFile(filepath.Join(m.dir, logName))
		if !bytes.Contains(log, []byte("Waiting for connections")) {
			continue
		}
		if err = m.ask(bson.D{{Key: "ping", Value: 1}}, nil, 5*time.Second); err == nil {
			return nil
		}
	}
	return fmt.Errorf("mongod at %s does not answer: %w", m.addr, err)
}

func (m *member) isPrimary() bool {
	var hello struct {
		IsWritablePrimary bool `bson:"isWritablePrimary"`
	}
	return m.running() != nil && m.ask(bson.D{{Key: "hello", Value: 1}}, &hello, 5*time.Second) == nil && hello.IsWritablePrimary
}

// admin runs a command on this member alone, however long it takes.
func (m *member) admin(cmd bson.D, into any) error { return m.ask(cmd, into, patience) }

// ask runs a command on this member alone.
func (m *member) ask(cmd bson.D, into any, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := mongo.Connect(options.Client().SetServerSelectionTimeout(timeout).ApplyURI("mongodb://" + m.addr + "/?directConnection=true&" + m.options))
	if err != nil {
		return err
	}
	defer c.Disconnect(ctx)
	res := c.Database("admin").RunCommand(ctx, cmd)
	if into == nil {
		return res.Err()
	}
	return res.Decode(into)
}
