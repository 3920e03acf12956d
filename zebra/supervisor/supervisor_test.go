package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/plugin"
)

// limit bounds every wait for something that must happen; it decides nothing.
const limit = time.Minute

// waitFor polls until cond holds; it gives up by panic, in tests and host alike.
func waitFor(cond func() bool) {
	for end := time.Now().Add(limit); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			panic("what was waited for did not happen")
		}
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rundir is short enough for a socket's path.
func rundir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// bench is a supervisor with a model behind it; restarts do not wait.
type bench struct {
	*Supervisor
	m   *model
	dir string
}

func start(t testing.TB, dir string, change func(*Config)) *bench {
	b := &bench{m: newModel(0), dir: dir}
	cfg := Config{RunDir: dir, Program: program, Serve: b.m.serve}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.Supervisor, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) status() Status {
	for _, s := range b.Status() {
		return s
	}
	return Status{}
}

// settled waits until the daemon's state and the model agree after a replay
// beyond the n-th, with the daemon holding still.
func (b *bench) settled(t testing.TB, n int) Attachment {
	t.Helper()
	waitFor(func() bool { _, replays, _, _ := b.m.get(); return replays > n })
	_, _, _, a := b.m.get()
	var want buffer
	if err := a.Daemon.Exec(context.Background(), plugin.Command{ID: "still"}, &want); err != nil {
		t.Fatal(err)
	}
	if want.String() == "" {
		t.Fatal("the daemon wants nothing: the test proves nothing")
	}
	waitFor(func() bool { have, _, _, _ := b.m.get(); return have == want.String() })
	return a
}

func TestLaunchAndStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := rundir(t)
	bye := filepath.Join(dir, "bye")
	b := start(t, dir, func(c *Config) { c.Env = []string{"SUPERVISOR_TEST_GOODBYE=" + bye} })
	if err := b.Enable("ripd"); err != nil {
		t.Fatal(err)
	}
	a := b.settled(t, 0)
	st := b.status()
	if st.State != Running || st.PID != a.Identity.PID || st.Memory == 0 || st.Build != "test" || st.Reattached {
		t.Errorf("status %+v", st)
	}
	r, ok := readRecord(b.Supervisor.dir, "ripd")
	if !ok || r.PID != st.PID || r.Build != "test" || r.SessionVersion == 0 {
		t.Errorf("record %+v", r)
	}
	checkMode(t, recordPath(b.Supervisor.dir, "ripd"), 0o600)
	checkMode(t, b.Supervisor.dir, 0o700)
	checkMode(t, filepath.Dir(r.Socket), 0o700)
	if sid, _ := syscall.Getpgid(st.PID); sid != st.PID {
		t.Errorf("process group %d of pid %d: not its own", sid, st.PID)
	}
	b.Stop()
	if got, _ := os.ReadFile(bye); string(got) != fmt.Sprintf("goodbye %d", st.PID) {
		t.Errorf("the daemon did not say goodbye: %q", got)
	}
	if running(r.PID, r.Start) {
		t.Error("process still runs after Stop")
	}
	left, _ := filepath.Glob(b.Supervisor.dir + "/*")
	if len(left) != 1 || filepath.Base(left[0]) != "lock" {
		t.Errorf("left behind: %v", left)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
	}
}

// A daemon that is to start again still speaks with zebra when it hears so.
func TestRestartIsHeard(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := start(t, rundir(t), nil)
	defer b.Stop()
	b.Enable("ripd")
	a := b.settled(t, 0)
	b.Restart("ripd")
	waitFor(func() bool { n := b.status(); return n.State == Running && n.PID != a.Identity.PID })
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.farewell != a.Identity.PID {
		t.Errorf("the last word was %d's, want %d's", b.m.farewell, a.Identity.PID)
	}
}

// The daemon is killed with -9 at random points under a stream of puts; what
// zebra holds afterwards is what the new process wants.
func TestDaemonKilledAtRandom(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	var b *bench
	b = start(t, rundir(t), func(c *Config) {
		c.Changed = func(s Status) {
			if s.State == Backoff {
				go b.Restart("ripd")
			}
		}
	})
	defer b.Stop()
	b.Enable("ripd")
	for round := range 8 {
		_, before, seen, _ := b.m.get()
		at := seen + 1 + r.IntN(5000)
		waitFor(func() bool { _, _, n, _ := b.m.get(); return n >= at })
		st := b.status()
		if st.PID == 0 {
			t.Fatalf("round %d: %+v", round, st)
		}
		syscall.Kill(st.PID, syscall.SIGKILL)
		waitFor(func() bool { n := b.status(); return n.State == Running && n.PID != st.PID })
		if got := b.status().LastExit; !strings.Contains(got, "killed") {
			t.Errorf("round %d: last exit %q", round, got)
		}
		waitFor(func() bool { _, n, _, _ := b.m.get(); return n > before })
	}
	_, replays, _, _ := b.m.get()
	b.settled(t, replays-1)
	if got := b.status().Restarts; got != 8 {
		t.Errorf("%d restarts, want 8", got)
	}
}

