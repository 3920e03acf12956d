package core

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// in area N of the interfaces with addresses 10.N.…; all else is in the backbone.
func byAddress(areas ...AreaConfig) func(*InstanceConfig) {
	return func(ic *InstanceConfig) {
		ic.Networks = nil
		for n := byte(1); n < 4; n++ {
			ic.Networks = append(ic.Networks, Network{policy.Wildcard{Addr: 10<<24 | uint32(n)<<16, Bits: 0xffff}, packet.ID(n)})
		}
		ic.Networks = append(ic.Networks, everywhere...)
		ic.Areas = areas
	}
}

// chain is x in area 1, border router b, y in the backbone, border router c, z in area 2:
// each with a network 10.N.X.0/24 behind it.
func chain(t *testing.T, edit ...func(*InstanceConfig)) (l *town, x, b, y, c, z *router) {
	l = newTown(t)
	x = l.router("x", edit...).on("xb", "Eth0", "10.1.0.1/24").on("", "Eth9", "10.1.91.1/24")
	b = l.router("b", edit...).on("xb", "Eth0", "10.1.0.2/24").on("by", "Eth1", "10.0.1.2/24").on("", "Eth9", "10.0.92.1/24")
	y = l.router("y", edit...).on("by", "Eth0", "10.0.1.3/24").on("yc", "Eth1", "10.0.2.3/24").on("", "Eth9", "10.0.93.1/24")
	c = l.router("c", edit...).on("yc", "Eth0", "10.0.2.4/24").on("cz", "Eth1", "10.2.0.4/24")
	z = l.router("z", edit...).on("cz", "Eth0", "10.2.0.5/24").on("", "Eth9", "10.2.95.1/24")
	return l, x, b, y, c, z
}

// TestAreas: summary-LSAs tell areas of each other (RFC 2328 section 12.4.3).
func TestAreas(t *testing.T) {
	l, x, b, _, c, z := chain(t, byAddress())
	l.start()
	z.want("IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0", "IA 10.0.92.0/24 [110/4] via 10.2.0.4 Eth0",
		"IA 10.0.93.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.1.0.0/24 [110/4] via 10.2.0.4 Eth0", "IA 10.1.91.0/24 [110/5] via 10.2.0.4 Eth0")
	same(t, "summary-LSAs of area 2", z.lsas(packet.SummaryLSA)[:2],
		"0.0.0.2: 10.0.1.0 of 0.0.0.4: 255.255.255.0 2", "0.0.0.2: 10.0.2.0 of 0.0.0.4: 255.255.255.0 1")
	if d := b.lsas(packet.RouterLSA); !strings.Contains(d[0], "B, ") {
		t.Errorf("%q", d)
	}
	for _, r := range l.routers {
		if st := r.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]; st.AreaBorder != (r == b || r == c) {
			t.Errorf("%s: border router: %v", r.name, st.AreaBorder)
		}
	}

	b.instance().Areas = []AreaConfig{{ID: 0, Ranges: []Range{{Prefix: prefix("10.0.0.0/16")}}}, {ID: 1, Ranges: []Range{{Prefix: prefix("10.1.64.0/18"), NotAdvertise: true}}}}
	b.configure()
	c.instance().Areas = []AreaConfig{{ID: 0, FilterOut: "few"}}
	c.cfg.Policy = policyOf(t, "ip prefix-list few deny 10.0.93.0/24", "ip prefix-list few permit 0.0.0.0/0 le 32")
	c.configure()
	x.want("IA 10.0.0.0/16 [110/2] via 10.1.0.2 Eth0", "IA 10.2.0.0/24 [110/4] via 10.1.0.2 Eth0", "IA 10.2.95.0/24 [110/5] via 10.1.0.2 Eth0")
	z.want("IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0", "IA 10.0.92.0/24 [110/4] via 10.2.0.4 Eth0",
		"IA 10.1.0.0/24 [110/4] via 10.2.0.4 Eth0")
	if !slices.Contains(b.routes(), "sum 10.0.0.0/16 [110/1] Null0") {
		t.Errorf("no discard route: %q", b.routes())
	}
	b.edit("Eth1", setDown)
	z.want("IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0")
}

