package dptest

import (
	"errors"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func testAddr(t *T) {
	second := dataplane.Addr{Device: Under, Prefix: pfx("192.0.2.77/24")}
	other := dataplane.Addr{Device: Under, Prefix: pfx("198.51.100.1/32")}
	peer := dataplane.Addr{Device: Under, Prefix: pfx("172.31.0.1/32"), Peer: pfx("172.31.0.0/24")}
	t.put(second, other, peer)
	peer.Peer = pfx("172.31.0.9/32")
	t.put(peer)
	t.event("address", func(ev dataplane.Event) bool {
		c, ok := ev.(dataplane.AddrChanged)
		return ok && !c.Gone && other.Equal(c.Addr)
	})
	t.drop(second, other, peer)
	t.gone(second.Key(), other.Key(), peer.Key())
	t.event("address gone", func(ev dataplane.Event) bool {
		c, ok := ev.(dataplane.AddrChanged)
		return ok && c.Gone && other.Equal(c.Addr)
	})
}

func testForeignAddr(t *T) {
	a := dataplane.Addr{Device: Under, Prefix: pfx("192.0.2.1/24")}
	if t.find(a.Key()) == nil {
		t.Skip("this data plane has no addresses of others")
	}
	t.put(a)
	t.drop(a)
	t.wants(a) // it was there before us
}

func testSysctl(t *T) {
	s := dataplane.Sysctl{Path: "ipv4/conf/" + Under + "/send_redirects", Value: "0"}
	g := dataplane.Sysctl{Path: "ipv4/ip_forward", Value: "1"}
	t.put(s, g)
	s.Value = "1"
	t.put(s)
	t.drop(g, s)
}

func testExisting(t *T) {
	t.forget()
	l := dataplane.Link{Name: Under, Attrs: dataplane.Attrs{Admin: dataplane.AdminDown, MTU: 1300}}
	t.put(l)
	t.link(Under, func(l dataplane.LinkInfo) bool { return !l.Up && l.MTU == 1300 && !l.Own })
	l.MTU = 0
	t.must(dataplane.Put(l))
	t.wants(dataplane.Link{Name: Under, Attrs: dataplane.Attrs{Admin: dataplane.AdminDown, MTU: 1500}})
	t.drop(l)
	t.wants(dataplane.Link{Name: Under, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1500}})
}

