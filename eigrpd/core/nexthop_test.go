package core

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// site is a hub with three spokes, of which two have the same network behind them, and
// in classic mode another router on the hub's side that has it too.
func site(t testing.TB, name string, tunnel InterfaceConfig, aside bool) (w *routesNet, hub, third *routesRouter) {
	w = newRoutesNet(t)
	hub = w.router("hub", "1.1.1.1", InstanceConfig{Name: name})
	var spokes []*routesRouter
	if aside {
		b := w.router("aside", "9.9.9.9", InstanceConfig{Name: name})
		hub.iface("back", "Gi2", "192.168.0.1/24", 100, 5000, InterfaceConfig{})
		b.iface("back", "Gi1", "192.168.0.2/24", 100, 5000, InterfaceConfig{})
		b.iface("net", "Gi2", "10.9.0.3/24", 1_000_000, 1, InterfaceConfig{})
		w.peer(hub, b, "back")
	}
	hub.iface("dmvpn", "Tunnel0", "172.31.0.1/24", 100, 5000, tunnel)
	for k, addr := range []string{"172.31.0.11/24", "172.31.0.12/24", "172.31.0.13/24"} {
		s := w.router("spoke"+addr[10:12], "2.2.2."+string(rune('1'+k)), InstanceConfig{Name: name})
		s.iface("dmvpn", "Tunnel0", addr, 100, 5000, InterfaceConfig{})
		if k < 2 {
			s.iface("net", "Gi2", netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(1 + k)}), 24).String(), 1_000_000, 1, InterfaceConfig{})
		}
		spokes = append(spokes, s)
		w.peer(hub, s, "dmvpn")
	}
	return w, hub, spokes[2]
}

// TestNextHops checks which next hops a spoke learns of a network behind two others:
// by itself the hub; with no next-hop-self the first; with no-ecmp-mode one on the
// tunnel, if the first path is elsewhere; with add-paths all of them.
func TestNextHops(t *testing.T) {
	const (
		hub    = " via 172.31.0.1 Tunnel0"
		first  = " via 172.31.0.11 Tunnel0"
		second = " via 172.31.0.12 Tunnel0"
	)
	tests := map[string]struct {
		name   string
		tunnel InterfaceConfig
		aside  bool
		want   string
	}{
		"next-hop-self":        {tunnel: InterfaceConfig{NoSplitHorizon: true}, want: "D 10.9.0.0/24 [90/28160256]" + hub},
		"no next-hop-self":     {tunnel: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true}, want: "D 10.9.0.0/24 [90/28160256]" + first},
		"first path elsewhere": {tunnel: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true}, aside: true, want: "D 10.9.0.0/24 [90/28160256]" + hub},
		"no-ecmp-mode":         {tunnel: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true}, aside: true, want: "D 10.9.0.0/24 [90/28160256]" + first},
		"add-paths": {name: "V", tunnel: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true, AddPaths: 4},
			want: "D 10.9.0.0/24 [90/102405120]" + first + second},
		"add-paths to those that read none": {tunnel: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true, AddPaths: 4},
			want: "D 10.9.0.0/24 [90/28160256]" + first},
		"split horizon": {tunnel: InterfaceConfig{NoNextHopSelf: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _, third := site(t, test.name, test.tunnel, test.aside)
			var want []string
			if test.want != "" {
				want = append(want, test.want)
			}
			if test.aside {
				want = append(want, "D 192.168.0.0/24 [90/28160000] via 172.31.0.1 Tunnel0")
			}
			third.want(want...)
			if name == "add-paths" { // one of the two goes, and comes back
				w.part(w.routers[0], w.routers[1], "dmvpn")
				third.want("D 10.9.0.0/24 [90/102405120]" + second)
				w.peer(w.routers[0], w.routers[1], "dmvpn")
				third.want("D 10.9.0.0/24 [90/102405120]" + second + first)
			}
		})
	}
}

// TestForeignNextHops checks which next hops of a TLV are used: those in a subnet of
// the link that are not this router.
func TestForeignNextHops(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	n := b.neighborAt(a.on("lan").addr)
	for hop, want := range map[string]string{
		"0.0.0.0": "192.168.0.1", "192.168.0.7": "192.168.0.7", "192.168.0.1": "192.168.0.1",
		"192.168.0.2": "192.168.0.1", "192.168.1.7": "192.168.0.1", "10.1.0.1": "192.168.0.1",
	} {
		rt := packet.Route{Type: packet.TypeIPv4Internal, NextHop: netip.MustParseAddr(hop), Destinations: []netip.Prefix{prefix("10.9.0.0/24")},
			Classic: metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1}}
		if hop == "0.0.0.0" {
			rt.NextHop = netip.Addr{}
		}
		b.routesReceived(w.now, n, &packet.Message{Opcode: packet.Update, Routes: []packet.Route{rt}})
		b.flush()
		b.want(one, two, "D 10.9.0.0/24 [90/3072] via "+want+" Gi1")
	}
}