// TestSubstitute: another network is told in place of a range (RFC 2328 section 12.4.3), which is
// what a filter-list sees; two ranges that are told as one network cost what the cheaper does.
func TestSubstitute(t *testing.T) {
	l, x, b, _, _, z := chain(t, byAddress())
	cost := uint32(5)
	one := Range{Prefix: prefix("10.1.0.0/24"), Substitute: prefix("172.16.0.0/16"), Cost: &cost}
	two := Range{Prefix: prefix("10.1.91.0/24"), Substitute: prefix("172.16.0.0/16")}
	tell := func(list string, ranges ...Range) {
		b.instance().Areas = []AreaConfig{{ID: 1, Ranges: ranges, FilterOut: list}}
		b.configure()
	}
	b.cfg.Policy = policyOf(t, "ip prefix-list ranges deny 172.17.0.0/16", "ip prefix-list ranges permit 0.0.0.0/0 le 32")
	tell("", two, one)
	l.start()
	others := []string{"IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0", "IA 10.0.92.0/24 [110/4] via 10.2.0.4 Eth0", "IA 10.0.93.0/24 [110/3] via 10.2.0.4 Eth0"}
	z.want(append(others, "IA 172.16.0.0/16 [110/5] via 10.2.0.4 Eth0")...) // 2 of the part at x, 3 to b
	one.Substitute = prefix("172.17.0.0/16")
	tell("", two, one)
	z.want(append(others, "IA 172.16.0.0/16 [110/5] via 10.2.0.4 Eth0", "IA 172.17.0.0/16 [110/8] via 10.2.0.4 Eth0")...)
	tell("ranges", two, one)
	z.want(append(others, "IA 172.16.0.0/16 [110/5] via 10.2.0.4 Eth0")...)
	if got := x.lsas(packet.SummaryLSA); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "172.1") }) {
		t.Errorf("told into the area itself: %q", got)
	}
}

// TestFilterIn: a filter-list for in keeps networks of all other areas out of one area alone.
func TestFilterIn(t *testing.T) {
	l, x, b, _, _, z := chain(t, byAddress(AreaConfig{ID: 1, FilterIn: "few"}))
	b.cfg.Policy = policyOf(t, "ip prefix-list few permit 10.0.0.0/16 le 24", "ip prefix-list few deny 0.0.0.0/0 le 32")
	l.start()
	l.advance(2 * time.Minute)
	x.want("IA 10.0.1.0/24 [110/2] via 10.1.0.2 Eth0", "IA 10.0.2.0/24 [110/3] via 10.1.0.2 Eth0", "IA 10.0.92.0/24 [110/2] via 10.1.0.2 Eth0",
		"IA 10.0.93.0/24 [110/3] via 10.1.0.2 Eth0")
	z.want("IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0", "IA 10.0.92.0/24 [110/4] via 10.2.0.4 Eth0",
		"IA 10.0.93.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.1.0.0/24 [110/4] via 10.2.0.4 Eth0", "IA 10.1.91.0/24 [110/5] via 10.2.0.4 Eth0")
	b.instance().Areas = nil
	b.configure()
	l.advance(10 * time.Second)
	if got := x.lsas(packet.SummaryLSA); len(got) != 6 {
		t.Errorf("without the list: %q", got)
	}
}

