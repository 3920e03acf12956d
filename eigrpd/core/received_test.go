package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// classicRoute is a route TLV of version 1.2 at the end of a fast link.
func classicRoute(p string) packet.Route {
	return packet.Route{Type: packet.TypeIPv4Internal, Destinations: []netip.Prefix{prefix(p)},
		Classic: metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1}}
}

// hears hands a packet of a to b.
func (r *routesRouter) hears(from netip.Addr, op packet.Opcode, routes ...packet.Route) {
	r.routesReceived(r.net.now, r.neighborAt(from), &packet.Message{Opcode: op, Routes: routes})
	r.flush()
}

// TestRefusedRoutes checks that a route that cannot be is not taken in, and counted; that
// it takes the place of one that was there; and that a QUERY for it is answered.
func TestRefusedRoutes(t *testing.T) {
	tooFar := classicRoute("10.9.0.0/24")
	tooFar.Classic.Hops = 100
	far := classicRoute("10.9.0.0/24")
	far.Classic.Hops = 99
	own := classicRoute("10.9.0.0/24")
	own.Type, own.External = packet.TypeIPv4External, packet.External{RouterID: 0x02020202}
	six := packet.Route{Type: packet.TypeIPv6Internal, Destinations: []netip.Prefix{prefix("2001:db8::/32")}, Classic: far.Classic}
	topology := packet.Route{Type: packet.TypeInternal, AFI: packet.AFIPv4, TID: 7, Destinations: []netip.Prefix{prefix("10.9.0.0/24")},
		Wide: metric.Wide{Delay: 1, Bandwidth: 1, Reliability: 255}}
	tests := map[string]struct {
		route packet.Route
		drop  DropReason // 0: taken
		quiet bool       // of another family or topology: not answered
	}{
		"good":             {route: classicRoute("10.9.0.0/24")},
		"default route":    {route: classicRoute("0.0.0.0/0")},
		"multicast":        {route: classicRoute("224.0.0.0/4"), drop: DropRoute},
		"class E":          {route: classicRoute("240.0.0.0/4"), drop: DropRoute},
		"broadcast":        {route: classicRoute("255.255.255.255/32"), drop: DropRoute},
		"loopback":         {route: classicRoute("127.0.0.0/8"), drop: DropRoute},
		"loopback host":    {route: classicRoute("127.0.0.1/32"), drop: DropRoute},
		"this network":     {route: classicRoute("0.1.2.0/24"), drop: DropRoute},
		"link-local":       {route: classicRoute("169.254.1.0/24"), drop: DropRoute},
		"own address":      {route: classicRoute("192.168.0.2/32"), drop: DropRoute},
		"own router ID":    {route: own, drop: DropRouterID},
		"99 hops":          {route: far},
		"100 hops":         {route: tooFar, drop: DropHops},
		"IPv6":             {route: six, drop: DropRoute, quiet: true},
		"another topology": {route: topology, drop: DropRoute, quiet: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
			from := a.on("lan").addr
			p := test.route.Destinations[0]
			b.hears(from, packet.Update, test.route)
			if _, ok := b.fib[p]; ok != (test.drop == 0) {
				t.Errorf("taken in: %v", ok)
			}
			for r := range NumDropReasons {
				want := uint64(0)
				if r == test.drop && r != 0 {
					want = 1
				}
				if got := b.counters.Dropped[r]; got != want {
					t.Errorf("%v: %d, want %d", r, got, want)
				}
			}
			w.record, w.packets = true, nil
			b.hears(from, packet.Query, test.route)
			w.run()
			answered := slices.ContainsFunc(w.packets, func(s string) bool {
				return strings.HasPrefix(s, fmt.Sprintf("b → a Reply %v", p))
			})
			if answered == test.quiet {
				t.Errorf("sends %q", w.packets)
			}
		})
	}
	_, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	b.hears(a.on("lan").addr, packet.Update, classicRoute("10.9.0.0/24"))
	b.hears(a.on("lan").addr, packet.Update, tooFar)
	b.want(one, two)
}

