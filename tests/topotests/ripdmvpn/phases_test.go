package ripdmvpn

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Routes of RIP.
const (
	summary = "10.0.0.0/8"
	discard = "blackhole 10.0.0.0/8"
	any4    = "0.0.0.0/0"
)

// TestPhase1 has spokes with point-to-point tunnels, and a hub that announces a
// summary in place of the LANs, and later a default route. All packets from LAN to
// LAN pass the hub. A spoke dies, and the hub is restarted.
func TestPhase1(t *testing.T) {
	t.Parallel()
	c := build(t)
	c.hub.start(c.hub.config(withKey+multipoint+" ip summary-address rip 10.0.0.0 255.0.0.0\n", ""))
	for _, s := range c.spokes() {
		s.start(s.config(withKey+pointToPoint, ""))
	}
	all := func(hub []string, spoke ...string) func() error {
		return func() error {
			if err := c.hub.rip(hub...); err != nil {
				return err
			}
			for _, s := range c.spokes() {
				if err := s.rip(spoke...); err != nil {
					return err
				}
			}
			return nil
		}
	}
	learnt := []string{via(c.spoke1.lan, c.spoke1), via(c.spoke2.lan, c.spoke2)}
	summarized := all(append([]string{discard}, learnt...), via(summary, c.hub))
	c.await(summarized, c.registered)
	since := time.Now()
	c.path(c.spoke1, c.spoke2, c.hub, c.spoke2)
	c.path(c.spoke2, c.spoke1, c.hub, c.spoke1)
	if direct, _ := c.straight(); direct != 0 {
		t.Errorf("%d packets from LAN to LAN went from spoke to spoke", direct)
	}
	c.await(func() error { return c.copies(since, 3) })

	c.die(c.spoke2.uplink.Cut, c.spoke2.uplink.Mend, func() error {
		if err := c.hub.rip(discard, learnt[0]); err != nil {
			return err
		}
		if err := c.spoke1.rip(via(summary, c.hub)); err != nil {
			return err
		}
		return c.spoke2.rip() // it hears as little of the others
	}, summarized)

	c.hub.Configure("ip prefix-list DEFAULT permit 0.0.0.0/0\n" +
		"router rip\ndefault-information originate\ndistribute-list prefix DEFAULT out Tunnel0\n" +
		"interface Tunnel0\nno ip summary-address rip 10.0.0.0 255.0.0.0")
	c.await(all(learnt, via(any4, c.hub)))
	c.path(c.spoke1, c.spoke2, c.hub, c.spoke2)
	c.restart(all(learnt, via(any4, c.hub)))
	c.wire()
}

// TestPhase2 has multipoint tunnels everywhere and a hub that splits no horizon: the
// next hop is the other spoke. With a mapping of the other spoke, packets go there
// at once, and the hub sees none of them. A LAN goes and comes back, a spoke loses
// its uplink, and the hub is restarted.
func TestPhase2(t *testing.T) {
	t.Parallel()
	c := build(t)
	c.hub.start(c.hub.config(multipoint+" no ip split-horizon\n", ""))
	for _, s := range c.spokes() {
		s.start(s.config(oneLine, ""))
	}
	with := func() error { return c.known(c.spoke1, c.spoke2) }
	c.await(with, c.registered)
	since := time.Now()
	for _, s := range c.spokes() {
		s.Configure(fmt.Sprintf("interface Tunnel0\nip nhrp map %s %s", c.other(s).tunnel, c.other(s).nbma))
	}
	c.await(func() error {
		for _, s := range c.spokes() {
			if got := s.neighbors()[c.other(s).tunnel]; got != c.other(s).nbma {
				return fmt.Errorf("%s has the other spoke at %q", s.Name(), got)
			}
		}
		return nil
	})
	c.spoke1.host.MustPing(c.spoke2.hostIP, 5)
	c.await(func() error {
		if direct, _ := c.straight(); direct != 5 {
			return fmt.Errorf("%d packets of 5 went from spoke to spoke", direct)
		}
		return nil
	})
	if _, hub := c.straight(); hub != 0 {
		t.Errorf("%d packets from LAN to LAN passed the hub", hub)
	}
	c.path(c.spoke1, c.spoke2, c.spoke2)
	c.path(c.spoke2, c.spoke1, c.spoke1)
	c.spoke1.host.MustPing(c.hub.hostIP, 2)
	c.await(func() error { return c.copies(since, 3) })

	c.flap(c.spoke1, with, func() error { return c.known(c.spoke2) })
	c.die(func() { c.spoke2.uplink.DownAt(c.inet) }, func() { c.spoke2.uplink.UpAt(c.inet) }, func() error {
		if err := c.hub.rip(via(c.spoke1.lan, c.spoke1)); err != nil {
			return err
		}
		if err := c.spoke1.rip(via(c.hub.lan, c.hub)); err != nil {
			return err
		}
		return c.spoke2.rip()
	}, with)
	c.restart(with)
	c.wire()
}

