package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a daemon's process, started here or found again.
type process struct {
	pid    int
	start  uint64
	path   string
	kill   func(os.Signal) error
	exited chan struct{} // closed when the process is gone
	reason string        // why; valid once exited is closed
	left   chan struct{} // closed by forget
	once   sync.Once
	stop   func() // ends the watching of a process that is not our child
}

func newProcess(pid int, start uint64) *process {
	return &process{pid: pid, start: start, exited: make(chan struct{}), left: make(chan struct{})}
}

// forget ends the watching; the process goes on, if it still runs.
func (p *process) forget() {
	p.once.Do(func() {
		close(p.left)
		if p.stop != nil {
			p.stop()
		}
	})
}

// errStranger says that a process number belongs to somebody else now.
var errStranger = errors.New("the recorded process is gone")

// adopt finds a process again that another zebra started.
func adopt(pid int, start uint64) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errStranger, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	// The descriptor stands for one process for ever; now see whether it is ours.
	if !running(pid, start) {
		f.Close()
		return nil, errStranger
	}
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("watch process: %w", err)
	}
	p := newProcess(pid, start)
	p.stop = func() { f.Close() }
	p.path, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	p.kill = func(sig os.Signal) error {
		var err error
		cerr := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig.(syscall.Signal), nil, 0) })
		return errors.Join(cerr, err)
	}
	go p.watch(f, conn)
	return p, nil
}

// watch waits until the pidfd is readable, which is when the process exits.
func (p *process) watch(f *os.File, conn syscall.RawConn) {
	gone := false
	err := conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		gone = n == 1 && err == nil
		return gone
	})
	if err == nil && gone {
		p.reason = "exited"
		close(p.exited)
	}
	f.Close()
}

// wait reports whether the process exits within d.
func (p *process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// running tells whether the process with this number and start time lives; a
// zombie does not.
func running(pid int, start uint64) bool {
	s, state, err := startTime(pid)
	return err == nil && s == start && state != 'Z' && state != 'X'
}

// startTime reads start time (in clock ticks since boot) and state of a process
// from /proc/PID/stat. The command's name in it may hold blanks and brackets.
func startTime(pid int) (start uint64, state byte, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(b))
}

func parseStat(s string) (start uint64, state byte, err error) {
	i := strings.LastIndexByte(s, ')')
	fields := strings.Fields(s[i+1:])
	const startField = 22 - 3 // of proc(5), the state being field 3
	if i < 0 || len(fields) <= startField {
		return 0, 0, errors.New("stat: unexpected format")
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	return start, fields[0][0], err
}

// memory returns the proportional share of memory of a process in bytes, or its
// resident memory where that is not told.
func memory(pid int) uint64 {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				n, _ := strconv.ParseUint(f[1], 10, 64)
				return n << 10
			}
		}
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	if f := strings.Fields(string(b)); len(f) > 1 {
		n, _ := strconv.ParseUint(f[1], 10, 64)
		return n * uint64(os.Getpagesize())
	}
	return 0
}

// listener tells which process listens at a socket.
func listener(socket string) (pid int, uid uint32, err error) {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	var cerr error
	err = raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, cerr); err != nil {
		return 0, 0, err
	}
	return int(cred.Pid), cred.Uid, nil
}

// launcher is go-plugin's Runner for a daemon: a session and process group of its
// own, standard error inherited, standard output for the handshake only.
type launcher struct {
	attachment
	cmd    *exec.Cmd
	stdout *os.File
}

// newLauncher prepares a program. spec has the environment that go-plugin wants.
func newLauncher(path string, args []string, env []string, stderr *os.File, spec *exec.Cmd) (*launcher, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path)
	cmd.Args = args
	cmd.Dir = "/"
	cmd.Env = append(spec.Env, env...)
	cmd.Stdout, cmd.Stderr = w, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p := newProcess(0, 0)
	p.path = path
	return &launcher{attachment: attachment{p}, cmd: cmd, stdout: r}, nil
}

// Start implements runner.Runner.
func (l *launcher) Start(context.Context) error {
	w := l.cmd.Stdout.(*os.File)
	defer w.Close()
	if err := l.cmd.Start(); err != nil {
		l.stdout.Close()
		return err
	}
	l.process.pid = l.cmd.Process.Pid
	l.process.kill = l.cmd.Process.Signal
	// It is our child and not reaped before Wait, so this is its own start time.
	l.process.start, _, _ = startTime(l.process.pid)
	go l.reap()
	return nil
}

// reap waits for the child and notes how it ended. Closing the pipe ends
// go-plugin's reading even if a grandchild still holds the other end.
func (l *launcher) reap() {
	err := l.cmd.Wait()
	l.process.reason = exitReason(l.cmd.ProcessState, err)
	close(l.process.exited)
	l.stdout.Close()
}

func exitReason(st *os.ProcessState, err error) string {
	if st == nil {
		return fmt.Sprint(err)
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return "killed by signal: " + ws.Signal().String()
	}
	return fmt.Sprintf("exit status %d", st.ExitCode())
}

// Diagnose implements runner.Runner.
func (l *launcher) Diagnose(context.Context) string { return "" }

// Stdout implements runner.Runner.
func (l *launcher) Stdout() io.ReadCloser { return l.stdout }

// Stderr implements runner.Runner: it is inherited, there is nothing to read.
func (l *launcher) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (l *launcher) Name() string { return l.process.path }

// attachment is go-plugin's AttachedRunner.
type attachment struct{ process *process }

// Wait implements runner.AttachedRunner.
func (a attachment) Wait(ctx context.Context) error {
	select {
	case <-a.process.exited:
		return nil
	case <-a.process.left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.AttachedRunner.
func (a attachment) Kill(context.Context) error {
	select {
	case <-a.process.exited:
		return nil
	default:
	}
	if a.process.kill == nil {
		return nil // was not started
	}
	err := a.process.kill(syscall.SIGKILL)
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// ID implements runner.AttachedRunner.
func (a attachment) ID() string { return strconv.Itoa(a.process.pid) }

// PluginToHost implements runner.AddrTranslator.
func (a attachment) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.AddrTranslator.
func (a attachment) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