func testDummy(t *T) {
	t.need(t.p.Caps().Dummy, "dummy links")
	t.forget()
	l := dataplane.Link{Name: "Loopback0", Type: dataplane.LinkDummy, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	a := dataplane.Addr{Device: "Loopback0", Prefix: pfx("10.255.0.1/32")}
	t.put(l, a)
	t.link("Loopback0", func(l dataplane.LinkInfo) bool { return l.Up && l.Own && l.Kind == "dummy" && l.Index > 0 })
	l.MTU = 1400
	t.put(l)
	t.wants(a)
	t.drop(l, a)
	t.gone(l.Key(), a.Key())
	t.event("link gone", func(ev dataplane.Event) bool { g, ok := ev.(dataplane.LinkGone); return ok && g.Name == "Loopback0" })
}

func testVRF(t *T) {
	t.need(t.p.Caps().VRF, "VRFs")
	v := dataplane.Link{Name: "RED", Type: dataplane.LinkVRF, Table: 1001, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	in := dataplane.Link{Name: Under, Attrs: dataplane.Attrs{Master: "RED"}}
	r := route("203.0.113.0/24", "192.0.2.2")
	r.Table = 1001
	t.put(v, in, r)
	t.link(Under, func(l dataplane.LinkInfo) bool { return l.Master == "RED" })
	v.Table = 1002
	t.must(dataplane.Put(v))
	t.must(dataplane.Put(in)) // the old device took its members along
	t.wants(v, in)
	t.drop(v, in)
	t.gone(v.Key())
	t.wants(dataplane.Link{Name: Under})
}

func testTunnel(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	t.forget()
	m := mgre()
	p2p := dataplane.Tunnel{Name: "Tunnel1", Local: ip("192.0.2.1"), Remote: ip("192.0.2.99"), PathMTUDiscovery: true,
		Underlay: Under, TOS: 1, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	t.put(m, p2p, a)
	l := t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Up && l.Own && !l.NoARP })
	t.same("facts of the mGRE tunnel", &dataplane.GREInfo{Local: m.Local, HasKey: true, Key: 100000, TTL: 255}, l.GRE)
	if l.MTU != 1400 || l.Kind != "gre" {
		t.Errorf("told of %+v", l)
	}
	l = t.link("Tunnel1", func(l dataplane.LinkInfo) bool { return l.Up && l.Own })
	if l.GRE.Remote != p2p.Remote || l.GRE.Underlay != Under || !l.GRE.PathMTUDiscovery || l.GRE.TOS != 1 || l.GRE.HasKey {
		t.Errorf("told of %+v %+v", l, l.GRE)
	}
	t.drop(m, p2p)
	t.gone(m.Key(), p2p.Key(), a.Key())
}

// testTunnelChange changes each attribute by itself: index, state and
// addresses of the device stay.
func testTunnelChange(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	t.forget()
	m := mgre()
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
	r := route("203.0.113.0/24", "10.0.0.2")
	r.NextHops[0].Device = "Tunnel0"
	t.put(m, a, r, n)
	index := t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Up && l.Own }).Index
	for _, c := range []struct {
		what   string
		change func(*dataplane.Tunnel)
	}{
		{"local", func(m *dataplane.Tunnel) { m.Local = ip("192.0.2.55") }},
		{"key", func(m *dataplane.Tunnel) { m.GREKey = 7 }},
		{"no key", func(m *dataplane.Tunnel) { m.HasKey = false }},
		{"key again", func(m *dataplane.Tunnel) { m.HasKey = true }},
		{"ttl", func(m *dataplane.Tunnel) { m.TTL = 17 }},
		{"tos", func(m *dataplane.Tunnel) { m.TOS = 0xb8 }},
		{"path MTU discovery", func(m *dataplane.Tunnel) { m.PathMTUDiscovery = true }},
		{"underlay", func(m *dataplane.Tunnel) { m.Underlay = Under }},
		{"no underlay", func(m *dataplane.Tunnel) { m.Underlay = "" }},
		{"MTU", func(m *dataplane.Tunnel) { m.MTU = 1360 }},
		{"resolution", func(m *dataplane.Tunnel) { m.Resolve = false }},
		{"dormant", func(m *dataplane.Tunnel) { m.Dormant = true }},
		{"MTU of a dormant one", func(m *dataplane.Tunnel) { m.MTU = 1350 }},
		{"awake", func(m *dataplane.Tunnel) { m.Dormant, m.MTU = false, 1360 }},
	} {
		c.change(&m)
		t.put(m)
		t.wants(a, r, n)
		if t.Failed() {
			t.Fatalf("when %s changed", c.what)
		}
	}
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.MTU == 1360 })
	for _, ev := range t.seen {
		switch ev := ev.(type) {
		case dataplane.LinkGone:
			t.Errorf("%+v", ev)
		case dataplane.LinkChanged:
			if l := ev.Link; l.Name == "Tunnel0" && (l.Index != index || l.MTU == 1360 && !l.Up) {
				t.Errorf("the device was lost or went down: %+v", l)
			}
		}
	}
}

func testTunnelMode(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	m := mgre()
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	b := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.1.1/32"), Peer: pfx("10.0.1.0/24")}
	t.put(m, a, b)
	m.Remote, m.Resolve = ip("192.0.2.9"), false
	t.put(m)
	t.wants(a, b)
	m.Remote = ip("192.0.2.10")
	t.put(m)
	m.Remote = netip.Addr{}
	t.put(m)
	t.wants(a, b)
}

