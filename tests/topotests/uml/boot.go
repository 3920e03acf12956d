package uml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"
)

// Where Debian's package puts the kernel and its modules.
const (
	defaultKernel  = "linux.uml"
	defaultModules = "/usr/lib/uml/modules"
)

// Defaults of [Config].
const (
	DefaultMemory = "768M"
	DefaultLimit  = 20 * time.Minute
	bootLimit     = 90 * time.Second
)

// Config says what machine to boot. The zero value is a machine for routing
// tests.
type Config struct {
	Memory   string        // as the kernel's mem= wants it; [DefaultMemory]
	Limit    time.Duration // life of the machine at most; [DefaultLimit]; below 0: none
	Modules  []string      // kernel modules; nil means NetworkModules
	Writable []string      // host directories where the guest's writing is kept
	Socket   string        // path of the control socket; "" for none
	Hostname string        // default "uml"
}

// Machine is a running User-Mode Linux.
type Machine struct {
	dir     string
	cmd     *exec.Cmd
	mux     *yamux.Session
	log     *ring
	ctl     net.Listener
	limit   *time.Timer
	expired bool
	dead    chan struct{} // closed when linux.uml has ended
	close   sync.Once

	mu   sync.Mutex
	main *frameWriter // stream of the command that opStop ends
}

// ErrUnavailable is what Available's error wraps.
var ErrUnavailable = errors.New("User-Mode Linux is not available")

// Available tells whether machines can be booted here; the error names what is
// missing.
func Available() error {
	if _, err := exec.LookPath(defaultKernel); err != nil {
		return fmt.Errorf("%w: no %s in PATH (Debian package user-mode-linux)", ErrUnavailable, defaultKernel)
	}
	if _, err := os.Stat(defaultModules); err != nil {
		return fmt.Errorf("%w: %w (Debian package user-mode-linux)", ErrUnavailable, err)
	}
	if _, err := exec.LookPath("cc"); err != nil && needsWideXstate() {
		return fmt.Errorf("%w: on this processor (AMX) it needs a C compiler (Debian package gcc libc6-dev)", ErrUnavailable)
	}
	return nil
}

// Boot boots a machine and returns when it is ready to run commands.
func Boot(ctx context.Context, cfg Config) (*Machine, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	Sweep()
	m := &Machine{log: newRing(256 << 10), dead: make(chan struct{})}
	if err := m.prepare(&cfg); err != nil {
		m.Close()
		return nil, err
	}
	if err := m.launch(ctx, cfg); err != nil {
		m.Close()
		return nil, err
	}
	if cfg.Limit > 0 {
		m.limit = time.AfterFunc(cfg.Limit, m.expire)
	}
	if cfg.Socket != "" {
		if err := m.listen(cfg.Socket); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// prepare fills in defaults and writes the machine's directory.
func (m *Machine) prepare(cfg *Config) error {
	if cfg.Memory == "" {
		cfg.Memory = DefaultMemory
	}
	if cfg.Limit == 0 {
		cfg.Limit = DefaultLimit
	}
	if cfg.Modules == nil {
		cfg.Modules = NetworkModules
	}
	if cfg.Hostname == "" {
		cfg.Hostname = "uml"
	}
	var err error
	if m.dir, err = os.MkdirTemp("", dirPrefix); err != nil {
		return err
	}
	g := guestConfig{ModulesDir: defaultModules, Modules: cfg.Modules, Hostname: cfg.Hostname}
	for _, dir := range cfg.Writable {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return err
		}
		g.Writable = append(g.Writable, abs)
	}
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(m.dir, guestFile), b, 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(m.dir, initLink)); err != nil {
		return err
	}
	pid := strconv.Itoa(os.Getpid())
	return os.WriteFile(filepath.Join(m.dir, pidFile), []byte(pid), 0o644)
}

// arguments is the kernel's command line.
func (m *Machine) arguments(cfg Config) []string {
	return []string{
		"mem=" + cfg.Memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
		"uml_dir=" + m.dir, "umid=machine",
		// The console goes to standard output; the one serial line is ours.
		"con=null", "con0=null,fd:1", "ssl=null", "ssl0=fd:3,fd:4",
		"panic=1", "init=" + filepath.Join(m.dir, initLink),
	}
}

// launch starts the kernel and waits until its init answers.
func (m *Machine) launch(ctx context.Context, cfg Config) error {
	cmd, err := m.command(cfg)
	if err != nil {
		return err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, inR.Close(), inW.Close())
	}
	cmd.ExtraFiles = []*os.File{inR, outW}
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	err = errors.Join(m.start(cmd), inR.Close(), outW.Close())
	if err != nil {
		return errors.Join(err, inW.Close(), outR.Close())
	}
	m.cmd = cmd
	return m.awaitInit(ctx, &line{outR, inW})
}

// start starts the kernel on a CPU and from a thread of its own, which stays until the
// kernel has ended: should this program be killed, the kernel gets SIGTERM, on which it
// ends with all its helper processes (on SIGKILL it would leave those behind).
func (m *Machine) start(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		chosen := oneCPU()
		err := cmd.Start()
		chosen()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // whatever of the group is left
		close(m.dead)
	}()
	return <-started
}

// command is the kernel's process, not yet started.
func (m *Machine) command(cfg Config) (*exec.Cmd, error) {
	cmd := exec.Command(defaultKernel, m.arguments(cfg)...)
	cmd.Stdout, cmd.Stderr = m.log, m.log
	cmd.WaitDelay = 2 * time.Second // helpers of the kernel may hold its output
	cmd.Env = append(os.Environ(), "TMPDIR="+memoryDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if needsWideXstate() {
		lib, err := buildWideXstate(m.dir)
		if err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+lib)
	}
	return cmd, nil
}