// TestAreaAccessLists: export-list and import-list as FRR 8.4 has them: an export-list is asked
// for the networks of an area, also where these are parts of a range; an import-list for what is
// told into one. A change of a list counts at once; one that is not there permits all.
func TestAreaAccessLists(t *testing.T) {
	l, x, b, _, _, z := chain(t, byAddress())
	tell := func(list string, areas ...AreaConfig) {
		b.instance().Areas = areas
		b.cfg.Policy = policyOf(t, "access-list 10 "+list)
		b.configure()
	}
	export := AreaConfig{ID: 1, ExportList: "10"}
	tell("permit 10.1.0.0", export)
	l.start()
	others := []string{"IA 10.0.1.0/24 [110/3] via 10.2.0.4 Eth0", "IA 10.0.2.0/24 [110/2] via 10.2.0.4 Eth0", "IA 10.0.92.0/24 [110/4] via 10.2.0.4 Eth0", "IA 10.0.93.0/24 [110/3] via 10.2.0.4 Eth0"}
	with := func(more ...string) []string { return slices.Concat(others, more) }
	z.want(with("IA 10.1.0.0/24 [110/4] via 10.2.0.4 Eth0")...)
	tell("permit 10.1.91.0", export)
	z.want(with("IA 10.1.91.0/24 [110/5] via 10.2.0.4 Eth0")...)

	export.Ranges = []Range{{Prefix: prefix("10.1.0.0/16")}}
	tell("permit 10.1.91.0", export)
	z.want(with("IA 10.1.0.0/16 [110/5] via 10.2.0.4 Eth0")...) // not as near as 10.1.0.0/24, which is no part of it
	tell("permit 10.9.0.0", export)
	z.want(others...)
	if slices.ContainsFunc(b.routes(), func(s string) bool { return strings.Contains(s, "Null0") }) {
		t.Errorf("packets are dropped for a range that is not told: %q", b.routes())
	}
	export.ExportList = "no-such"
	tell("permit 10.9.0.0", export)
	z.want(with("IA 10.1.0.0/16 [110/4] via 10.2.0.4 Eth0")...)

	tell("deny any", AreaConfig{ExportList: "10"}) // of the backbone, not what is told through it
	x.want("IA 10.2.0.0/24 [110/4] via 10.1.0.2 Eth0", "IA 10.2.95.0/24 [110/5] via 10.1.0.2 Eth0")
	tell("permit 10.2.0.0 0.0.255.255", AreaConfig{ID: 1, ImportList: "10"})
	x.want("IA 10.2.0.0/24 [110/4] via 10.1.0.2 Eth0", "IA 10.2.95.0/24 [110/5] via 10.1.0.2 Eth0")
	tell("permit 10.0.0.0", AreaConfig{ID: 1, ImportList: "10"}, AreaConfig{Ranges: []Range{{Prefix: prefix("10.0.0.0/16")}}})
	x.want("IA 10.0.0.0/16 [110/2] via 10.1.0.2 Eth0")
	tell("deny 10.0.0.0", AreaConfig{ID: 1, ImportList: "10"}, AreaConfig{Ranges: []Range{{Prefix: prefix("10.0.0.0/16")}}})
	x.want()
}

// TestABRType: what makes an area border router (RFC 3509 section 2.1, RFC 2328 section 3.3), and
// what it heeds (RFC 3509 section 2.2, RFC 2328 section 16.2).
func TestABRType(t *testing.T) {
	l := newTown(t)
	x := l.router("x", byAddress()).on("xb", "Eth0", "10.1.0.1/24").on("", "Eth9", "10.1.91.1/24")
	b := l.router("b", byAddress()).on("xb", "Eth0", "10.1.0.2/24").on("bz", "Eth1", "10.2.0.2/24").on("", "Eth9", "10.0.92.1/24")
	z := l.router("z", byAddress()).on("bz", "Eth0", "10.2.0.3/24").on("zc", "Eth1", "10.2.1.3/24").on("", "Eth9", "10.2.95.1/24")
	c := l.router("c", byAddress()).on("zc", "Eth0", "10.2.1.4/24").on("", "Eth9", "10.0.96.1/24") // a border router as well
	within := []string{"O 10.2.1.0/24 [110/2] via 10.2.0.3 Eth1", "O 10.2.95.0/24 [110/2] via 10.2.0.3 Eth1", "O 10.1.91.0/24 [110/2] via 10.1.0.1 Eth0"}
	far := "IA 10.0.96.0/24 [110/3] via 10.2.0.3 Eth1"
	is := func(what string, border bool, routes ...string) {
		t.Helper()
		b.configure()
		l.until(2*time.Minute, what, func() bool {
			return b.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].AreaBorder == border &&
				slices.Equal(slices.Sorted(slices.Values(b.routes())), slices.Sorted(slices.Values(routes)))
		})
	}
	l.start()
	l.until(3*time.Minute, "Full", func() bool { return b.full() == 2 && c.full() == 1 })
	// Without a neighbour in the backbone LSAs of other areas count on IOS (RFC 3509 section 2.2).
	is("cisco", true, append(within, far)...)
	b.instance().ABR = ABRStandard
	is("standard", true, within...)
	b.edit("Eth9", setDown)
	is("standard, backbone down", true, within...)
	b.instance().ABR = ABRIBM
	is("ibm, backbone down", true, append(within, far)...)
	b.instance().ABR = ABRCisco
	is("cisco, backbone down", false, append(within, far)...)
	x.want()
	b.edit("Eth9", func(i *rib.Interface) { i.Addresses = nil }) // not in the backbone any more
	b.instance().ABR = ABRIBM
	is("ibm, no backbone", false, append(within, far)...)
	b.instance().ABR = ABRStandard
	is("standard, no backbone", true, within...)
	x.want("IA 10.2.0.0/24 [110/2] via 10.1.0.2 Eth0", "IA 10.2.1.0/24 [110/3] via 10.1.0.2 Eth0", "IA 10.2.95.0/24 [110/3] via 10.1.0.2 Eth0")
	z.want("IA 10.0.96.0/24 [110/2] via 10.2.1.4 Eth1", "IA 10.1.0.0/24 [110/2] via 10.2.0.2 Eth0", "IA 10.1.91.0/24 [110/3] via 10.2.0.2 Eth0")
}