// TestMixedModes checks that routers in classic and in named mode, and such that read
// TLVs of version 1.2 only, understand each other, and what each counts.
func TestMixedModes(t *testing.T) {
	for _, test := range []struct {
		a, b   string // names of the routers: "old" reads TLVs of version 1.2 only
		na, nb string // names of their instances
		wide   bool   // what a sends
		want   int    // the metric of b
	}{
		{"a", "b", "", "", false, 3072},
		{"a", "b", "N", "N", true, 15360}, // 512 × (10 + 20)
		{"a", "old", "N", "N", false, 15360},
		{"a", "b", "N", "", true, 3072},
		{"a", "b", "", "N", false, 15360},
	} {
		w := newRoutesNet(t)
		w.record = true
		a, b := w.router(test.a, "1.1.1.1", InstanceConfig{Name: test.na}), w.router(test.b, "2.2.2.2", InstanceConfig{Name: test.nb})
		a.iface("net", "Gi2", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
		a.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, InterfaceConfig{})
		b.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
		var types []packet.TLVType
		w.seen = func(from *routesRouter, m *packet.Message) {
			for _, r := range m.Routes {
				if from == a {
					types = append(types, r.Type)
				}
			}
		}
		w.peer(a, b, "lan")
		b.want(fmt.Sprintf("D 10.1.0.0/24 [90/%d] via 192.168.0.1 Gi1", test.want))
		if len(types) == 0 || slices.ContainsFunc(types, func(x packet.TLVType) bool { return x.Wide() != test.wide }) {
			t.Errorf("%+v: sends %v", test, types)
		}
	}
}

// TestTranslation checks that what a TLV says survives being taken in and told again.
func TestTranslation(t *testing.T) {
	wide := packet.Route{
		Type: packet.TypeExternal, AFI: packet.AFIPv4, RouterID: 0x09090909, NextHop: netip.MustParseAddr("192.168.0.7"),
		Flags:    packet.RouteCandidateDefault,
		External: packet.External{RouterID: 0x09090909, AS: 7, Tag: 99, Metric: 20, Protocol: packet.ProtocolOSPF, Flags: 2},
		Wide: metric.Wide{Delay: 123456, Bandwidth: 777, MTU: 1400, Hops: 3, Reliability: 200, Load: 9,
			Jitter: 5, QuiescentEnergy: 6, Energy: 7},
		Communities:  []packet.Community{{1, 2, 3}, {0x88, 1}},
		Attributes:   []packet.Attribute{packet.NewScaledMetric(1, 2), {Type: 99, Data: []byte{1, 2}}},
		Destinations: []netip.Prefix{prefix("10.9.0.0/24")},
	}
	classic := classicRoute("10.9.0.0/24")
	classic.InternalTag, classic.NextHop = 17, netip.MustParseAddr("192.168.0.7")
	classic.Classic.Hops = 5
	for _, test := range []struct {
		name string
		rt   packet.Route
	}{{"N", wide}, {"", classic}} {
		in := &instance{cfg: InstanceConfig{Name: test.name}, key: Key{Family: rib.IPv4}}
		a := in.decode(&test.rt)
		back := in.encode(&dual.Message[attribute]{Prefix: test.rt.Destinations[0], Attribute: a}, test.rt.Type.Wide())
		back.Paths, test.rt.Paths = nil, nil
		if !reflect.DeepEqual(back, test.rt) {
			t.Errorf("came back as\n%+v, was\n%+v", back, test.rt)
		}
		gone := in.encode(&dual.Message[attribute]{Prefix: test.rt.Destinations[0], Attribute: a, Unreachable: true}, test.rt.Type.Wide())
		if !gone.Unreachable() {
			t.Error("what is unreachable is not told so")
		}
	}
}

// TestPacking checks that the table goes in as few packets as the MTU lets, with End
// of Table on the last (RFC 7868 section 5.3.4), and that a router without routes says
// that as well.
func TestPacking(t *testing.T) {
	w := newRoutesNet(t)
	a, b := w.router("a", "1.1.1.1", InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}), w.router("b", "2.2.2.2", InstanceConfig{})
	a.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, InterfaceConfig{})
	b.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
	for k := range 100 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(k), 0}), 24)
		a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: p, Protocol: rib.Static}})
	}
	w.record = true
	var full, ends []int
	w.seen = func(from *routesRouter, m *packet.Message) {
		if from == a && m.Opcode == packet.Update {
			full = append(full, len(m.Routes))
			if m.Flags&packet.FlagEndOfTable != 0 {
				ends = append(ends, len(full))
			}
		}
	}
	w.peer(a, b, "lan")
	// An external TLV of a /24 has 4 + 4 + 20 + 16 + 4 = 48 octets, and 28 fit 1360.
	if !slices.Equal(full[:4], []int{28, 28, 28, 16 + 1}) || !slices.Equal(ends, []int{4}) {
		t.Errorf("routes in packets: %v; End of Table on %v", full, ends)
	}
	w = newRoutesNet(t)
	a, b = w.router("a", "1.1.1.1", InstanceConfig{Stub: &Stub{ReceiveOnly: true}}), w.router("b", "2.2.2.2", InstanceConfig{})
	a.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, InterfaceConfig{})
	b.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
	w.record = true
	w.peer(a, b, "lan")
	if !slices.Contains(w.packets, "a → b Update EOT") {
		t.Errorf("sends %q", w.packets)
	}
}

