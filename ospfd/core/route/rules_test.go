package route

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

var comparable = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func id(s string) packet.ID { return packet.IDOf(ip(s)) }

// build makes a table of router 1, which is a border router if it has several areas.
func build(areas ...Area) *Table {
	t := New()
	t.Configure(Config{Router: 1, RFC1583: true, Border: len(areas) > 1, Backbone: len(areas) > 1, Areas: areas})
	return t
}

func p2p(to packet.ID, metric uint16) packet.RouterLink {
	return packet.RouterLink{ID: to, Type: packet.LinkPointToPoint, Metric: metric}
}

func stub(p string, metric uint16) packet.RouterLink {
	q := pfx(p)
	return packet.RouterLink{ID: packet.IDOf(q.Addr()), Data: ^uint32(0) << (32 - q.Bits()), Type: packet.LinkStub, Metric: metric}
}

// self gives the router-LSA of router 1 in an area: with links to each router by an
// interface of its area.
func self(t *Table, area packet.ID, links ...packet.RouterLink) {
	var to []Link
	for _, l := range links {
		n := Link{Interface: "area" + area.String()}
		if l.Type == packet.LinkPointToPoint {
			n.Addr = (0xc0000000 | area<<8 | l.ID).Addr()
		}
		to = append(to, n)
	}
	t.SetRoot(area, packet.Router{Links: links}, to)
}

// via is the next hop to a neighbour of router 1 in an area.
func via(area, router packet.ID) []NextHop {
	return []NextHop{{"area" + area.String(), (0xc0000000 | area<<8 | router).Addr()}}
}

func (t *Table) router(area, by packet.ID, flags packet.RouterFlags, links ...packet.RouterLink) {
	t.Put(area, newLSA(area, packet.RouterLSA, by, by, 0, packet.Router{Flags: flags, Links: links}.Append(nil)).LSA)
}

func (t *Table) summary(area, by packet.ID, p string, metric uint32, o packet.Options) {
	q := pfx(p)
	b := packet.Summary{Mask: ^uint32(0) << (32 - q.Bits()), Metric: metric}.Append(nil)
	t.Put(area, newLSA(area, packet.SummaryLSA, packet.IDOf(q.Addr()), by, o, b).LSA)
}

func (t *Table) external(area packet.ID, typ packet.LSType, by packet.ID, p string, e packet.External, o packet.Options) {
	q := pfx(p)
	e.Mask = ^uint32(0) << (32 - q.Bits())
	t.Put(area, newLSA(area, typ, packet.IDOf(q.Addr()), by, o, e.Append(nil)).LSA)
}

func (t *Table) expect(tt *testing.T, p string, w *Route) {
	tt.Helper()
	t.Calculate()
	r, ok := t.Get(pfx(p))
	r.LSA, r.Router, r.Prefix, r.Forward, r.Propagate = packet.LSAKey{}, 0, netip.Prefix{}, netip.Addr{}, false
	switch {
	case w == nil && ok:
		tt.Errorf("%s: %+v, want none", p, r)
	case w != nil && !ok:
		tt.Errorf("%s: none, want %+v", p, *w)
	case w != nil:
		if d := cmp.Diff(*w, r, comparable); d != "" {
			tt.Errorf("%s (-want +got):\n%s", p, d)
		}
	}
}

// TestVirtualLink: next hops of a virtual link are those to its end in the transit area, and
// summary-LSAs of that area give a shorter way where there is one (RFC 2328 section 16.3).
func TestVirtualLink(t *testing.T) {
	tab := build(Area{ID: 0}, Area{ID: 1})
	self(tab, 1, p2p(2, 3), p2p(3, 1))
	tab.router(1, 2, packet.RouterB, p2p(1, 3))
	tab.router(1, 3, packet.RouterB, p2p(1, 1))
	virtual := packet.RouterLink{ID: 2, Type: packet.LinkVirtual, Metric: 3}
	tab.SetRoot(0, packet.Router{Links: []packet.RouterLink{virtual}}, []Link{{Router: 2, Transit: 1}})
	tab.router(0, 2, packet.RouterB|packet.RouterV, packet.RouterLink{ID: 1, Type: packet.LinkVirtual, Metric: 3}, p2p(3, 5))
	tab.router(0, 3, packet.RouterB, p2p(2, 5), stub("10.0.3.0/24", 1))
	tab.summary(1, 3, "10.0.3.0/24", 1, 0)
	tab.expect(t, "10.0.3.0/24", &Route{Type: Intra, Area: 0, Cost: 9, Hops: via(1, 2)})

	tab.router(1, 2, packet.RouterB|packet.RouterV, p2p(1, 3)) // now it is a transit area
	tab.expect(t, "10.0.3.0/24", &Route{Type: Intra, Area: 0, Cost: 2, Hops: via(1, 3)})
	tab.summary(1, 3, "10.0.3.0/24", 8, 0) // as far as by the virtual link
	tab.expect(t, "10.0.3.0/24", &Route{Type: Intra, Area: 0, Cost: 9, Hops: slices.Concat(via(1, 2), via(1, 3))})
	tab.Remove(1, packet.LSAKey{Type: packet.RouterLSA, ID: 2, Router: 2}) // the end is not reached
	tab.expect(t, "10.0.3.0/24", nil)
}

