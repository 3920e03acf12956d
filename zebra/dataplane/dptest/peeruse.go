package dptest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

var usage = dataplane.PeerUse{Device: "Tunnel0"}

func (t *T) needPeerUse() {
	t.Helper()
	t.need(t.p.Caps().GRE, "GRE")
	t.need(t.p.Caps().PeerUse, "watches of peer use")
}

func testPeerUse(t *T) {
	t.needPeerUse()
	if err := t.apply(dataplane.Put(usage))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("a watch on a device that is not there: %v", err)
	}
	for _, o := range []dataplane.PeerUse{{Device: Under}, {Device: "Tunnel1"}, {Device: "Tunnel0", Outdated: true}} {
		one := mgre()
		one.Name, one.Remote, one.GREKey = "Tunnel1", ip("192.0.2.2"), 7
		t.must(dataplane.Put(mgre()), dataplane.Put(one))
		if err := t.apply(dataplane.Put(o))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
		t.gone(o.Key())
	}
	second := mgre()
	second.Name, second.GREKey = "Tunnel2", 8
	other := dataplane.PeerUse{Device: "Tunnel2"}
	t.put(second, usage, other)
	t.drop(usage)
	t.gone(usage.Key())
	t.wants(other)
	t.put(usage)
	t.drop(mgre())
	t.gone(usage.Key())
	t.must(dataplane.Delete(usage.Key()))
	t.put(mgre(), usage)
}

// testPeerUseTold sends to peers of a tunnel that is watched, and of one that is not.
func testPeerUseTold(t *T) {
	t.useTold(mgre(), func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}) })
}

// testPeerUseTold6 is testPeerUseTold over IPv6.
func testPeerUseTold6(t *T) {
	t.needIPv6Transport()
	t.useTold(mgre6(), func(i int) netip.Addr { return ip(fmt.Sprintf("2001:db8:f::%x", 10+i)) })
}

func (t *T) useTold(m dataplane.Tunnel, nbma func(int) netip.Addr) {
	t.needPeerUse()
	second := m
	second.Name, second.GREKey = "Tunnel1", 7
	t.put(m, second, usage)
	peer := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{172, 16, byte(i % 2), byte(10 + i)}) }
	t.put(dataplane.Addr{Device: "Tunnel0", Prefix: pfx("172.16.0.1/24")}, dataplane.Addr{Device: "Tunnel1", Prefix: pfx("172.16.1.1/24")})
	for i := range 6 {
		t.put(dataplane.Neighbor{Device: []string{"Tunnel0", "Tunnel1"}[i%2], Addr: peer(i), NBMA: nbma(i)})
	}
	t.Send("Tunnel1", peer(1))
	t.Send("Tunnel0", peer(4))
	t.used("Tunnel0", nbma(4))
	t.Send("Tunnel0", peer(0))
	t.used("Tunnel0", nbma(0))
	t.drop(usage)
	t.Send("Tunnel0", peer(2))
	t.put(dataplane.PeerUse{Device: "Tunnel1"})
	t.Send("Tunnel1", peer(3))
	t.used("Tunnel1", nbma(3))
}

// used waits for the next telling of use, which must be this one.
func (t *T) used(device string, nbma netip.Addr) {
	t.Helper()
	t.seen = nil
	t.event("use of "+device, func(ev dataplane.Event) bool {
		u, ok := ev.(dataplane.PeersUsed)
		if ok && (u.Device != device || !slices.Equal(u.NBMA, []netip.Addr{nbma})) {
			t.Errorf("told %+v, wanted %v on %s", u, nbma, device)
		}
		return ok
	})
}

func testPeerUseGone(t *T) {
	t.needPeerUse()
	t.forget()
	t.put(mgre(), usage)
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.Remove(usage)
	t.event("watch gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: usage.Key()} })
	t.put(usage)
}
