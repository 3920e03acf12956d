package dptest

import (
	"errors"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func (t *T) needShaper() {
	t.Helper()
	t.need(t.p.Caps().GRE, "GRE")
	t.need(t.p.Caps().Shaper, "shapers")
}

func shaper(nbma string, rate uint64) dataplane.Shaper {
	return dataplane.Shaper{Device: "Tunnel0", NBMA: ip(nbma), Rate: rate}
}

func testShaper(t *T) {
	t.needShaper()
	m := mgre()
	a, b, c := shaper("192.0.2.2", 1e6), shaper("192.0.2.3", 50e9), shaper("192.0.2.4", 64001)
	c.Burst = 20000
	if err := t.apply(dataplane.Put(a))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("a shaper on a device that is not there: %v", err)
	}
	t.put(m, a, b, c)
	t.wants(a, b, c)
	t.drop(b)
	t.wants(a, c)
	t.gone(b.Key())
	a.Rate, c.Burst = 2e6, 0
	t.put(a, c)
	t.wants(a, c)
	t.put(b)
	t.wants(a, b, c)
	t.drop(a, b, c)
	t.gone(a.Key(), b.Key(), c.Key())
	t.put(a)
	t.drop(m)
	t.gone(a.Key())
	t.must(dataplane.Delete(a.Key()))
}

func testShaperRefused(t *T) {
	t.needShaper()
	t.put(mgre())
	for nbma, want := range map[string]error{
		"224.0.0.5": dataplane.ErrInvalid, "0.0.0.0": dataplane.ErrInvalid, "255.255.255.255": dataplane.ErrInvalid,
		"2001:db8::2": dataplane.ErrUnsupported,
	} {
		if err := t.apply(dataplane.Put(shaper(nbma, 1e6)))[0]; !errors.Is(err, want) {
			t.Errorf("%s: %v", nbma, err)
		}
	}
	if err := t.apply(dataplane.Put(shaper("192.0.2.2", 0)))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("no rate: %v", err)
	}
	for _, device := range []string{Under, "lo"} {
		s := shaper("192.0.2.2", 1e6)
		if s.Device = device; !errors.Is(t.apply(dataplane.Put(s))[0], dataplane.ErrInvalid) {
			t.Errorf("a shaper on %s was not refused", device)
		}
	}
}

// testShaperTunnel changes a tunnel: its shapers stay; with another mode, which needs
// another device, they go.
func testShaperTunnel(t *T) {
	t.needShaper()
	m, s := mgre(), shaper("192.0.2.2", 1e6)
	t.put(m, s)
	for _, change := range []func(){func() { m.GREKey = 7 }, func() { m.HasKey = false }, func() { m.TTL = 3 }} {
		change()
		t.put(m)
		t.wants(s)
	}
	m.Remote, m.Resolve = ip("192.0.2.9"), false
	t.put(m)
	t.gone(s.Key())
	if err := t.apply(dataplane.Put(s))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("a shaper on a point-to-point tunnel: %v", err)
	}
	m.Remote = netip.Addr{}
	t.put(m, s)
	t.wants(s)
}

func testShaperGone(t *T) {
	t.needShaper()
	t.forget()
	a, b := shaper("192.0.2.2", 1e6), shaper("192.0.2.3", 1e6)
	t.put(mgre(), a, b)
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.Remove(a)
	for _, s := range []dataplane.Shaper{a, b} {
		t.event("shaper gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: s.Key()} })
	}
	t.gone(a.Key(), b.Key())
	t.put(a, b)
	t.wants(a, b)
}

// testShaperDevice takes the device away, and brings another of its name.
func testShaperDevice(t *T) {
	t.needShaper()
	t.forget()
	s := shaper("192.0.2.2", 1e6)
	t.put(mgre(), s)
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.RemoveDevice("Tunnel0")
	t.event("device gone", func(ev dataplane.Event) bool { g, ok := ev.(dataplane.LinkGone); return ok && g.Name == "Tunnel0" })
	if err := t.apply(dataplane.Put(s))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("without the device: %v", err)
	}
	t.gone(s.Key())
	t.put(mgre(), shaper("192.0.2.3", 1e6))
	t.gone(s.Key())
	t.put(s)
}

// testShaperOthers has shapers among the filters of other purposes, in any order.
func testShaperOthers(t *T) {
	t.needShaper()
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	t.need(t.p.Caps().Multicast, "replication of multicast")
	c := dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
	s := shaper("192.0.2.2", 1e6)
	t.put(mgre(), s, c, replicator, peer("192.0.2.2"))
	t.drop(s)
	t.wants(c, replicator, peer("192.0.2.2"))
	t.put(s)
	t.drop(c, replicator)
	t.wants(s)
	t.put(replicator, c)
	t.wants(s)
	t.drop(s)
	t.wants(c, replicator)
}
