package rip_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// line is three routers in a line with a host at each end.
type line struct {
	tp         *harness.Topology
	r1, r2, r3 *router
	h1, h3     *harness.Node
	lan3       *harness.Link
	link12     *harness.Link
	wire12     *harness.Capture // the link between r1 and r2
	wire       *harness.Capture // that between r2 and r3
}

// soon is the limit for what needs no timer of 60 seconds.
const soon = 30 * time.Second

// patient are timers that bring news within two seconds, and lose no route by a
// machine that is slow.
const patient = " timers basic 2 60 0 90\n"

// buildLine makes the line and starts it, with further lines for each "router rip".
func buildLine(t *testing.T, extra string) *line {
	t.Helper()
	tp := harness.New(t)
	l := &line{tp: tp, r1: &router{Node: tp.Node("r1")}, r2: &router{Node: tp.Node("r2")}, r3: &router{Node: tp.Node("r3")},
		h1: tp.Node("h1"), h3: tp.Node("h3")}
	tp.Link(l.h1, "eth0", "10.1.0.10/24", l.r1.Node, "lan", "")
	l.link12 = tp.Link(l.r1.Node, "east", "", l.r2.Node, "west", "")
	tp.Link(l.r2.Node, "east", "", l.r3.Node, "west", "")
	l.lan3 = tp.Link(l.h3, "eth0", "10.3.0.10/24", l.r3.Node, "lan", "")
	l.h1.Route("default", "10.1.0.1")
	l.h3.Route("default", "10.3.0.1")
	l.wire12 = l.r1.Capture("east")
	l.wire = l.r2.Capture("east")
	device := func(name, addr string) string {
		return "interface " + name + "\n ip address " + addr + " 255.255.255.0\n no shutdown\n"
	}
	rip := "router rip\n version 2\n network 10.0.0.0\n no auto-summary\n" + extra
	start(t, map[*router]string{
		l.r1: device("lan", "10.1.0.1") + device("east", "10.12.0.1") + rip,
		l.r2: device("west", "10.12.0.2") + device("east", "10.23.0.2") + rip,
		l.r3: device("west", "10.23.0.3") + device("lan", "10.3.0.1") + rip,
	})
	return l
}

// whole is what the kernels have when all is well.
func (l *line) whole() tables {
	return tables{
		l.r1: {"10.3.0.0/24 via 10.12.0.2 dev east metric 20", "10.23.0.0/24 via 10.12.0.2 dev east metric 20"},
		l.r2: {"10.1.0.0/24 via 10.12.0.1 dev west metric 20", "10.3.0.0/24 via 10.23.0.3 dev east metric 20"},
		l.r3: {"10.1.0.0/24 via 10.23.0.2 dev west metric 20", "10.12.0.0/24 via 10.23.0.2 dev west metric 20"},
	}
}

// withoutLAN3 is what they have without 10.3.0.0/24.
func (l *line) withoutLAN3() tables {
	w := l.whole()
	w[l.r1], w[l.r2] = w[l.r1][1:], w[l.r2][:1]
	return w
}

// TestLine has routes come, go and come back: by withdrawal when an interface goes
// down, by request when they are cleared, by withdrawal again when a router ends in
// order, and by time when it dies.
func TestLine(t *testing.T) {
	t.Parallel()
	l := buildLine(t, patient)
	l.whole().wait(t, converge)
	l.h1.MustPing("10.3.0.10", 3)
	path, err := l.h1.Traceroute("10.3.0.10")
	if diff := cmp.Diff([]string{"10.1.0.1", "10.12.0.2", "10.23.0.3", "10.3.0.10"}, path); diff != "" || err != nil {
		t.Errorf("path from end to end: %v\n%s", err, diff)
	}
	l.shown(t)

	// News travel at once: invalid is a minute, which no limit here reaches. The cable
	// is pulled, as zebra would set up again what somebody else sets down.
	l.lan3.DownAt(l.h3)
	l.withoutLAN3().wait(t, soon)
	l.lan3.UpAt(l.h3)
	l.whole().wait(t, soon)
	l.cleared(t)
	l.stopped(t)
	l.died(t)
	if err := harness.CheckDissected("rip", 8, l.wire); err != nil {
		t.Error(err)
	}
}

