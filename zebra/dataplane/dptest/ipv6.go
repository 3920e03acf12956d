package dptest

import (
	"errors"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func (t *T) needIPv6Transport() {
	t.Helper()
	t.need(t.p.Caps().GRE, "GRE")
	t.need(t.p.Caps().IPv6Transport, "tunnels over IPv6")
}

// mgre6 is mgre over IPv6.
func mgre6() dataplane.Tunnel {
	m := mgre()
	m.Local = ip("2001:db8:f::1")
	return m
}

func testTunnel6(t *T) {
	t.needIPv6Transport()
	t.forget()
	m := mgre6()
	p2p := dataplane.Tunnel{Name: "Tunnel1", Local: m.Local, Remote: ip("2001:db8:f::99"), PathMTUDiscovery: true,
		Underlay: Under, TOS: 1, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("2001:db8:f::2")}
	six := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("2001:db8::2"), NBMA: ip("2001:db8:f::2")}
	t.put(m, p2p, a, n, six)
	l := t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Up && l.Own && !l.NoARP })
	t.same("facts of the mGRE tunnel", &dataplane.GREInfo{Local: m.Local, HasKey: true, Key: 100000, TTL: 255}, l.GRE)
	if l.MTU != 1400 || l.Kind != "ip6gre" {
		t.Errorf("told of %+v", l)
	}
	l = t.link("Tunnel1", func(l dataplane.LinkInfo) bool { return l.Up && l.Own })
	if l.GRE.Remote != p2p.Remote || l.GRE.Underlay != Under || l.GRE.TOS != 1 || l.GRE.HasKey {
		t.Errorf("told of %+v %+v", l, l.GRE)
	}
	n.NBMA = ip("2001:db8:f::3")
	t.put(n)
	t.Send("Tunnel0", ip("10.0.0.9"))
	t.event("miss", func(ev dataplane.Event) bool {
		return ev == dataplane.NeighborMiss{Device: "Tunnel0", Addr: ip("10.0.0.9")}
	})
	t.drop(n, six)
	t.gone(n.Key(), six.Key())
	t.drop(m, p2p)
	t.gone(m.Key(), p2p.Key(), a.Key())
}

// testTunnelChange6 is testTunnelChange over IPv6.
func testTunnelChange6(t *T) {
	t.needIPv6Transport()
	t.needMulticast()
	t.forget()
	m := mgre6()
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("2001:db8:f::2")}
	r := route("203.0.113.0/24", "10.0.0.2")
	r.NextHops[0].Device = "Tunnel0"
	t.put(m, replicator, a, r, n, peer("2001:db8:f::2"))
	index := t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Up && l.Own }).Index
	for _, c := range []struct {
		what   string
		change func(*dataplane.Tunnel)
	}{
		{"local", func(m *dataplane.Tunnel) { m.Local = ip("2001:db8:f::55") }},
		{"key", func(m *dataplane.Tunnel) { m.GREKey = 7 }},
		{"no key", func(m *dataplane.Tunnel) { m.HasKey = false }},
		{"key again", func(m *dataplane.Tunnel) { m.HasKey = true }},
		{"ttl", func(m *dataplane.Tunnel) { m.TTL = 17 }},
		{"tos", func(m *dataplane.Tunnel) { m.TOS = 0xb8 }},
		{"path MTU discovery", func(m *dataplane.Tunnel) { m.PathMTUDiscovery = true }},
		{"MTU", func(m *dataplane.Tunnel) { m.MTU = 1360 }},
		{"resolution", func(m *dataplane.Tunnel) { m.Resolve = false }},
	} {
		c.change(&m)
		t.put(m)
		t.wants(a, r, n, replicator, peer("2001:db8:f::2"))
		if t.Failed() {
			t.Fatalf("when %s changed", c.what)
		}
	}
	if l := t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.MTU == 1360 }); l.Index != index {
		t.Errorf("the device was made anew: %+v", l)
	}
}

func testTunnelRefused6(t *T) {
	t.needIPv6Transport()
	for what, c := range map[string]struct {
		change func(*dataplane.Tunnel)
		want   error
	}{
		"two families":      {func(m *dataplane.Tunnel) { m.Remote = ip("192.0.2.9") }, dataplane.ErrInvalid},
		"bound to a device": {func(m *dataplane.Tunnel) { m.Underlay = Under }, dataplane.ErrUnsupported},
		"copied TOS":        {func(m *dataplane.Tunnel) { m.TOS = 1 }, dataplane.ErrUnsupported},
		"no source":         {func(m *dataplane.Tunnel) { m.Local = ip("::") }, dataplane.ErrInvalid},
	} {
		m := mgre6()
		c.change(&m)
		if err := t.apply(dataplane.Put(m))[0]; !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	t.put(mgre6())
	if err := t.apply(dataplane.Put(dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("a neighbour at an address of IPv4: %v", err)
	}
	t.put(mgre())
	if err := t.apply(dataplane.Put(dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("2001:db8:f::2")}))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("a neighbour at an address of IPv6: %v", err)
	}
}

// testTunnelTransport changes the transport, which needs another device: addresses are
// put back.
func testTunnelTransport(t *T) {
	t.needIPv6Transport()
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	t.put(mgre(), a)
	for range 2 {
		t.put(mgre6())
		t.wants(a)
		p2p := mgre6()
		p2p.Remote, p2p.Resolve = ip("2001:db8:f::9"), false
		t.put(p2p)
		t.wants(a)
		p2p.Remote = netip.Addr{}
		t.put(p2p)
		t.put(mgre())
		t.wants(a)
	}
}

func testMulticast6(t *T) {
	t.needIPv6Transport()
	t.needMulticast()
	t.put(mgre6(), replicator, peer("2001:db8:f::2"), peer("2001:db8:f::3"))
	for _, nbma := range []string{"192.0.2.2", "ff02::5", "::"} {
		if err := t.apply(dataplane.Put(peer(nbma)))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("%s: %v", nbma, err)
		}
	}
	t.drop(peer("2001:db8:f::3"))
	t.wants(peer("2001:db8:f::2"))
	t.drop(replicator)
	t.gone(replicator.Key(), peer("2001:db8:f::2").Key())
	t.put(replicator)
	t.Remove(replicator)
	t.event("replicator gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: replicator.Key()} })
	t.put(replicator)
	t.drop(mgre6())
	t.gone(replicator.Key())
}