// TestDistances: distances by type of route (`distance ospf`).
func TestDistances(t *testing.T) {
	l, x, b, y, _, _ := chain(t, byAddress())
	y.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	for _, r := range l.routers {
		r.instance().Distance = Distances{Intra: 91, Inter: 92, External: 93}
	}
	l.start()
	y.redistribute(rib.Static, "172.16.0.0/12")
	l.advance(2 * time.Minute)
	for r, want := range map[*router][]string{
		x: {"IA 10.0.1.0/24 [92/2] via 10.1.0.2 Eth0", "E2 172.16.0.0/12 [93/20] via 10.1.0.2 Eth0"},
		b: {"O 10.1.91.0/24 [91/2] via 10.1.0.1 Eth0", "IA 10.2.0.0/24 [92/3] via 10.0.1.3 Eth1", "E2 172.16.0.0/12 [93/20] via 10.0.1.3 Eth1"},
	} {
		for _, w := range want {
			if !slices.Contains(r.routes(), w) {
				t.Errorf("%s has no %s: %q", r.name, w, r.routes())
			}
		}
	}
	x.instance().Distance = Distances{Inter: 255}
	x.configure()
	l.advance(time.Second)
	same(t, "with 255 between areas", x.routes(), "E2 172.16.0.0/12 [110/20] via 10.1.0.2 Eth0")
}

// TestStub: stub areas have a default route in place of external routes; totally stubby ones
// in place of all (RFC 2328 sections 3.6 and 12.4.3.1).
func TestStub(t *testing.T) {
	stub := AreaConfig{ID: 1, Kind: AreaStub, DefaultCost: 5}
	l, x, b, y, _, _ := chain(t, byAddress(stub))
	y.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	l.start()
	y.redistribute(rib.Static, "172.16.0.0/12")
	x.want("IA 0.0.0.0/0 [110/6] via 10.1.0.2 Eth0", "IA 10.0.1.0/24 [110/2] via 10.1.0.2 Eth0", "IA 10.0.2.0/24 [110/3] via 10.1.0.2 Eth0",
		"IA 10.0.92.0/24 [110/2] via 10.1.0.2 Eth0", "IA 10.0.93.0/24 [110/3] via 10.1.0.2 Eth0", "IA 10.2.0.0/24 [110/4] via 10.1.0.2 Eth0",
		"IA 10.2.95.0/24 [110/5] via 10.1.0.2 Eth0")
	if !slices.Contains(b.routes(), "E2 172.16.0.0/12 [110/20] via 10.0.1.3 Eth1") {
		t.Errorf("b has %q", b.routes())
	}
	stub.NoSummary = true
	b.instance().Areas = []AreaConfig{stub}
	b.configure()
	x.want("IA 0.0.0.0/0 [110/6] via 10.1.0.2 Eth0")
}

