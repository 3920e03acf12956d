package ospfmgre

import (
	"fmt"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// Lines of the tunnels of this suite.
const (
	mgre  = " tunnel mode gre multipoint\n"
	quick = " ip nhrp registration timeout 2\n"
)

// client are the lines of a client of a hub, with its multicast.
func client(hub *site) string {
	return " ip nhrp map " + hub.tunnel + " " + hub.nbma + "\n ip nhrp map multicast " + hub.nbma + "\n ip nhrp nhs " + hub.tunnel + "\n" + quick
}

// mapped are the lines that name stations which do not speak NHRP, with their multicast.
func mapped(stations ...*site) (lines string) {
	for _, s := range stations {
		lines += " ip nhrp map " + s.tunnel + " " + s.nbma + "\n ip nhrp map multicast " + s.nbma + "\n"
	}
	return lines
}

// star is what is so where the tunnel is point-to-multipoint: everything by way of the hub,
// but for those that are gone.
func (c *cloud) star(gone ...*site) (all []func() error) {
	hub := c.sites[0]
	for _, s := range c.without(gone) {
		var want []string
		for _, to := range c.without(gone) {
			by := hub
			if s == hub {
				by = to
			}
			if to == s {
				continue
			}
			want = append(want, s.via(to, by))
			if to != by || s.Daemons == nil { // FRR's nhrpd has a nearer route to those that it knows
				want = append(want, s.host(to, by))
			}
		}
		all = append(all, s.Knows(want...))
	}
	return all
}

// TestOurHub has spokes of each suite at a hub of ours, point-to-multipoint without multicast
// and with MD5: the neighbours of the hub are those that register. BIRD has FRR's nhrpd
// beside it. FRR sends to the group, and its nhrpd a copy to the hub. A spoke is cut off. Then
// the hub restarts gracefully with the others as helpers, and FRR with the hub as its (RFC
// 3623).
func TestOurHub(t *testing.T) {
	t.Parallel()
	c := build(t)
	hub, one, f, b := c.add(ospfpeers.Ours, "hub"), c.add(ospfpeers.Ours, "one"), c.add(ospfpeers.FRR, "frr"), c.add(ospfpeers.BIRD, "bird")
	network := mgre + ospfpeers.Network("point-to-multipoint non-broadcast") + ospfpeers.MD5
	const graceful = " nsf ietf restart-interval 60\n"
	hub.launch(hub.ours(network) + graceful)
	hub.Zebra.WaitReady() // for whom asks too early waits long before he asks again
	lines, global := nhrp(hub)
	f.gre("", true)
	f.copies()
	f.Daemons = []string{"nhrpd"}
	f.FRR = f.StartFRR(global+f.frr(lines+ospfpeers.Network("point-to-multipoint")+ospfpeers.MD5,
		" capability opaque\n graceful-restart grace-period 60\n graceful-restart helper enable\n"), f.Daemons...)
	b.gre("", true)
	b.StartFRR(global+"interface gre1\n"+lines, "nhrpd")
	f.unasked(hub)
	b.unasked(hub)
	one.launch(one.ours(network+client(hub)) + graceful)
	f.FRR.Start("ospfd")
	b.Boot(b.bird("type ptmp; neighbors { 172.31.0.1; };" + ospfpeers.BIRDMD5))
	c.await(c.star()...)
	c.reach()

	b.uplink.Cut()
	c.gone(b)
	b.uplink.Mend()
	c.await(c.star()...)
	c.restarts(hub, func(func() error) { hub.MustVtysh("restart daemon ospfd") }, hub, one, f)
	c.restarts(f, func(announced func() error) { f.RestartFRR(t, announced) }, hub, one, f)
	c.reach()
	c.decode()
}

// restarts restarts a daemon gracefully: these sites withdraw no route. (BIRD, which helps, may do
// so for a second: it has none over an adjacency that is not full. FRR, which restarts, may end its
// grace a moment before its adjacency is full: then it says itself that it has no neighbour.)
func (c *cloud) restarts(who *site, restart func(announced func() error), watched ...*site) {
	c.t.Helper()
	isGrace := graceOf(who.tunnel)
	began := c.wire.Count(isGrace)
	said := c.wire.Count(alone(who.tunnel))
	var watches []*harness.RouteWatch
	for _, s := range watched {
		w := s.WatchRoutes(s.Protocol())
		defer w.Stop()
		watches = append(watches, w)
	}
	announced := func() error {
		if c.wire.Count(isGrace) == began {
			return fmt.Errorf("%s sends no grace-LSA", who.Name())
		}
		return nil
	}
	restart(announced)
	c.await(announced, func() error {
		frames := c.wire.Frames(isGrace)
		if lsa := grace(frames[len(frames)-1], who.tunnel); lsa.Age < packet.MaxAge {
			return fmt.Errorf("the grace-LSA of %s is not flushed: its age is %d", who.Name(), lsa.Age)
		}
		return nil
	})
	c.await(c.star()...)
	if who.Suite == ospfpeers.FRR && c.wire.Count(alone(who.tunnel)) > said {
		c.t.Logf("%s said for a moment that it has no neighbour", who.Name())
		return
	}
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			c.t.Errorf("%s restarted: %s: %v", who.Name(), watched[i].Name(), err)
		}
	}
}

