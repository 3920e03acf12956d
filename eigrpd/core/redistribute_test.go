package core

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
)

var fastVector = &policy.Vector{Bandwidth: 1_000_000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500}

// TestRedistribution checks which metric, tag and external data a route of another
// protocol is told with (RFC 7868 section 5.4.1.2).
func TestRedistribution(t *testing.T) {
	const text = `
route-map M permit 10
 match tag 5
 set metric 10000 100 255 1 1500
 set tag 9
route-map M permit 20
 match tag 6
`
	slow := &policy.Vector{Bandwidth: 1000, Delay: 100, Reliability: 255, Load: 1, MTU: 1500}
	tests := map[string]struct {
		line    Redistribute
		normal  *policy.Vector
		route   rib.Route
		want    string // "": not told
		data    packet.External
		noLinks bool
	}{
		"static, of its interface": {
			line:  Redistribute{Protocol: rib.Static},
			route: rib.Route{NextHops: []rib.NextHop{{Interface: "Tunnel9"}}, Tag: 4},
			want:  "D EX 10.9.0.0/24 [170/26880256] tag 4 via 192.168.0.1 Gi1",
			data:  packet.External{RouterID: 0x01010101, Tag: 4, Protocol: packet.ProtocolStatic},
		},
		"connected, of its interface": {
			line:  Redistribute{Protocol: rib.Connected},
			route: rib.Route{NextHops: []rib.NextHop{{Interface: "Tunnel9"}}},
			want:  "D EX 10.9.0.0/24 [170/26880256] via 192.168.0.1 Gi1",
			data:  packet.External{RouterID: 0x01010101, Protocol: packet.ProtocolConnected},
		},
		"static by nothing": {line: Redistribute{Protocol: rib.Static}},
		"static to Null0": {
			line:  Redistribute{Protocol: rib.Static},
			route: rib.Route{NextHops: []rib.NextHop{{Discard: true}}},
			want:  "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1",
			data:  packet.External{RouterID: 0x01010101, Protocol: packet.ProtocolStatic},
		},
		"no metric": {line: Redistribute{Protocol: rib.OSPF, Instance: 7}},
		"metric of the line": {
			line: Redistribute{Protocol: rib.OSPF, Instance: 7, Metric: slow}, normal: fastVector,
			route: rib.Route{Metric: 110, Instance: 7},
			want:  "D EX 10.9.0.0/24 [170/2585856] via 192.168.0.1 Gi1",
			data:  packet.External{RouterID: 0x01010101, AS: 7, Metric: 110, Protocol: packet.ProtocolOSPF},
		},
		"default metric": {
			line: Redistribute{Protocol: rib.RIP}, normal: fastVector,
			route: rib.Route{Metric: 2},
			want:  "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1",
			data:  packet.External{RouterID: 0x01010101, Metric: 2, Protocol: packet.ProtocolRIP},
		},
		"route-map sets": {
			line: Redistribute{Protocol: rib.BGP, Instance: 65000, RouteMap: "M"}, route: rib.Route{Tag: 5},
			want: "D EX 10.9.0.0/24 [170/281856] tag 9 via 192.168.0.1 Gi1",
			data: packet.External{RouterID: 0x01010101, AS: 65000, Tag: 9, Protocol: packet.ProtocolBGP},
		},
		"route-map permits": {
			line: Redistribute{Protocol: rib.BGP, RouteMap: "M"}, route: rib.Route{Tag: 6}, normal: fastVector,
			want: "D EX 10.9.0.0/24 [170/3072] tag 6 via 192.168.0.1 Gi1",
			data: packet.External{RouterID: 0x01010101, Tag: 6, Protocol: packet.ProtocolBGP},
		},
		"route-map denies":             {line: Redistribute{Protocol: rib.BGP, RouteMap: "M"}, route: rib.Route{Tag: 7}, normal: fastVector},
		"route-map permits, no metric": {line: Redistribute{Protocol: rib.BGP, RouteMap: "M"}, route: rib.Route{Tag: 6}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, a, b := policyPair(t, InstanceConfig{Redistribute: []Redistribute{test.line}, DefaultMetric: test.normal}, InstanceConfig{}, text)
			a.core.links.Put(rib.Interface{Name: "Tunnel9", Bandwidth: 100, Delay: 5000})
			test.route.Prefix, test.route.Protocol = prefix("10.9.0.0/24"), test.line.Protocol
			change := RouteChanged{Watch: a.watch(test.line.Protocol, test.line.Instance), Route: test.route}
			a.redistributes(change)
			if test.want == "" {
				b.want(one, two)
				return
			}
			b.want(one, two, test.want)
			used := b.table.Used(prefix("10.9.0.0/24"))
			if len(used) != 1 {
				t.Fatalf("paths: %v", used)
			}
			got := used[0].Attribute.more.extra().external
			if got.Tag = used[0].Attribute.tag; got != test.data {
				t.Errorf("external data %+v, want %+v", got, test.data)
			}
			change.Withdrawn = true
			a.redistributes(change)
			w.run()
			b.want(one, two)
		})
	}
}

