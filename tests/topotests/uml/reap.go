package uml

import (
	"os/exec"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// children holds the pids that os/exec waits for. Process 1 also inherits
// orphans; reap collects those and leaves the others alone.
var children = struct {
	sync.Mutex
	own map[int]bool
}{own: map[int]bool{}}

// start starts cmd, to be waited for with wait.
func start(cmd *exec.Cmd) error {
	children.Lock()
	defer children.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	children.own[cmd.Process.Pid] = true
	return nil
}

// wait waits for a program that start started.
func wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	children.Lock()
	delete(children.own, cmd.Process.Pid)
	children.Unlock()
	return err
}

// reapInterval is how often orphans are collected.
const reapInterval = time.Second

// reap collects orphans, for ever.
func reap() {
	for range time.Tick(reapInterval) {
		for reapOne() {
		}
	}
}

// reapOne collects one dead orphan and reports whether there was one.
func reapOne() bool {
	children.Lock()
	defer children.Unlock()
	pid := zombie()
	if pid <= 0 || children.own[pid] {
		return false
	}
	_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return err == nil
}

// zombie returns the pid of a dead child without collecting it, 0 for none.
func zombie() int {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		return 0
	}
	const pidOffset = 16 // of si_pid in siginfo_t on 64-bit Linux
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), pidOffset)))
}
