package dptest

import (
	"errors"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func (t *T) needMulticast() {
	t.Helper()
	t.need(t.p.Caps().GRE, "GRE")
	t.need(t.p.Caps().Multicast, "replication of multicast")
}

var replicator = dataplane.Multicast{Device: "Tunnel0"}

func peer(nbma string) dataplane.MulticastPeer {
	return dataplane.MulticastPeer{Device: "Tunnel0", NBMA: ip(nbma)}
}

func testMulticast(t *T) {
	t.needMulticast()
	m := mgre()
	if err := t.apply(dataplane.Put(replicator))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("a replicator on a device that is not there: %v", err)
	}
	t.put(m)
	if err := t.apply(dataplane.Put(peer("192.0.2.2")))[0]; !errors.Is(err, dataplane.ErrNoMulticast) {
		t.Errorf("a peer without a replicator: %v", err)
	}
	t.put(replicator, peer("192.0.2.2"), peer("192.0.2.3"), peer("192.0.2.4"))
	t.drop(peer("192.0.2.3"))
	t.wants(peer("192.0.2.2"), peer("192.0.2.4"))
	t.gone(peer("192.0.2.3").Key())
	t.put(peer("192.0.2.5"), peer("192.0.2.6"))
	t.drop(replicator)
	t.gone(replicator.Key(), peer("192.0.2.2").Key(), peer("192.0.2.6").Key())
	t.must(dataplane.Delete(peer("192.0.2.2").Key())) // it went with the replicator
	t.put(replicator)
	t.gone(peer("192.0.2.2").Key())
	t.drop(m)
	t.gone(replicator.Key())
	t.must(dataplane.Delete(peer("192.0.2.2").Key()), dataplane.Delete(replicator.Key()))
}

func testMulticastRefused(t *T) {
	t.needMulticast()
	t.put(mgre(), replicator)
	for nbma, want := range map[string]error{
		"224.0.0.5": dataplane.ErrInvalid, "0.0.0.0": dataplane.ErrInvalid, "255.255.255.255": dataplane.ErrInvalid,
		"2001:db8::2": dataplane.ErrInvalid,
	} {
		if err := t.apply(dataplane.Put(peer(nbma)))[0]; !errors.Is(err, want) {
			t.Errorf("%s: %v", nbma, err)
		}
	}
	for _, device := range []string{Under, "lo"} {
		if err := t.apply(dataplane.Put(dataplane.Multicast{Device: device}))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("a replicator on %s: %v", device, err)
		}
	}
}

// testMulticastTunnel changes a tunnel: its replicator, peers and neighbours stay;
// with another mode, which needs another device, they go.
func testMulticastTunnel(t *T) {
	t.needMulticast()
	m := mgre()
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
	t.put(m, replicator, n, peer("192.0.2.2"))
	for _, change := range []func(){func() { m.GREKey = 7 }, func() { m.HasKey = false }, func() { m.TTL = 3 }} {
		change()
		t.put(m)
		t.wants(replicator, n, peer("192.0.2.2"))
	}
	m.Remote, m.Resolve = ip("192.0.2.9"), false
	t.put(m)
	t.gone(replicator.Key(), peer("192.0.2.2").Key())
	if err := t.apply(dataplane.Put(replicator))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("a replicator on a point-to-point tunnel: %v", err)
	}
	m.Remote = netip.Addr{}
	t.put(m, replicator)
	t.gone(peer("192.0.2.2").Key())
	t.put(peer("192.0.2.2"))
}

func testMulticastGone(t *T) {
	t.needMulticast()
	t.forget()
	t.put(mgre(), replicator, peer("192.0.2.2"))
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.Remove(replicator)
	t.event("replicator gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: replicator.Key()} })
	t.put(replicator)
	t.wants(peer("192.0.2.2"))
}

// testMulticastDevice takes the device away, and brings another of its name.
func testMulticastDevice(t *T) {
	t.needMulticast()
	t.forget()
	t.put(mgre(), replicator, peer("192.0.2.2"))
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.RemoveDevice("Tunnel0")
	t.event("device gone", func(ev dataplane.Event) bool { g, ok := ev.(dataplane.LinkGone); return ok && g.Name == "Tunnel0" })
	for _, o := range []dataplane.Object{replicator, peer("192.0.2.2"), peer("192.0.2.3")} {
		if err := t.apply(dataplane.Put(o))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
			t.Errorf("%v without the device: %v", o.Key(), err)
		}
	}
	t.gone(replicator.Key(), peer("192.0.2.2").Key())
	t.put(mgre(), replicator)
	t.gone(peer("192.0.2.2").Key())
	t.put(peer("192.0.2.3"))
}

// testMulticastClamp has a replicator and a clamp on one tunnel, in any order.
func testMulticastClamp(t *T) {
	t.needMulticast()
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	c := dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
	p := peer("192.0.2.2")
	t.put(mgre(), c, replicator, p)
	t.drop(c)
	t.wants(replicator, p)
	t.put(c)
	t.drop(replicator)
	t.wants(c)
	t.put(replicator, p)
	t.wants(c)
	t.drop(c, replicator)
	t.gone(c.Key(), replicator.Key(), p.Key())
}
