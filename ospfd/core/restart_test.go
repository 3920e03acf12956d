package core

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// route1 is a route that an earlier life left behind.
var (
	route1 = rib.Route{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Protocol: rib.OSPF}
	key1   = route1.Key()
)

func graceful(ic *InstanceConfig) { ic.Restart.Enabled = true }

// TestGracefulRestart restarts a router gracefully, planned and after a crash: its neighbour
// helps, and says nothing else of it meanwhile (RFC 3623 sections 2, 3 and 5). Also that of a
// hub, whose spokes have the priority 0.
func TestGracefulRestart(t *testing.T) {
	for _, typ := range []fsm.NetworkType{fsm.PointToPoint, fsm.Broadcast} {
		for k := range 6 {
			planned, designated, hub := k&1 == 0, k&2 == 0, k&4 != 0 // designated: who restarts is the designated router
			l, a, b := pair(t, graceful)
			if designated {
				a.instance().RouterID = addr("0.0.0.9")
			}
			for _, r := range l.routers {
				r.iface("Eth0").Type = typ
			}
			if hub {
				b.iface("Eth0").Priority = new(uint8)
			}
			l.start()
			l.bothFull(a, b)
			l.advance(time.Minute)
			a.said()
			b.said()
			before := b.status("Eth0")
			if planned {
				a.step(Shutdown{Restart: true})
				l.advance(10 * time.Millisecond)
				if n := b.in().ifaces[0].neighbors; len(n) != 1 || !n[0].help.active {
					t.Errorf("planned, and not helping: %q", b.neighbors())
				}
			}
			a.crash()
			l.advance(20 * time.Second)
			a.fib[key1] = route1 // something is stale
			a.start()
			delete(a.fib, key1)
			if !a.in().restarting {
				t.Fatalf("planned %v: the restart is not graceful", planned)
			}
			seen := false
			for range 600 {
				l.advance(100 * time.Millisecond)
				n := b.in().ifaces[0].neighbors
				if len(n) != 1 || !n[0].full() {
					t.Fatalf("%v planned %v, %v: b does not tell of a: %q", typ, planned, l.now, b.neighbors())
				}
				seen = seen || n[0].help.active
			}
			if after := b.status("Eth0"); after.DR != before.DR || after.BDR != before.BDR {
				t.Errorf("%v: designated router was %v, is %v", typ, before.DR, after.DR)
			}
			if a.in().restarting || a.in().restart.ended != "completed" {
				t.Errorf("%v planned %v designated %v: the restart does not end: %q", typ, planned, designated, a.in().restart.ended)
			}
			if !seen || a.full() != 1 || b.full() != 1 {
				t.Errorf("%v planned %v: helped: %v; %q", typ, planned, seen, b.neighbors())
			}
			for _, s := range b.said() {
				if strings.Contains(s, "DOWN") {
					t.Error(s)
				}
			}
		}
	}
}

// TestGraceWithoutMulticast has a hub that crashes where nothing is sent to a group: each
// neighbour hears of the grace period before its first Hello, whether NHRP names it after the
// interface came up or it is first heard (RFC 3623 section 5).
func TestGraceWithoutMulticast(t *testing.T) {
	for _, named := range []bool{true, false} {
		l := newTown(t)
		for k := range 3 {
			r := l.router(fmt.Sprint("r", k)).on("dmvpn", "Tunnel0", fmt.Sprintf("10.0.0.%d/24", k+1))
			*r.iface("Tunnel0") = InterfaceConfig{Name: "Tunnel0", Type: fsm.PointToMultipoint, NoBroadcast: true, Hello: 10 * time.Second}
			graceful(r.instance())
		}
		l.start()
		hub, spokes := l.routers[0], l.routers[1:]
		meet := func() {
			for k := range spokes {
				hub.step(TunnelPeer{"Tunnel0", addr(fmt.Sprintf("10.0.0.%d", k+2)), true})
			}
		}
		meet()
		for _, r := range spokes {
			r.step(TunnelPeer{"Tunnel0", addr("10.0.0.1"), true})
		}
		l.until(30*time.Second, "Full", func() bool { return hub.full() == 2 })
		l.advance(time.Minute)
		hub.crash()
		l.advance(5 * time.Second)
		hub.fib[key1] = route1
		hub.start()
		delete(hub.fib, key1)
		l.advance(time.Second)
		if named {
			meet()
		}
		for range 300 {
			l.advance(100 * time.Millisecond)
			for _, r := range spokes {
				if n := r.in().ifaces[0].neighbors; len(n) != 1 || !n[0].full() {
					t.Fatalf("named %v, %v: %s does not tell of the hub: %q", named, l.now, r.name, r.neighbors())
				}
			}
		}
		if hub.full() != 2 || hub.in().restart.ended != "completed" {
			t.Errorf("named %v: %q, restart %q", named, hub.neighbors(), hub.in().restart.ended)
		}
	}
}