// TestTransitNetwork: next hops on a network with a designated router are the addresses of
// routers on it, and a router's own networks are connected (section 16.1.1).
func TestTransitNetwork(t *testing.T) {
	tab := build(Area{ID: 0})
	on := func(addr string) packet.RouterLink {
		return packet.RouterLink{ID: id("10.0.0.9"), Data: uint32(id(addr)), Type: packet.LinkTransit, Metric: 10}
	}
	tab.SetRoot(0, packet.Router{Links: []packet.RouterLink{on("10.0.0.1"), stub("10.0.0.1/32", 0)}}, []Link{{Interface: "Tunnel0"}, {Interface: "Loopback0"}})
	tab.Put(0, newLSA(0, packet.NetworkLSA, id("10.0.0.9"), 9, 0, packet.Network{Mask: 0xffffff00, Routers: []packet.ID{1, 2, 9}}.Append(nil)).LSA)
	tab.router(0, 9, 0, on("10.0.0.9"), stub("10.9.0.0/16", 1))
	tab.router(0, 2, 0, on("10.0.0.2"), stub("10.2.0.0/16", 1))
	tab.expect(t, "10.0.0.0/24", &Route{Type: Intra, Cost: 10, Hops: []NextHop{{Interface: "Tunnel0"}}})
	tab.expect(t, "10.0.0.1/32", &Route{Type: Intra, Cost: 0, Hops: []NextHop{{Interface: "Loopback0"}}})
	tab.expect(t, "10.2.0.0/16", &Route{Type: Intra, Cost: 11, Hops: []NextHop{{"Tunnel0", ip("10.0.0.2")}}})
	tab.router(0, 2, packet.RouterE, on("10.0.0.2"))
	tab.external(0, packet.ExternalLSA, 2, "192.168.0.0/16", packet.External{Metric: 5, Forwarding: ip("10.0.0.77")}, 0)
	tab.expect(t, "192.168.0.0/16", &Route{Type: External1, Cost: 15, Hops: []NextHop{{"Tunnel0", ip("10.0.0.77")}}})
	tab.external(0, packet.ExternalLSA, 2, "192.168.0.0/16", packet.External{Metric: 5, Forwarding: ip("10.0.0.1")}, 0)
	tab.cfg.Addresses = []netip.Addr{ip("10.0.0.1")}
	tab.expect(t, "192.168.0.0/16", nil)
}

// TestRanges: active ranges have a discard route and the metric of their parts, and hide
// summary-LSAs for the same prefix (sections 3.5, 11.1, 16.2 step 3).
func TestRanges(t *testing.T) {
	cost := uint32(77)
	area := Area{ID: 1, Ranges: []Range{
		{Prefix: pfx("10.1.0.0/16"), Advertise: true}, {Prefix: pfx("10.2.0.0/16")}, {Prefix: pfx("10.3.0.0/16"), Advertise: true, Cost: &cost},
	}}
	tab := build(Area{ID: 0}, area)
	self(tab, 0, p2p(5, 1))
	tab.router(0, 5, packet.RouterB, p2p(1, 1))
	for _, p := range []string{"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"} {
		tab.summary(0, 5, p, 4, 0)
	}
	tab.expect(t, "10.1.0.0/16", &Route{Type: Inter, Cost: 5, Hops: via(0, 5)})
	self(tab, 1, stub("10.1.1.0/24", 3), stub("10.1.2.0/24", 9), stub("10.2.1.0/24", 1), stub("10.3.1.0/24", 1))
	tab.expect(t, "10.1.0.0/16", &Route{Type: Intra, Area: 1, Cost: 3, Discard: true})
	tab.expect(t, "10.2.0.0/16", nil)
	tab.expect(t, "10.3.0.0/16", &Route{Type: Intra, Area: 1, Cost: 77, Discard: true})
	tab.cfg.RFC1583 = false
	tab.Configure(tab.cfg)
	tab.expect(t, "10.1.0.0/16", &Route{Type: Intra, Area: 1, Cost: 9, Discard: true})
	if s := tab.Ranges(1); !s[1].Active || s[1].Metric != 1 {
		t.Errorf("%+v", s)
	}
	self(tab, 1, stub("10.1.0.0/16", 3))
	tab.expect(t, "10.1.0.0/16", &Route{Type: Intra, Area: 1, Cost: 3, Hops: []NextHop{{Interface: "area0.0.0.1"}}})
	self(tab, 1)
	tab.expect(t, "10.1.0.0/16", &Route{Type: Inter, Cost: 5, Hops: via(0, 5)})
}

