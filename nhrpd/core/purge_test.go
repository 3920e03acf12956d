package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestToldBounded: no number of askers makes a core remember more than it may, and
// who was told something that is over makes room.
func TestToldBounded(t *testing.T) {
	c := New(Options{Source: rand.NewPCG(1, 1)})
	i := &iface{}
	second := clock.Instant(time.Second)
	for n, e := range []*entry{{iface: i, kind: EntryDynamic}, {iface: i, kind: EntryLocal}} {
		now := clock.Instant(10*n) * second
		e.expires = now + 2*second
		granted := 0
		for k := range maxTold + 10 {
			c.in.SrcProtocol = netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
			if c.remember(now, e, netip.Addr{}) {
				granted++
			}
		}
		want := maxTold
		if e.kind == EntryLocal {
			want = maxToldLocal
		}
		if granted != want || len(e.told) != want || c.told != want {
			t.Errorf("%v: %d granted, %d and %d remembered, want %d", e.kind, granted, len(e.told), c.told, want)
		}
		now = e.expires
		e.expires += second
		if !c.remember(now, e, netip.Addr{}) || len(e.told) != 1 {
			t.Errorf("%v: %d remembered after all is over", e.kind, len(e.told))
		}
		c.purge(now, e) // the instance is not ready: nothing is sent
		if c.told != 0 || e.told != nil || len(i.purges) != 0 {
			t.Errorf("%v: %d remembered after the purge", e.kind, c.told)
		}
	}
}

// TestUnresolvedBounded sweeps a subnet: the entries are bounded, and each that ends
// makes room for another.
func TestUnresolvedBounded(t *testing.T) {
	c := New(Options{Source: rand.NewPCG(1, 1)})
	cfg := DefaultInterfaceConfig("Tunnel0", rib.IPv4)
	cfg.NetworkID = 1
	c.Step(0, ConfigSet{Config{Interfaces: []InterfaceConfig{cfg}}})
	c.Step(0, InterfaceChanged{rib.Interface{Name: "Tunnel0", Up: true, Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}},
		Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}}})
	i := c.ifaces[ifaceKey{"Tunnel0", rib.IPv4}]
	miss := func(k int) NeighborMiss {
		return NeighborMiss{"Tunnel0", netip.AddrFrom4([4]byte{10, 1, byte(k >> 8), byte(k)})}
	}
	for k := range 2 * maxUnresolved {
		c.Step(0, miss(k))
	}
	if i.unresolved != maxUnresolved || len(i.cache.entries) != maxUnresolved {
		t.Errorf("%d unresolved, %d entries", i.unresolved, len(i.cache.entries))
	}
	c.Step(clock.Instant(negativeLife), miss(5))
	if i.unresolved != 1 || len(i.cache.entries) != 1 {
		t.Errorf("%d unresolved, %d entries after their life", i.unresolved, len(i.cache.entries))
	}
}

// TestBroadcast: an address that is no station's is never asked for.
func TestBroadcast(t *testing.T) {
	for p, want := range map[string]string{
		"172.31.0.11/24": "172.31.0.255", "172.31.5.1/20": "172.31.15.255", "10.1.2.3/0": "255.255.255.255", "10.1.2.3/32": "10.1.2.3", "10.1.2.4/30": "10.1.2.7",
	} {
		if got := broadcast(netip.MustParsePrefix(p)); got.String() != want {
			t.Errorf("broadcast(%s) = %v, want %s", p, got, want)
		}
	}
}
