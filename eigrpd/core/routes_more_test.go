package core

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestDirections checks that a list of one direction leaves the other alone.
func TestDirections(t *testing.T) {
	cfg := InstanceConfig{
		Filters: []Filter{{List: "1", Out: true, Interface: "Gi1"}},
		Offsets: []OffsetList{{Out: true, Offset: 1000}},
	}
	w, a, b := policyPair(t, InstanceConfig{}, cfg, somePolicy)
	b.want(one, two)
	c := w.router("c", "3.3.3.3", InstanceConfig{Filters: []Filter{{List: "1"}}, Offsets: []OffsetList{{Offset: 1000}}})
	c.core.policy = a.core.policy
	c.iface("lan", "Gi1", "192.168.0.3/24", 1_000_000, 1, InterfaceConfig{})
	c.iface("net", "Gi2", "10.3.0.1/24", 1_000_000, 1, InterfaceConfig{})
	w.peer(a, c, "lan")
	a.want("D 10.3.0.0/24 [90/3072] via 192.168.0.3 Gi1")
}

// TestReceiveOnly checks that it goes before the other words.
func TestReceiveOnly(t *testing.T) {
	_, _, b := policyPair(t, InstanceConfig{Stub: &Stub{ReceiveOnly: true, Connected: true}}, InstanceConfig{}, "")
	b.want()
}

// TestAddPathsLimits checks that only paths at the least cost are told, and that no
// more are used than maximum-paths.
func TestAddPathsLimits(t *testing.T) {
	tunnel := InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true, AddPaths: 4}
	w, hub, third := site(t, "V", tunnel, false)
	old := third.cfg
	third.cfg.MaximumPaths = 1
	third.routesConfigured(w.now, old)
	third.flush()
	third.want("D 10.9.0.0/24 [90/102405120] via 172.31.0.11 Tunnel0")
	third.cfg, old = old, third.cfg
	third.routesConfigured(w.now, old)
	third.flush()
	third.want("D 10.9.0.0/24 [90/102405120] via 172.31.0.11 Tunnel0 via 172.31.0.12 Tunnel0")

	old = hub.cfg
	hub.cfg.Variance = 10
	hub.routesConfigured(w.now, old)
	second := w.routers[2].ifaces["Gi2"]
	second.link.Delay = 100
	w.routers[2].routesIfaceChanged(w.now, second)
	w.routers[2].flush()
	w.run()
	if n := len(hub.table.Used(prefix("10.9.0.0/24"))); n != 2 {
		t.Fatalf("the hub uses %d paths, want 2", n)
	}
	third.want("D 10.9.0.0/24 [90/102405120] via 172.31.0.11 Tunnel0")
}

// TestAddPathsOnTheWire checks what a hub says of further next hops: AddPath attributes
// (RFC 7868 section 6.9.3.8), each with the router that is the source.
func TestAddPathsOnTheWire(t *testing.T) {
	w, hub, third := site(t, "V", InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true, AddPaths: 4}, false)
	w.record = true
	var got *packet.Route
	w.seen = func(from *routesRouter, m *packet.Message) {
		for k := range m.Routes {
			if from == hub && m.Routes[k].Destinations[0] == prefix("10.9.0.0/24") {
				got = &m.Routes[k]
			}
		}
	}
	hub.routesRetell(w.now, hub.neighborAt(third.on("dmvpn").addr))
	hub.flush()
	w.run()
	if got == nil || got.NextHop != netip.MustParseAddr("172.31.0.11") || len(got.Paths) != 1 ||
		got.Paths[0] != (packet.Path{NextHop: netip.MustParseAddr("172.31.0.12"), RouterID: 0x02020202}) {
		t.Errorf("tells %+v", got)
	}
}

// TestAddPathsShown checks that the topology table has each next hop that a neighbour told
// of a route as a path of its own, and says of which is made use.
func TestAddPathsShown(t *testing.T) {
	w, _, third := site(t, "V", InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true, AddPaths: 4}, false)
	shown := func() string {
		var lines []string
		for _, e := range third.topologyReport(w.now, Query{Kind: ReportTopology, Prefix: prefix("10.9.0.0/24")}).Entries {
			lines = append(lines, fmt.Sprintf("%v successors %d", e.Prefix, e.Successors))
			for _, p := range e.Paths {
				lines = append(lines, fmt.Sprintf("%v from %v %s (%d) %v %v %v", p.NextHop, p.Neighbor, p.Interface, p.Distance, p.Successor, p.Feasible, p.Installed))
			}
		}
		return strings.Join(lines, "\n")
	}
	const title = "10.9.0.0/24 successors 2\n172.31.0.11 from 172.31.0.1 Tunnel0 (13107855360) true true true\n172.31.0.12 from 172.31.0.1 Tunnel0 (13107855360) true true "
	if got := shown(); got != title+"true" {
		t.Errorf("shows\n%s\nwant\n%strue", got, title)
	}
	old := third.cfg
	third.cfg.MaximumPaths = 1
	third.routesConfigured(w.now, old)
	if got := shown(); got != title+"false" {
		t.Errorf("with maximum-paths 1 shows\n%s\nwant\n%sfalse", got, title)
	}
}