// TestOrderInOutbox draws messages, and when reliable transport has room, and checks
// that they leave in an order in which for each prefix and neighbour nothing is lost but
// UPDATEs that a later one follows at once.
func TestOrderInOutbox(t *testing.T) {
	type message struct {
		kind dual.Kind
		tag  uint32
	}
	kinds := map[packet.Opcode]dual.Kind{packet.Update: dual.Update, packet.Query: dual.Query, packet.Reply: dual.Reply}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, seed))
		want, got := map[string][]message{}, map[string][]message{}
		note := func(m map[string][]message, to, except []dual.NeighborID, p netip.Prefix, x message) {
			for n := dual.NeighborID(1); n <= 3; n++ {
				if (len(to) == 0 || slices.Contains(to, n)) && !slices.Contains(except, n) {
					k := fmt.Sprint(p, n)
					m[k] = append(m[k], x)
				}
			}
		}
		in := &instance{key: Key{Family: rib.IPv4, AS: 1}, routes: routes{out: map[dual.InterfaceID]*outbox{}, links: map[dual.InterfaceID]*iface{1: {id: 1}}}}
		in.hooks.backlog = func(*iface, []dual.NeighborID) int { return rng.IntN(2) }
		in.hooks.send = func(_ clock.Instant, _ *iface, to, except []dual.NeighborID, op packet.Opcode, _ packet.Flags, tlvs []byte) {
			b, err := (&packet.Message{Opcode: op, AS: 1}).AppendAround(nil, tlvs, nil, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := packet.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range m.Routes {
				note(got, to, except, r.Destinations[0], message{kinds[op], uint32(r.InternalTag)})
			}
		}
		for k := range 60 {
			s := dual.Send[attribute]{Interface: 1, Message: dual.Message[attribute]{
				Kind: dual.Kind(1 + rng.IntN(3)), Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(3))}), 16), Attribute: attribute{tag: uint32(k)}}}
			switch rng.IntN(3) {
			case 0:
				s.To = []dual.NeighborID{dual.NeighborID(1 + rng.IntN(3))}
			case 1:
				s.Except = []dual.NeighborID{dual.NeighborID(1 + rng.IntN(3))}
			}
			in.enqueue(s)
			note(want, s.To, s.Except, s.Prefix, message{s.Kind, s.Attribute.tag})
			if rng.IntN(3) == 0 {
				in.routesFlush(0)
			}
		}
		for n := 0; len(in.routes.out) > 0; n++ {
			if n == 1000 {
				t.Fatalf("seed %d: messages never go", seed)
			}
			in.routesFlush(0)
		}
		for k, all := range want {
			sent := got[k]
			for n, m := range all {
				switch {
				case len(sent) > 0 && sent[0] == m:
					sent = sent[1:]
				case m.kind == dual.Update && n+1 < len(all) && all[n+1].kind == dual.Update:
				default:
					t.Fatalf("seed %d, %s: sent %v of %v", seed, k, got[k], all)
				}
			}
			if len(sent) > 0 {
				t.Fatalf("seed %d, %s: sent %v of %v", seed, k, got[k], all)
			}
		}
	}
}

// TestResync checks that what a neighbour does not tell again after its restart goes
// when it has told its table to the end, and not before (RFC 7868 section 6.5).
func TestResync(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	n := b.neighborAt(a.on("lan").addr)
	if !b.routesTold(n) {
		t.Error("the table was told to its end")
	}
	b.routesResync(w.now, n)
	if b.routesTold(n) {
		t.Error("the new table was not told to its end")
	}
	delete(a.ifaces, "Gi3")
	b.hears(n.addr, packet.Update, classicRoute("10.1.0.0/24"), classicRoute("192.168.0.0/24"))
	b.want(one, two)
	b.routesReceived(w.now, n, &packet.Message{Opcode: packet.Update, Flags: packet.FlagEndOfTable})
	b.flush()
	b.want(one)
	if !b.routesTold(n) || n.routes.prefixes != 2 {
		t.Errorf("told: %v, %d prefixes", b.routesTold(n), n.routes.prefixes)
	}

	w.record, w.packets = true, nil
	b.routesRetell(w.now, n)
	b.flush()
	w.run()
	if !slices.Contains(w.packets, "b → a Update EOT 192.168.0.0/24") {
		t.Errorf("tells %q", w.packets)
	}
	w.packets = nil
	a.routesRetell(w.now, a.neighborAt(b.on("lan").addr))
	a.flush()
	w.run()
	if !slices.Contains(w.packets, "a → b Update EOT 10.1.0.0/24 10.2.0.0/24 192.168.0.0/24") {
		t.Errorf("tells %q", w.packets)
	}
	b.want(one, two)
}

