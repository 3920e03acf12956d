package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Config says how the supervisor works. RunDir, Program and Serve must be set.
type Config struct {
	RunDir string // zebra's run directory; the daemons' sockets and records are in RunDir/plugins

	// Program returns what to start for a daemon: a path and all arguments,
	// args[0] included. SameBinary is the one for the daemons of the suite.
	Program func(name string) (path string, args []string, err error)

	// Serve does zebra's part of an attachment: grammar, configuration, hub. It
	// is called in a goroutine of its own and returns when ctx or the stream
	// ends; if it returns earlier, the daemon is stopped and started again.
	Serve func(ctx context.Context, a Attachment) error

	Changed func(Status)         // is told every change of a status; may be nil; must not block
	Host    plugin.Host          // how zebra introduces itself
	Env     []string             // added to the daemons' environment, such as plugin.EnvLogLevel
	Stderr  *os.File             // the daemons' standard error; nil: zebra's own
	Log     *slog.Logger         // nil: the default one
	Now     func() clock.Instant // for back-off only; nil: real time

	ShutdownLimit    time.Duration // for the Shutdown call; 0: 10 s
	WatchdogInterval time.Duration // between signs of life; 0: 10 s
	WatchdogLimit    time.Duration // for a sign of life; 0: 30 s
}

// Attachment is a daemon to which zebra has just attached.
type Attachment struct {
	Name       string
	Daemon     plugin.Daemon
	Identity   plugin.Identity
	Stream     session.HostStream // zebra's end of the session
	Reattached bool               // to a process that an earlier zebra started
}

// State is a keeper's state.
type State string

// The states of a daemon.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Running  State = "running"
	Backoff  State = "backoff"
	Stopping State = "stopping"
)

// Status tells about a daemon, for "show daemons".
type Status struct {
	Name           string
	State          State
	PID            int       // 0: no process
	Since          time.Time // when zebra attached
	Restarts       int       // failures since zebra's start
	Build          string
	SessionVersion uint32
	Reattached     bool
	LastExit       string // why it ended last
	LastExitAt     time.Time
	NextStart      time.Time // in state backoff
	Memory         uint64    // bytes, its share of shared pages included; filled in by Supervisor.Status
}

// Supervisor keeps the enabled daemons running. It is safe for use by several
// goroutines.
type Supervisor struct {
	cfg    Config
	dir    string
	log    *slog.Logger
	lock   *os.File
	origin time.Time
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	keepers map[string]*keeper
	closed  bool
}

// ErrBusy says that another zebra uses the run directory.
var ErrBusy = errors.New("supervisor: another zebra uses this run directory")

// maxDir leaves room for go-plugin's names in the 107 bytes of a socket's path.
const maxDir = 107 - len("/plugin-dir4294967295/plugin4294967295")

