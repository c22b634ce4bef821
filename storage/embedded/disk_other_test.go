//go:build !linux

package embedded

import (
	"os"
	"testing"
)

// dropRights skips where the user may write everywhere.
func dropRights(t *testing.T) {
	t.Helper()
	if os.Getuid() <= 0 {
		t.Skip("this user can write everywhere")
	}
}