// awaitInit waits for the banner of the guest's init and opens the multiplexer.
func (m *Machine) awaitInit(ctx context.Context, l *line) error {
	up := make(chan error, 1)
	go func() {
		got := make([]byte, len(banner))
		_, err := io.ReadFull(l, got)
		if err == nil && string(got) != banner {
			err = fmt.Errorf("uml: %q instead of the banner on the serial line", got)
		}
		up <- err
	}()
	select {
	case err := <-up:
		if err == nil {
			m.mux, err = yamux.Client(newHostLink(l), muxConfig())
			return err
		}
		select { // the kernel's last words may still be on their way
		case <-m.dead:
		case <-time.After(2 * time.Second):
		}
	case <-m.dead:
	case <-ctx.Done():
		l.Close()
		return ctx.Err()
	case <-time.After(bootLimit):
	}
	l.Close()
	return fmt.Errorf("uml: the machine did not come up; its last words:\n%s", m.log.tail(40))
}

// memoryDir is where the kernel puts the file that backs the guest's memory: a
// tmpfs that allows executable mappings if there is one.
func memoryDir() string {
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) == nil && st.Type == unix.TMPFS_MAGIC && st.Flags&unix.ST_NOEXEC == 0 &&
		unix.Access("/dev/shm", unix.W_OK) == nil {
		return "/dev/shm"
	}
	return os.TempDir()
}

// expire ends a machine that has lived too long.
func (m *Machine) expire() {
	m.mu.Lock()
	m.expired = true
	m.mu.Unlock()
	m.kill()
}

// kill kills the kernel with all its helper processes.
func (m *Machine) kill() {
	if m.cmd != nil {
		_ = unix.Kill(-m.cmd.Process.Pid, unix.SIGKILL)
	}
}

// Dead is closed when the machine has ended.
func (m *Machine) Dead() <-chan struct{} { return m.dead }

// KernelLog returns the last lines that the guest's kernel has printed.
func (m *Machine) KernelLog(lines int) string { return m.log.tail(lines) }

// powerOffLimit is how long init may take to power off by itself.
const powerOffLimit = 5 * time.Second

// Close powers the machine off and removes what it had on the host. It may be
// called more than once.
func (m *Machine) Close() error {
	var err error
	m.close.Do(func() {
		if m.limit != nil {
			m.limit.Stop()
		}
		if m.ctl != nil {
			m.ctl.Close()
		}
		if m.mux != nil {
			m.mux.Close() // the line hangs up: init powers off
		}
		if m.cmd != nil {
			select {
			case <-m.dead:
			case <-time.After(powerOffLimit):
				m.kill()
				<-m.dead
			}
		}
		if m.dir != "" {
			err = os.RemoveAll(m.dir)
		}
	})
	return err
}

// line joins the two pipes of the serial line.
type line struct {
	r, w *os.File
}

func (l *line) Read(b []byte) (int, error)  { return l.r.Read(b) }
func (l *line) Write(b []byte) (int, error) { return l.w.Write(b) }
func (l *line) Close() error                { return errors.Join(l.w.Close(), l.r.Close()) }

// Names in the temporary directory.
const (
	dirPrefix = "godmvpn-uml-"
	pidFile   = "pid"
)

// Sweep removes what is left of machines whose booting program was killed: their
// directories, and the machines themselves where they have not ended yet. [Boot]
// does so, too. In a guest it does nothing: the directories are the host's.
func Sweep() {
	if !InGuest() {
		sweep(os.TempDir())
	}
}

func sweep(tmp string) {
	dirs, _ := filepath.Glob(filepath.Join(tmp, dirPrefix+"*"))
	for _, dir := range dirs {
		if pid := readPid(filepath.Join(dir, pidFile)); pid == 0 || isAlive(pid) {
			continue
		}
		endKernel(dir)
		os.RemoveAll(dir)
	}
}

// dyingLimit is how long a kernel may take to end whose booting program was killed:
// it has got SIGTERM then.
const dyingLimit = 5 * time.Second

// endKernel waits for the end of the kernel with this directory, and after the limit
// kills it with all its helper processes.
func endKernel(dir string) {
	for end := time.Now().Add(dyingLimit); ; time.Sleep(20 * time.Millisecond) {
		pids := kernelPids(dir)
		if len(pids) == 0 {
			return
		}
		if time.Now().Before(end) {
			continue
		}
		for _, pid := range pids {
			if group, err := unix.Getpgid(pid); err == nil && group != unix.Getpgrp() {
				_ = unix.Kill(-group, unix.SIGKILL) // a kernel leads a group of its own
			}
		}
		if time.Now().After(end.Add(dyingLimit)) {
			return
		}
	}
}

// kernelPids are the processes that were started as the kernel with this directory
// and are not dead.
func kernelPids(dir string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || !bytes.Contains(b, []byte("uml_dir="+dir+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// readPid reads a file that holds a process's number, 0 where it does not.
func readPid(file string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 2 {
		return 0
	}
	return pid
}

// isAlive tells whether there is such a process, not counting those that have ended
// and that nobody waited for, or that are about to: who waits for a lock of theirs may
// have it already.
func isAlive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return !ended(string(b))
}

// ended tells of a process by its stat whether it has ended or is about to (proc(5),
// state and flags).
func ended(stat string) bool {
	const exiting = 4                       // PF_EXITING
	end := strings.LastIndexByte(stat, ')') // of the name, which may hold anything
	f := strings.Fields(stat[end+1:])       // state ppid pgrp session tty tpgid flags
	if len(f) < 7 || f[0] == "Z" || f[0] == "X" {
		return true
	}
	flags, err := strconv.ParseUint(f[6], 10, 32)
	return err == nil && flags&exiting != 0
}