func (r *routesRouter) redistributes(c RouteChanged) {
	r.routesRedistribution(r.net.now, c)
	r.flush()
	r.net.run()
}

// TestRedistributionWatches checks what zebra is asked for, and what happens to routes
// when lines go and when zebra begins anew.
func TestRedistributionWatches(t *testing.T) {
	cfg := InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}, {Protocol: rib.EIGRP, Instance: 100}}}
	w := newRoutesNet(t)
	a := w.router("a", "1.1.1.1", cfg)
	static := a.watch(rib.Static, 0)
	if got := a.core.Drain(nil); !slices.Equal(got, []Effect{WatchRoutes{static}}) {
		t.Errorf("asks for %v", got) // not for its own routes
	}
	p, q := prefix("10.9.0.0/24"), prefix("10.8.0.0/24")
	for _, x := range []netip.Prefix{p, q, prefix("127.0.0.0/8")} {
		a.redistributes(RouteChanged{Watch: static, Route: rib.Route{Prefix: x, Protocol: rib.Static}})
	}
	if n := a.table.Installed(); n != 2 {
		t.Errorf("%d routes, want 2", n)
	}
	a.routesAttached(w.now)
	a.redistributes(RouteChanged{Watch: static, Route: rib.Route{Prefix: q, Protocol: rib.Static}})
	a.routesRedistributionKnown(w.now, static)
	if a.table.Used(p) != nil || a.table.Used(q) == nil {
		t.Error("what zebra did not tell again is kept, or what it did is not")
	}
	old := a.cfg
	a.cfg.Redistribute = nil
	a.core.Drain(nil)
	a.routesConfigured(w.now, old)
	if got := a.core.Drain(nil); !slices.Equal(got, []Effect{UnwatchRoutes{static}}) {
		t.Errorf("takes back %v", got)
	}
	if a.table.Installed() != 0 {
		t.Error("redistributes without a line")
	}
}

// TestRedistributionOfAnotherAS checks that routes of EIGRP of another AS keep their
// metric, also where that counts otherwise.
func TestRedistributionOfAnotherAS(t *testing.T) {
	for _, name := range []string{"", "NAMED"} {
		w, a, b := policyPair(t, InstanceConfig{Name: name, Redistribute: []Redistribute{{Protocol: rib.EIGRP, Instance: 200}}}, InstanceConfig{Name: name}, "")
		other := &instance{core: a.core, key: Key{Family: rib.IPv4, AS: 200}, id: a.id, neighbors: map[dual.NeighborID]*neighbor{}, hooks: a.hooks,
			cfg: InstanceConfig{Networks: []policy.Wildcard{{Bits: 0xffffffff}}}}
		other.routesBegin(w.now)
		a.core.instances = map[Key]*instance{other.key: other}
		i := &iface{id: 1, name: "Tunnel9", up: true, link: rib.Interface{Bandwidth: 100, Delay: 5000, MTU: 1400,
			Addresses: []rib.Address{{Prefix: prefix("10.9.0.1/24")}}}}
		other.order = []*iface{i}
		other.routesIfaceUp(w.now, i)
		a.redistributes(RouteChanged{Watch: a.watch(rib.EIGRP, 200), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.EIGRP, Instance: 200, Metric: 26880000}})
		if name == "" {
			b.want(one, two, "D EX 10.9.0.0/24 [170/26880256] via 192.168.0.1 Gi1")
		} else {
			b.want("D 10.1.0.0/24 [90/15360] via 192.168.0.1 Gi1", "D 10.2.0.0/24 [90/15360] via 192.168.0.1 Gi1",
				"D EX 10.9.0.0/24 [170/76805120] via 192.168.0.1 Gi1")
		}
	}
}