// TestQuickRestart restarts a router within a second. Its next life sends the grace-LSA that its
// neighbour has. Where it does not know that one, as after a crash, the neighbour takes the new
// one for one that comes too soon (RFC 2328 section 13 (5) (a)), and asks for it while it loads,
// twice: the LSA is flushed when the neighbour is fully adjacent as well, since one that is not
// tells its area that the link is gone (RFC 3623 section 3.2). No Hello takes the adjacency down.
func TestQuickRestart(t *testing.T) {
	for _, known := range []bool{true, false} {
		l, a, b := pair(t, graceful)
		for _, r := range l.routers {
			r.iface("Eth0").Type = fsm.PointToPoint
			r.iface("Eth0").Hello = 100 * time.Millisecond
		}
		l.start()
		l.bothFull(a, b)
		l.advance(time.Minute + 500*time.Millisecond)
		a.step(Shutdown{Restart: true})
		l.advance(10 * time.Millisecond)
		a.crash()
		l.advance(900 * time.Millisecond) // in the next second: by another sequence number
		for k, m := range a.remembered {
			if !known {
				m.Restart = time.Time{}
				a.remembered[k] = m
			}
		}
		asked, lost, flushed := 0, false, 0
		l.pass = func(from, _ *router, m *packet.Message) bool {
			for _, lsa := range m.Updates {
				if from == a && asked == 1 && !lost { // the answer
					lost = true
					return false
				}
				if lsa.ID == graceID && lsa.IsMaxAge() {
					flushed++
					if b.in().ifaces[0].neighbors[0].state != fsm.NeighborFull {
						t.Errorf("%v: the grace-LSA is flushed: %q", l.now, b.neighbors())
					}
				}
			}
			if from == b && m.Type == packet.LinkStateRequest {
				asked++
			}
			if from == a && m.Type == packet.Hello && len(m.HelloBody.Neighbors) == 0 {
				t.Errorf("%v: a sends a Hello that lists nobody", l.now)
			}
			return true
		}
		a.fib[key1] = route1
		a.start()
		delete(a.fib, key1)
		l.advance(20 * time.Second)
		if want := map[bool]int{true: 0, false: 2}[known]; asked != want || flushed == 0 || a.in().restart.ended != "completed" {
			t.Errorf("known %v: b asked %d times, flushed %d times, and the restart: %q", known, asked, flushed, a.in().restart.ended)
		}
	}
}

// TestGraceSequence crashes a router soon after a restart: the grace-LSA is above that which
// was flushed, and which a neighbour may remember.
func TestGraceSequence(t *testing.T) {
	l, a, b := pair(t, graceful)
	l.start()
	l.bothFull(a, b)
	var last int32 = packet.InitialSequence
	for life := range 4 {
		a.crash()
		l.advance(time.Second)
		a.fib[key1] = route1
		a.start()
		delete(a.fib, key1)
		lsa, ok := a.in().ifaces[0].scope.db.Get(l.now, packet.LSAKey{Type: packet.OpaqueLinkLSA, ID: graceID, Router: a.in().id})
		if !ok || lsa.Sequence <= last || lsa.Age != 0 {
			t.Errorf("life %d: grace-LSA %v with sequence number %d after %d", life, ok, lsa.Sequence, last)
		}
		l.advance(20 * time.Second)
		if last = lsa.Sequence; a.in().restart.ended != "completed" {
			t.Errorf("life %d: the restart does not end: %q", life, a.in().restart.ended)
		}
	}
	for wall, want := range map[int64]int32{-1: packet.InitialSequence, 0: packet.InitialSequence, 1: packet.InitialSequence + 1, 1 << 40: packet.MaxSequence - 2} {
		if got := graceSequence(time.Unix(wall, 0)); got != want {
			t.Errorf("at %d: %d, want %d", wall, got, want)
		}
	}
}

// TestGraceExpires ends to help when the grace period is over (RFC 3623 section 3.2).
func TestGraceExpires(t *testing.T) {
	l, a, b := pair(t, graceful)
	l.start()
	l.bothFull(a, b)
	a.step(Shutdown{Restart: true})
	a.dead = true
	l.advance(119 * time.Second)
	same(t, "within 120 s", b.neighbors(), "0.0.0.1 10.0.0.1 Eth0 Full helping")
	l.advance(2 * time.Second)
	same(t, "after that", b.neighbors())
}

// TestNoHelp does not help where that is configured, nor strictly after a change.
func TestNoHelp(t *testing.T) {
	l, a, b := pair(t, graceful)
	b.instance().Restart.NoHelper = true
	l.start()
	l.bothFull(a, b)
	a.step(Shutdown{Restart: true})
	a.dead = true
	l.advance(41 * time.Second)
	same(t, "not helping", b.neighbors())

	l, a, b = pair(t, graceful)
	b.instance().Restart.Strict = true
	l.start()
	l.bothFull(a, b)
	l.advance(20 * time.Second)
	l.pass = func(_, to *router, m *packet.Message) bool { return to != a || m.Type != packet.LinkStateUpdate }
	external := lsdb.Statement{Type: packet.ExternalLSA, ID: 10 << 24, Options: packet.OptionE, Body: packet.External{Mask: 0xff000000, Metric: 20}.Append(nil)}
	b.in().originate(l.now, b.in().as, external)
	b.step(Tick{})
	a.step(Shutdown{Restart: true})
	a.dead = true
	l.advance(time.Second)
	same(t, "not helping who does not know all", b.neighbors(), "0.0.0.1 10.0.0.1 Eth0 Full")

	for _, strict := range []bool{false, true} {
		l, a, b = pair(t, graceful)
		b.instance().Restart.Strict = strict
		l.start()
		l.bothFull(a, b)
		a.step(Shutdown{Restart: true})
		a.dead = true
		l.advance(50 * time.Second)
		b.in().originate(l.now, b.in().as, external)
		b.step(Tick{})
		want := []string{"0.0.0.1 10.0.0.1 Eth0 Full helping"}
		if strict {
			want = nil
		}
		if got := b.neighbors(); !slices.Equal(got, append([]string{}, want...)) {
			t.Errorf("strict %v: %q", strict, got)
		}
	}
}