// shown compares the show commands of r1 with what is so.
func (l *line) shown(t *testing.T) {
	t.Helper()
	const learned = `{"enabled": true, "vrf": "", "routes": [
		{"prefix": "10.1.0.0/24", "source": "connected", "metric": 1, "interface": "lan", "paths": []},
		{"prefix": "10.3.0.0/24", "source": "rip", "metric": 3, "garbage": false, "paths": [
			{"nextHop": "10.12.0.2", "from": "10.12.0.2", "interface": "east", "metric": 3, "hops": 2, "distance": 120}]},
		{"prefix": "10.12.0.0/24", "source": "connected", "metric": 1, "interface": "east"},
		{"prefix": "10.23.0.0/24", "source": "rip", "metric": 2, "paths": [{"hops": 1}]}]}`
	const status = `{"protocol": "rip", "enabled": true, "version": 2, "distance": 120, "routes": 4,
		"timers": {"update": 2, "invalid": 60, "holddown": 0, "flush": 90}, "networks": ["10.0.0.0/8"],
		"interfaces": [{"name": "east", "up": true, "passive": false, "sendVersions": [2], "receiveVersions": [2], "splitHorizon": "on", "authentication": "none"},
			{"name": "lan", "counters": {"receivedResponses": 0}}],
		"neighbors": [{"address": "10.12.0.2", "interface": "east", "version": 2, "routes": 2, "badPackets": 0, "badRoutes": 0}]}`
	for _, c := range []struct{ command, want string }{
		{"show ip route rip", `{"routes": [
			{"prefix": "10.3.0.0/24", "routes": [{"distance": 120, "metric": 2, "installed": true, "nextHops": [{"address": "10.12.0.2", "interface": "east"}]}]},
			{"prefix": "10.23.0.0/24", "routes": [{"distance": 120, "metric": 1}]}]}`},
		{"show ip rip", learned}, {"show ip rip database", learned},
		{"show ip rip status", status}, {"show ip protocols", `{"protocols": [` + status + `]}`},
	} {
		if err := l.r1.ShowJSON(c.command, c.want); err != nil {
			t.Error(err)
		}
	}
}

// cleared forgets the routes of r1, first while it hears nothing from r2. It asks for
// them, and gets them long before anybody's next update.
func (l *line) cleared(t *testing.T) {
	t.Helper()
	for _, r := range []*router{l.r1, l.r2} {
		r.Configure("router rip\ntimers basic 300 900 0 1200")
	}
	l.link12.LossFrom(l.r2.Node, 100)
	l.r1.MustVtysh("clear ip rip")
	tables{l.r1: nil}.wait(t, soon)
	l.link12.LossFrom(l.r2.Node, 0)
	asked := len(messages(t, l.wire12, from("10.12.0.1")))
	l.r1.MustVtysh("clear ip rip")
	l.whole().wait(t, soon)
	if !slices.ContainsFunc(messages(t, l.wire12, from("10.12.0.1"))[asked:], (*packet.Message).WholeTable) {
		t.Error("r1 did not ask for the whole table")
	}
	for _, r := range []*router{l.r1, l.r2} {
		r.Configure("router rip\n" + patient)
	}
}

// stopped ends r3 in order: it says that it is going, and leaves nothing behind.
func (l *line) stopped(t *testing.T) {
	t.Helper()
	l.wire.Clear()
	if err := l.r3.zebra.Terminate(converge); err != nil {
		t.Fatal(err)
	}
	gone := l.withoutLAN3()
	gone[l.r3] = nil
	gone.wait(t, soon)
	said := false
	for _, m := range messages(t, l.wire, from("10.23.0.3")) {
		for _, e := range m.Entries {
			said = said || e.Addr.String() == "10.3.0.0" && e.Metric == packet.Infinity
		}
	}
	if !said {
		t.Error("r3 did not announce that 10.3.0.0/24 is unreachable")
	}
	l.r3.zebra = l.r3.RestartZebra()
	l.whole().wait(t, converge)
}

// died kills zebra and ripd of r3, so that nothing announces its routes and nobody
// says that they are gone: they live on for the time that r2's timers give them.
func (l *line) died(t *testing.T) {
	t.Helper()
	l.r2.Configure("router rip\ntimers basic 2 6 0 10")
	pid, err := l.r3.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	watch := l.r2.WatchRoutes(protocol)
	l.r3.zebra.Kill()
	l.r3.KillPid(pid)
	l.withoutLAN3().wait(t, converge) // r3's kernel forwards still
	frames := l.wire.Frames(from("10.23.0.3"))
	last := frames[len(frames)-1].At
	changes, err := watch.Changes()
	if err != nil {
		t.Fatal(err)
	}
	const tolerance = 2 * time.Second // between the clocks of ripd, of the capture and of the watch
	for _, c := range changes {
		if c.Removed && c.At.Sub(last) < 6*time.Second-tolerance {
			t.Errorf("%v went %v after the last word of r3", c.Route, c.At.Sub(last))
		}
	}
	l.r3.zebra = l.r3.RestartZebra()
	l.whole().wait(t, converge)
}