// host is a zebra in a process of its own.
type host struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startHost(t *testing.T, dir string) *host {
	h := newHost(t, dir)
	h.start()
	return h
}

func newHost(t *testing.T, dir string) *host {
	path, _, err := program("")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, cmd: exec.Command(path)}
	h.cmd.Env = append(os.Environ(), "SUPERVISOR_TEST_HOST="+dir)
	h.cmd.Stderr = os.Stderr // inherited by the daemon
	h.in, _ = h.cmd.StdinPipe()
	out, _ := h.cmd.StdoutPipe()
	h.out = bufio.NewScanner(out)
	return h
}

func (h *host) start() {
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) ask(line string) string {
	h.t.Helper()
	fmt.Fprintln(h.in, line)
	if !h.out.Scan() {
		h.t.Fatalf("host ended before it answered %q", line)
	}
	return h.out.Text()
}

func (h *host) kill() {
	h.cmd.Process.Kill()
	h.cmd.Wait()
}

// zebra is killed with -9; the daemon survives, the next zebra re-attaches and
// holds the same table, and nothing is swept.
func TestZebraKilled(t *testing.T) {
	dir := rundir(t)
	h := startHost(t, dir)
	var table, epoch string
	var pid int
	parse := func(line string) (string, int, bool, int, string) {
		t.Helper()
		var tab, ep string
		var routes, p, swept int
		var re bool
		if _, err := fmt.Sscanf(line, "table %s routes %d pid %d reattached %t swept %d epoch %s", &tab, &routes, &p, &re, &swept, &ep); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if routes == 0 {
			t.Fatal("empty table proves nothing")
		}
		return tab, p, re, swept, ep
	}
	table, pid, re, _, epoch := parse(h.ask("still"))
	if re {
		t.Error("first start counts as re-attached")
	}
	for round := range 5 {
		h.kill()
		if s, state, err := startTime(pid); err != nil || state == 'Z' {
			t.Fatalf("round %d: the daemon died with zebra: %v %c %v", round, s, state, err)
		}
		h = startHost(t, dir)
		tab, p, re, swept, ep := parse(h.ask("still"))
		if tab != table || p != pid || !re || swept != 0 {
			t.Errorf("round %d: table same %v, pid %d want %d, reattached %v, swept %d", round, tab == table, p, pid, re, swept)
		}
		if len(ep) < len(epoch) || len(ep) == len(epoch) && ep <= epoch {
			t.Errorf("round %d: epoch %s after %s", round, ep, epoch)
		}
		epoch = ep
	}
	if got := h.ask("release"); got != "released" {
		t.Error(got)
	}
	h.cmd.Wait()
	if _, state, err := startTime(pid); err != nil || state == 'Z' {
		t.Fatal("the daemon ended at release")
	}
	h = startHost(t, dir)
	if tab, p, _, _, _ := parse(h.ask("still")); tab != table || p != pid {
		t.Error("another table or process after release")
	}
	h.ask("stop")
	h.cmd.Wait()
	if _, state, err := startTime(pid); err == nil && state != 'Z' {
		t.Error("the daemon runs after stop")
	}
}

// zebra and the daemon are both killed: the next zebra starts a new daemon.
func TestBothKilled(t *testing.T) {
	dir := rundir(t)
	h := startHost(t, dir)
	var pids [2]int
	for i := range pids {
		var digest string
		var routes int
		var reattached bool
		line := h.ask("still")
		if _, err := fmt.Sscanf(line, "table %s routes %d pid %d reattached %t", &digest, &routes, &pids[i], &reattached); err != nil || routes == 0 || reattached {
			t.Errorf("%q: %v", line, err)
		}
		if i == 0 {
			h.kill()
			if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			h = startHost(t, dir)
		}
	}
	if pids[0] == pids[1] {
		t.Error("the same process again")
	}
	h.ask("stop")
	h.cmd.Wait()
}