// TestVirtualLink: an area that is behind another (RFC 2328 section 15).
func TestVirtualLink(t *testing.T) {
	l := newTown(t)
	virtual := func(to packet.ID) func(*InstanceConfig) {
		return func(ic *InstanceConfig) {
			byAddress(AreaConfig{ID: 1, VirtualLinks: []VirtualLink{{Router: to}}})(ic)
		}
	}
	a := l.router("a", virtual(3)).on("", "Eth9", "10.0.9.1/24").on("ab", "Eth0", "10.1.0.1/24")
	l.router("b", byAddress()).on("ab", "Eth0", "10.1.0.2/24").on("bc", "Eth1", "10.1.1.2/24")
	c := l.router("c", virtual(1)).on("bc", "Eth0", "10.1.1.3/24").on("cd", "Eth1", "10.2.0.3/24")
	d := l.router("d", byAddress()).on("cd", "Eth0", "10.2.0.4/24").on("", "Eth9", "10.2.9.1/24")
	l.start()
	d.want("IA 10.0.9.0/24 [110/4] via 10.2.0.3 Eth0", "IA 10.1.0.0/24 [110/3] via 10.2.0.3 Eth0", "IA 10.1.1.0/24 [110/2] via 10.2.0.3 Eth0")
	a.want("O 10.1.1.0/24 [110/2] via 10.1.0.2 Eth0", "IA 10.2.0.0/24 [110/3] via 10.1.0.2 Eth0", "IA 10.2.9.0/24 [110/4] via 10.1.0.2 Eth0")
	st := c.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]
	if !st.Areas[1].Transit {
		t.Errorf("%+v", st.Areas[1])
	}
	if got := c.lsas(packet.RouterLSA); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "0.0.0.1: 0.0.0.3 of 0.0.0.3: B, V, ") }) {
		t.Errorf("%q", got)
	}
	c.instance().Areas = nil
	c.configure()
	d.want()
}

// redistribute tells a router of routes of another protocol, by a next hop if there is one.
func (r *router) redistribute(p rib.Protocol, routes ...string) {
	r.t.Helper()
	w := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: p}
	if !r.watch[w] {
		r.t.Fatalf("%s does not watch %v", r.name, w)
	}
	for _, s := range routes {
		f := strings.Fields(s)
		x := rib.Route{Prefix: prefix(strings.TrimPrefix(f[0], "-")), Protocol: p}
		if len(f) == 3 {
			x.NextHops = []rib.NextHop{{Addr: addr(f[1]), Interface: f[2]}}
		}
		r.step(RouteChanged{Watch: w, Route: x, Withdrawn: strings.HasPrefix(s, "-")})
	}
	r.step(RoutesKnown{w})
}

// TestExternal: AS-external-LSAs of redistributed routes (RFC 2328 section 12.4.4).
func TestExternal(t *testing.T) {
	l, a, b := pair(t)
	c := l.router("c").on("lan", "Eth0", "10.0.0.3/24")
	metric := uint32(7)
	a.instance().Redistribute = []Redistribute{{Protocol: rib.Static, RouteMap: "some", Tag: 9}, {Protocol: rib.RIP, Classful: true, Metric: &metric, Type1: true}, {Protocol: rib.Connected}}
	a.cfg.Policy = policyOf(t, "route-map some deny 5", " match ip address prefix-list no", "route-map some permit 10", " match ip address prefix-list special", " set metric 44", " set metric-type type-1",
		" set tag 77", "route-map some permit 20", "ip prefix-list special permit 172.20.0.0/16", "ip prefix-list no permit 172.30.0.0/16")
	l.start()
	a.redistribute(rib.Static, "172.16.0.0/16", "172.17.0.0/16 10.0.0.200 Eth0", "172.20.0.0/16", "172.30.0.0/16", "0.0.0.0/0", "127.1.0.0/16")
	a.redistribute(rib.RIP, "192.168.5.0/24", "192.168.6.0/25", "9.0.0.0/8")
	a.redistribute(rib.Connected, "10.0.0.0/24 10.0.0.1 Eth0", "10.7.0.0/24")
	want := []string{"E1 9.0.0.0/8 [110/8] via 10.0.0.1 Eth0", "E2 10.7.0.0/24 [110/20] via 10.0.0.1 Eth0", "E2 172.16.0.0/16 [110/20] tag 9 via 10.0.0.1 Eth0",
		"E2 172.17.0.0/16 [110/20] tag 9 via 10.0.0.200 Eth0", "E1 172.20.0.0/16 [110/45] tag 77 via 10.0.0.1 Eth0", "E1 192.168.5.0/24 [110/8] via 10.0.0.1 Eth0"}
	b.want(want...)
	c.want(want...)
	if st := a.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]; !st.ASBoundary || st.Redistribute[0].Routes != 3 || st.Redistribute[0].Filtered != 1 {
		t.Errorf("%+v", st.Redistribute)
	}

	a.instance().SummaryAddresses = []SummaryAddress{{Prefix: prefix("172.16.0.0/12"), Tag: 3}, {Prefix: prefix("192.168.0.0/16"), NotAdvertise: true}}
	a.configure()
	b.want(want[0], want[1], "E2 172.16.0.0/12 [110/20] tag 3 via 10.0.0.1 Eth0")
	same(t, "routes of a", a.routes(), "sum 172.16.0.0/12 [254/0] Null0")
	if sums := a.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].Summaries; !sums[0].Active || sums[0].Metric != 20 || sums[0].Type1 || !sums[1].Active {
		t.Errorf("%+v", sums)
	}
	b.instance().Filters = []Filter{{List: "5", Interface: "Eth0"}}
	b.cfg.Policy = policyOf(t, "access-list 5 deny 9.0.0.0 0.255.255.255", "access-list 5 permit any")
	b.configure()
	b.want(want[1], "E2 172.16.0.0/12 [110/20] tag 3 via 10.0.0.1 Eth0")
	a.instance().SummaryAddresses = a.instance().SummaryAddresses[1:]
	a.configure()
	b.want(want[1:5]...)
	same(t, "routes of a", a.routes())
	a.instance().Redistribute = nil
	a.configure()
	c.want()
	if len(a.watch) != 0 {
		t.Errorf("a watches %v", a.watch)
	}
}

