package vtysh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
	"github.com/godmvpn/godmvpn/vtysh/client"
)

// screen is a terminal with terminal monitor.
type screen struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// daemonPid returns the process of a daemon.
func daemonPid(t *testing.T, n *harness.Node, name string) int {
	t.Helper()
	var reply struct {
		Daemons []struct {
			Name string
			PID  int
		}
	}
	if err := json.Unmarshal([]byte(n.MustVtysh("show daemons | json")), &reply); err != nil {
		t.Fatal(err)
	}
	for _, d := range reply.Daemons {
		if d.Name == name && d.PID > 1 {
			return d.PID
		}
	}
	t.Fatalf("%s does not run", name)
	return 0
}

// TestDebug watches a spoke register, by debugging on a hub whose log level is
// informational: the lines are in show logging and on a terminal, until they are
// not wanted any more.
func TestDebug(t *testing.T) {
	c := lab1.Build(harness.New(t))
	c.Hub.StartZebra(lab1.Config("hub"), "--log-level", "informational")
	vtysh, err := client.Dial(c.Hub.Rundir())
	if err != nil {
		t.Fatal(err)
	}
	defer vtysh.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var terminal screen
	var watching sync.WaitGroup
	watching.Go(func() { vtysh.Monitor(ctx, &terminal) })
	defer watching.Wait()
	defer cancel()

	c.Hub.MustVtysh("debug nhrp packet")
	c.Spoke1.StartZebra(lab1.Config("spoke1"))
	want := regexp.MustCompile(`\*\w+ .*: NHRP: Receive Registration Request via Tunnel0, source 172\.31\.0\.11, NBMA 198\.51\.100\.1, request ID \d+\n`)
	harness.Eventually(t, time.Minute, func() error {
		logging := c.Hub.MustVtysh("show logging")
		for name, text := range map[string]string{"show logging": logging, "the terminal": terminal.String()} {
			if !want.MatchString(text) {
				return fmt.Errorf("%s has no request:\n%s", name, text)
			}
		}
		return nil
	})
	c.Hub.MustVtysh("undebug all")
	c.Spoke1.MustVtysh("restart daemon nhrpd")
	harness.Eventually(t, time.Minute, func() error { // it said goodbye, and came again
		if n := strings.Count(terminal.String(), "NHRP_NHC_UP"); n < 2 {
			return fmt.Errorf("the spoke is up %d times:\n%s", n, terminal.String())
		}
		return nil
	})
	_, after, _ := strings.Cut(c.Hub.MustVtysh("show logging"), "NHRP_NHC_DOWN")
	if !strings.Contains(after, "NHRP_NHC_UP") || strings.Contains(after, "NHRP: Receive Registration Request") {
		t.Errorf("after undebug all, when the spoke came again, there was shown:\n%s", after)
	}

	// A daemon that hangs costs its own part of the answer only.
	pid := daemonPid(t, c.Hub, "nhrpd")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer c.Hub.KillPid(pid)
	out := c.Hub.MustVtysh("undebug all")
	if !regexp.MustCompile(`^All possible debugging has been turned off\n\n% nhrpd (does not answer|is not running)\n$`).MatchString(out) {
		t.Errorf("with a daemon that hangs: %q", out)
	}
}
