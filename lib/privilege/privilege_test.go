package privilege_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/privilege"
)

// A test limits a process of its own: this program again, told by a variable of
// the environment what to do, word by word.
const orders = "PRIVILEGE_TEST_ORDERS"

func TestMain(m *testing.M) {
	words := strings.Fields(os.Getenv(orders))
	if len(words) == 0 {
		os.Exit(m.Run())
	}
	occupyThreads()
	for i, w := range words {
		if err := obey(w, words[i+1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if strings.HasSuffix(w, "exec") {
			break
		}
	}
}

// nobody is a user without rights.
const nobody = 65534

// threads is how many threads a process has that somebody holds.
const threads = 5

// occupyThreads makes threads before anything is limited.
func occupyThreads() {
	started := make(chan bool)
	for i := range threads {
		go func() {
			runtime.LockOSThread()
			started <- true
			if i%2 == 0 {
				_, _ = unix.Poll(nil, -1) // in a system call
			}
			select {}
		}()
		<-started
	}
}

// obey does one thing; rest is what is left to do.
func obey(word string, rest []string) error {
	list := map[string][]privilege.Capability{
		"nothing": nil, "raw": {privilege.NetRaw}, "net": {privilege.NetAdmin, privilege.NetRaw, privilege.NetBindService}}
	switch word {
	case "nothing", "raw", "net":
		err := privilege.Limit(list[word]...)
		if errors.Is(err, privilege.ErrThreads) {
			fmt.Println("threads")
			os.Exit(0)
		}
		return err
	case "user": // become nobody
		return syscall.Setuid(nobody)
	case "conceal":
		return privilege.Conceal()
	case "status":
		return status()
	case "raw-socket":
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
		fmt.Println("raw socket:", err)
		if err == nil {
			return unix.Close(fd)
		}
		return nil
	case "chown":
		name := filepath.Join(os.TempDir(), fmt.Sprintf("privilege-%d", os.Getpid()))
		defer os.Remove(name)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
		fmt.Println("chown:", errors.Is(os.Chown(name, nobody, nobody), os.ErrPermission))
		return nil
	case "exec":
		return again(rest, os.Stdout, nil)
	case "service-exec": // what systemd does for a service with User= and AmbientCapabilities=
		return again(rest, os.Stdout, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
			AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}})
	}
	return fmt.Errorf("cannot obey %q", word)
}

// again runs this program with other orders.
func again(words []string, out *os.File, attr *syscall.SysProcAttr) error {
	cmd := exec.Command("/proc/self/exe") // its directory may be closed to nobody
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), orders+"="+strings.Join(words, " "), "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}

// status prints what the kernel says of all threads, each different answer once,
// and of the process.
func status() error {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) <= threads {
		return fmt.Errorf("%d threads: %v", len(tasks), err)
	}
	var answers []string
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var line []string
		for l := range strings.Lines(string(b)) {
			if key, value, _ := strings.Cut(strings.TrimSpace(l), ":\t"); strings.HasPrefix(key, "Cap") || key == "NoNewPrivs" {
				n, err := strconv.ParseUint(value, 16, 64)
				if err != nil {
					return err
				}
				line = append(line, fmt.Sprintf("%s=%x", strings.TrimPrefix(key, "Cap"), n))
			}
		}
		if answer := strings.Join(line, " "); !slices.Contains(answers, answer) {
			answers = append(answers, answer)
		}
	}
	var core syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &core); err != nil {
		return err
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Printf("%s core=%d,%d dumpable=%t\n", strings.Join(answers, " | "), core.Cur, core.Max, dumpable == 1)
	return err
}

// run gives orders to a new process and returns its lines.
func run(t *testing.T, words string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: there is nothing to take away")
	}
	var out bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { _, _ = out.ReadFrom(r); close(done) }()
	err = again(strings.Fields(words), w, nil)
	w.Close()
	<-done
	r.Close()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	if strings.Contains(out.String(), "threads\n") {
		if !cgo {
			t.Fatal("a program without cgo says that it has it")
		}
		t.Skip("this test program has cgo: run it with CGO_ENABLED=0 too")
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// Sets of capabilities, by their numbers in capability.h.
const (
	raw = "2000" // 13
	net = "3400" // 10, 12, 13
)

func all(set, bounding string) string {
	return fmt.Sprintf("Inh=%s Prm=%s Eff=%s Bnd=%s Amb=%s NoNewPrivs=1 core=0,0 dumpable=true", set, set, set, bounding, set)
}

// TestLimit limits processes and looks at all of their threads.
func TestLimit(t *testing.T) {
	var full string // the bounding set of whoever runs the test
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(own)) {
		if value, ok := strings.CutPrefix(l, "CapBnd:"); ok {
			full = strings.TrimLeft(strings.TrimSpace(value), "0")
		}
	}
	for words, want := range map[string][]string{
		"net status":                   {all(net, net)},
		"nothing status":               {all("0", "0")},
		"raw raw status":               {all(raw, raw)},
		"raw net status":               {all(raw, raw)}, // no way back
		"net exec status":              {all(net, net)}, // a child has the same
		"net exec raw status":          {all(raw, net)}, // and takes less; the bounding set cannot shrink any more
		"net raw exec status":          {all(raw, net)}, // which does not help its child
		"raw raw-socket chown":         {"raw socket: <nil>", "chown: true"},
		"nothing raw-socket":           {"raw socket: operation not permitted"},
		"chown":                        {"chown: false"},
		"user nothing status":          {strings.Replace(all("0", full), "dumpable=true", "dumpable=false", 1)}, // nothing to lose
		"service-exec raw status":      {all(raw, full)},
		"service-exec raw exec status": {all(raw, full)}, // ambient capabilities stay with a user
	} {
		t.Run(words, func(t *testing.T) {
			if diff := cmp.Diff(want, run(t, words)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestConceal hides a process, but not the programs that it executes.
func TestConceal(t *testing.T) {
	for words, want := range map[string]string{"conceal status": "dumpable=false", "conceal exec status": "dumpable=true"} {
		if got := run(t, words); len(got) != 1 || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: %q, want %s", words, got, want)
		}
	}
}
