package mongotest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// run starts the program so that it ends with this process, however that ends. The kernel ties the death signal to the thread that starts
// the child, so that thread is kept.
func run(path string, args []string) (*exec.Cmd, error) {
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		select {} // the thread lives as long as the process
	}()
	return cmd, <-started
}

// alive reports whether a process with the id runs.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
