package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// up is the log message of a new adjacency with b, as pair makes it.
const upB = "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is up: new adjacency"

// downB is that of its end.
func downB(why string) string {
	return "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is down: " + why
}

// TestAdjacency: two routers on a network become neighbours within seconds, tell each
// other their networks, and stay so (RFC 7868 sections 5.3.3 to 5.3.5).
func TestAdjacency(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(2 * time.Second)
	same(t, "neighbours of a", a.neighbors(), "10.0.0.2 Eth0")
	same(t, "neighbours of b", b.neighbors(), "10.0.0.1 Eth0")
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
	same(t, "log", a.said(), upB)
	l.advance(time.Hour)
	same(t, "log in peace", a.said())
}

// TestAdjacencyLossy: a network that loses a third of all packets but Hellos delays it
// and no more. Which ones is drawn: a fixed pattern could lose each retransmission.
func TestAdjacencyLossy(t *testing.T) {
	l, a, b := pair(t)
	rng := rand.New(rand.NewPCG(1, 1))
	l.pass = func(_, _ *router, m *packet.Message) bool {
		return m.Opcode == packet.Hello && !m.IsAck() || rng.IntN(3) != 0
	}
	l.start()
	l.advance(2 * time.Minute)
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
	same(t, "log", a.said(), upB)
}

// TestAdjacencyAckLost: a neighbour whose acknowledgment of the INIT is lost is up when
// it sends what follows.
func TestAdjacencyAckLost(t *testing.T) {
	for name, lose := range map[string]func(m *packet.Message) bool{
		"acks":    func(m *packet.Message) bool { return m.IsAck() },
		"inits":   func(m *packet.Message) bool { return m.Flags&packet.FlagInit != 0 },
		"updates": func(m *packet.Message) bool { return m.Opcode == packet.Update && len(m.Routes) > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l, a, b := pair(t)
			lost := map[string]int{}
			l.pass = func(from, to *router, m *packet.Message) bool {
				if lose(m) && lost[from.name] < 2 {
					lost[from.name]++
					return false
				}
				return true
			}
			l.start()
			l.advance(30 * time.Second)
			same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
			same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
			same(t, "log of a", a.said(), upB)
		})
	}
}

// TestOneWay: a neighbour that hears nothing never comes up, and is given up and tried
// again; the log says so now and then.
func TestOneWay(t *testing.T) {
	l, a, b := pair(t)
	l.pass = func(from, _ *router, _ *packet.Message) bool { return from == b }
	l.start()
	l.advance(10 * time.Second)
	same(t, "neighbours of a", a.neighbors(), "10.0.0.2 Eth0 pending")
	same(t, "neighbours of b", b.neighbors())
	same(t, "routes of a", a.routes())
	l.advance(5 * time.Minute)
	logs := a.said()
	if len(logs) < 2 || len(logs) > 8 {
		t.Errorf("%d messages: %q", len(logs), logs)
	}
	for _, s := range logs {
		if s != downB("retry limit exceeded") {
			t.Error(s)
		}
	}
}

// TestHoldTime: what counts is the Hold Time that the neighbour announces, and any
// packet of it (RFC 7868 section 5.3.1).
func TestHoldTime(t *testing.T) {
	l, a, b := pair(t)
	b.iface("Eth0").Hold = 40 * time.Second
	b.iface("Eth0").Hello = 10 * time.Second
	l.start()
	l.advance(20 * time.Second)
	a.said()
	b.crash()
	l.advance(29 * time.Second)
	same(t, "after 29 s", a.said())
	l.advance(12 * time.Second)
	same(t, "after 41 s", a.said(), downB("holding time expired"))
	same(t, "routes", a.routes())
	same(t, "neighbours", a.neighbors())
}

// TestGoodbye: who ends for good takes leave, and its neighbours need not wait (RFC 7868
// section 6.7.7).
func TestGoodbye(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	b.step(Shutdown{})
	l.advance(2 * time.Millisecond)
	same(t, "log", a.said(), downB("Interface Goodbye received"))
	same(t, "routes", a.routes())
	l.advance(time.Minute)
	same(t, "neighbours", a.neighbors())
	said := b.take()
	b.rx("Eth0", "10.0.0.7", hello())
	if out := b.take(); len(out) > 0 {
		t.Errorf("after its end: %#v", out)
	}
	for _, e := range said {
		if tx, ok := e.(TxPacket); ok {
			if m, _ := packet.Parse(tx.Packet); m.Parameters != nil && m.Parameters.Goodbye() {
				return
			}
		}
	}
	t.Error("no goodbye")
}

