//go:build unix

package mongotest

import (
	"os"
	"syscall"
	"testing"
)

// Freeze makes member i stand still, as a machine does that hangs: its connections stay, and nothing is answered. Thaw makes it go on.
func (c *Cluster) Freeze(t testing.TB, i int) { c.members[i].signal(t, syscall.SIGSTOP) }

// Thaw makes member i go on.
func (c *Cluster) Thaw(t testing.TB, i int) { c.members[i].signal(t, syscall.SIGCONT) }

func (m *member) signal(t testing.TB, s os.Signal) {
	t.Helper()
	p := m.running()
	if p == nil {
		t.Fatal("the member does not run")
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