// TestUnequalCost checks variance: shares in inverse proportion to metrics, up to what
// the kernel takes, and none but the nearest with traffic-share min.
func TestUnequalCost(t *testing.T) {
	build := func(cfg InstanceConfig) *routesRouter {
		w := newRoutesNet(t)
		d := w.router("d", "4.4.4.4", cfg)
		for k, delay := range []uint32{9, 19, 29} {
			r := w.router("r"+string(rune('1'+k)), "1.1.1."+string(rune('1'+k)), InstanceConfig{})
			lan, far, near := "lan"+r.name, netip.AddrFrom4([4]byte{192, 168, byte(k), 1}), netip.AddrFrom4([4]byte{192, 168, byte(k), 2})
			r.iface("net", "Gi1", netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(1 + k)}), 24).String(), 10_000_000, 1, InterfaceConfig{})
			r.iface(lan, "Gi2", netip.PrefixFrom(far, 24).String(), 10_000_000, 1, InterfaceConfig{})
			d.iface(lan, "Gi"+string(rune('1'+k)), netip.PrefixFrom(near, 24).String(), 10_000_000, delay, InterfaceConfig{})
			w.peer(r, d, lan)
		}
		return d
	}
	want := map[string]struct {
		cfg  InstanceConfig
		hops []rib.NextHop
	}{ // metrics: 256 × (1 + 1 + delay), 11, 21 and 31
		"equal cost only": {InstanceConfig{}, []rib.NextHop{{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "Gi1"}}},
		"variance 2": {InstanceConfig{Variance: 2}, []rib.NextHop{
			{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "Gi1", Weight: 256},
			{Addr: netip.MustParseAddr("192.168.1.1"), Interface: "Gi2", Weight: 134}}}, // 256 × 11/21
		"variance 3": {InstanceConfig{Variance: 3}, []rib.NextHop{
			{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "Gi1", Weight: 256},
			{Addr: netip.MustParseAddr("192.168.1.1"), Interface: "Gi2", Weight: 134},
			{Addr: netip.MustParseAddr("192.168.2.1"), Interface: "Gi3", Weight: 91}}}, // 256 × 11/31
		"maximum-paths 2":   {InstanceConfig{Variance: 3, MaximumPaths: 2}, []rib.NextHop{{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "Gi1", Weight: 256}, {Addr: netip.MustParseAddr("192.168.1.1"), Interface: "Gi2", Weight: 134}}},
		"traffic-share min": {InstanceConfig{Variance: 3, TrafficShareMin: true}, []rib.NextHop{{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "Gi1"}}},
	}
	for name, test := range want {
		t.Run(name, func(t *testing.T) {
			got := build(test.cfg).fib[prefix("10.9.0.0/24")].NextHops
			if len(got) != len(test.hops) {
				t.Fatalf("next hops %v, want %v", got, test.hops)
			}
			for k := range got {
				if got[k] != test.hops[k] {
					t.Errorf("next hop %v, want %v", got[k], test.hops[k])
				}
			}
		})
	}
	for _, x := range [][3]uint64{{1, 1, 256}, {5, 10, 128}, {1, 1 << 40, 1}, {1 << 62, 1 << 63, 128}, {7, 0, 256}} {
		if got := share(x[0], x[1]); uint64(got) != x[2] {
			t.Errorf("share(%d, %d) = %d, want %d", x[0], x[1], got, x[2])
		}
	}
}

// TestDistances checks the administrative distances: by kind, and of internal routes
// by who told them.
func TestDistances(t *testing.T) {
	host := policy.Wildcard{Addr: 0xc0a80001}
	other := policy.Wildcard{Addr: 0xc0a80009}
	tests := map[string]struct {
		cfg  InstanceConfig
		want []string
	}{
		"internal":       {InstanceConfig{InternalDistance: 80}, []string{"D 10.1.0.0/24 [80/3072] via 192.168.0.1 Gi1", "D 10.2.0.0/24 [80/3072] via 192.168.0.1 Gi1", "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"}},
		"external":       {InstanceConfig{ExternalDistance: 110}, []string{one, two, "D EX 10.9.0.0/24 [110/3072] via 192.168.0.1 Gi1"}},
		"by source":      {InstanceConfig{Distances: []SourceDistance{{Distance: 70, Source: host}, {Distance: 60, Source: host}}}, []string{"D 10.1.0.0/24 [70/3072] via 192.168.0.1 Gi1", "D 10.2.0.0/24 [70/3072] via 192.168.0.1 Gi1", "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"}},
		"another source": {InstanceConfig{Distances: []SourceDistance{{Distance: 70, Source: other}}}, []string{one, two, "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"}},
		"by list":        {InstanceConfig{Distances: []SourceDistance{{Distance: 70, Source: host, List: "1"}}}, []string{"D 10.1.0.0/24 [70/3072] via 192.168.0.1 Gi1", two, "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"}},
		"255, never":     {InstanceConfig{InternalDistance: 255}, []string{"D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, a, b := policyPair(t, InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}, InstanceConfig{}, somePolicy)
			a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.Static}})
			old := b.cfg
			b.cfg = test.cfg
			b.cfg.Networks = old.Networks
			b.routesConfigured(w.now, old)
			b.flush()
			b.want(test.want...)
		})
	}
}

// TestRemoteNeighbor checks that the next hop of a remote neighbour is found by the
// routing table.
func TestRemoteNeighbor(t *testing.T) {
	w, _, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	n := &neighbor{id: 77, addr: netip.MustParseAddr("203.0.113.9"), iface: b.on("lan"), remote: true, wide: true, up: true}
	b.neighbors[n.id] = n
	b.routesNeighborUp(w.now, n)
	rt := packet.Route{Type: packet.TypeIPv4Internal, Destinations: []netip.Prefix{prefix("10.9.0.0/24")}, NextHop: netip.MustParseAddr("192.168.0.7"),
		Classic: metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1}}
	b.routesReceived(w.now, n, &packet.Message{Opcode: packet.Update, Routes: []packet.Route{rt}})
	b.flush()
	if got := b.fib[prefix("10.9.0.0/24")].NextHops; len(got) != 1 || got[0] != (rib.NextHop{Addr: n.addr}) {
		t.Errorf("next hops %v", got)
	}
}
