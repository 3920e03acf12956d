package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a program that runs in a node.
type Process struct {
	t    TB
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// Start starts a program in the node's namespace. Its output goes to a log in the
// run directory. At the end of the test it is killed.
func (n *Node) Start(name, program string, args ...string) *Process {
	n.t.Helper()
	path := filepath.Join(n.Rundir(), name+".out")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	n.check(name, err)
	defer log.Close()
	n.Log(path)
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = n.Rundir()
	// A group of its own, so that a signal to the test does not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	n.check("starting "+name, n.Do(cmd.Start))
	p := &Process{t: n.t, name: n.name + "/" + name, cmd: cmd, done: make(chan struct{})}
	go func() { p.err = cmd.Wait(); close(p.done) }()
	return p
}

// Log names a file that is kept when the test fails.
func (n *Node) Log(path string) {
	if !slices.Contains(n.logs, path) {
		n.logs = append(n.logs, path)
	}
}

// Pid is the process's identifier.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone, not to its children.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// Kill kills the process alone, as kill -9, and waits until it is gone.
func (p *Process) Kill() { p.t.Helper(); p.Signal(unix.SIGKILL); <-p.done }

// Terminate sends SIGTERM and waits; the test fails if the process has not ended
// within the limit. It returns the exit error.
func (p *Process) Terminate(limit time.Duration) error {
	p.t.Helper()
	p.Signal(unix.SIGTERM)
	return p.Wait(limit)
}

// Wait waits for the end of the process and returns its exit error; the test fails
// after the limit.
func (p *Process) Wait(limit time.Duration) error {
	p.t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended within %v", p.name, limit)
		return nil
	}
}

// Run runs a program in the node's namespace to its end and returns what it wrote
// to standard output; the error holds what it wrote to standard error.
func (n *Node) Run(program string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.Do(cmd.Start); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err,
			strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// KillPid kills one process of a node, such as a daemon found by Pids.
func (n *Node) KillPid(pid int) {
	n.t.Helper()
	n.kills++
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		n.t.Fatalf("%s: killing %d: %v", n.name, pid, err)
	}
}

// Pids returns the processes in the node's namespace whose program or whose first
// two arguments have this base name (a multi-call binary may be started as
// "godmvpn nhrpd"); "" stands for all.
func (n *Node) Pids(name string) []int {
	var pids []int
	for _, pid := range pidsIn(map[uint64]bool{n.inode: true}) {
		if name == "" || isNamed(pid, name) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isNamed tells whether a process is called so.
func isNamed(pid int, name string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.SplitN(string(b), "\x00", 3)
	return slices.ContainsFunc(args[:min(2, len(args))], func(a string) bool { return filepath.Base(a) == name })
}

// pidsIn returns the living processes in the namespaces with these inodes, but
// for this one.
func pidsIn(inodes map[uint64]bool) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st) == nil && inodes[st.Ino] {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killLimit is how long killed processes may take to go: on a busy machine they wait for the
// kernel, which frees what they had.
const killLimit = time.Minute

// killAll kills all processes in the topology's namespaces and returns those that
// are still there after the limit.
func (tp *Topology) killAll() []int { return killIn(tp.inodes()) }

// killIn kills all processes in the namespaces with these inodes, but for this one,
// and returns those that are still there after the limit.
func killIn(inodes map[uint64]bool) []int {
	var left []int
	_ = Poll(killLimit, func() error {
		if left = pidsIn(inodes); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
			// Orphans are children of this process, or of process 1; a child that
			// os/exec waits for may be taken here, which only makes its Wait fail.
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
		return errors.New("some left")
	})
	return left
}

// inodes are those of the topology's namespaces.
func (tp *Topology) inodes() map[uint64]bool {
	inodes := map[uint64]bool{}
	for _, n := range tp.nodes {
		inodes[n.inode] = true
	}
	return inodes
}

// Processes returns the pids of all processes in the topology.
func (tp *Topology) Processes() []int { return pidsIn(tp.inodes()) }