// New prepares the run directory and removes what dead daemons left there. No
// daemon is started or attached to before Enable.
func New(cfg Config) (*Supervisor, error) {
	dir, err := filepath.Abs(filepath.Join(cfg.RunDir, "plugins"))
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	if len(dir) > maxDir {
		return nil, fmt.Errorf("supervisor: the run directory %s is too long for the name of a socket: at most %d bytes",
			cfg.RunDir, maxDir-len("/plugins"))
	}
	s := &Supervisor{cfg: cfg, dir: dir, log: cfg.Log, origin: time.Now(), keepers: map[string]*keeper{}}
	s.defaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	live, err := prepare(dir)
	if err != nil {
		s.lock.Close()
		return nil, err
	}
	for _, r := range live {
		s.log.Info("found a running daemon", "daemon", r.Name, "pid", r.PID)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (s *Supervisor) defaults() {
	c := &s.cfg
	orTime := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orTime(&c.ShutdownLimit, 10*time.Second)
	orTime(&c.WatchdogInterval, 10*time.Second)
	orTime(&c.WatchdogLimit, 30*time.Second)
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if s.log == nil {
		s.log = slog.Default()
	}
}

// takeLock makes sure that one zebra at a time has the directory. The lock ends
// with the process; daemons do not inherit it.
func (s *Supervisor) takeLock() error {
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("%w: %s", ErrBusy, s.dir)
	}
	s.lock = f
	return nil
}

func (s *Supervisor) now() clock.Instant {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return clock.Instant(time.Since(s.origin))
}

// SameBinary is the Program of daemons that are in zebra's own file.
func SameBinary(name string) (path string, args []string, err error) {
	path, err = os.Executable()
	return path, []string{name}, err
}

// Recorded returns the names of the daemons that an earlier zebra left running,
// in order.
func (s *Supervisor) Recorded() []string {
	entries, _ := os.ReadDir(s.dir)
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), recordSuffix); ok {
			if r, ok := readRecord(s.dir, name); ok && running(r.PID, r.Start) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Enable brings a daemon up and keeps it up, re-attaching to its process if
// there is one. It does not wait. Enabling an enabled daemon does nothing.
func (s *Supervisor) Enable(name string) error { return s.want(name, wantRun) }

// Disable ends a daemon in order. It does not wait. A daemon that an earlier
// zebra left running is ended too, be it enabled or not.
func (s *Supervisor) Disable(name string) error { return s.want(name, wantStop) }

// Retire disables all daemons that an earlier zebra left running and that are
// not enabled. Call it when the configuration has been read.
func (s *Supervisor) Retire() {
	for _, name := range s.Recorded() {
		s.mu.Lock()
		_, known := s.keepers[name]
		s.mu.Unlock()
		if !known {
			s.log.Info("ending a daemon that is not enabled", "daemon", name)
			_ = s.want(name, wantStop) // fails only for names that Recorded does not return
		}
	}
}

func (s *Supervisor) want(name string, w want) error {
	if !plugin.ValidName(name) {
		return fmt.Errorf("supervisor: %q cannot be the name of a daemon", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("supervisor: stopped")
	}
	old := s.keepers[name]
	if old != nil && old.set(func() { old.want = w }) {
		return nil
	}
	k := newKeeper(s, name)
	k.want = w
	if old != nil {
		k.status = old.snapshot()
	}
	s.keepers[name] = k
	go func() {
		if old != nil {
			<-old.done
		}
		k.run(s.ctx)
	}()
	return nil
}

// Restart ends a running daemon in order and starts it again at once; one that
// waits for its next start is started now.
func (s *Supervisor) Restart(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keepers[name]
	if k == nil || !k.set(func() { k.again = true }) {
		return fmt.Errorf("supervisor: %s is not enabled", name)
	}
	return nil
}

// Status returns the status of every daemon that was ever enabled, by name.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	out := make([]Status, 0, len(s.keepers))
	for _, k := range s.keepers {
		out = append(out, k.snapshot())
	}
	s.mu.Unlock()
	for i := range out {
		if out[i].PID > 0 {
			out[i].Memory = memory(out[i].PID)
		}
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Stop ends all daemons in order, all at once, and returns when they are gone.
// Each has Config.ShutdownLimit and a few seconds.
func (s *Supervisor) Stop() { s.finish(wantStop) }

// Abandon ends all daemons at once and without a goodbye, as a power failure
// would: their peers go on as if they were there, for as long as the protocols
// allow, and so may use what is left in the kernel.
func (s *Supervisor) Abandon() {
	names := s.Recorded()
	s.finish(wantRelease)
	for _, name := range names {
		r, ok := readRecord(s.dir, name)
		if !ok || !running(r.PID, r.Start) {
			continue
		}
		if err := unix.Kill(r.PID, unix.SIGKILL); err != nil {
			s.log.Warn("daemon was not ended", "daemon", name, "pid", r.PID, "error", err)
			continue
		}
		r.remove(s.dir)
	}
}

// Release closes all attachments and leaves the daemons running for the next
// zebra.
func (s *Supervisor) Release() { s.finish(wantRelease) }

func (s *Supervisor) finish(w want) {
	s.mu.Lock()
	s.closed = true
	var all []*keeper
	for _, k := range s.keepers {
		k.set(func() { k.want = w })
		all = append(all, k)
	}
	s.mu.Unlock()
	for _, k := range all {
		<-k.done
	}
	s.cancel()
	s.lock.Close()
}

func (k *keeper) snapshot() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}