// TestIgnored: what cannot be read, is unreachable, MaxAge, or comes from a router that is no
// border router is not used; the DN bit is for PEs (RFC 4576), of which this is none.
func TestIgnored(t *testing.T) {
	tab := build(Area{ID: 0})
	self(tab, 0, p2p(5, 1), p2p(6, 1))
	tab.router(0, 5, packet.RouterB|packet.RouterE, p2p(1, 1))
	tab.router(0, 6, packet.RouterE, p2p(1, 1))
	want := &Route{Type: Inter, Cost: 5, Hops: via(0, 5)}
	tab.summary(0, 5, "10.1.0.0/16", 4, 0)
	tab.expect(t, "10.1.0.0/16", want)
	tab.summary(0, 6, "10.1.0.0/16", 1, 0)
	tab.expect(t, "10.1.0.0/16", want)
	tab.summary(0, 5, "10.1.0.0/16", packet.LSInfinity, 0)
	tab.expect(t, "10.1.0.0/16", nil)
	tab.summary(0, 5, "10.1.0.0/16", 4, packet.OptionDN)
	tab.expect(t, "10.1.0.0/16", want)
	l := newLSA(0, packet.SummaryLSA, id("10.1.0.0"), 5, 0, packet.Summary{Mask: 0xff00ff00, Metric: 1}.Append(nil))
	tab.Put(0, l.LSA)
	tab.expect(t, "10.1.0.0/16", nil)
	tab.external(0, packet.ExternalLSA, 5, "10.9.0.0/16", packet.External{Metric: 4}, packet.OptionDN)
	tab.external(0, packet.ExternalLSA, 1, "10.8.0.0/16", packet.External{Metric: 4}, 0)
	tab.expect(t, "10.8.0.0/16", nil)
	tab.expect(t, "10.9.0.0/16", &Route{Type: External1, Cost: 5, Hops: via(0, 5)})
	old := newLSA(0, packet.ExternalLSA, id("10.9.0.0"), 5, 0, packet.External{Mask: 0xffff0000, Metric: 4}.Append(nil))
	old.Age = packet.MaxAge
	tab.Put(0, old.LSA)
	tab.expect(t, "10.9.0.0/16", nil)
}

// TestAppendixE: the same LSA may be for another destination than before.
func TestAppendixE(t *testing.T) {
	tab := build(Area{ID: 0})
	self(tab, 0, p2p(5, 1))
	tab.router(0, 5, packet.RouterB, p2p(1, 1))
	tab.summary(0, 5, "10.0.0.0/16", 4, 0)
	tab.expect(t, "10.0.0.0/16", &Route{Type: Inter, Cost: 5, Hops: via(0, 5)})
	tab.summary(0, 5, "10.0.0.0/8", 4, 0)
	tab.expect(t, "10.0.0.0/16", nil)
	tab.expect(t, "10.0.0.0/8", &Route{Type: Inter, Cost: 5, Hops: via(0, 5)})
}