// TestInternalBeforeExternal checks RFC 7868 section 5.4.1, and that a router does not
// take in an external route that it is the source of (5.4.1.2).
func TestInternalBeforeExternal(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}, InstanceConfig{}, "")
	c := w.router("c", "3.3.3.3", InstanceConfig{})
	c.iface("far", "Tunnel9", "10.9.0.1/24", 100, 5000, InterfaceConfig{})
	c.iface("lan", "Gi1", "192.168.0.3/24", 100, 50000, InterfaceConfig{})
	w.peer(b, c, "lan")
	a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.Static}})
	b.want(one, two, "D 10.9.0.0/24 [90/26880256] via 192.168.0.3 Gi1")
	w.part(b, c, "lan")
	b.want(one, two, "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1")

	_, a, b = policyPair(t, InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}, InstanceConfig{}, "")
	b.id = a.id
	a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("10.9.0.0/24"), Protocol: rib.Static}})
	b.want(one, two)
	if n := b.counters.Dropped[DropRouterID]; n != 1 {
		t.Errorf("%d drops, want 1", n)
	}
}

// TestStubTells checks what a stub tells of for each word of `eigrp stub`.
func TestStubTells(t *testing.T) {
	const (
		connected = "D 10.1.0.0/24 [90/3072] via 192.168.0.1 Gi1"
		static    = "D EX 10.8.0.0/24 [170/3072] via 192.168.0.1 Gi1"
		ospf      = "D EX 10.9.0.0/24 [170/3072] via 192.168.0.1 Gi1"
		overlap   = "D EX 10.7.0.0/24 [170/3072] via 192.168.0.1 Gi1"
		summary   = "D 10.0.0.0/8 [90/3072] via 192.168.0.1 Gi1"
		learnt    = "D 172.16.0.0/24 [90/3328] via 192.168.0.1 Gi1"
	)
	tests := map[string]struct {
		stub      *Stub
		summarize bool
		want      []string
	}{
		"none":               {want: []string{connected, static, ospf, overlap, learnt}},
		"receive-only":       {stub: &Stub{ReceiveOnly: true}},
		"connected":          {stub: &Stub{Connected: true}, want: []string{connected, overlap}},
		"static":             {stub: &Stub{Static: true}, want: []string{static}},
		"redistributed":      {stub: &Stub{Redistributed: true}, want: []string{static, ospf, overlap}},
		"summary":            {stub: &Stub{Summary: true}, summarize: true, want: []string{summary}},
		"connected, summary": {stub: &Stub{Connected: true, Summary: true}, summarize: true, want: []string{summary}},
		"no summary":         {stub: &Stub{Connected: true}, summarize: true},
		"leak-map":           {stub: &Stub{Static: true, LeakMap: "LEAK"}, want: []string{static, learnt}},
		"no such leak-map":   {stub: &Stub{Static: true, LeakMap: "NONE"}, want: []string{static}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newRoutesNet(t)
			a := w.router("a", "1.1.1.1", InstanceConfig{Stub: test.stub, Redistribute: []Redistribute{
				{Protocol: rib.Static, Metric: fastVector}, {Protocol: rib.OSPF, Metric: fastVector}, {Protocol: rib.Connected, Metric: fastVector}}})
			a.core.policy = policytest.Parse(t, "ip prefix-list L permit 172.16.0.0/16 le 24\nroute-map LEAK permit 10\n match ip address prefix-list L\n")
			b, c := w.router("b", "2.2.2.2", InstanceConfig{}), w.router("c", "3.3.3.3", InstanceConfig{})
			var lan InterfaceConfig
			if test.summarize {
				lan.Summaries = []Summary{{Prefix: prefix("10.0.0.0/8")}}
			}
			a.iface("net", "Gi2", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
			a.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, lan)
			a.iface("behind", "Gi3", "192.168.1.1/24", 1_000_000, 1, InterfaceConfig{})
			b.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
			c.iface("behind", "Gi1", "192.168.1.2/24", 1_000_000, 1, InterfaceConfig{})
			c.iface("far", "Gi2", "172.16.0.1/24", 1_000_000, 1, InterfaceConfig{})
			for p, protocol := range map[string]rib.Protocol{"10.8.0.0/24": rib.Static, "10.9.0.0/24": rib.OSPF, "10.7.0.0/24": rib.Connected} {
				a.redistributes(RouteChanged{Watch: a.watch(protocol, 0), Route: rib.Route{Prefix: prefix(p), Protocol: protocol}})
			}
			w.peer(a, c, "behind")
			w.peer(a, b, "lan")
			want := slices.Clone(test.want)
			if test.stub == nil || test.stub.Connected {
				want = append(want, "D 192.168.1.0/24 [90/3072] via 192.168.0.1 Gi1")
			}
			b.want(want...)
		})
	}
}
