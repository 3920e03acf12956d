package uml

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attachArg makes the test binary a client of the control socket that follows.
const attachArg = "attach-for-test"

// bootArg makes the test binary one that boots a machine and waits.
const bootArg = "boot-for-test"

func TestMain(m *testing.M) {
	InitIfRequested()
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case attachArg:
			status, err := Attach(context.Background(), os.Args[2], os.Args[3:])
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			os.Exit(status)
		case bootArg:
			if _, err := Boot(context.Background(), Config{Socket: os.Args[2]}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println("up")
			select {}
		}
	}
	os.Exit(m.Run())
}

func boot(t *testing.T, cfg Config) *Machine {
	t.Helper()
	start := time.Now()
	m, err := Boot(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("booted in %v", time.Since(start).Round(time.Millisecond))
	t.Cleanup(func() { m.Close(); checkGone(t, m) })
	return m
}

// checkGone proves that nothing of a machine is left: no process of its group but
// the dead, no directory.
func checkGone(t *testing.T, m *Machine) {
	t.Helper()
	if _, err := os.Stat(m.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", m.dir, err)
	}
	if left := living(m.dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

// living returns the processes that have s in their command line and are not this
// one. Those of the dead are empty.
func living(s string) []string {
	var out []string
	for range 100 {
		if out = processes(s); len(out) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return out
}

// processes returns the cmdline files of the processes, but this one, with s among
// their arguments.
func processes(s string) (out []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if strings.Contains(string(b), s) && f != fmt.Sprintf("/proc/%d/cmdline", os.Getpid()) {
			out = append(out, f)
		}
	}
	return out
}

// leader reports whether the process of a cmdline file leads its group, as a kernel
// does, but not its helpers.
func leader(cmdline string) bool {
	pid := filepath.Base(filepath.Dir(cmdline))
	stat, _ := os.ReadFile(filepath.Join(filepath.Dir(cmdline), "stat"))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // state ppid pgrp
	return len(fields) > 2 && fields[0] != "Z" && fields[2] == pid
}

// run runs a shell command and returns its status and output.
func run(t *testing.T, m *Machine, stdin io.Reader, command string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	status, err := m.Run(t.Context(), Command{Args: []string{"/bin/sh", "-c", command},
		Stdin: stdin, Stdout: &out, Stderr: &errs})
	if err != nil {
		t.Fatal(err)
	}
	return status, out.String(), errs.String()
}

// TestRun checks what a command sees and what comes back: status, both outputs,
// environment, directory, the host's files, and which writing is kept.
func TestRun(t *testing.T) {
	keep, lost := t.TempDir(), t.TempDir()
	m := boot(t, Config{Writable: []string{keep}})
	status, out, errs := run(t, m, nil, "echo out; echo err >&2; exit 7")
	if status != 7 || out != "out\n" || errs != "err\n" {
		t.Errorf("status %d, output %q, errors %q", status, out, errs)
	}
	if status, _, _ := run(t, m, nil, "kill -9 $$"); status != 128+9 {
		t.Errorf("status of a killed command: %d", status)
	}
	wd, _ := os.Getwd()
	if _, out, _ := run(t, m, nil, "pwd; id -u; echo $"+GuestVariable); out != wd+"\n0\n1\n" {
		t.Errorf("directory, user and variable: %q", out)
	}
	if _, err := m.Run(t.Context(), Command{Args: []string{"no-such-program"}}); !errors.As(err, new(*StartError)) {
		t.Errorf("a program that is not there: %v", err)
	}
	_, _, errs = run(t, m, nil, fmt.Sprintf("echo a > %s/f; echo b > %s/f; cat %s/f", keep, lost, lost))
	if b, err := os.ReadFile(filepath.Join(keep, "f")); string(b) != "a\n" {
		t.Errorf("written to the writable directory: %q, %v (%s)", b, err, errs)
	}
	if _, err := os.Stat(filepath.Join(lost, "f")); err == nil {
		t.Error("the guest's writing elsewhere reached the host")
	}
	_, out, _ = run(t, m, nil, "ip link show lo; lsmod")
	for _, want := range []string{"LOOPBACK,UP", "ip_gre", "vrf", "dummy"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// TestBulk sends megabytes through the serial line both ways, unchanged.
func TestBulk(t *testing.T) {
	m := boot(t, Config{})
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	if _, out, errs := run(t, m, bytes.NewReader(data), "cat"); out != string(data) {
		t.Errorf("%d bytes came back changed from %d: %s", len(out), len(data), errs)
	}
}

// TestLimit ends a machine by its limit.
func TestLimit(t *testing.T) {
	m := boot(t, Config{Limit: 500 * time.Millisecond})
	_, err := m.Run(t.Context(), Command{Args: []string{"/bin/sleep", "1000"}})
	if !errors.Is(err, ErrLimit) {
		t.Errorf("error %v, want the limit", err)
	}
}

// TestCancel ends a command that is cancelled.
func TestCancel(t *testing.T) {
	m := boot(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() { _, _ = r.Read(make([]byte, 1)); cancel() }()
	status, err := m.Run(ctx, Command{Stdout: w,
		Args: []string{"/bin/sh", "-c", "trap 'exit 5' TERM; echo; while :; do sleep 0.1; done"}})
	if status != 5 || err != nil {
		t.Errorf("status %d, error %v, want what the trap gives", status, err)
	}
}

// TestAttach runs an interactive program of another process's machine on a
// pseudo-terminal: it is a terminal there too, has this one's size, follows a
// change of it, and Ctrl-C reaches it.
func TestAttach(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "ctl")
	boot(t, Config{Socket: socket})
	master, term, err := OpenPTY(Size{Rows: 30, Cols: 101})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	const script = `trap 'echo interrupted' INT; trap 'stty size' WINCH; tty; stty size
		while read x; do case $x in end) exit 9;; *) echo $((x * 2));; esac; done; exit 1`
	cmd := exec.Command(os.Args[0], attachArg, socket, "/bin/bash", "--norc", "-c", script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term, term, term
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen := newRing(1 << 16)
	go func() { _, _ = io.Copy(screen, master) }()
	await := func(want, typing string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !strings.Contains(screen.tail(1000), want); {
			if time.Now().After(end) {
				t.Fatalf("no %q on the screen:\n%s", want, screen.tail(1000))
			}
			fmt.Fprint(master, typing)
			time.Sleep(100 * time.Millisecond)
		}
	}
	expect := func(want string) { t.Helper(); await(want, "") }
	expect("/dev/pts/")
	expect("30 101")
	fmt.Fprint(master, "21\r")
	expect("42")
	if err := setSize(master, Size{Rows: 44, Cols: 122}); err != nil {
		t.Fatal(err)
	}
	await("44 122", "50\r") // bash runs traps between commands only
	fmt.Fprint(master, "\x03")
	expect("interrupted")
	fmt.Fprint(master, "\rend\r")
	var ee *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != 9 {
		t.Errorf("status of the attached program: %v, want 9\n%s", err, screen.tail(100))
	}
	term.Close()
}

// TestStop ends a machine from outside by its socket; Exec works before.
func TestStop(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "ctl")
	m := boot(t, Config{Socket: socket})
	done := make(chan int)
	go func() {
		status, _ := m.Run(t.Context(), Command{Args: []string{"/bin/sleep", "1000"}})
		m.Close()
		done <- status
	}()
	var out bytes.Buffer
	for range 200 { // until the main command is there
		out.Reset()
		_, err := Exec(t.Context(), socket, Command{Args: []string{"/bin/pidof", "sleep"}, Dir: "/", Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		if out.Len() > 0 {
			break
		}
	}
	if err := Stop(socket); err != nil {
		t.Fatal(err)
	}
	if status := <-done; status != 128+int(unix.SIGTERM) {
		t.Errorf("status of the main command: %d, output %q", status, out.String())
	}
	if err := Stop(socket); err == nil {
		t.Error("stopping a machine that is gone succeeds")
	}
}

// TestBooterKilled kills the booting program with -9: the machine goes too, and the
// next Boot sweeps its directory and what the kernel's SIGTERM may leave of its
// helper processes.
func TestBooterKilled(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "ctl")
	cmd := exec.Command(os.Args[0], bootArg, socket)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	dir := "" // which whoever boots a machine now may sweep when the program is dead
	files, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*", pidFile))
	for _, f := range files {
		if b, _ := os.ReadFile(f); string(b) == pid {
			dir = filepath.Dir(f)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if dir == "" {
		t.Fatal("the directory of the machine was not found")
	}
	leads := func() bool { return slices.ContainsFunc(processes(dir), leader) }
	for end := time.Now().Add(20 * time.Second); leads() && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	if leads() {
		t.Error("the kernel goes on")
	}
	boot(t, Config{})
	if left := living(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was not swept", dir)
	}
}

// TestSideBySide boots two machines at once.
func TestSideBySide(t *testing.T) {
	for i := range 2 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			m := boot(t, Config{Hostname: "m" + strconv.Itoa(i)})
			if _, out, _ := run(t, m, nil, "cat /proc/sys/kernel/hostname"); out != fmt.Sprintf("m%d\n", i) {
				t.Errorf("host name %q", out)
			}
		})
	}
}

// TestOneCPU has each machine stay on one CPU, which the next one takes into account.
func TestOneCPU(t *testing.T) {
	for i := range 2 {
		m := boot(t, Config{})
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(m.cmd.Process.Pid, &set); err != nil || set.Count() != 1 {
			t.Errorf("machine %d is on %d CPUs, %v", i, set.Count(), err)
		}
	}
	if used := machineCPUs(os.TempDir()); len(used) < 2 {
		t.Errorf("machines are seen on CPUs %v", used)
	}
}

func TestLeastUsed(t *testing.T) {
	var allowed unix.CPUSet
	for _, cpu := range []int{1, 2, 5} {
		allowed.Set(cpu)
	}
	for _, c := range []struct {
		used []int
		want int
	}{{nil, 1}, {[]int{0, 1}, 2}, {[]int{1, 2, 5, 5, 1}, 2}, {[]int{1, 2, 5}, 1}} {
		if got := leastUsed(&allowed, c.used); got != c.want {
			t.Errorf("with %v used: CPU %d, not %d", c.used, got, c.want)
		}
	}
}

func TestEnded(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (a) b) S 1 7 7 0 -1 4194560 0":      false,
		"7 (a) Z 1 7 7 0 -1 4228100 0":         true,
		"7 (killed) R 1 7 7 0 -1 4194564 0":    true,
		"7 (a (Z S 1) R 1 7 7 0 -1 4194304 12": false,
		"":                                     true,
	} {
		if got := ended(stat); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
	if !isAlive(os.Getpid()) || isAlive(1<<30) {
		t.Error("of this process, or of one that there is not")
	}
}
