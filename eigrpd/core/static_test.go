package core

import (
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestStatic: an interface with static neighbours sends no multicast and takes none, and
// has no other neighbours, as on IOS.
func TestStatic(t *testing.T) {
	l, a, b := pair(t)
	c := l.router("c").on("lan", "Eth0", "10.0.0.3/24")
	a.instance().Neighbors = []StaticNeighbor{{Addr: addr("10.0.0.2"), Interface: "Eth0"}}
	b.instance().Neighbors = []StaticNeighbor{{Addr: addr("10.0.0.1"), Interface: "Eth0"}}
	l.pass = func(from, to *router, m *packet.Message) bool {
		if from != c && to == c {
			t.Errorf("%s sends a %v to c", from.name, m.Opcode)
		}
		return true
	}
	l.start()
	l.advance(10 * time.Second)
	same(t, "neighbours of a", a.neighbors(), "10.0.0.2 Eth0 static")
	same(t, "neighbours of b", b.neighbors(), "10.0.0.1 Eth0 static")
	same(t, "neighbours of c", c.neighbors())
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	if a.heard[listenName("Eth0", "", rib.IPv4)].Group {
		t.Error("a listens to the group")
	}
	a.step(RxPacket{Interface: "Eth0", Source: addr("10.0.0.3"), Dest: packet.GroupIPv4, Packet: encode(t, hello())})
	a.step(RxPacket{Interface: "Eth0", Source: addr("10.0.0.3"), Dest: addr("10.0.0.1"), Packet: encode(t, hello())})
	if m, s := a.drops(DropMulticast), a.drops(DropSource); m != 1 || s != 1 {
		t.Errorf("%d and %d dropped", m, s)
	}
	// Without them, the two are neighbours by multicast, and of c.
	l.pass = nil
	a.said()
	a.instance().Neighbors, b.instance().Neighbors = nil, nil
	a.configure()
	b.configure()
	l.advance(10 * time.Second)
	got := a.neighbors()
	slices.Sort(got)
	same(t, "neighbours of a", got, "10.0.0.2 Eth0", "10.0.0.3 Eth0")
	if logs := a.said(); len(logs) < 3 || logs[0] != downB("Static peer configured") {
		t.Errorf("log: %q", logs)
	}
}

func encode(t testing.TB, m *packet.Message) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOneSideStatic: who has no static neighbours takes no Hello that is sent to it alone,
// as IOS does not. Else it would wait for a neighbour that does not answer.
func TestOneSideStatic(t *testing.T) {
	l, a, b := pair(t)
	a.instance().Neighbors = []StaticNeighbor{{Addr: addr("10.0.0.2"), Interface: "Eth0"}}
	l.start()
	l.advance(10 * time.Minute)
	same(t, "neighbours of a", a.neighbors())
	same(t, "neighbours of b", b.neighbors())
	same(t, "log of b", b.said())
}

// remote is a hub that listens for remote neighbours, and some that name it.
func remote(t *testing.T, spokes int) (l *town, hub *router, far []*router) {
	l = newTown(t)
	hub = l.router("hub").on("core", "Eth0", "192.0.2.1/30").on("", "Lo0", "10.0.0.1/32")
	hub.edit("Lo0", func(x *rib.Interface) { x.Type = rib.TypeLoopback })
	hub.instance().Interfaces = []InterfaceConfig{{Name: "Eth0", Passive: true}}
	hub.instance().Listen = &RemoteListen{Interface: "Lo0"}
	for k := range spokes {
		o := byte('1' + k)
		r := l.router("spoke"+string(o)).on("core"+string(o), "Eth0", "198.51.100."+string(o)+"/32").
			on("", "Lo0", "10.1.0."+string(o)+"/32").on("", "Eth1", "10.2."+string(o)+".1/24")
		r.edit("Lo0", func(x *rib.Interface) { x.Type = rib.TypeLoopback })
		r.instance().Interfaces = []InterfaceConfig{{Name: "Eth0", Passive: true}}
		r.instance().Neighbors = []StaticNeighbor{{Addr: addr("10.0.0.1"), Interface: "Lo0", Remote: true, MaxHops: 9}}
		far = append(far, r)
	}
	return l, hub, far
}

// TestRemote: remote neighbours are several hops away, on no network of this router, and
// their packets go by the routing table with a TTL.
func TestRemote(t *testing.T) {
	l, hub, far := remote(t, 2)
	hub.instance().Listen.Maximum = 1
	l.start()
	l.advance(5 * time.Second)
	same(t, "neighbours of the hub", hub.neighbors(), "10.1.0.1 Lo0 remote")
	same(t, "neighbours of the first", far[0].neighbors(), "10.0.0.1 Lo0 static remote")
	same(t, "neighbours of the second", far[1].neighbors())
	for _, e := range far[0].take() {
		tx, ok := e.(TxPacket)
		if ok && tx.Dest == addr("10.0.0.1") && (tx.Interface != "" || tx.TTL != 9 || tx.Source != addr("10.1.0.1")) {
			t.Errorf("sends by %q from %v with TTL %d", tx.Interface, tx.Source, tx.TTL)
		}
	}
	if n := hub.drops(DropLimit); n == 0 {
		t.Error("the second is not refused")
	}
	l.advance(time.Minute)
	same(t, "neighbours of the hub", hub.neighbors(), "10.1.0.1 Lo0 remote")

	hub.instance().Listen.Maximum = 0
	hub.instance().Listen.AllowList = "5"
	hub.cfg.Policy = policytest.Parse(t, "access-list 5 permit 10.1.0.2\n")
	hub.configure()
	l.advance(10 * time.Second)
	same(t, "neighbours of the hub by list", hub.neighbors(), "10.1.0.2 Lo0 remote")
	same(t, "neighbours of the first", far[0].neighbors())

	hub.instance().Listen = nil
	hub.configure()
	same(t, "neighbours of the hub in the end", hub.neighbors())
	if len(hub.heard) != 0 {
		t.Errorf("listens to %v", hub.heard)
	}
}
