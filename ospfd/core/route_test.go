package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// typeCodes are those of `show ip route`.
var typeCodes = map[rib.RouteType]string{
	rib.TypeInternal: "O", rib.TypeInterArea: "IA", rib.TypeExternal1: "E1", rib.TypeExternal2: "E2",
	rib.TypeNSSAExternal1: "N1", rib.TypeNSSAExternal2: "N2", rib.TypeSummary: "sum",
}

// routes prints what zebra was given: "O 10.0.0.0/24 [110/20] via 10.0.0.1 Eth0".
func (r *router) routes() []string {
	all := []string{}
	var of []rib.Route
	for _, x := range r.fib {
		of = append(of, x)
	}
	slices.SortFunc(of, func(a, b rib.Route) int { return comparePrefixes(a.Prefix, b.Prefix) })
	for _, x := range of {
		s := fmt.Sprintf("%s %v [%d/%d]", typeCodes[x.Type], x.Prefix, x.Distance, x.Metric)
		if x.Tag != 0 {
			s += fmt.Sprintf(" tag %d", x.Tag)
		}
		for _, h := range x.NextHops {
			switch {
			case h.Discard:
				s += " Null0"
			default:
				s += fmt.Sprintf(" via %v %s", h.Addr, h.Interface)
			}
			if h.OnLink {
				s += " onlink"
			}
		}
		all = append(all, s)
	}
	return all
}

// want waits until a router has some routes, and no others.
func (r *router) want(routes ...string) {
	r.t.Helper()
	for end := r.town.now.Add(3 * time.Minute); !slices.Equal(r.routes(), routes); r.town.advance(100 * time.Millisecond) {
		if r.town.now >= end {
			r.t.Fatalf("%v: %s has\n%s\nwant\n%s", r.town.now, r.name, strings.Join(r.routes(), "\n"), strings.Join(routes, "\n"))
		}
	}
}

// lsas prints the LSAs of a type that a router has: Link State ID, router, and what they say.
func (r *router) lsas(t packet.LSType) (all []string) {
	d := r.query(Query{Kind: ReportDatabase}).(*DatabaseReport).Instances[0]
	add := func(where string, lsas []packet.LSA) {
		for _, l := range lsas {
			if l.Type == t && !l.IsMaxAge() {
				all = append(all, fmt.Sprintf("%s: %v of %v: %s", where, l.ID, l.LSAKey.Router, says(l)))
			}
		}
	}
	for _, a := range d.Areas {
		add(a.Area.String(), a.LSAs)
	}
	add("AS", d.AS)
	return all
}

func says(l packet.LSA) string {
	var s []string
	switch l.Type {
	case packet.RouterLSA:
		body, _ := l.Router()
		for _, f := range []struct {
			f    packet.RouterFlags
			name string
		}{{packet.RouterB, "B"}, {packet.RouterE, "E"}, {packet.RouterV, "V"}, {packet.RouterNt, "Nt"}, {packet.RouterS, "S"}} {
			if body.Flags&f.f != 0 {
				s = append(s, f.name)
			}
		}
		for _, x := range body.Links {
			s = append(s, fmt.Sprintf("%s %v/%v %d", []string{"", "p2p", "transit", "stub", "virtual"}[x.Type], x.ID, packet.ID(x.Data), x.Metric))
		}
	case packet.NetworkLSA:
		body, _ := l.Network()
		s = append(s, fmt.Sprint(packet.ID(body.Mask), " ", body.Routers))
	case packet.SummaryLSA, packet.ASBRSummaryLSA:
		body, _ := l.Summary()
		s = append(s, fmt.Sprint(packet.ID(body.Mask), " ", body.Metric))
	case packet.ExternalLSA, packet.NSSALSA:
		body, _ := l.External()
		s = append(s, fmt.Sprintf("%v E%d %d", packet.ID(body.Mask), 1+map[bool]int{true: 1}[body.Type2], body.Metric))
		if body.Forwarding.IsValid() {
			s = append(s, "via "+body.Forwarding.String())
		}
		if body.Tag != 0 {
			s = append(s, fmt.Sprint("tag ", body.Tag))
		}
		if l.Options&packet.OptionNP != 0 {
			s = append(s, "P")
		}
	}
	return strings.Join(s, ", ")
}

