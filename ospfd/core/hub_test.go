package core

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// cloud is a hub and its spokes on a multipoint tunnel.
func cloud(t testing.TB, spokes int, edit func(*InterfaceConfig)) (l *town, hub *router) {
	l = newTown(t)
	for k := range spokes + 1 {
		r := l.router(fmt.Sprint("r", k)).on("dmvpn", "Tunnel0", fmt.Sprintf("10.0.%d.%d/16", (k+1)/250, (k+1)%250+1))
		*r.iface("Tunnel0") = InterfaceConfig{Name: "Tunnel0", Type: fsm.PointToMultipoint}
		edit(r.iface("Tunnel0"))
	}
	hub = l.routers[0]
	l.pass = func(from, to *router, _ *packet.Message) bool { return from == hub || to == hub }
	return l, hub
}

var hubSpokes = flag.Int("hub-spokes", 80, "spokes of a hub")

// TestHub brings the spokes of a hub to Full: no more than 64 adjacencies form at a time
// (RFC 4222 section 2, recommendation 5), also when the hub is restarted.
func TestHub(t *testing.T) {
	spokes := *hubSpokes
	l, hub := cloud(t, spokes, func(*InterfaceConfig) {})
	l.start()
	most := 0
	pass := l.pass
	l.pass = func(from, to *router, m *packet.Message) bool {
		if in := hub.in(); in.on {
			most = max(most, in.forming)
		}
		return pass(from, to, m)
	}
	l.until(3*time.Minute, "Full", func() bool { return hub.full() == spokes })
	if most > DefaultAdjacencyParallel || most < 10 {
		t.Errorf("%d adjacencies formed at a time", most)
	}
	l.routers[1].opaque(packet.OpaqueAreaLSA, 200<<24, "of a spoke")
	l.advance(5 * time.Second)
	for _, r := range l.routers {
		if r.in().order[0].scope.db.Len() == 0 {
			t.Fatalf("%s does not know", r.name)
		}
	}
	hub.crash()
	hub.start()
	l.until(3*time.Minute, "Full again", func() bool { return hub.full() == spokes })
}

// TestSpokes has the spokes' side of a hub be point-to-point, and priority 0 spokes on a
// broadcast tunnel, of which only the hub is designated router.
func TestSpokes(t *testing.T) {
	l, hub := cloud(t, 5, func(*InterfaceConfig) {})
	for _, r := range l.routers[1:] {
		i := r.iface("Tunnel0")
		i.Type, i.Spoke, i.Hello, i.Dead = fsm.PointToPoint, true, 30*time.Second, 120*time.Second
	}
	l.start()
	l.until(2*time.Minute, "Full", func() bool { return hub.full() == 5 })

	zero := uint8(0)
	l, hub = cloud(t, 5, func(i *InterfaceConfig) { i.Type = fsm.Broadcast })
	for _, r := range l.routers[1:] {
		r.iface("Tunnel0").Priority = &zero
	}
	l.start()
	l.until(2*time.Minute, "Full", func() bool { return hub.full() == 5 })
	if st := hub.status("Tunnel0"); st.State != fsm.InterfaceDR || st.BDR.IsValid() {
		t.Errorf("the hub is %v, backup %v", st.State, st.BDR)
	}
	if st := l.routers[3].status("Tunnel0"); st.State != fsm.InterfaceDROther || st.DR != addr("10.0.0.2") {
		t.Errorf("a spoke is %v, designated router %v", st.State, st.DR)
	}
}

// TestTwoHubs has a spoke with two hubs, of which it is a point-to-point neighbour by one
// tunnel: what is for one hub does not confuse the other.
func TestTwoHubs(t *testing.T) {
	l := newTown(t)
	for k := range 3 {
		r := l.router(fmt.Sprint("r", k)).on("dmvpn", "Tunnel0", fmt.Sprintf("10.0.0.%d/24", k+1))
		*r.iface("Tunnel0") = InterfaceConfig{Name: "Tunnel0", Type: fsm.PointToMultipoint, Hello: 10 * time.Second}
	}
	spoke := l.routers[2]
	spoke.iface("Tunnel0").Type, spoke.iface("Tunnel0").Spoke = fsm.PointToPoint, true
	l.pass = func(from, to *router, _ *packet.Message) bool { return from == spoke || to == spoke }
	l.start()
	l.until(time.Minute, "Full", func() bool { return spoke.full() == 2 })
	spoke.opaque(packet.OpaqueAreaLSA, 200<<24, "of the spoke")
	l.routers[0].opaque(packet.OpaqueAreaLSA, 200<<24, "of a hub")
	l.advance(time.Minute)
	if n := spoke.changes(); n != 2 || !slices.Equal(l.routers[0].database(), l.routers[1].database()) {
		t.Errorf("%d changes; %q", n, spoke.neighbors())
	}
}