// TestClear: `clear ip eigrp neighbors` resets the adjacency, and tells the neighbour by
// a Peer Termination TLV (RFC 7868 section 6.7.7).
func TestClear(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	b.said()
	b.step(Clear{Addr: addr("10.0.0.9")})
	b.step(Clear{Interface: "Eth1"})
	b.step(Clear{AS: 7})
	b.step(Clear{VRF: "other"})
	same(t, "log of b", b.said())
	b.step(Clear{Addr: addr("10.0.0.1"), Interface: "Eth0", AS: 100, Family: rib.IPv4})
	l.advance(10 * time.Second)
	same(t, "log of b", b.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.1 (Eth0) is down: manually cleared",
		"%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.1 (Eth0) is up: new adjacency")
	same(t, "log of a", a.said(), downB("Interface PEER-TERMINATION received"), upB)
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
}

// TestClearCounters: `clear ip eigrp` of the counters leaves neighbours alone.
func TestClearCounters(t *testing.T) {
	l, a, _ := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	a.step(Clear{Counters: true})
	if c := a.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].Counters; c != (Counters{}) {
		t.Errorf("%+v", c)
	}
	same(t, "log", a.said())
}

// TestWeights: routers with other K-values do not become neighbours (RFC 7868 section
// 5.3.2), and cease to be. K6 does not matter to those that know classic metrics alone.
func TestWeights(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	b.instance().Weights = metric.Weights{K1: 1, K2: 1, K3: 1}
	b.configure()
	l.advance(25 * time.Second)
	same(t, "log, in limited rate", a.said(), downB("Interface Goodbye received"), downB("K-value mismatch"), downB("K-value mismatch"))
	same(t, "neighbours", a.neighbors())
	if n := a.drops(DropKValues); n < 4 {
		t.Errorf("%d dropped", n)
	}
	b.instance().Weights = metric.Weights{K1: 1, K3: 1, K6: 9}
	b.configure()
	l.advance(10 * time.Second)
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")

	named := func(ic *InstanceConfig) { ic.Name = "DMVPN" }
	l, a, b = pair(t, named)
	b.instance().Weights = metric.Weights{K1: 1, K3: 1, K6: 9}
	l.start()
	l.advance(10 * time.Second)
	same(t, "neighbours in named mode", a.neighbors())
}

