//go:build !linux

package main

import (
	"os"
	"os/exec"
	"testing"
)

// withoutRights runs a command and returns what it prints; it skips where the user may write everywhere.
func withoutRights(t *testing.T, cmd *exec.Cmd) ([]byte, error) {
	t.Helper()
	if os.Getuid() <= 0 {
		t.Skip("this user can write everywhere")
	}
	return cmd.CombinedOutput()
}