// TestRoutesPair: two routers exchange routes and put them.
func TestRoutesPair(t *testing.T) {
	l, a, b := pair(t)
	a.on("", "Loopback0", "1.1.1.1/24")
	b.on("x", "Eth1", "10.9.0.1/24", "10.8.0.1/24")
	l.start()
	a.want("O 10.8.0.0/24 [110/2] via 10.0.0.2 Eth0", "O 10.9.0.0/24 [110/2] via 10.0.0.2 Eth0")
	b.want("O 1.1.1.1/32 [110/2] via 10.0.0.1 Eth0")
	same(t, "router-LSAs", a.lsas(packet.RouterLSA),
		"0.0.0.0: 0.0.0.1 of 0.0.0.1: transit 10.0.0.2/10.0.0.1 1, stub 1.1.1.1/255.255.255.255 1",
		"0.0.0.0: 0.0.0.2 of 0.0.0.2: transit 10.0.0.2/10.0.0.2 1, stub 10.9.0.0/255.255.255.0 1, stub 10.8.0.0/255.255.255.0 1")
	same(t, "network-LSAs", a.lsas(packet.NetworkLSA), "0.0.0.0: 10.0.0.2 of 0.0.0.2: 255.255.255.0 [0.0.0.2 0.0.0.1]")
	b.edit("Eth1", setDown)
	a.want()
	b.edit("Eth1", setUp)
	a.want("O 10.8.0.0/24 [110/2] via 10.0.0.2 Eth0", "O 10.9.0.0/24 [110/2] via 10.0.0.2 Eth0")
	a.iface("Loopback0").Type = fsm.PointToPoint
	a.configure()
	b.want("O 1.1.1.0/24 [110/2] via 10.0.0.1 Eth0")
	b.edit("Eth0", setDown)
	a.want()
	b.want()
}

// dmvpn is a hub with two spokes on a multipoint tunnel, each with a network behind it.
func dmvpn(t *testing.T, hub, spoke func(*InterfaceConfig)) (l *town, h, s1, s2 *router) {
	l = newTown(t)
	l.pass = func(from, to *router, _ *packet.Message) bool { return from.name == "hub" || to.name == "hub" } // multicast goes by the hub's mappings
	h = l.router("hub").on("dmvpn", "Tunnel0", "10.0.0.1/24").on("", "Eth0", "192.168.0.1/24")
	s1 = l.router("s1").on("dmvpn", "Tunnel0", "10.0.0.11/24").on("", "Eth0", "192.168.1.1/24")
	s2 = l.router("s2").on("dmvpn", "Tunnel0", "10.0.0.12/24").on("", "Eth0", "192.168.2.1/24")
	hub(h.iface("Tunnel0"))
	spoke(s1.iface("Tunnel0"))
	spoke(s2.iface("Tunnel0"))
	return l.start(), h, s1, s2
}

// TestPhase2: on a broadcast network whose designated router is the hub the next hop is the
// spoke itself.
func TestPhase2(t *testing.T) {
	none := uint8(0)
	broadcast := func(ic *InterfaceConfig) { ic.Type, ic.Cost = fsm.Broadcast, 10 }
	_, h, s1, _ := dmvpn(t, broadcast, func(ic *InterfaceConfig) { broadcast(ic); ic.Priority = &none })
	s1.want("O 192.168.0.0/24 [110/11] via 10.0.0.1 Tunnel0", "O 192.168.2.0/24 [110/11] via 10.0.0.12 Tunnel0")
	h.want("O 192.168.1.0/24 [110/11] via 10.0.0.11 Tunnel0", "O 192.168.2.0/24 [110/11] via 10.0.0.12 Tunnel0")
}

// TestPhase3: on a point-to-multipoint network the next hop is the hub, and each has a host
// route to the others (RFC 2328 section 12.4.1.4).
func TestPhase3(t *testing.T) {
	multipoint := func(ic *InterfaceConfig) { ic.Type, ic.Cost = fsm.PointToMultipoint, 10 }
	_, h, s1, _ := dmvpn(t, multipoint, multipoint)
	s1.want("O 10.0.0.1/32 [110/10] via 10.0.0.1 Tunnel0", "O 10.0.0.12/32 [110/20] via 10.0.0.1 Tunnel0",
		"O 192.168.0.0/24 [110/11] via 10.0.0.1 Tunnel0", "O 192.168.2.0/24 [110/21] via 10.0.0.1 Tunnel0")
	same(t, "router-LSA", h.lsas(packet.RouterLSA)[:1],
		"0.0.0.0: 0.0.0.1 of 0.0.0.1: stub 192.168.0.0/255.255.255.0 1, p2p 0.0.0.2/10.0.0.1 10, p2p 0.0.0.3/10.0.0.1 10, stub 10.0.0.1/255.255.255.255 0")
}

// TestSpoke: `point-to-point dmvpn` at the spokes of a point-to-multipoint hub.
func TestSpoke(t *testing.T) {
	_, h, s1, _ := dmvpn(t, func(ic *InterfaceConfig) { ic.Type, ic.Cost, ic.Hello = fsm.PointToMultipoint, 10, 10*time.Second },
		func(ic *InterfaceConfig) { ic.Type, ic.Cost, ic.Spoke = fsm.PointToPoint, 10, true })
	s1.want("O 10.0.0.1/32 [110/10] via 10.0.0.1 Tunnel0", "O 10.0.0.12/32 [110/20] via 10.0.0.1 Tunnel0",
		"O 192.168.0.0/24 [110/11] via 10.0.0.1 Tunnel0", "O 192.168.2.0/24 [110/21] via 10.0.0.1 Tunnel0")
	h.want("O 10.0.0.11/32 [110/10] via 10.0.0.11 Tunnel0", "O 10.0.0.12/32 [110/10] via 10.0.0.12 Tunnel0",
		"O 192.168.1.0/24 [110/11] via 10.0.0.11 Tunnel0", "O 192.168.2.0/24 [110/11] via 10.0.0.12 Tunnel0")
}

