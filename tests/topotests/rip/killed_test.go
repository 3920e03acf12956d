package rip_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// ages are what differs from one look at RIP's table to the next.
var ages = regexp.MustCompile(` *\d\d:\d\d:\d\d`)

// table is RIP's table of r2, without times.
func (l *line) table() (string, error) {
	out, err := l.r2.Vtysh("show ip rip")
	return ages.ReplaceAllString(out, ""), err
}

// survives runs a crash of the router in the middle under traffic: no packet is
// lost, no route of anybody goes for a moment, and the tables are the same after it.
func (l *line) survives(t *testing.T, what string, crash func(pid int) (same bool)) {
	t.Helper()
	l.whole().wait(t, converge)
	before, err := l.table()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := l.r2.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	var watches []*harness.RouteWatch
	for _, r := range []*router{l.r1, l.r2, l.r3} {
		watches = append(watches, r.WatchRoutes(protocol))
	}
	flow := l.h1.Flow("10.3.0.10", 50*time.Millisecond)
	harness.Eventually(t, soon, func() error {
		if flow.Received() < 5 {
			return fmt.Errorf("%d packets arrived", flow.Received())
		}
		return nil
	})
	same := crash(pid)
	harness.Eventually(t, converge, func() error {
		now, err := l.r2.daemonPid()
		if err != nil {
			return err
		}
		if (now == pid) != same {
			return fmt.Errorf("ripd is process %d, it was %d", now, pid)
		}
		after, err := l.table()
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			return fmt.Errorf("show ip rip of r2 (-before +after): %w\n%s", err, diff)
		}
		return l.r2.ShowJSON("show ip route rip", `{"routes": [
			{"prefix": "10.1.0.0/24", "routes": [{"stale": null, "metric": 1, "installed": true}]},
			{"prefix": "10.3.0.0/24", "routes": [{"stale": null, "metric": 1, "installed": true}]}]}`)
	})
	if err := l.whole().check(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if r := flow.Stop(); r.Received < r.Sent {
		t.Errorf("%s: %d of %d packets arrived, lost %v", what, r.Received, r.Sent, r.Lost)
	}
	for _, w := range watches {
		if err := w.Withdrawn(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		w.Stop()
	}
}

// TestKilled kills ripd, zebra, and both of the router in the middle.
func TestKilled(t *testing.T) {
	t.Parallel()
	l := buildLine(t, patient)
	l.survives(t, "kill -9 of ripd", func(pid int) bool { l.r2.KillPid(pid); return false })
	l.survives(t, "kill -9 of zebra", func(int) bool {
		l.r2.zebra.Kill()
		l.r2.zebra = l.r2.RestartZebra()
		return true
	})
	l.survives(t, "kill -9 of both", func(pid int) bool {
		l.r2.zebra.Kill()
		l.r2.KillPid(pid)
		l.r2.zebra = l.r2.RestartZebra()
		return false
	})
}