// TestDesignatedRouterLost replaces the designated router when it is gone, by its backup
// (RFC 2328 section 9.4), and does not give it back.
func TestDesignatedRouterLost(t *testing.T) {
	l := newTown(t)
	for k := range 4 {
		l.router(fmt.Sprint("r", k)).on("lan", "Eth0", fmt.Sprintf("10.0.0.%d/24", k+1))
	}
	l.start()
	l.advance(time.Minute)
	see := func(want string) {
		t.Helper()
		for _, r := range l.routers {
			if st := r.status("Eth0"); !r.dead && fmt.Sprint(st.DR, st.BDR) != want {
				t.Errorf("%s: %v %v, want %s", r.name, st.DR, st.BDR, want)
			}
		}
	}
	see("10.0.0.4 10.0.0.3")
	l.routers[3].crash()
	l.routers[3].dead = true
	l.routers[3].core = l.routers[0].core // nobody asks
	l.routers = l.routers[:3]
	l.advance(time.Minute)
	see("10.0.0.3 10.0.0.2")
}

// TestNBMAPriorities has routers of priority 0 on an NBMA network that speak with the
// designated router and its backup alone (section 9.5.1), of which one is gone for a while
// and polled.
func TestNBMAPriorities(t *testing.T) {
	l := newTown(t)
	zero := uint8(0)
	for k := range 4 {
		r := l.router(fmt.Sprint("r", k)).on("cloud", "Eth0", fmt.Sprintf("10.0.0.%d/24", k+1))
		*r.iface("Eth0") = InterfaceConfig{Name: "Eth0", Type: fsm.NonBroadcast, Hello: 10 * time.Second}
		if k > 1 {
			r.iface("Eth0").Priority = &zero
		}
		for o := range 4 {
			if o != k && k < 2 { // those of priority 0 need not know anybody
				p := uint8(1)
				if o > 1 {
					p = 0
				}
				r.instance().Neighbors = append(r.instance().Neighbors, StaticNeighbor{Addr: addr(fmt.Sprintf("10.0.0.%d", o+1)), Priority: p, Poll: time.Minute})
			}
		}
	}
	l.pass = func(from, to *router, _ *packet.Message) bool {
		if a, b := from.core.order[0].id, to.core.order[0].id; a > 2 && b > 2 {
			t.Errorf("%s speaks with %s", from.name, to.name)
		}
		return true
	}
	l.start()
	full := func() (n int) {
		for _, r := range l.routers {
			n += r.full()
		}
		return n
	}
	l.until(3*time.Minute, "Full", func() bool { return full() == 10 })
	lost := l.routers[2]
	lost.crash()
	l.advance(5 * time.Minute)
	same(t, "without r2", l.routers[0].neighbors(), "0.0.0.2 10.0.0.2 Eth0 Full", "0.0.0.0 10.0.0.3 Eth0 Down", "0.0.0.4 10.0.0.4 Eth0 Full")
	lost.start()
	l.until(2*time.Minute, "Full", func() bool { return full() == 10 })
}

// TestClaims: processes share interfaces out: `ip ospf area` goes before `network`, and the
// first process before others.
func TestClaims(t *testing.T) {
	l, a, _ := pair(t)
	a.on("", "Eth1", "10.1.0.1/24").on("", "Eth2", "10.2.0.1/24")
	two := *a.instance()
	two.Process, two.RouterID = 2, addr("0.0.0.22")
	two.Networks = []Network{{policy.Wildcard{Bits: 0xffffffff}, 7}}
	a.cfg.Instances = append(a.cfg.Instances, two)
	*a.iface("Eth1") = InterfaceConfig{Name: "Eth1", HasArea: true, Process: 2, Area: 9}
	l.start()
	var got []string
	for _, in := range a.query(Query{Kind: ReportInterfaces}).(*InterfaceReport).Instances {
		for _, i := range in.Interfaces {
			got = append(got, fmt.Sprintf("%d %s area %v", in.Process, i.Name, i.Area))
		}
	}
	same(t, "interfaces", got, "1 Eth0 area 0.0.0.0", "1 Eth2 area 0.0.0.0", "2 Eth1 area 0.0.0.9")
}

// TestMaxMetricHub: with `max-metric router-lsa` the links of a point-to-multipoint network have
// the largest metric, and its host routes with include-stub alone (RFC 6987 section 2, RFC 2328
// section 12.4.1.4).
func TestMaxMetricHub(t *testing.T) {
	l, hub := cloud(t, 1, func(*InterfaceConfig) {})
	hub.instance().MaxMetric = &MaxMetric{}
	l.start()
	l.until(3*time.Minute, "Full", func() bool { return hub.full() == 1 })
	l.advance(10 * time.Second)
	const want = "0.0.0.0: 0.0.0.1 of 0.0.0.1: p2p 0.0.0.2/10.0.0.2 65535, stub 10.0.0.2/255.255.255.255 "
	same(t, "links", hub.lsas(packet.RouterLSA)[:1], want+"0")
	hub.instance().MaxMetric = &MaxMetric{IncludeStub: true}
	hub.configure()
	l.advance(10 * time.Second)
	same(t, "stubs too", hub.lsas(packet.RouterLSA)[:1], want+"65535")
}
