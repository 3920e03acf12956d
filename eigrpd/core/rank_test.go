package core

import (
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestConnectedIsUsed checks that a network that this router is in is told with the
// metric of its interface, even if a neighbour says that it is nearer: the routing table
// has the connected route (RFC 7868 section 5.4).
func TestConnectedIsUsed(t *testing.T) {
	w := newRoutesNet(t)
	a, b, c := w.router("a", "1.1.1.1", InstanceConfig{}), w.router("b", "2.2.2.2", InstanceConfig{}), w.router("c", "3.3.3.3", InstanceConfig{})
	a.iface("slow", "Tunnel0", "172.31.0.1/24", 100, 5000, InterfaceConfig{})
	b.iface("slow", "Tunnel0", "172.31.0.2/24", 1_000_000, 1, InterfaceConfig{})
	a.iface("fast", "Gi1", "192.168.0.1/24", 1_000_000, 1, InterfaceConfig{})
	b.iface("fast", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
	a.iface("side", "Gi2", "192.168.1.1/24", 1_000_000, 1, InterfaceConfig{})
	c.iface("side", "Gi1", "192.168.1.3/24", 1_000_000, 1, InterfaceConfig{})
	w.peer(a, c, "side")
	w.peer(a, b, "fast")
	a.want()
	c.want("D 172.31.0.0/24 [90/26880256] via 192.168.1.1 Gi1", "D 192.168.0.0/24 [90/3072] via 192.168.1.1 Gi1")
	e := a.topologyReport(w.now, Query{Prefix: prefix("172.31.0.0/24")}).Entries[0]
	if e.Feasible != 26880000 || !e.Paths[0].Successor || e.Paths[0].Distance != 26880000 || e.Paths[0].Source != OriginConnected || e.Paths[1].Successor {
		t.Errorf("shows %+v", e)
	}
	a.down("Tunnel0")
	a.want("D 172.31.0.0/24 [90/3072] via 192.168.0.2 Gi1")
}

// TestRedistributedByDistance checks that a redistributed route goes before those of
// neighbours that its administrative distance beats, and only before those: a floating
// static route must not stay when the others are back.
func TestRedistributedByDistance(t *testing.T) {
	const (
		internal = "D 10.9.0.0/24 [90/3072] via 192.168.0.1 Gi1"
		external = "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"
	)
	for _, test := range []struct {
		distance uint8
		external bool
		want     string
	}{{1, false, ""}, {1, true, ""}, {110, false, internal}, {110, true, ""}, {200, false, internal}, {200, true, external}} {
		cfg := InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}
		w, a, b := policyPair(t, InstanceConfig{}, cfg, "")
		slow := *fastVector
		slow.Bandwidth = 1000
		b.cfg.Redistribute[0].Metric = &slow
		b.routesConfigured(w.now, b.cfg)
		b.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.Static, Distance: test.distance}})
		rt := classicRoute("10.9.0.0/24")
		if test.external {
			rt.Type, rt.External = packet.TypeIPv4External, packet.External{RouterID: 7}
		}
		b.hears(a.on("lan").addr, packet.Update, rt)
		if test.want == "" {
			b.want(one, two)
		} else {
			b.want(one, two, test.want)
		}
	}
}

// TestFloatingSummary checks that a summary with a large distance gives way to a route
// for the same prefix that a neighbour tells, and comes back.
func TestFloatingSummary(t *testing.T) {
	for _, test := range []struct {
		distance uint8
		gives    bool
	}{{5, false}, {95, false}, {250, true}} {
		w, a, _, c := summaryNet(t, InterfaceConfig{Summaries: []Summary{{Prefix: prefix("0.0.0.0/0"), Distance: test.distance}}}, InstanceConfig{}, "")
		summary := a.show()
		c.cfg.Redistribute = []Redistribute{{Protocol: rib.Static, Metric: fastVector}}
		c.routesConfigured(w.now, c.cfg)
		c.redistributes(RouteChanged{Watch: c.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("0.0.0.0/0"), Protocol: rib.Static}})
		learnt := "D EX 0.0.0.0/0 [170/3072] via 192.168.1.3 Gi2\n"
		if got := a.show(); test.gives && got != learnt || !test.gives && got != summary {
			t.Errorf("distance %d: %q", test.distance, got)
		}
		w.part(a, c, "behind")
		if got := a.show(); got != summary {
			t.Errorf("distance %d, the other gone: %q, was %q", test.distance, got, summary)
		}
	}
}