// TestSummaryMetricChanges checks that `summary-metric` takes effect at once, and that a
// summary has no hops, since it begins here.
func TestSummaryMetricChanges(t *testing.T) {
	w, a, b, c := summaryNet(t, InterfaceConfig{Summaries: []Summary{{Prefix: prefix("10.0.0.0/8")}}}, InstanceConfig{}, "")
	c.iface("far", "Gi2", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
	w.run()
	if e, _ := b.table.Entry(prefix("10.0.0.0/8")); len(e.Paths) != 1 || e.Paths[0].Attribute.hops != 1 {
		t.Errorf("paths %+v", e.Paths)
	}
	old := a.cfg
	a.cfg.SummaryMetrics = []SummaryMetric{{Prefix: prefix("10.0.0.0/8"), Metric: &policy.Vector{Bandwidth: 100_000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500}}}
	a.routesConfigured(w.now, old)
	a.flush()
	w.run()
	b.want("D 192.168.1.0/24 [90/3072] via 192.168.0.1 Gi1", "D 10.0.0.0/8 [90/28416] via 192.168.0.1 Gi1")
}

// TestRedistributionBetweenModes checks that a metric of another AS that counts
// otherwise is converted.
func TestRedistributionBetweenModes(t *testing.T) {
	for _, name := range []string{"", "NAMED"} {
		other := map[string]string{"": "NAMED", "NAMED": ""}[name]
		w, a, b := policyPair(t, InstanceConfig{Name: name, Redistribute: []Redistribute{{Protocol: rib.EIGRP, Instance: 200}}}, InstanceConfig{Name: name}, "")
		x := &instance{core: a.core, key: Key{Family: rib.IPv4, AS: 200}, id: a.id, neighbors: map[dual.NeighborID]*neighbor{}, hooks: a.hooks,
			cfg: InstanceConfig{Name: other, Networks: everywhere}}
		x.routesBegin(w.now)
		a.core.instances = map[Key]*instance{x.key: x}
		i := &iface{id: 1, name: "Tunnel9", up: true, link: rib.Interface{Bandwidth: 100, Delay: 5000, MTU: 1400, Addresses: []rib.Address{{Prefix: prefix("10.9.0.1/24")}}}}
		x.order = []*iface{i}
		x.routesIfaceUp(w.now, i)
		a.redistributes(RouteChanged{Watch: a.watch(rib.EIGRP, 200), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.EIGRP, Instance: 200}})
		want := map[string]string{"": "26880256", "NAMED": "76805120"}[name]
		if got := b.show(); !strings.Contains(got, "D EX 10.9.0.0/24 [170/"+want+"]") {
			t.Errorf("%q:\n%s", name, got)
		}
	}
}

// TestInterfaceMetricChanges checks that another bandwidth or delay of an interface
// changes what is told and what is used (RFC 7868 section 5.6.1.1).
func TestInterfaceMetricChanges(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	net, lan := a.ifaces["Gi2"], b.ifaces["Gi1"]
	net.link.Delay = 101
	a.routesIfaceChanged(w.now, net)
	a.flush()
	w.run()
	b.want("D 10.1.0.0/24 [90/28672] via 192.168.0.1 Gi1", two)
	lan.link.Bandwidth, lan.link.Delay = 100_000, 10
	b.routesIfaceChanged(w.now, lan)
	b.flush()
	w.run()
	b.want("D 10.1.0.0/24 [90/54016] via 192.168.0.1 Gi1", "D 10.2.0.0/24 [90/28416] via 192.168.0.1 Gi1")
}

// TestAddressesOfInterface checks which networks of an interface are told: those that a
// `network` matches, with secondary ones and hosts, each as long as an interface is in it.
func TestAddressesOfInterface(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{Networks: []policy.Wildcard{{Addr: 10 << 24, Bits: 1<<24 - 1}, {Addr: 192<<24 | 168<<16, Bits: 0xffff}}}, InstanceConfig{}, "")
	i := a.ifaces["Gi2"]
	i.link.Addresses = append(slices.Clone(i.link.Addresses), rib.Address{Prefix: prefix("10.5.0.1/24"), Secondary: true},
		rib.Address{Prefix: prefix("10.6.0.1/32"), Secondary: true}, rib.Address{Prefix: prefix("172.16.0.1/24"), Secondary: true},
		rib.Address{Prefix: prefix("2001:db8::1/64")})
	a.routesIfaceChanged(w.now, i)
	a.flush()
	w.run()
	b.want(one, two, "D 10.5.0.0/24 [90/3072] via 192.168.0.1 Gi1", "D 10.6.0.1/32 [90/3072] via 192.168.0.1 Gi1")
	a.iface("net3", "Gi4", "10.5.0.2/24", 1_000_000, 101, InterfaceConfig{})
	i.link.Addresses = i.link.Addresses[:1]
	a.routesIfaceChanged(w.now, i)
	a.flush()
	w.run()
	b.want(one, two, "D 10.5.0.0/24 [90/28672] via 192.168.0.1 Gi1")
	a.down("Gi4")
	b.want(one, two)
}

