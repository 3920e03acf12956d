package ospfmgre

import (
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// mesh is what is so where the tunnel is one network: each is the next hop of its own LAN.
func (c *cloud) mesh(gone ...*site) (all []func() error) {
	for _, s := range c.without(gone) {
		var want []string
		for _, to := range c.without(gone) {
			if to != s {
				want = append(want, s.via(to, to))
			}
		}
		all = append(all, s.Knows(want...))
	}
	return all
}

// TestBroadcast has a hub of ours as the designated router of spokes of each suite, which have
// priority 0, with MD5. FRR's nhrpd wants a host address, which does not go with a broadcast
// network: FRR and BIRD have a point-to-point tunnel to the hub here, by which multicast goes
// to it, and which is the way to the other spokes' LANs as well. The hub's daemon crashes.
func TestBroadcast(t *testing.T) {
	t.Parallel()
	c := build(t)
	hub, one, f, b := c.add(ospfpeers.Ours, "hub"), c.add(ospfpeers.Ours, "one"), c.add(ospfpeers.FRR, "frr"), c.add(ospfpeers.BIRD, "bird")
	network := ospfpeers.Network("broadcast") + ospfpeers.MD5
	hub.launch(hub.ours(mgre + network + " ip ospf priority 255\n ip nhrp map multicast dynamic\n" + mapped(f, b)))
	one.launch(one.ours(mgre + network + ospfpeers.Never + client(hub)))
	f.gre(hub.nbma, false)
	f.Boot(f.frr(network+ospfpeers.Never, ""))
	b.gre(hub.nbma, false)
	b.Boot(b.bird("type broadcast; priority 0;" + ospfpeers.BIRDMD5))
	c.await(c.mesh()...)
	c.reach()
	f.Crash()
	c.gone(f)
	f.Revive()
	c.await(c.mesh()...)
	hub.Crash()
	hub.Revive()
	c.await(c.mesh()...)
	c.decode()
}

// TestNonBroadcast has FRR as the designated router of a non-broadcast network, with spokes of
// ours and of BIRD that have priority 0.
func TestNonBroadcast(t *testing.T) {
	t.Parallel()
	c := build(t)
	hub, one, b := c.add(ospfpeers.FRR, "hub"), c.add(ospfpeers.Ours, "one"), c.add(ospfpeers.BIRD, "bird")
	network := ospfpeers.Network("non-broadcast")
	one.launch(one.ours(mgre + network + ospfpeers.Never + mapped(hub) + " ip nhrp map " + b.tunnel + " " + b.nbma + "\n"))
	hub.gre("", false, one, b)
	hub.Boot(hub.frr(network, " neighbor "+one.tunnel+" poll-interval 2\n neighbor "+b.tunnel+" poll-interval 2\n"))
	b.gre("", false, hub, one)
	b.Boot(b.bird("type nbma; priority 0; poll 2; neighbors { " + hub.tunnel + " eligible; };"))
	c.await(c.mesh()...)
	c.reach()
	hub.Crash()
	harness.Await(t, ospfpeers.Converge, one.Knows(), b.Knows())
	hub.Revive()
	c.await(c.mesh()...)
	c.decode()
}
