package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Routers are those that have a shell.
var Routers = []string{"hub", "spoke1", "spoke2"}

const usage = "usage: demo up | demo shell {hub|spoke1|spoke2} | demo down"

// keepCommand is the command of the background half; it is not for people.
const keepCommand = "keep"

// IsCommand tells whether Main knows a command of this name.
func IsCommand(name string) bool {
	return slices.Contains([]string{"up", "shell", "down", keepCommand}, name)
}

// Main runs one of the commands up, shell and down, and returns the exit status.
// Its program calls uml.InitIfRequested before, and hands the commands for which
// IsCommand holds over to Main: it is started again to run in the background and in
// a User-Mode Linux.
func Main(args []string) int {
	// ip is not in the PATH of everybody.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	switch {
	case len(args) == 1 && args[0] == "up":
		return up(os.Stdout)
	case len(args) == 1 && args[0] == keepCommand:
		return keep()
	case len(args) == 1 && args[0] == "down":
		return report(down(os.Stdout))
	case len(args) == 2 && args[0] == "shell" && slices.Contains(Routers, args[1]):
		return shell(args[1])
	}
	fmt.Fprintln(os.Stderr, usage)
	return 2
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}

// What the keeper says on the pipe besides plain lines: a line that begins with
// stepMark is a step to be stamped with the time; upMark alone says that all is up
// and nothing more will be said.
const (
	stepMark = "\x01"
	upMark   = "\x04"
)

// up starts the keeper and shows what it says until the cloud is up. Interrupted, it
// ends what was begun.
func up(out io.Writer) int {
	start := time.Now()
	d, err := open()
	if err != nil {
		return report(err)
	}
	if pid := d.holder(); pid != 0 {
		fmt.Fprintf(os.Stderr, "demo: it is up already (process %d).\n%s", pid, hints)
		return 1
	}
	// A screen that goes away (make demo | head) does not leave things half done.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	keeper, said, err := startKeeper()
	if err != nil {
		return report(err)
	}
	isUp := make(chan bool, 1)
	go func() { isUp <- show(out, said, start) }()
	select {
	case ok := <-isUp:
		if !ok {
			return failed(keeper)
		}
		if err := d.markUp(); err != nil {
			return report(err)
		}
		fmt.Fprintf(out, "\nThe cloud is up after %.1f s and stays up.\n%s", time.Since(start).Seconds(), hints)
		return 0
	case <-interrupted:
		fmt.Fprintln(out, "\ninterrupted: ending what was begun")
		_ = keeper.Process.Signal(unix.SIGTERM)
		<-isUp
		_ = keeper.Wait()
		if err := down(io.Discard); err != nil {
			return report(err)
		}
		return 128 + int(unix.SIGINT)
	}
}

// hints say what can be done with a cloud that is up.
const hints = `
A vtysh on a router (? and TAB help there, exit leaves):
  make demo-shell ROUTER=hub
  make demo-shell ROUTER=spoke1
  make demo-shell ROUTER=spoke2
One command:
  echo 'show dmvpn detail' | make -s demo-shell ROUTER=hub
The end:
  make demo-down
`

// startKeeper starts this program's other half in a session of its own, and returns
// what it says.
func startKeeper() (*exec.Cmd, io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, keepCommand)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	return cmd, r, err
}

// show prints what the keeper says, and tells whether the cloud came up.
func show(out io.Writer, said io.Reader, start time.Time) bool {
	lines := bufio.NewScanner(said)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == upMark {
			return true
		}
		if step, ok := strings.CutPrefix(line, stepMark); ok {
			fmt.Fprintf(out, "[%5.1f s] %s\n", time.Since(start).Seconds(), step)
			continue
		}
		fmt.Fprintln(out, line)
	}
	return false
}

// failed is the status of an up whose keeper gave up; it cleans up after a keeper
// that could not do so itself.
func failed(keeper *exec.Cmd) int {
	err := keeper.Wait()
	fmt.Fprintf(os.Stderr, "demo: the cloud did not come up (%v)\n", err)
	if err := down(io.Discard); err != nil {
		return report(err)
	}
	if status := keeper.ProcessState.ExitCode(); status > 0 {
		return status
	}
	return 1
}

// shell runs a vtysh on a router, on this terminal or pipe.
func shell(router string) int {
	d, err := open()
	if err != nil {
		return report(err)
	}
	switch {
	case d.holder() == 0:
		d.removeIfEmpty()
		fmt.Fprintln(os.Stderr, "demo: nothing is up; make demo starts it")
		return 1
	case !d.isUp():
		fmt.Fprintln(os.Stderr, "demo: it is not up yet, or is ending")
		return 1
	}
	vtysh, err := harness.Binary("vtysh")
	if err != nil {
		return report(err)
	}
	// The history lives as long as the cloud.
	os.Setenv("HOME", d.inside())
	// What the terminal sends is for vtysh, not for this program.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	status, err := harness.Shell(context.Background(), d.socket(), d.prefix()+router,
		[]string{vtysh, "--rundir", filepath.Join(d.inside(), router)})
	if err != nil {
		return report(err)
	}
	return status
}