// TestStubInfo: a neighbour is a stub as long as its Hellos say so.
func TestStubInfo(t *testing.T) {
	l, a, b := pair(t)
	b.instance().Stub = &Stub{Connected: true}
	l.start()
	l.advance(3 * time.Second)
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0 stub")
	a.said()
	b.instance().Stub = &Stub{Connected: true, Summary: true}
	b.configure()
	l.advance(10 * time.Second)
	same(t, "log of another stub", a.said())
	rep := a.query(Query{Kind: ReportNeighbors}).(*NeighborReport).Instances[0].Neighbors[0]
	if rep.Stub != packet.StubConnected|packet.StubSummary {
		t.Errorf("%v", rep.Stub)
	}
	b.instance().Stub = nil
	b.configure()
	l.advance(10 * time.Second)
	same(t, "log", a.said(), downB("peer info changed"), upB)
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
	same(t, "routes", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
}

// TestInterfaces: EIGRP of IPv4 runs where an address matches `network`, secondary ones
// too; not on passive interfaces, of which it tells, nor on those that are shut down.
func TestInterfaces(t *testing.T) {
	l := newTown(t)
	a := l.router("a", func(ic *InstanceConfig) {
		ic.Networks = []policy.Wildcard{{Addr: 10 << 24, Bits: 0xffffff}}
		ic.Default.Passive = true
		ic.Interfaces = []InterfaceConfig{{Name: "Eth1"}, {Name: "Eth3", Shutdown: true}, {Name: "Lo0"}}
	}).on("x", "Eth0", "10.0.0.1/24").on("y", "Eth1", "192.0.2.1/24", "10.1.0.1/24").on("z", "Eth2", "192.0.3.1/24").on("w", "Eth3", "10.3.0.1/24").
		on("", "Lo0", "10.9.9.9/32").start()
	a.edit("Lo0", func(x *rib.Interface) { x.Type = rib.TypeLoopback })
	rep := a.query(Query{Kind: ReportInterfaces}).(*InterfaceReport).Instances[0]
	var got []string
	for _, i := range rep.Interfaces {
		got = append(got, fmt.Sprintf("%s up=%v passive=%v", i.Config.Name, i.Up, i.Config.Passive))
	}
	same(t, "interfaces", got, "Eth0 up=true passive=true", "Eth1 up=true passive=false", "Lo0 up=true passive=false")
	if _, ok := a.heard[listenName("Eth1", "", rib.IPv4)]; !ok || len(a.heard) != 1 {
		t.Errorf("listens to %v", a.heard)
	}
	a.take()
	l.advance(time.Minute)
	for _, e := range a.take() {
		if tx, ok := e.(TxPacket); ok && (tx.Interface != "Eth1" || tx.Source != addr("192.0.2.1")) {
			t.Errorf("sends by %s from %v", tx.Interface, tx.Source)
		}
	}
	a.rx("Eth0", "10.0.0.7", hello())
	if n := a.drops(DropPassive); n != 1 {
		t.Errorf("%d dropped on a passive interface", n)
	}
}

// hello is a Hello of another router.
func hello() *packet.Message {
	return &packet.Message{Opcode: packet.Hello, AS: 100, Parameters: &packet.Parameters{Weights: metric.DefaultWeights, HoldTime: 15},
		Software: &packet.Software{OSMajor: 15, OSMinor: 9, TLVMajor: 1, TLVMinor: 2}}
}

// rx has a packet arrive at the group, or at the address of the interface if it
// acknowledges or is to be acknowledged.
func (r *router) rx(ifname, from string, m *packet.Message) {
	r.t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.rxBytes(ifname, from, m.Ack != 0 || m.Sequence != 0, b)
}

func (r *router) rxBytes(ifname, from string, unicast bool, b []byte) {
	r.t.Helper()
	to := packet.GroupIPv4
	if addr(from).Is6() {
		to = packet.GroupIPv6
	}
	if unicast {
		for _, a := range r.link[ifname].Addresses {
			if a.Prefix.Addr().Is4() == addr(from).Is4() {
				to = a.Prefix.Addr()
			}
		}
	}
	r.step(RxPacket{Interface: ifname, Source: addr(from), Dest: to, Packet: b})
}

// TestSource: a neighbour's address is on a network of the interface, by any of its
// addresses. On a tunnel without one, any will do (/32 tunnels).
func TestSource(t *testing.T) {
	l := newTown(t)
	a := l.router("a").on("x", "Eth0", "10.0.0.1/24", "10.0.1.1/24").on("y", "Tunnel0", "172.31.0.1/32").on("z", "Eth1", "10.9.0.1/31").start()
	a.edit("Tunnel0", func(x *rib.Interface) {
		x.Type, x.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: addr("192.0.2.1")}
	})
	for _, from := range []string{"10.0.0.2", "10.0.1.2"} {
		a.rx("Eth0", from, hello())
	}
	for _, from := range []string{"10.0.2.2", "10.0.0.0", "10.0.0.255", "10.0.1.255", "127.0.0.1", "224.0.0.10", "0.0.0.0", "255.255.255.255"} {
		a.rx("Eth0", from, hello())
	}
	a.rx("Eth1", "10.9.0.0", hello())
	for _, from := range []string{"172.31.0.2", "192.0.2.7"} {
		a.rx("Tunnel0", from, hello())
	}
	a.rx("Tunnel0", "224.0.0.10", hello())
	a.rx("Eth0", "10.0.0.1", hello())
	a.rx("Tunnel0", "10.0.1.1", hello())
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0 pending", "10.0.1.2 Eth0 pending", "10.9.0.0 Eth1 pending",
		"172.31.0.2 Tunnel0 pending", "192.0.2.7 Tunnel0 pending")
	if s, o := a.drops(DropSource), a.drops(DropOwn); s != 9 || o != 2 {
		t.Errorf("%d and %d dropped", s, o)
	}
}

