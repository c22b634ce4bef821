package mongotest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Cluster is a replica set of mongod processes on loopback.
type Cluster struct {
	// Name is the replica set's name.
	Name    string
	path    string
	more    []string // further arguments
	members []*member
}

// URI returns a connection string with the database db.
func (c *Cluster) URI(db string) string {
	hosts := make([]string, len(c.members))
	for i, m := range c.members {
		hosts[i] = m.addr
	}
	return "mongodb://" + strings.Join(hosts, ",") + "/" + db + "?replicaSet=" + c.Name
}

// Address returns the host and port of member i.
func (c *Cluster) Address(i int) string { return c.members[i].addr }

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
