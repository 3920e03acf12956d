package demo_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/demo"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// TestMain lets this program be the demo itself. The tests run where they are
// started: the demo finds its kernel by itself, as it does for a person.
func TestMain(m *testing.M) {
	uml.InitIfRequested()
	if len(os.Args) > 1 && demo.IsCommand(os.Args[1]) {
		os.Exit(demo.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// limit is how long anything may take.
const limit = 90 * time.Second

// person runs the demo's commands, for a demo of its own.
type person struct {
	t   *testing.T
	dir string
	env []string
}

func newPerson(t *testing.T) *person {
	dir, err := os.MkdirTemp("", "dt")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, dir: dir, env: append(os.Environ(), demo.DirectoryVariable+"="+dir,
		harness.OutputVariable+"="+t.TempDir())}
	t.Cleanup(func() { p.run("", "down"); os.RemoveAll(dir) })
	return p
}

func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	cmd.Env = p.env
	return cmd
}

// run runs a command to its end and returns status and all that it printed.
func (p *person) run(input string, args ...string) (int, string) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Stdin = p.env, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// up brings the demo up and returns its screen and its keeper's pid.
func (p *person) up() (screen string, keeper int) {
	p.t.Helper()
	status, screen := p.run("", "up")
	if status != 0 {
		p.t.Fatalf("up: status %d\n%s", status, screen)
	}
	status, again := p.run("", "up")
	m := regexp.MustCompile(`up already \(process (\d+)\)`).FindStringSubmatch(again)
	if status != 1 || m == nil || !strings.Contains(again, "make demo-down") {
		p.t.Fatalf("a second up: status %d\n%s", status, again)
	}
	keeper, _ = strconv.Atoi(m[1])
	return screen, keeper
}

// gone tells whether nothing is left of a demo: no process of its keeper's session
// or with its directory among the arguments, no namespace, no file.
func (p *person) gone(keeper int) error {
	var left []string
	for _, pattern := range []string{p.dir, "/run/netns/" + filepath.Base(p.dir) + "*"} {
		files, _ := filepath.Glob(pattern)
		left = append(left, files...)
	}
	machines, _ := filepath.Glob(filepath.Join(os.TempDir(), "godmvpn-uml-*", "pid"))
	for _, f := range machines {
		if b, _ := os.ReadFile(f); keeper > 0 && string(b) == strconv.Itoa(keeper) {
			left = append(left, filepath.Dir(f))
		}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, _ := os.ReadFile(f)
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // state ppid pgrp session
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		// One without arguments has given its memory back already and is about to end.
		if len(fields) > 3 && fields[0] != "Z" && len(cmdline) > 0 && (keeper > 0 && fields[3] == strconv.Itoa(keeper) ||
			bytes.Contains(cmdline, []byte(p.dir))) {
			left = append(left, f+" "+string(cmdline))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("left: %q", left)
	}
	return nil
}

// down ends the demo and proves that nothing is left.
func (p *person) down(keeper int) {
	p.t.Helper()
	if status, out := p.run("", "down"); status != 0 || !strings.Contains(out, "the demo has ended") {
		p.t.Errorf("down: status %d\n%s", status, out)
	}
	if err := p.gone(keeper); err != nil {
		p.t.Error(err)
	}
	if status, out := p.run("", "shell", "hub"); status != 1 || !strings.Contains(out, "nothing is up") {
		p.t.Errorf("a shell after the end: status %d\n%s", status, out)
	}
}

// screenful is what the screen must show, in this order.
var screenful = []string{
	`\[ +\d+\.\d s\] underlay`,
	`hub: zebra is ready, it runs nhrpd`,
	`spoke2: registered at the hub`,
	`HUB# show dmvpn\n(.*\n)*.*Type:Hub, NHRP Peers:2`,
	`198\.51\.100\.1 +172\.31\.0\.11 +UP .* D\n.*203\.0\.113\.1 +172\.31\.0\.12 +UP .* D\n`,
	`HUB# show ip nhrp\n172\.31\.0\.11/32 via 172\.31\.0\.11\n`,
	`HUB# show ip route\n(.*\n)*S +10\.11\.0\.0/24 \[1/0\] via 172\.31\.0\.11`,
	`SPOKE1# show ip route\n(.*\n)*S +10\.0\.0\.0/8 \[1/0\] via 172\.31\.0\.1\n`,
	`lan1\$ ping 10\.12\.0\.10.*\n5 packets transmitted, 5 received, 0% packet loss`,
	`SPOKE1# show dmvpn\n(.*\n)*.* 203\.0\.113\.1 +172\.31\.0\.12 +UP .* DT1\n`,
	`SPOKE1# show ip route nhrp\n(.*\n)*H +10\.12\.0\.0/24 \[250/255\] via 172\.31\.0\.12, .*, Tunnel0\n`,
	`traceroute 10\.12\.0\.10\n 1  10\.11\.0\.1 .*\n 2  172\.31\.0\.12 .*\n 3  10\.12\.0\.10 `,
	`IP 198\.51\.100\.1 > 192\.0\.2\.1: GREv0, key=0x64, proto NHRP .*Registration Request`,
	`IP 198\.51\.100\.1 > 192\.0\.2\.1: GREv0, key=0x64, proto IPv4 \(0x0800\), length 92: IP 10\.11\.0\.10 > 10\.12\.0\.10: ICMP echo request`,
	`IP 192\.0\.2\.1 > 198\.51\.100\.1: GREv0, key=0x64, proto NHRP .*Traffic Indication`,
	`IP 198\.51\.100\.1 > 203\.0\.113\.1: GREv0, key=0x64, proto IPv4 .*: IP 10\.11\.0\.10 > 10\.12\.0\.10: ICMP echo request`,
	`make demo-shell ROUTER=spoke1`,
	`make demo-down`,
}

// TestLifecycle brings the demo up, reads its screen, uses shells by pipe and on a
// terminal, and ends it while a shell is open.
func TestLifecycle(t *testing.T) {
	p := newPerson(t)
	screen, keeper := p.up()
	rest := screen
	for _, want := range screenful {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the screen lacks %q after what came before it:\n%s", want, screen)
		}
		rest = rest[at[1]:]
	}
	if status, out := p.run("show dmvpn\n", "shell", "hub"); status != 0 || !strings.Contains(out, "NHRP Peers:2") {
		t.Errorf("a shell on a pipe: status %d\n%s", status, out)
	}
	if status, out := p.run("show nonsense\n", "shell", "spoke1"); status == 0 {
		t.Errorf("a wrong command on a pipe: status %d\n%s", status, out)
	}
	if status, out := p.run("", "shell", "nobody"); status != 2 {
		t.Errorf("a shell on an unknown router: status %d\n%s", status, out)
	}
	interactive(t, p)
	// A shell in a small window, in its pager.
	open := p.terminal("spoke2", uml.Size{Rows: 8, Cols: 100})
	open.expect("SPOKE2>")
	open.types("show ip route\r")
	open.expect("--More--")
	p.down(keeper)
	open.ends(func(int) bool { return true })
}

// interactive edits lines in a shell: help at once, completion, Ctrl-C, and
// a pager that follows the size of the window.
func interactive(t *testing.T, p *person) {
	s := p.terminal("spoke1", uml.Size{Rows: 40, Cols: 100})
	s.expect("SPOKE1>")
	s.types("show ?")
	s.expect("dmvpn")
	s.types("dmv\t")
	s.expect("show dmvpn")
	s.types("\r")
	s.expect("Type:Spoke, NHRP Peers:2")
	s.expect("SPOKE1>")
	s.types("nonsense\x03")
	s.expect("SPOKE1>")
	s.types("show version\r")
	s.expect("uptime")
	s.expect("SPOKE1>")
	if strings.Contains(s.text(), "Invalid input") {
		t.Errorf("Ctrl-C did not drop the line:\n%s", s.text())
	}
	s.shrinks()
	s.types("exit\r")
	s.ends(func(status int) bool { return status == 0 })
}

// terminal is a shell on a pseudo-terminal.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	mu     sync.Mutex
	screen bytes.Buffer
	seen   int // up to here expect has read
}