// TestTunnels: two routers whose tunnel has host addresses become neighbours.
func TestTunnels(t *testing.T) {
	l := newTown(t)
	for k, name := range []string{"a", "b"} {
		r := l.router(name).on("cloud", "Tunnel0", fmt.Sprintf("172.31.%d.1/32", k)).on("", "Eth0", fmt.Sprintf("10.%d.0.1/24", k+1))
		r.edit("Tunnel0", func(x *rib.Interface) { x.Type, x.Tunnel = rib.TypeTunnel, &rib.Tunnel{} })
	}
	l.start()
	l.advance(5 * time.Second)
	same(t, "neighbours", l.routers[0].neighbors(), "172.31.1.1 Tunnel0")
	if got := l.routers[0].routes(); !slices.Contains(got, "10.2.0.0/24 [90/30720] 172.31.1.1,Tunnel0") {
		t.Errorf("routes: %q", got)
	}
}

// TestAutonomousSystems: instances on one interface are told apart by AS and family, and
// know nothing of each other (RFC 7868 section 6.5).
func TestAutonomousSystems(t *testing.T) {
	l, a, b := pair(t)
	for _, r := range []*router{a, b} {
		second := r.cfg.Instances[0]
		second.AS = 200
		six := InstanceConfig{Key: Key{Family: rib.IPv6, AS: 100}, Name: "SIX", AllInterfaces: true}
		r.cfg.Instances = append(r.cfg.Instances, second, six)
	}
	for k, r := range l.routers {
		r.edit("Eth0", func(x *rib.Interface) {
			x.Addresses = append(x.Addresses, rib.Address{Prefix: prefix(fmt.Sprintf("fe80::%d/64", k+1))})
		})
		r.edit("Eth1", func(x *rib.Interface) {
			x.Addresses = append(x.Addresses, rib.Address{Prefix: prefix(fmt.Sprintf("fe80::%d/64", k+1))}, rib.Address{Prefix: prefix(fmt.Sprintf("2001:db8:%d::1/64", k+1))})
		})
	}
	b.cfg.Instances[1].AS = 300 // nobody's at a
	l.start()
	l.advance(10 * time.Second)
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0", "fe80::2 Eth0")
	if got := a.routes(); !slices.ContainsFunc(got, func(s string) bool { return s[:17] == "2001:db8:2::/64 [" }) {
		t.Errorf("routes: %q", got)
	}
	same(t, "log", a.said(), upB, "%DUAL-5-NBRCHANGE: EIGRP-IPv6 100: Neighbor fe80::2 (Eth0) is up: new adjacency")
	a.cfg.Instances = a.cfg.Instances[:1]
	a.configure()
	l.advance(time.Second)
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
	same(t, "log", a.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv6 100: Neighbor fe80::2 (Eth0) is down: instance removed")
	if _, ok := a.heard[listenName("Eth0", "", rib.IPv6)]; ok {
		t.Error("still listens to IPv6")
	}
}

// TestRouterID: the highest address of a loopback, else of all; what was chosen stays.
func TestRouterID(t *testing.T) {
	id := func(r *router) netip.Addr {
		return r.query(Query{Kind: ReportNeighbors}).(*NeighborReport).Instances[0].RouterID
	}
	l := newTown(t)
	a := l.router("a").on("", "Eth0", "10.0.0.1/24", "192.168.0.1/24").on("", "Eth1", "172.16.0.1/24").start()
	if got := id(a); got != addr("192.168.0.1") {
		t.Errorf("chose %v", got)
	}
	b := l.router("b").on("", "Eth0", "192.168.0.1/24").on("", "Lo0", "1.1.1.1/32").on("", "Lo1", "1.1.1.2/32").on("", "Lo2", "9.9.9.9/32")
	for _, name := range []string{"Lo0", "Lo1", "Lo2"} {
		b.edit(name, func(x *rib.Interface) { x.Type = rib.TypeLoopback })
	}
	b.edit("Lo2", func(x *rib.Interface) { x.VRF = "other" })
	b.start()
	if got := id(b); got != addr("1.1.1.2") {
		t.Errorf("chose %v", got)
	}
	b.edit("Lo1", func(x *rib.Interface) { x.Up = false })
	if got := id(b); got != addr("1.1.1.2") {
		t.Errorf("chose %v when the interface went down", got)
	}
	b.instance().RouterID = addr("7.7.7.7")
	b.configure()
	if got := id(b); got != addr("7.7.7.7") {
		t.Errorf("takes %v", got)
	}
	c := l.router("c").start()
	if got := id(c); got.IsValid() {
		t.Errorf("chose %v of nothing", got)
	}
	c.on("", "Eth0", "10.0.0.1/24")
	c.edit("Eth0", func(*rib.Interface) {})
	if got := id(c); got != addr("10.0.0.1") {
		t.Errorf("chose %v of the first address", got)
	}
}