// TestDefault: `default-information originate`, with a default route, always, and while a
// route passes a route-map.
func TestDefault(t *testing.T) {
	l, a, b := pair(t)
	a.instance().DefaultOriginate = &DefaultOriginate{}
	l.start()
	w := rib.Watch{Kind: rib.WatchNetwork, Family: rib.IPv4, Prefix: netip.MustParsePrefix("0.0.0.0/0")}
	b.want()
	a.step(RouteChanged{Watch: w, Route: rib.Route{Prefix: w.Prefix, Protocol: rib.Static}})
	b.want("E2 0.0.0.0/0 [110/10] tag 1 via 10.0.0.1 Eth0")
	a.step(RouteChanged{Watch: w, Route: rib.Route{Prefix: w.Prefix, Protocol: rib.OSPF, Instance: 1}})
	b.want()
	metric := uint32(33)
	a.instance().DefaultOriginate = &DefaultOriginate{Always: true, Metric: &metric, Type1: true}
	a.configure()
	b.want("E1 0.0.0.0/0 [110/34] tag 1 via 10.0.0.1 Eth0")
	if a.watch[w] {
		t.Error("a watches the default route")
	}
	b.on("", "Eth9", "10.9.0.1/24")
	a.instance().DefaultOriginate = &DefaultOriginate{Always: true, RouteMap: "if"}
	a.cfg.Policy = policyOf(t, "route-map if permit 10", " match ip address prefix-list nine", "ip prefix-list nine permit 10.9.0.0/24")
	a.configure()
	b.want()
	b.step(InterfaceChanged{b.link["Eth9"]})
	b.want("E2 0.0.0.0/0 [110/1] tag 1 via 10.0.0.1 Eth0")
	b.edit("Eth9", setDown)
	b.want()
}