func (p *person) terminal(router string, size uml.Size) *terminal {
	p.t.Helper()
	master, term, err := uml.OpenPTY(size)
	if err != nil {
		p.t.Fatal(err)
	}
	s := &terminal{t: p.t, cmd: p.command("shell", router), master: master}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = term, term, term
	s.cmd.Env = append(s.cmd.Env, "TERM=xterm")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	term.Close()
	p.t.Cleanup(func() { master.Close() })
	go func() { _, _ = io.Copy(s, master) }()
	return s
}

// Write takes what appears on the screen.
func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.Write(b)
}

func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

func (s *terminal) types(keys string) { fmt.Fprint(s.master, keys) }

// expect waits until the text is on the screen, after what was expected before.
func (s *terminal) expect(want string) {
	s.t.Helper()
	harness.Eventually(s.t, limit, func() error {
		i := strings.Index(s.text()[s.seen:], want)
		if i < 0 {
			return fmt.Errorf("no %q on the screen:\n%q", want, s.text()[s.seen:])
		}
		s.seen += i + len(want)
		return nil
	})
}

// shrinks makes the window small, and asks for a long table until the pager, which
// learns of the size on its own way, stops in it.
func (s *terminal) shrinks() {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 8, Col: 100}); err != nil {
		s.t.Fatal(err)
	}
	paged := false
	harness.Eventually(s.t, limit, func() error {
		s.types("show ip route\r")
		s.expect("Codes:")
		err := harness.Poll(limit, func() error {
			rest := s.text()[s.seen:]
			if paged = strings.Contains(rest, "--More--"); paged || strings.Contains(rest, "SPOKE1>") {
				return nil
			}
			return errors.New("neither a prompt nor the pager")
		})
		if err == nil && !paged {
			err = errors.New("the pager did not follow the window")
		}
		return err
	})
	s.expect("--More--")
	s.types("q")
	s.expect("SPOKE1>")
}

