package mongotest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// member is a mongod of a set, or a standalone.
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
