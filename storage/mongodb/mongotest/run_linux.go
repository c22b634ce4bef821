package mongotest

import (
	"os"
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

// hold makes a file and holds it until this process ends.
func hold(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	held = append(held, f)
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
}

// held are the files that this process holds, which it keeps open.
var held []*os.File

// left reports whether a file is there that no process holds.
func left(name string) bool {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