// ends waits for the shell's end and checks its status.
func (s *terminal) ends(ok func(status int) bool) {
	s.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case <-ended:
		if status := s.cmd.ProcessState.ExitCode(); !ok(status) {
			s.t.Errorf("status of the shell: %d\n%s", status, s.text())
		}
	case <-time.After(limit):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the shell has not ended:\n%s", s.text())
	}
}

// TestCrash kills the keeper with -9; down removes what it left.
func TestCrash(t *testing.T) {
	p := newPerson(t)
	_, keeper := p.up()
	if err := unix.Kill(keeper, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.down(keeper)
}

// TestFailure brings up routers whose zebra ends at once: the layer is named, the
// log shown, and nothing left.
func TestFailure(t *testing.T) {
	p := newPerson(t)
	bin := t.TempDir()
	script := "#!/bin/sh\necho broken on purpose >&2\nexit 3\n"
	if err := os.WriteFile(filepath.Join(bin, "zebra"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, harness.BinaryVariable+"="+bin)
	status, out := p.run("", "up")
	if status == 0 || !strings.Contains(out, "layer that failed: zebra on hub") || !strings.Contains(out, "broken on purpose") {
		t.Errorf("status %d\n%s", status, out)
	}
	if err := p.gone(0); err != nil {
		t.Error(err)
	}
}

// TestInterrupt interrupts the demo while it comes up.
func TestInterrupt(t *testing.T) {
	p := newPerson(t)
	cmd := p.command("up")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	buf := make([]byte, 1)
	for !strings.Contains(screen.String(), "starting zebra") {
		if _, err := out.Read(buf); err != nil {
			t.Fatalf("%v\n%s", err, &screen)
		}
		screen.Write(buf)
	}
	_ = cmd.Process.Signal(unix.SIGINT)
	_, _ = io.Copy(&screen, out)
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 || strings.Contains(screen.String(), "The cloud is up") {
		t.Errorf("status %d\n%s", status, &screen)
	}
	if err := p.gone(0); err != nil {
		t.Error(err)
	}
}

// TestNative runs the tests above once more in a User-Mode Linux, where the demo
// finds a kernel that can do all itself.
func TestNative(t *testing.T) {
	if uml.InGuest() || (os.Getenv(harness.KernelVariable) != "uml" && harness.Probe(false) == nil) {
		return // they ran natively already
	}
	m, err := uml.Boot(t.Context(), uml.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var out bytes.Buffer
	status, err := m.Run(t.Context(), uml.Command{Stdout: &out, Stderr: &out,
		Args: []string{os.Args[0], "-test.run", "^Test(Lifecycle|Crash|Failure|Interrupt)$"}})
	if err != nil || status != 0 {
		t.Errorf("status %d, %v\n%s", status, err, &out)
	}
}
