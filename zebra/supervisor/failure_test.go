package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

func devNull(t *testing.T) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A daemon whose zebra is dead prints and logs more than pipes hold, into pipes
// that nobody reads: it neither dies of SIGPIPE nor hangs.
func TestPrintWhileZebraIsDead(t *testing.T) {
	dir := rundir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, dir)
	h.cmd.Stderr = w
	printed := filepath.Join(dir, "printed")
	h.cmd.Env = append(h.cmd.Env, "SUPERVISOR_TEST_PRINTED="+printed)
	h.start()
	w.Close()
	first := h.ask("print")
	r.Close() // now standard error of zebra and daemon is broken
	h.kill()
	waitFor(func() bool { _, err := os.Stat(printed); return err == nil }) // with nobody there to read
	h = newHost(t, dir)
	h.start()
	want := strings.Replace(first, " pid", "printed pid", 1)
	if got := h.ask("printed"); got != want || !strings.HasSuffix(got, "<nil>") {
		t.Errorf("after re-attach %q, before %q", got, first)
	}
	h.ask("stop")
	h.cmd.Wait()
}

func TestDaemonsThatAreRefused(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []struct{ name, program, want string }{
		{"wrong name", "liar", `says that it is "somebody-else"`},
		{"other session version", "oldd", "session version differs"},
		{"exits at once", "silent", "exit status 3"},
		{"no such program", "", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, rundir(t), func(cfg *Config) {
				cfg.Stderr = devNull(t)
				cfg.Program = func(string) (string, []string, error) {
					if c.program == "" {
						return "/nonexistent/program", []string{"x"}, nil
					}
					return program(c.program)
				}
			})
			name := "ripd"
			if c.program == "oldd" {
				name = "oldd"
			}
			b.Enable(name)
			waitFor(func() bool { return b.status().State == Backoff })
			st := b.status()
			if !strings.Contains(st.LastExit, c.want) || st.Restarts < 1 || st.NextStart.IsZero() {
				t.Errorf("status %+v, want %q", st, c.want)
			}
			b.Stop()
			if left, _ := filepath.Glob(b.Supervisor.dir + "/*"); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestWatchdogAndPanic(t *testing.T) {
	defer goleak.VerifyNone(t)
	for command, want := range map[string]string{"stuck": "main loop does not answer", "panic": "exit status 2"} {
		t.Run(command, func(t *testing.T) {
			b := start(t, rundir(t), func(c *Config) {
				c.Stderr = devNull(t)
				if command == "stuck" {
					c.WatchdogInterval, c.WatchdogLimit = 10*time.Millisecond, 3*time.Second
				}
			})
			defer b.Stop()
			b.Enable("ripd")
			a := b.settled(t, 0)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go a.Daemon.Exec(ctx, plugin.Command{ID: command}, &buffer{})
			waitFor(func() bool { return b.status().State == Backoff })
			st := b.status()
			if !strings.Contains(st.LastExit, want) {
				t.Errorf("last exit %q, want %q", st.LastExit, want)
			}
			if err := syscall.Kill(a.Identity.PID, 0); err == nil {
				t.Error("the process still runs")
			}
			b.Restart("ripd")
			waitFor(func() bool { return b.status().State == Running })
		})
	}
}

// A record whose process number belongs to somebody else now leads to a new
// daemon, and the stranger is left alone.
func TestRecordOfAStranger(t *testing.T) {
	defer goleak.VerifyNone(t)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer stranger.Wait()
	defer stranger.Process.Kill()
	began, _, err := startTime(stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	dir := rundir(t)
	plugins := filepath.Join(dir, "plugins")
	sockets := filepath.Join(plugins, "plugin-dir77")
	if err := os.MkdirAll(sockets, 0o700); err != nil {
		t.Fatal(err)
	}
	r := Record{Name: "ripd", PID: stranger.Process.Pid, Start: began - 1, Socket: filepath.Join(sockets, "plugin1"), Binary: "/x"}
	if err := r.write(plugins); err != nil {
		t.Fatal(err)
	}
	if _, err := adopt(r.PID, r.Start); !errors.Is(err, errStranger) {
		t.Errorf("adopt: %v", err)
	}
	b := start(t, dir, nil)
	if _, err := os.Stat(sockets); err == nil {
		t.Error("the socket directory of a dead daemon was not swept")
	}
	b.Enable("ripd")
	a := b.settled(t, 0)
	if a.Reattached || a.Identity.PID == r.PID {
		t.Errorf("attached to the stranger: %+v", a.Identity)
	}
	b.Stop()
	if !running(r.PID, began) {
		t.Error("the stranger was killed")
	}
}

// A live process with the right start time that does not own the recorded
// socket is not spoken to; as it is the recorded daemon, it is ended.
func TestRecordWithForeignSocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	recorded := exec.Command("sleep", "600")
	if err := recorded.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { recorded.Wait(); close(ended) }()
	began, _, _ := startTime(recorded.Process.Pid)
	dir := rundir(t)
	sockets := filepath.Join(dir, "plugins", "plugin-dir77")
	os.MkdirAll(sockets, 0o700)
	lis, err := net.Listen("unix", filepath.Join(sockets, "plugin1")) // the test listens, not the daemon
	if err != nil {
		t.Fatal(err)
	}
	impostor := grpc.NewServer()
	plugin.Register(impostor, &testDaemon{name: "ripd"})
	served := make(chan struct{})
	go func() { defer close(served); _ = impostor.Serve(lis) }()
	defer func() { impostor.Stop(); <-served }()
	r := Record{Name: "ripd", PID: recorded.Process.Pid, Start: began, Socket: lis.Addr().String(), Binary: "/x"}
	r.write(filepath.Join(dir, "plugins"))
	b := start(t, dir, nil)
	defer b.Stop()
	b.Enable("ripd")
	waitFor(func() bool { return b.status().State == Running })
	if b.status().Reattached {
		t.Fatal("attached to an impostor")
	}
	if a := b.settled(t, 0); a.Reattached || a.Identity.PID == r.PID {
		t.Error("attached to a foreign socket")
	}
	<-ended
}

func TestRetireAndReenable(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := rundir(t)
	b := start(t, dir, nil)
	b.Enable("ripd")
	pid := b.settled(t, 0).Identity.PID
	if _, err := New(Config{RunDir: dir}); !errors.Is(err, ErrBusy) {
		t.Errorf("second zebra: %v", err)
	}
	b.Release()
	if _, state, err := startTime(pid); err != nil || state == 'Z' {
		t.Fatal("the daemon ended at Release")
	}
	b = start(t, dir, nil)
	if got := fmt.Sprint(b.Recorded()); got != "[ripd]" {
		t.Errorf("recorded %v", got)
	}
	b.Retire()
	waitFor(func() bool { return b.status().State == Stopped && len(b.Recorded()) == 0 })
	for range 20 { // each wish replaces the one before
		b.Enable("ripd")
		b.Disable("ripd")
	}
	b.Enable("ripd")
	waitFor(func() bool { return b.status().State == Running })
	if now := b.status().PID; now == pid {
		t.Error("the retired process is back")
	}
	b.Disable("ripd")
	waitFor(func() bool { return b.status().State == Stopped })
	b.Stop()
	if err := b.Enable("ripd"); err == nil {
		t.Error("Enable after Stop")
	}
}

func TestNames(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := start(t, rundir(t), nil)
	defer b.Stop()
	for _, name := range []string{"", "../x", "Ripd", "a/b", "lock.json"} {
		if b.Enable(name) == nil {
			t.Errorf("Enable(%q) accepted", name)
		}
	}
	if _, err := New(Config{RunDir: "/tmp/" + strings.Repeat("x", 80)}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("long run directory: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	now := clock.Instant(0)
	var got []string
	for range 8 {
		b.started(now)
		now = now.Add(time.Second) // dies young
		at := b.failed(now)
		got = append(got, at.Sub(now).String())
		now = at
	}
	if s := strings.Join(got, " "); s != "1s 2s 4s 8s 16s 32s 1m0s 1m0s" {
		t.Errorf("waits %s", s)
	}
	b.started(now)
	now = now.Add(StableAfter)
	if w := b.failed(now).Sub(now); w != BackoffMin {
		t.Errorf("after a stable run %v", w)
	}
	if w := b.failed(now).Sub(now); w != 2*BackoffMin { // could not even be started
		t.Errorf("after a failed start %v", w)
	}
	b.reset()
	if w := b.failed(now).Sub(now); w != BackoffMin {
		t.Errorf("after reset %v", w)
	}
}

func TestParseStat(t *testing.T) {
	// From proc(5): comm may hold anything, brackets included.
	tail := " S 1 2 2 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 7 8"
	for _, comm := range []string{"(ripd)", "(a b)", "(x) R 1 (y)", "())"} {
		start, state, err := parseStat("42 " + comm + tail)
		if err != nil || start != 123456 || state != 'S' {
			t.Errorf("%s: %d %c %v", comm, start, state, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (x", "42 (x) S 1 2", "42 (x)"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
