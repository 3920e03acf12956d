package bgp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// pid returns the process of a router's bgpd.
func pid(t *testing.T, n *harness.Node) int {
	t.Helper()
	pids := n.Pids("bgpd")
	if len(pids) != 1 {
		t.Fatalf("%s has processes %v of bgpd", n.Name(), pids)
	}
	return pids[0]
}

// killed kills the bgpds of these routers and waits until others run.
func killed(t *testing.T, nodes ...*harness.Node) {
	t.Helper()
	old := map[*harness.Node]int{}
	for _, n := range nodes {
		old[n] = pid(t, n)
		n.KillPid(old[n])
	}
	harness.Eventually(t, converge, func() error {
		for _, n := range nodes {
			if p := n.Pids("bgpd"); len(p) != 1 || p[0] == old[n] {
				return fmt.Errorf("%s has no other bgpd", n.Name())
			}
		}
		return nil
	})
}

// TestRestart kills daemons under traffic: both neighbours of the router in the middle,
// then its own, whose routes are stale until all neighbours have told theirs, and its
// zebra; then bgpd is restarted on request. No packet is lost and no route leaves a kernel
// anywhere; afterwards nothing is stale. Then, without graceful restart, a dead bgpd takes its routes along,
// which shows that the test would see it.
func TestRestart(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	hosts := tp.Node("hosts")
	a, b, c := tp.Router("a"), tp.Router("b"), tp.Router("c")
	tp.Link(a, "eth0", "10.9.1.1/30", b, "eth0", "10.9.1.2/30")
	tp.Link(b, "eth1", "10.9.2.1/30", c, "eth0", "10.9.2.2/30")
	left := tp.Host("left", a, "10.1.0.10/24", "10.1.0.1")
	tp.Host("right", c, "10.3.0.10/24", "10.3.0.1")
	port(tp, hosts, b, "lan", "10.2.0.1/24")
	const graceful = " bgp graceful-restart\n bgp graceful-restart restart-time 30\n"
	process := func(as string) string { return "router bgp " + as + "\n" + timers + graceful }
	zebras := map[*harness.Node]string{
		a: process("65001") + " neighbor 10.9.1.2 remote-as 65002\n network 10.1.0.0 mask 255.255.255.0\n",
		b: process("65002") + " neighbor 10.9.1.1 remote-as 65001\n neighbor 10.9.2.2 remote-as 65002\n neighbor 10.9.2.2 next-hop-self\n network 10.2.0.0 mask 255.255.255.0\n",
		c: process("65002") + " neighbor 10.9.2.1 remote-as 65002\n network 10.3.0.0 mask 255.255.255.0\n",
	}
	outer, middle := a.LaunchWith(zebras[a]), b.LaunchWith(zebras[b])
	c.StartZebra(zebras[c])
	outer.WaitReady()
	middle.WaitReady()
	all := []func() error{
		routes(a, "10.2.0.0/24 via 10.9.1.2 dev eth0", "10.3.0.0/24 via 10.9.1.2 dev eth0"),
		routes(b, "10.1.0.0/24 via 10.9.1.1 dev eth0", "10.3.0.0/24 via 10.9.2.2 dev eth1"),
		routes(c, "10.1.0.0/24 via 10.9.2.1 dev eth0", "10.2.0.0/24 via 10.9.2.1 dev eth0"),
	}
	await(t, all...)
	await(t, reaches(left, "10.3.0.10", ""))
	var watches []*harness.RouteWatch
	for _, n := range []*harness.Node{a, b, c} {
		watches = append(watches, n.WatchRoutes(protocol))
	}
	flow := left.Flow("10.3.0.10", 20*time.Millisecond)
	again := append(all, fresh(a), fresh(b), fresh(c), told(a), told(b), told(c))
	killed(t, a, c)
	await(t, again...)
	killed(t, b)
	await(t, again...)
	middle.Kill()
	b.RestartZebra()
	await(t, again...)
	b.MustVtysh("restart daemon bgpd")
	await(t, again...)
	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 50 {
		t.Errorf("%d of %d packets arrived, lost %v", r.Received, r.Sent, r.Lost)
	}
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			t.Errorf("%c: %v", 'a'+i, err)
		}
	}

	a.Configure("router bgp 65001\nno bgp graceful-restart")
	await(t, again...)
	dead := pid(t, a)
	outer.Kill() // nobody starts it again before the neighbour has noticed
	a.KillPid(dead)
	await(t, routes(b, "10.3.0.0/24 via 10.9.2.2 dev eth1"), func() error {
		if watches[1].Withdrawn() == nil {
			return errors.New("without graceful restart the neighbour keeps all routes of one that died")
		}
		return nil
	})
	a.RestartZebra()
	await(t, all...)
}

// told tells whether a router has the routes of all neighbours as they are now: those of
// one that has restarted are told again 20 seconds after the session came up.
func told(n *harness.Node) func() error {
	return func() error {
		v, err := n.JSON("show ip bgp")
		if err == nil && strings.Contains(fmt.Sprint(v), "stale:true") {
			err = fmt.Errorf("%s has stale paths: %v", n.Name(), v)
		}
		return err
	}
}

// fresh tells whether nothing of a router's routes is left from a life before.
func fresh(n *harness.Node) func() error {
	return func() error {
		v, err := n.JSON("show ip route")
		if err == nil && strings.Contains(fmt.Sprint(v), "stale:true") {
			err = fmt.Errorf("%s has stale routes: %v", n.Name(), v)
		}
		return err
	}
}