// TestStuckInActive checks that a neighbour that does not answer is reset, with a
// message in the log (RFC 7868 section 4.4.1).
func TestStuckInActive(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{}, "")
	c := w.router("c", "3.3.3.3", InstanceConfig{})
	c.iface("side", "Gi1", "192.168.7.3/24", 1_000_000, 1, InterfaceConfig{})
	b.iface("side", "Gi2", "192.168.7.2/24", 1_000_000, 1, InterfaceConfig{})
	w.peer(b, c, "side")
	c.neighbors = map[dual.NeighborID]*neighbor{} // deaf
	a.down("Gi2")
	if got := b.table.Active(); got != 1 {
		t.Fatalf("%d routes are ACTIVE", got)
	}
	for range 2 {
		at, ok := b.routesWake()
		if !ok {
			t.Fatal("nothing is due")
		}
		w.now = at
		b.routesTick(w.now)
		b.flush()
	}
	if !slices.Equal(b.logs, []string{"%DUAL-3-SIA: Route 10.1.0.0/24 stuck-in-active state in EIGRP-IPv4 100. Cleaning up"}) {
		t.Errorf("logs %q", b.logs)
	}
	if !slices.Equal(b.resets, []string{"192.168.7.3: stuck in active"}) {
		t.Errorf("resets %q", b.resets)
	}
	if w.now.Sub(0) != 3*time.Minute || b.table.Active() != 0 {
		t.Errorf("after %v, %d ACTIVE", w.now.Sub(0), b.table.Active())
	}
	b.want(two)
}

// TestMaximumHops checks `metric maximum-hops`, also when it changes.
func TestMaximumHops(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{MaximumHops: 5}, "")
	for hops, ok := range map[uint8]bool{4: true, 5: false} {
		rt := classicRoute("10.9.0.0/24")
		rt.Classic.Hops = hops
		b.hears(a.on("lan").addr, packet.Update, rt)
		if _, has := b.fib[prefix("10.9.0.0/24")]; has != ok {
			t.Errorf("%d hops: %v", hops, has)
		}
	}
	rt := classicRoute("10.9.0.0/24")
	rt.Classic.Hops = 5
	b.hears(a.on("lan").addr, packet.Update, rt)
	old := b.cfg
	b.cfg.MaximumHops = 6
	b.routesConfigured(w.now, old)
	b.flush()
	b.want(one, two, "D 10.9.0.0/24 [90/3072] via 192.168.0.1 Gi1")
}

// TestTopologyReport checks what is shown of each kind of path.
func TestTopologyReport(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}, InstanceConfig{}, "")
	a.ifaces["Gi1"].cfg.Summaries = []Summary{{Prefix: prefix("10.0.0.0/8")}}
	a.routesIfaceChanged(w.now, a.ifaces["Gi1"])
	a.flush()
	w.run()
	a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("172.16.0.0/12"), Protocol: rib.Static, Tag: 5, Metric: 3}})
	got := a.topologyReport(w.now, Query{Kind: ReportTopology})
	var lines []string
	for _, e := range got.Entries {
		for _, p := range e.Paths {
			lines = append(lines, fmt.Sprintf("%v %v %d FD %d, %d %v %v (%d/%d) %s %v tag %d installed %v", e.Prefix, e.State, e.Successors, e.Feasible,
				p.Source, p.Protocol, p.Neighbor, p.Distance, p.Reported, p.Interface, p.External, p.Tag, p.Installed))
		}
	}
	want := []string{
		"10.0.0.0/8 PASSIVE 1 FD 2816, 3 unspecified invalid IP (2816/0) Null0 false tag 0 installed true",
		"10.1.0.0/24 PASSIVE 1 FD 2816, 1 unspecified invalid IP (2816/0) Gi2 false tag 0 installed false",
		"10.2.0.0/24 PASSIVE 1 FD 2816, 1 unspecified invalid IP (2816/0) Gi3 false tag 0 installed false",
		"172.16.0.0/12 PASSIVE 1 FD 2816, 2 static invalid IP (2816/0)  true tag 5 installed false",
		"192.168.0.0/24 PASSIVE 1 FD 2816, 1 unspecified invalid IP (2816/0) Gi1 false tag 0 installed false",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("shows\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if s := got.Summary; s != (TopologySummary{Routes: 5, Interfaces: 3, Neighbors: 1}) {
		t.Errorf("summary %+v", s)
	}
	one := b.topologyReport(w.now, Query{Kind: ReportTopology, Prefix: prefix("172.16.0.0/12")})
	if len(one.Entries) != 1 || len(one.Entries[0].Paths) != 1 {
		t.Fatalf("shows %+v", one.Entries)
	}
	p := one.Entries[0].Paths[0]
	if p.Distance != 3072 || p.Reported != 2816 || p.ExternalData != (packet.External{RouterID: 0x01010101, Tag: 5, Metric: 3, Protocol: packet.ProtocolStatic}) ||
		p.Vector != (Vector{Bandwidth: 1_000_000, Delay: 20_000_000, Reliability: 255, Load: 1, MTU: 1400, Hops: 1}) || p.OriginRouter != 0x01010101 {
		t.Errorf("shows %+v", p)
	}
	if zero := b.topologyReport(w.now, Query{Kind: ReportTopology, Selected: SelectedZero}); len(zero.Entries) != 0 {
		t.Errorf("without successors: %+v", zero.Entries)
	}
}

