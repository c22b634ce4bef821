//go:build !linux

package mongotest

import (
	"os"
	"os/exec"
)

// run starts the program. Where the test binary is killed, the program may outlive it.
func run(path string, args []string) (*exec.Cmd, error) {
	cmd := exec.Command(path, args...)
	return cmd, cmd.Start()
}

// hold makes a file. That this process holds it can't be told everywhere.
func hold(name string) error { return os.WriteFile(name, nil, 0o600) }

// left can't be told everywhere; folders of finished test binaries then stay.
func left(string) bool { return false }