// TestLeakingStubIsAsked checks that a stub that tells of routes of others is asked for
// them: it could make a loop otherwise.
func TestLeakingStubIsAsked(t *testing.T) {
	for _, leaks := range []bool{false, true} {
		w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
		c := w.router("c", "3.3.3.3", InstanceConfig{})
		c.iface("side", "Gi1", "192.168.7.3/24", 1_000_000, 1, InterfaceConfig{})
		b.iface("side", "Gi2", "192.168.7.2/24", 1_000_000, 1, InterfaceConfig{})
		n := &neighbor{id: 900, addr: netip.MustParseAddr("192.168.7.3"), iface: b.on("side"), wide: true, up: true, stub: true}
		if leaks {
			n.flags = packet.StubConnected | packet.StubLeakMap
		}
		b.neighbors[n.id] = n
		b.routesNeighborUp(w.now, n)
		b.flush()
		a.down("Gi2")
		if got := b.table.Active() == 1; got != leaks {
			t.Errorf("leaks %v: asked %v", leaks, got)
		}
	}
}

// TestIPv6 runs the exchange of IPv6: next hops are link-local, and are kept on the link.
func TestIPv6(t *testing.T) {
	key := Key{Family: rib.IPv6, AS: 100}
	for _, name := range []string{"", "N"} {
		in := &instance{core: &Core{}, key: key, cfg: InstanceConfig{Name: name, Networks: everywhere}, id: netip.MustParseAddr("1.1.1.1"),
			neighbors: map[dual.NeighborID]*neighbor{}}
		var sent []*packet.Message
		in.hooks = hooks{
			send: func(_ clock.Instant, _ *iface, _, _ []dual.NeighborID, op packet.Opcode, _ packet.Flags, tlvs []byte) {
				m := packet.Message{Opcode: op, AS: 100}
				b, err := m.AppendAround(nil, tlvs, nil, netip.Addr{})
				if err != nil {
					t.Fatal(err)
				}
				got, err := packet.Parse(b)
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, got)
			},
			trace: func(clock.Instant, Trace) {},
		}
		in.routesBegin(0)
		i := &iface{id: 1, name: "Tunnel0", instance: in, up: true, addr: netip.MustParseAddr("fe80::1"), cfg: InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true},
			link: rib.Interface{Bandwidth: 100, Delay: 5000, MTU: 1400, Addresses: []rib.Address{{Prefix: prefix("fe80::1/64")}, {Prefix: prefix("2001:db8::1/64")}}}}
		in.order = []*iface{i}
		in.routesIfaceUp(0, i)
		for k := range 2 {
			n := &neighbor{id: dual.NeighborID(k + 1), iface: i, addr: netip.MustParseAddr(fmt.Sprintf("fe80::%d", k+11)), wide: true, up: true}
			in.neighbors[n.id] = n
			in.routesNeighborUp(0, n)
		}
		rt := packet.Route{Type: packet.TypeIPv6Internal, Destinations: []netip.Prefix{prefix("2001:db8:9::/48")},
			Classic: metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1}}
		in.routesReceived(0, in.neighbors[1], &packet.Message{Opcode: packet.Update, Routes: []packet.Route{rt}})
		in.routesFlush(0)
		var hops, own int
		for _, m := range sent {
			for _, r := range m.Routes {
				switch {
				case r.Type.Wide() != (name != ""):
					t.Errorf("sends %v", r.Type)
				case r.Destinations[0] == prefix("2001:db8::/64"):
					own++
				case r.Destinations[0] == prefix("2001:db8:9::/48") && r.NextHop == netip.MustParseAddr("fe80::11"):
					hops++
				default:
					t.Errorf("tells %+v", r)
				}
			}
		}
		if own == 0 || hops == 0 {
			t.Errorf("%q: tells of its network %d times, with the next hop %d times", name, own, hops)
		}
		var got []rib.Route
		for _, e := range in.core.Drain(nil) {
			if put, ok := e.(PutRoute); ok {
				got = append(got, put.Route)
			}
		}
		if len(got) != 1 || !slices.Equal(got[0].NextHops, []rib.NextHop{{Addr: netip.MustParseAddr("fe80::11"), Interface: "Tunnel0"}}) {
			t.Errorf("gives zebra %+v", got)
		}
	}
}