// TestMetricOfLink checks the metric of an interface, in both modes (RFC 7868 section
// 5.6.1.2).
func TestMetricOfLink(t *testing.T) {
	for _, test := range []struct {
		link          rib.Interface
		classic, wide uint64 // delays
	}{
		{rib.Interface{Bandwidth: 100, Delay: 5000, Type: rib.TypeTunnel}, 1_280_000, 50_000_000_000},
		{rib.Interface{Bandwidth: 1_000_000, Delay: 1}, 256, 10_000_000},
		{rib.Interface{Bandwidth: 10_000_000, Delay: 1}, 256, 1_000_000},
		{rib.Interface{Bandwidth: 10_000_000, Delay: 2}, 512, 20_000_000},
		{rib.Interface{Bandwidth: 10_000_000, Delay: 1, Type: rib.TypeTunnel}, 256, 10_000_000},
		{rib.Interface{Bandwidth: 8_000_000, Delay: 500, Type: rib.TypeLoopback}, 128_000, 5_000_000_000},
		{rib.Interface{}, 256, 10_000_000},
	} {
		if v := linkVector(false, &test.link); v.delay != test.classic || v.reliability != 255 || v.load != 1 {
			t.Errorf("%+v: classic %+v, want delay %d", test.link, v, test.classic)
		}
		if v := linkVector(true, &test.link); v.delay != test.wide || v.bandwidth != max(test.link.Bandwidth, 1) {
			t.Errorf("%+v: wide %+v, want delay %d", test.link, v, test.wide)
		}
	}
}

// TestArithmeticGrows draws routes and checks the two rules that loop freedom rests on:
// no link and no list makes a distance smaller.
func TestArithmeticGrows(t *testing.T) {
	set := policytest.Parse(t, somePolicy)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		name := [...]string{"", "N"}[seed%2]
		w := newRoutesNet(t)
		a := w.router("a", "1.1.1.1", InstanceConfig{Name: name, Offsets: []OffsetList{{Offset: rng.Uint32()}, {Out: true, Offset: rng.Uint32() >> rng.IntN(32)}},
			Filters: []Filter{{Kind: FilterRouteMap, List: "BETTER"}, {Kind: FilterRouteMap, List: "BETTER", Out: true}}})
		a.core.policy = set
		i := a.iface("lan", "Gi1", "192.168.0.1/24", uint64(1+rng.IntN(100_000_000)), rng.Uint32()>>rng.IntN(32), InterfaceConfig{})
		a.neighbors[1] = &neighbor{id: 1, iface: i, addr: netip.MustParseAddr("192.168.0.9")}
		x := arithmetic{a.instance}
		for range 50 {
			v := policy.Vector{Bandwidth: rng.Uint32() >> rng.IntN(32), Delay: rng.Uint32() >> rng.IntN(32), Reliability: uint8(rng.IntN(256)), Load: uint8(rng.IntN(256)), MTU: 1500}
			at := attribute{vector: a.configured(v), external: rng.IntN(2) == 0}
			d := x.Distance(at)
			if via, ok := x.Via(1, prefix("10.0.0.0/8"), at); ok && x.Distance(via) < d {
				t.Fatalf("seed %d: %+v by the link is %+v", seed, at, via)
			}
			if out, ok := x.Report(i.id, prefix("10.0.0.0/8"), at); ok && x.Distance(out) < d {
				t.Fatalf("seed %d: %+v is told as %+v", seed, at, out)
			}
		}
	}
}