// TestUnnumbered: links of borrowed addresses are told with the index of the interface, and
// are no networks.
func TestUnnumbered(t *testing.T) {
	l := newTown(t)
	a := l.router("a").on("wire", "Serial0", "1.1.1.1/32").on("", "Loopback0", "1.1.1.1/32")
	b := l.router("b").on("wire", "Serial0", "2.2.2.2/32").on("", "Loopback0", "2.2.2.2/32")
	l.start()
	a.want("O 2.2.2.2/32 [110/2] via 2.2.2.2 Serial0 onlink")
	b.want("O 1.1.1.1/32 [110/2] via 1.1.1.1 Serial0 onlink")
	same(t, "router-LSA", a.lsas(packet.RouterLSA)[:1], "0.0.0.0: 0.0.0.1 of 0.0.0.1: stub 1.1.1.1/255.255.255.255 1, p2p 0.0.0.2/0.0.0.2 1")
}

// TestSuppression is RFC 6860: transit networks are not told, what is passive is.
func TestSuppression(t *testing.T) {
	l := newTown(t)
	suppress := func(ic *InstanceConfig) { ic.PrefixSuppression = true; ic.Passive = []string{"Eth9"} }
	a := l.router("a", suppress).on("one", "Eth0", "10.0.0.1/24").on("", "Eth9", "10.9.1.1/24")
	b := l.router("b", suppress).on("one", "Eth0", "10.0.0.2/24").on("two", "Serial0", "10.0.1.2/24")
	c := l.router("c", suppress).on("two", "Serial0", "10.0.1.3/24").on("", "Eth9", "10.9.3.1/24").on("", "Eth1", "10.9.4.1/24")
	l.start()
	a.want("O 10.9.3.0/24 [110/3] via 10.0.0.2 Eth0")
	b.want("O 10.9.1.0/24 [110/2] via 10.0.0.1 Eth0", "O 10.9.3.0/24 [110/2] via 10.0.1.3 Serial0")
	c.want("O 10.9.1.0/24 [110/3] via 10.0.1.2 Serial0")
	same(t, "network-LSAs", a.lsas(packet.NetworkLSA), "0.0.0.0: 10.0.0.2 of 0.0.0.2: 255.255.255.255 [0.0.0.2 0.0.0.1]")
}

// square is a ring of four routers, a and c in opposite corners.
func square(t *testing.T) (l *town, a, b, c, d *router) {
	l = newTown(t)
	a = l.router("a").on("ab", "Eth0", "10.0.1.1/24").on("ad", "Eth1", "10.0.4.1/24")
	b = l.router("b").on("ab", "Eth0", "10.0.1.2/24").on("bc", "Eth1", "10.0.2.2/24")
	c = l.router("c").on("bc", "Eth0", "10.0.2.3/24").on("cd", "Eth1", "10.0.3.3/24").on("", "Eth9", "10.9.0.1/24")
	d = l.router("d").on("cd", "Eth0", "10.0.3.4/24").on("ad", "Eth1", "10.0.4.4/24")
	return l, a, b, c, d
}

// TestEqualCost: paths of equal cost, as many as maximum-paths; distance and distribute-list.
func TestEqualCost(t *testing.T) {
	l, a, b, _, _ := square(t)
	a.instance().MaximumPaths = 2
	l.start()
	far := "O 10.9.0.0/24 [110/3] via 10.0.1.2 Eth0 via 10.0.4.4 Eth1"
	near := []string{"O 10.0.2.0/24 [110/2] via 10.0.1.2 Eth0", "O 10.0.3.0/24 [110/2] via 10.0.4.4 Eth1"}
	a.want(append(near, far)...)
	a.instance().MaximumPaths = 1
	a.configure()
	a.want(append(near, "O 10.9.0.0/24 [110/3] via 10.0.1.2 Eth0")...)
	a.instance().MaximumPaths = 2
	a.instance().SourceDistances = []SourceDistance{{Distance: 90, Router: policy.Wildcard{Addr: 3}}}
	a.configure()
	far = strings.Replace(far, "110/", "90/", 1)
	a.want("O 10.0.2.0/24 [90/2] via 10.0.1.2 Eth0", near[1], far)
	b.instance().MaxMetric = &MaxMetric{}
	b.configure()
	a.want("O 10.0.2.0/24 [90/3] via 10.0.4.4 Eth1", near[1], "O 10.9.0.0/24 [90/3] via 10.0.4.4 Eth1")
	if st := b.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]; !st.StubRouter {
		t.Error("no stub router")
	}
	b.instance().MaxMetric = &MaxMetric{OnStartup: 10 * time.Minute}
	b.configure()
	l.advance(time.Minute)
	a.want("O 10.0.2.0/24 [90/3] via 10.0.4.4 Eth1", near[1], "O 10.9.0.0/24 [90/3] via 10.0.4.4 Eth1")
	l.advance(9 * time.Minute)
	a.want("O 10.0.2.0/24 [90/2] via 10.0.1.2 Eth0", near[1], far)
}