func testTunnelTaken(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	m := mgre()
	m.Name = Under
	if err := t.apply(dataplane.Put(m))[0]; err == nil {
		t.Error("a device of another kind was taken for a tunnel")
	}
	t.must(dataplane.Delete(m.Key()))
	t.wants(dataplane.Link{Name: Under})
}

func testNeighbor(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
	six := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("2001:db8::2"), NBMA: ip("192.0.2.2")}
	t.put(mgre(), n, six)
	n.NBMA = ip("192.0.2.3")
	t.put(n)
	t.drop(n, six)
	t.gone(n.Key(), six.Key())
}

func testNeighborGone(t *T) {
	t.need(t.p.Caps().GRE, "GRE")
	t.forget()
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
	t.put(mgre(), n)
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.Remove(n)
	t.event("neighbor gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: n.Key()} })
	t.put(n)
}

func testMSSClamp(t *T) {
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	c := dataplane.MSSClamp{Device: Under, MSS: 1360}
	t.put(c)
	c.MSS = 536
	t.put(c)
	t.drop(c)
	t.gone(c.Key())
	c.Device = "late0"
	for range 2 {
		if err := t.apply(dataplane.Put(c))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
			t.Fatalf("a clamp on a device that is not there: %v", err)
		}
		t.AddDevice("late0")
		t.put(c)
		t.RemoveDevice("late0")
		t.gone(c.Key())
		t.must(dataplane.Delete(c.Key()))
	}
	if err := t.apply(dataplane.Put(dataplane.MSSClamp{Device: Under}))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("a clamp to 0: %v", err)
	}
}

// testTunnelClamp has a clamp on a tunnel: changes of the tunnel keep it, and
// another mode, which needs another device, does not.
func testTunnelClamp(t *T) {
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	t.need(t.p.Caps().GRE, "GRE")
	m := mgre()
	c := dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
	t.put(m, c)
	m.GREKey, m.MTU = 7, 1300
	t.put(m)
	t.wants(c)
	m.Remote, m.Resolve = ip("192.0.2.9"), false
	t.put(m)
	t.put(c)
	t.drop(m)
	t.gone(c.Key())
}

func testClampGone(t *T) {
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	t.forget()
	c := dataplane.MSSClamp{Device: Under, MSS: 1360}
	t.put(c)
	t.Remove(c)
	t.event("clamp gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: c.Key()} })
	t.put(c)
}

// testLate has a device come, go and come again with another index.
func testLate(t *T) {
	t.forget()
	r := route("203.0.113.0/24", "172.16.0.1")
	r.NextHops[0].Device, r.NextHops[0].OnLink = "late0", true
	for range 2 {
		if err := t.apply(dataplane.Put(r))[0]; err == nil {
			t.Fatal("a route by a device that is not there")
		}
		t.AddDevice("late0")
		t.put(r)
		t.RemoveDevice("late0")
		t.gone(r.Key())
	}
	t.event("device gone", func(ev dataplane.Event) bool { g, ok := ev.(dataplane.LinkGone); return ok && g.Name == "late0" })
}

func testBeginning(t *T) {
	t.event("Known", func(ev dataplane.Event) bool { return ev == dataplane.Known{} })
	if t.seen[0] != (dataplane.Resync{}) {
		t.Errorf("the first event is %#v", t.seen[0])
	}
	l := t.link(Under, always)
	if !l.Up || l.Index == 0 || l.MTU != 1500 || l.Own {
		t.Errorf("told of %+v", l)
	}
	t.link("lo", always)
}

func testLinkEvents(t *T) {
	t.forget()
	t.SetUp(Under, false)
	t.link(Under, func(l dataplane.LinkInfo) bool { return !l.Up })
	t.SetUp(Under, true)
	t.link(Under, func(l dataplane.LinkInfo) bool { return l.Up })
}