// TestNSSA: type-7 LSAs, their translation and its ranges, and who translates (RFC 3101).
func TestNSSA(t *testing.T) {
	nssa := AreaConfig{ID: 1, Kind: AreaNSSA}
	l, x, b, y, _, z := chain(t, byAddress(nssa))
	b2 := l.router("b2", byAddress(nssa)).on("xb", "Eth0", "10.1.0.6/24").on("by", "Eth1", "10.0.1.6/24") // the higher router ID
	x.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	y.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	x.on("", "Loopback0", "10.1.255.1/32")
	l.start()
	x.redistribute(rib.Static, "172.16.1.0/24", "172.16.2.0/24")
	y.redistribute(rib.Static, "172.31.0.0/16")
	external := func(r *router) (all []string) {
		for _, s := range r.routes() {
			if s[0] == 'E' || s[0] == 'N' {
				all = append(all, s)
			}
		}
		return all
	}
	expect := func(r *router, what string, want ...string) {
		t.Helper()
		l.until(3*time.Minute, r.name+" has "+what, func() bool { return slices.Equal(external(r), want) })
	}
	expect(b, "type 7", "N2 172.16.1.0/24 [110/20] via 10.1.0.1 Eth0", "N2 172.16.2.0/24 [110/20] via 10.1.0.1 Eth0", "E2 172.31.0.0/16 [110/20] via 10.0.1.3 Eth1")
	expect(z, "type 5", "E2 172.16.1.0/24 [110/20] via 10.2.0.4 Eth0", "E2 172.16.2.0/24 [110/20] via 10.2.0.4 Eth0", "E2 172.31.0.0/16 [110/20] via 10.2.0.4 Eth0")
	expect(x, "no type 5")
	same(t, "type-7 LSAs", x.lsas(packet.NSSALSA), "0.0.0.1: 172.16.1.0 of 0.0.0.1: 255.255.255.0 E2 20, via 10.1.255.1, P", "0.0.0.1: 172.16.2.0 of 0.0.0.1: 255.255.255.0 E2 20, via 10.1.255.1, P")
	l.advance(time.Minute) // the stability interval
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.1.0 of 0.0.0.6: 255.255.255.0 E2 20, via 10.1.255.1",
		"AS: 172.16.2.0 of 0.0.0.6: 255.255.255.0 E2 20, via 10.1.255.1", "AS: 172.31.0.0 of 0.0.0.3: 255.255.0.0 E2 20")

	// Of b, which translates always, with a range; b2 is supplanted.
	always := nssa
	always.TranslateAlways, always.NSSADefault = true, &DefaultOriginate{}
	always.Ranges = []Range{{Prefix: prefix("172.16.0.0/16"), NSSA: true, Tag: 5}}
	b.instance().Areas = []AreaConfig{always}
	b.configure()
	expect(z, "the range", "E2 172.16.0.0/16 [110/21] tag 5 via 10.2.0.4 Eth0", "E2 172.31.0.0/16 [110/20] via 10.2.0.4 Eth0")
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 21, tag 5", "AS: 172.31.0.0 of 0.0.0.3: 255.255.0.0 E2 20")
	expect(x, "the default", "N2 0.0.0.0/0 [110/1] tag 1 via 10.1.0.2 Eth0")
	x.redistribute(rib.Static, "-172.16.1.0/24", "-172.16.2.0/24")
	expect(z, "no range", "E2 172.31.0.0/16 [110/20] via 10.2.0.4 Eth0")
	_ = b2
}

// TestAppendixE: networks with the same address have different Link State IDs.
func TestAppendixE(t *testing.T) {
	l, a, b := pair(t)
	a.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	l.start()
	hosts := []string{"172.16.0.0/16", "172.16.0.0/24", "172.16.0.0/30"}
	a.redistribute(rib.Static, hosts...)
	list := []string{"E2 172.16.0.0/16 [110/20] via 10.0.0.1 Eth0", "E2 172.16.0.0/24 [110/20] via 10.0.0.1 Eth0", "E2 172.16.0.0/30 [110/20] via 10.0.0.1 Eth0"}
	b.want(list...)
	a.redistribute(rib.Static, "172.16.0.0/32", "172.16.0.255/32", "172.16.0.3/32")
	b.want(list[0], list[1], list[2], "E2 172.16.0.0/32 [110/20] via 10.0.0.1 Eth0", "E2 172.16.0.3/32 [110/20] via 10.0.0.1 Eth0", "E2 172.16.0.255/32 [110/20] via 10.0.0.1 Eth0")
	a.redistribute(rib.Static, "-172.16.0.0/32", "-172.16.0.0/16", "-172.16.0.3/32", "-172.16.0.255/32", "-172.16.0.0/30")
	b.want(list[1])
	l.advance(time.Minute)
	if got := b.lsas(packet.ExternalLSA); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func policyOf(t testing.TB, lines ...string) *policy.Set {
	t.Helper()
	return policytest.Parse(t, strings.Join(lines, "\n")+"\n")
}