// graceID is the Link State ID of grace-LSAs (RFC 3623 appendix A).
const graceID = 3 << 24

// updates returns the LSAs of a Link State Update in GRE.
func updates(f harness.Frame) []packet.LSA {
	if !f.GRE || len(f.Payload) < 20 || f.Payload[9] != packet.Protocol {
		return nil
	}
	m, err := packet.Parse(f.Payload[int(f.Payload[0]&15)*4:])
	if err != nil || m.Type != packet.LinkStateUpdate {
		return nil
	}
	return m.Updates
}

// grace returns the grace-LSA of a router in a packet in GRE, if it has one.
func grace(f harness.Frame, router string) (found packet.LSA) {
	for _, lsa := range updates(f) {
		if lsa.Type == packet.OpaqueLinkLSA && lsa.ID == graceID && lsa.LSAKey.Router.String() == router {
			found = lsa
		}
	}
	return found
}

// alone tells whether a router says in a packet in GRE that it has no neighbour.
func alone(router string) harness.Match {
	return func(f harness.Frame) bool {
		return slices.ContainsFunc(updates(f), func(lsa packet.LSA) bool {
			body, err := lsa.Router()
			return lsa.Type == packet.RouterLSA && lsa.ID.String() == router && err == nil &&
				!slices.ContainsFunc(body.Links, func(l packet.RouterLink) bool { return l.Type != packet.LinkStub })
		})
	}
}

// graceOf matches packets in GRE with the grace-LSA of a router.
func graceOf(router string) harness.Match {
	return func(f harness.Frame) bool { return grace(f, router).ID == graceID }
}

// TestFRRHub has FRR with nhrpd as the hub, point-to-multipoint, with spokes of ours: one with a
// multipoint and one with a point-to-point tunnel. FRR has no other network of this type than
// one where it sends to the group: its nhrpd copies to those that are registered. FRR's ospfd
// crashes.
func TestFRRHub(t *testing.T) {
	t.Parallel()
	c := build(t)
	hub, one, two := c.add(ospfpeers.FRR, "hub"), c.add(ospfpeers.Ours, "one"), c.add(ospfpeers.Ours, "two")
	network := ospfpeers.Network("point-to-multipoint")
	lines, global := nhrp(nil)
	hub.gre("", true)
	hub.copies()
	hub.Daemons = []string{"nhrpd"}
	hub.Boot(global + hub.frr(lines+network, ""))
	hub.unasked(nil)
	one.launch(one.ours(mgre + network + client(hub)))
	two.launch(two.ours(" tunnel destination " + hub.nbma + "\n" + network + client(hub)))
	c.await(c.star()...)
	c.reach()
	hub.Crash()
	harness.Await(t, ospfpeers.Converge, one.Knows(), two.Knows())
	hub.Revive()
	c.await(c.star()...)
	c.decode()
}

// TestBIRDHub has BIRD as the hub, point-to-multipoint, with HMAC-SHA-256. It knows the
// stations by itself, and they it by static mappings.
func TestBIRDHub(t *testing.T) {
	t.Parallel()
	c := build(t)
	hub, one, two := c.add(ospfpeers.BIRD, "hub"), c.add(ospfpeers.Ours, "one"), c.add(ospfpeers.Ours, "two")
	network := ospfpeers.Network("point-to-multipoint non-broadcast") + ospfpeers.HMAC + mapped(hub)
	one.launch(one.ours(mgre + network))
	two.launch(two.ours(" tunnel destination " + hub.nbma + "\n" + network))
	hub.gre("", false, one, two)
	hub.Boot(hub.bird("type ptmp; neighbors { " + one.tunnel + "; " + two.tunnel + "; };" + ospfpeers.BIRDHMAC))
	c.await(c.star()...)
	c.reach()
	two.uplink.Cut()
	c.gone(two)
	two.uplink.Mend()
	c.await(c.star()...)
	c.decode()
}