// TestPreferences is RFC 2328 section 16.4.1: without RFC1583Compatibility ways within areas
// that are not the backbone go before others, whatever they cost.
func TestPreferences(t *testing.T) {
	tab := build(Area{ID: 0}, Area{ID: 1})
	self(tab, 0, p2p(5, 1), p2p(7, 1))
	self(tab, 1, p2p(5, 10), p2p(6, 10))
	tab.router(0, 5, packet.RouterE, p2p(1, 1))
	tab.router(1, 5, packet.RouterE, p2p(1, 10))
	tab.router(1, 6, packet.RouterE, p2p(1, 10))
	tab.router(0, 7, packet.RouterE, p2p(1, 1))
	tab.external(0, packet.ExternalLSA, 5, "10.5.0.0/16", packet.External{Metric: 4}, 0)
	tab.external(0, packet.ExternalLSA, 6, "10.6.0.0/16", packet.External{Metric: 4, Type2: true}, 0)
	tab.external(0, packet.ExternalLSA, 7, "10.6.0.0/16", packet.External{Metric: 4, Type2: true}, 0)
	tab.expect(t, "10.5.0.0/16", &Route{Type: External1, Cost: 5, Hops: via(0, 5)})
	tab.expect(t, "10.6.0.0/16", &Route{Type: External2, Cost: 1, Type2: 4, Hops: via(0, 7)})
	tab.cfg.RFC1583 = false
	tab.Recompute()
	tab.expect(t, "10.5.0.0/16", &Route{Type: External1, Cost: 14, Hops: via(1, 5)})
	tab.expect(t, "10.6.0.0/16", &Route{Type: External2, Cost: 10, Type2: 4, Hops: via(1, 6)})
}

// TestNSSA is RFC 3101 section 2.5: default routes of type 7 at a border router, and which
// of LSAs that say the same is used.
func TestNSSA(t *testing.T) {
	tab := build(Area{ID: 0}, Area{ID: 1, Kind: NSSA})
	self(tab, 0, p2p(5, 1))
	self(tab, 1, p2p(6, 1))
	tab.router(0, 5, packet.RouterE|packet.RouterB, p2p(1, 1))
	tab.router(1, 6, packet.RouterE, p2p(1, 1), stub("10.6.0.0/16", 1))
	tab.external(1, packet.NSSALSA, 6, "0.0.0.0/0", packet.External{Metric: 4, Forwarding: ip("10.6.0.1")}, 0)
	tab.expect(t, "0.0.0.0/0", nil)
	tab.external(1, packet.NSSALSA, 6, "0.0.0.0/0", packet.External{Metric: 4, Forwarding: ip("10.6.0.1")}, packet.OptionNP)
	tab.expect(t, "0.0.0.0/0", &Route{Type: External1, NSSA: true, Area: 1, Cost: 6, Hops: via(1, 6)})
	tab.areas[1].NoSummary = true
	tab.Recompute()
	tab.expect(t, "0.0.0.0/0", nil)

	tab.summary(0, 5, "10.7.0.0/16", 1, 0) // as far as 10.6.0.0/16
	type7 := packet.External{Metric: 4, Forwarding: ip("10.6.0.1"), Tag: 7}
	tab.external(1, packet.NSSALSA, 6, "10.9.0.0/16", type7, packet.OptionNP)
	tab.external(0, packet.ExternalLSA, 5, "10.9.0.0/16", packet.External{Metric: 4, Forwarding: ip("10.7.0.1"), Tag: 5}, 0)
	both := slices.Concat(via(0, 5), via(1, 6))
	tab.expect(t, "10.9.0.0/16", &Route{Type: External1, NSSA: true, Area: 1, Cost: 6, Tag: 7, Hops: both})
	tab.external(1, packet.NSSALSA, 6, "10.9.0.0/16", type7, 0) // without the P-bit type 5 goes before
	tab.expect(t, "10.9.0.0/16", &Route{Type: External1, Cost: 6, Tag: 5, Hops: both})
}

// TestAllocations: what a change of one external LSA allocates does not grow with the table.
func TestAllocations(t *testing.T) {
	tab := build(Area{ID: 0})
	self(tab, 0, p2p(2, 1))
	tab.router(0, 2, packet.RouterE, p2p(1, 1))
	var lsas [2]packet.LSA
	for k := range 2000 {
		for metric := range lsas {
			body := packet.External{Mask: 0xffffff00, Metric: uint32(metric + 1)}.Append(nil)
			lsas[metric] = newLSA(0, packet.ExternalLSA, packet.ID(0x0c000000+k<<8), 2, 0, body).LSA
		}
		tab.Put(0, lsas[0])
	}
	tab.Calculate()
	k := 0
	if n := testing.AllocsPerRun(100, func() {
		k++
		tab.Put(0, lsas[k%2])
		if o := tab.Calculate(); len(o.Changed) != 1 {
			t.Fatalf("%+v", o)
		}
	}); n > 4 {
		t.Errorf("%v allocations", n)
	}
}
