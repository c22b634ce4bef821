package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// withoutRights runs a command without root's right to write everywhere, and returns what it prints. Where the user is not root there is
// nothing to take.
func withoutRights(t *testing.T, cmd *exec.Cmd) (out []byte, err error) {
	t.Helper()
	if os.Getuid() != 0 {
		return cmd.CombinedOutput()
	}
	const dropBound, override = 24, 1 // PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
	var errno syscall.Errno
	done := make(chan struct{})
	go func() {
		defer close(done)
		// What the thread gives up it never has again, so it ends with the goroutine. The command is forked from it.
		runtime.LockOSThread()
		if _, _, errno = syscall.RawSyscall(syscall.SYS_PRCTL, dropBound, override, 0); errno == 0 {
			out, err = cmd.CombinedOutput()
		}
	}()
	<-done
	if errno != 0 {
		t.Skipf("root's rights can't be taken from a command here: %v", errno)
	}
	return out, err
}