// known tells whether the LANs of these spokes, and of no other, are known to all, with
// the spoke as the next hop.
func (c *cloud) known(spokes ...*site) error {
	var lans []string
	for _, s := range spokes {
		lans = append(lans, via(s.lan, s))
	}
	if err := c.hub.rip(lans...); err != nil {
		return err
	}
	for _, s := range c.spokes() {
		want := []string{via(c.hub.lan, c.hub)}
		for i, other := range spokes {
			if other != s {
				want = append(want, lans[i])
			}
		}
		if err := s.rip(want...); err != nil {
			return err
		}
	}
	return nil
}

// TestPhase3 has a hub that names itself as the next hop, the underlay in a VRF, and
// a default route in it. A LAN goes and comes back. Then the hub's daemons are
// killed, one after the other and all together, while packets go from LAN to LAN:
// none is lost, no route is withdrawn anywhere, and everything is as before.
func TestPhase3(t *testing.T) {
	t.Parallel()
	c := build(t)
	c.hub.start(behind("INET", c.hub.config(withKey+multipoint+" no ip split-horizon\n ip rip next-hop-self\n", "")))
	for _, s := range c.spokes() {
		s.start(behind("INET", s.config(withKey+oneLine, "")))
	}
	lan := func(gone *site) func() error {
		return func() error {
			var hub []string
			for _, s := range c.spokes() {
				want := []string{via(c.hub.lan, c.hub)}
				if o := c.other(s); o != gone {
					want = append(want, via(o.lan, c.hub))
				}
				if s != gone {
					hub = append(hub, via(s.lan, s))
				}
				if err := s.rip(want...); err != nil {
					return err
				}
			}
			return c.hub.rip(hub...)
		}
	}
	c.await(lan(nil), c.registered)
	c.path(c.spoke1, c.spoke2, c.hub, c.spoke2)
	since := time.Now()
	c.await(func() error { return c.copies(since, 3) })
	c.flap(c.spoke1, lan(nil), lan(c.spoke1))

	c.configure("router rip\n" + patient)
	for _, victims := range [][]string{{"ripd"}, {"nhrpd"}, {"zebra"}, {"ripd", "nhrpd", "zebra"}} {
		t.Run(fmt.Sprint(victims), func(t *testing.T) {
			same := *c
			same.t = t
			same.survives(lan(nil), victims...)
		})
	}
	c.wire()
}

// flowEvery is the time between two packets of the traffic under which daemons are
// killed.
const flowEvery = 50 * time.Millisecond

// replayed is how long a ripd must have lived so that what it did not learn again
// would be gone: one and a half of the quick update intervals, and some more.
const replayed = 6 // seconds

// survives kills daemons of the hub under traffic from LAN to LAN.
func (c *cloud) survives(converged func() error, victims ...string) {
	c.t.Helper()
	var watches []*harness.RouteWatch
	for _, s := range c.sites() {
		watches = append(watches, s.watch())
	}
	flow := c.spoke1.host.Flow(c.spoke2.hostIP, flowEvery)
	pids := map[string]int{}
	for _, name := range []string{"ripd", "nhrpd"} {
		pid, err := c.hub.daemonPid(name, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		pids[name] = pid
	}
	killed := map[string]bool{}
	for _, name := range victims {
		killed[name] = true
		if name == "zebra" {
			c.hub.zebra.Kill()
		} else {
			c.hub.KillPid(pids[name])
		}
	}
	if killed["zebra"] {
		c.hub.zebra = c.hub.RestartZebra()
	}
	c.await(func() error {
		for name, old := range pids {
			pid, err := c.hub.daemonPid(name, replayed)
			if err != nil {
				return err
			}
			if (pid == old) == killed[name] {
				return fmt.Errorf("%s was process %d and is %d", name, old, pid)
			}
		}
		return nil
	}, func() error {
		return c.hub.ShowJSON("show ip rip", fmt.Sprintf(`{"routes": [
			{"prefix": %q, "source": "rip", "garbage": false, "paths": [{"nextHop": %q}]},
			{"prefix": %q, "source": "rip", "garbage": false, "paths": [{"nextHop": %q}]}]}`,
			c.spoke1.lan, c.spoke1.tunnel, c.spoke2.lan, c.spoke2.tunnel))
	}, converged, c.registered)
	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 5 {
		c.t.Errorf("%d of %d packets arrived, lost %v", r.Received, r.Sent, r.Lost)
	}
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			c.t.Errorf("%s: %v", c.sites()[i].Name(), err)
		}
		w.Stop()
	}
}

// restart ends the hub in order, which withdraws all that it announced, and starts it
// again.
func (c *cloud) restart(converged func() error) {
	c.t.Helper()
	c.hub.MustVtysh("write memory")
	if err := c.hub.zebra.Terminate(30 * time.Second); err != nil {
		c.t.Fatal(err)
	}
	c.await(func() error {
		for _, s := range c.sites() {
			if err := s.rip(); err != nil {
				return err
			}
		}
		return nil
	})
	c.hub.zebra = c.hub.RestartZebra()
	c.await(converged, c.registered)
}
