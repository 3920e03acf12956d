package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// bothFull waits until two routers are adjacent.
func (l *town) bothFull(a, b *router) {
	l.t.Helper()
	l.until(3*time.Minute, "Full", func() bool { return a.full() == 1 && b.full() == 1 })
}

// mustFlood has a originate an LSA, and wants it in the database of b.
func (l *town) mustFlood(a, b *router, text string) {
	l.t.Helper()
	a.opaque(packet.OpaqueAreaLSA, 200<<24|9, text)
	l.until(30*time.Second, "flooding", func() bool { return slices.Equal(a.database(), b.database()) })
}

// TestMismatch wants a Hello that does not fit dropped, and the field named (RFC 2328
// section 10.5).
func TestMismatch(t *testing.T) {
	for _, x := range []struct {
		reason DropReason
		want   string
		edit   func(a *router)
	}{
		{DropHello, "hello interval 10, 30 configured from 10.0.0.2", func(a *router) { a.iface("Eth0").Hello, a.iface("Eth0").Dead = 30*time.Second, 40*time.Second }},
		{DropDead, "dead interval 40, 50 configured from 10.0.0.2", func(a *router) { a.iface("Eth0").Dead = 50 * time.Second }},
		{DropMask, "network mask 255.255.255.0, 255.255.0.0 configured from 10.0.0.2", func(a *router) {
			a.edit("Eth0", func(x *rib.Interface) { x.Addresses[0].Prefix = prefix("10.0.0.1/16") })
		}},
		{DropArea, "area 0.0.0.0, 0.0.0.5 configured from 10.0.0.2", func(a *router) { a.instance().Networks = []Network{{everywhere[0].Addresses, 5}} }},
		{DropAuthType, "authentication type mismatch (type 0, key 0) from 10.0.0.2", func(a *router) { a.iface("Eth0").Authentication = AuthenticationMD5 }},
		{DropOwn, "duplicate router ID 0.0.0.2 from 10.0.0.2", func(a *router) { a.instance().RouterID = addr("0.0.0.2") }},
	} {
		l, a, b := pair(t)
		x.edit(a)
		l.start()
		l.advance(25 * time.Second)
		if st := a.status("Eth0"); st.Mismatch != x.want || a.drops(x.reason) < 2 || len(a.neighbors()) > 0 {
			t.Errorf("%v: %q, %d dropped, %q", x.reason, st.Mismatch, a.drops(x.reason), a.neighbors())
		}
		if logs := a.said(); len(logs) < 2 || len(logs) > 3 || !strings.HasPrefix(logs[0], "%OSPF-4-ERRRCV: Process 1, received invalid packet from 10.0.0.2 on Eth0: ") {
			t.Errorf("%v: logged %q", x.reason, logs)
		}
		_ = b
	}
	stub := func(ic *InstanceConfig) { ic.Areas = []AreaConfig{{ID: 5, Kind: AreaStub}} }
	l, a, _ := pair(t, func(ic *InstanceConfig) { ic.Networks = []Network{{everywhere[0].Addresses, 5}} })
	stub(a.instance())
	l.start()
	l.advance(25 * time.Second)
	if st := a.status("Eth0"); st.Mismatch != "area type: options E,  configured from 10.0.0.2" || a.drops(DropStubFlag) < 2 {
		t.Errorf("%q", st.Mismatch)
	}
}

// TestHostMask takes a neighbour with a host address on a point-to-multipoint network, where
// each address is for itself, and nowhere else.
func TestHostMask(t *testing.T) {
	for _, typ := range []fsm.NetworkType{fsm.PointToMultipoint, fsm.Broadcast} {
		l, a, b := pair(t)
		for _, r := range l.routers {
			r.iface("Eth0").Type = typ
		}
		b.edit("Eth0", func(x *rib.Interface) { x.Addresses[0].Prefix, x.Type = prefix("10.0.0.2/32"), rib.TypeTunnel })
		l.start()
		l.advance(90 * time.Second)
		if want := typ == fsm.PointToMultipoint; (a.full() == 1) != want || (a.status("Eth0").Mismatch == "") != want {
			t.Errorf("%v: %q, %q", typ, a.neighbors(), a.status("Eth0").Mismatch)
		}
	}
}

// TestMTU wants no adjacency with who has a larger MTU, unless that is ignored (section
// 10.6).
func TestMTU(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		l, a, b := pair(t)
		b.edit("Eth0", func(x *rib.Interface) { x.MTU = 9000 })
		a.iface("Eth0").MTUIgnore = ignore
		l.start()
		l.advance(90 * time.Second)
		if got := a.full() == 1; got != ignore {
			t.Errorf("Full: %v, ignored %v: %q", got, ignore, a.neighbors())
		}
		if want := "MTU 9000, 1500 here from 10.0.0.2"; !ignore && a.status("Eth0").Mismatch != want {
			t.Errorf("%q", a.status("Eth0").Mismatch)
		}
	}
}

// changes counts the messages of adjacencies.
func (r *router) changes() (n int) {
	for _, s := range r.said() {
		if strings.HasPrefix(s, "%OSPF-5-ADJCHG") {
			n++
		}
	}
	return n
}

func digest(_ *testing.T, keys ...string) (all []DigestKey) {
	for _, k := range keys {
		all = append(all, DigestKey{ID: k[0] - '0', Key: policy.NewSecret(k[2:])})
	}
	return all
}

// TestRollover changes the MD5 key of two routers without loss (RFC 2328 section D.3): one
// router after the other gets the new key, and loses the old one when both have it.
func TestRollover(t *testing.T) {
	l, a, b := pair(t)
	for _, r := range l.routers {
		i := r.iface("Eth0")
		i.Authentication, i.DigestKeys = AuthenticationMD5, digest(t, "1 old")
	}
	l.start()
	l.bothFull(a, b)
	l.mustFlood(a, b, "with the old key")
	a.iface("Eth0").DigestKeys = digest(t, "1 old", "2 new")
	a.configure()
	l.advance(time.Minute)
	if st := a.status("Eth0"); !st.Rollover || !slices.Equal(st.AuthKeys, []uint32{2, 1}) {
		t.Errorf("rollover %v with keys %v", st.Rollover, st.AuthKeys)
	}
	l.mustFlood(a, b, "with both")
	b.iface("Eth0").DigestKeys = digest(t, "1 old", "2 new")
	b.configure()
	l.advance(time.Minute)
	if st := a.status("Eth0"); st.Rollover || !slices.Equal(st.AuthKeys, []uint32{2}) {
		t.Errorf("rollover %v with keys %v", st.Rollover, st.AuthKeys)
	}
	for _, r := range l.routers {
		r.iface("Eth0").DigestKeys = digest(t, "2 new")
		r.configure()
		l.advance(time.Minute)
	}
	l.mustFlood(a, b, "with the new key")
	if n := a.full() + b.full(); n != 2 || a.changes()+b.changes() != 2 {
		t.Errorf("the adjacency was lost: %q", a.neighbors())
	}
	b.iface("Eth0").DigestKeys = digest(t, "2 wrong")
	b.configure()
	l.advance(time.Minute)
	if a.full() != 0 || a.drops(DropDigest) == 0 {
		t.Errorf("a wrong key is good enough: %q", a.neighbors())
	}
}

// TestKeyChain takes each algorithm of RFC 5709, packets of RFC 7474, and keys whose lifetimes follow one another.
func TestKeyChain(t *testing.T) {
	for _, x := range []struct{ key, algorithm string }{{"7", "md5"}, {"7", "hmac-sha-1"}, {"7", "hmac-sha-256"}, {"7", "hmac-sha-384"}, {"7", "hmac-sha-512"}, {"700", "hmac-sha-256"}} {
		l, a, b := pair(t)
		for _, r := range l.routers {
			r.cfg.Policy = policytest.Parse(t, fmt.Sprintf(`key chain K
 key %s
  key-string one
  cryptographic-algorithm %s
  send-lifetime 00:00:00 Jan 1 2026 00:02:00 Jan 1 2026
  accept-lifetime 00:00:00 Jan 1 2026 00:02:30 Jan 1 2026
 key 9
  key-string two
  cryptographic-algorithm hmac-sha-256
  send-lifetime 00:02:00 Jan 1 2026 infinite
  accept-lifetime 00:01:30 Jan 1 2026 infinite
`, x.key, x.algorithm))
			i := r.iface("Eth0")
			i.Authentication, i.KeyChain = AuthenticationKeyChain, "K"
		}
		l.start()
		l.until(90*time.Second, "Full with key "+x.key, func() bool { return a.full() == 1 && b.full() == 1 })
		l.mustFlood(a, b, "with the first key")
		l.advance(5 * time.Minute)
		l.mustFlood(a, b, "with the second key")
		if a.changes()+b.changes() != 2 || a.full()+b.full() != 2 {
			t.Errorf("%s: the adjacency was lost: %q", x.algorithm, a.neighbors())
		}
	}
}

// TestReplay drops packets that were there before (RFC 2328 section D.5).
func TestReplay(t *testing.T) {
	l, a, b := pair(t)
	for _, r := range l.routers {
		i := r.iface("Eth0")
		i.Authentication, i.DigestKeys = AuthenticationMD5, digest(t, "1 key")
	}
	l.start()
	l.bothFull(a, b)
	var old *TxPacket
	for _, e := range b.take() {
		if tx, ok := e.(TxPacket); ok && old == nil {
			old = &tx
		}
	}
	a.step(RxPacket{Interface: "Eth0", Source: old.Source, Dest: old.Dest, Packet: old.Packet})
	if a.drops(DropSequence) != 1 || a.full() != 1 {
		t.Errorf("%d dropped, %q", a.drops(DropSequence), a.neighbors())
	}
}

// TestTunnelPeers has NHRP name the neighbours of a tunnel without multicast, and loses one
// as NHRP does.
func TestTunnelPeers(t *testing.T) {
	l := newTown(t)
	for k := range 3 {
		r := l.router(fmt.Sprint("r", k)).on("dmvpn", "Tunnel0", fmt.Sprintf("10.0.0.%d/24", k+1))
		*r.iface("Tunnel0") = InterfaceConfig{Name: "Tunnel0", Type: fsm.PointToMultipoint, NoBroadcast: true, Hello: 10 * time.Second}
	}
	l.start()
	hub := l.routers[0]
	l.advance(time.Minute)
	same(t, "neighbours without NHRP", hub.neighbors())
	for k, r := range l.routers[1:] {
		hub.step(TunnelPeer{"Tunnel0", addr(fmt.Sprintf("10.0.0.%d", k+2)), true})
		r.step(TunnelPeer{"Tunnel0", addr("10.0.0.1"), true})
	}
	l.until(30*time.Second, "Full", func() bool { return hub.full() == 2 })
	l.mustFlood(l.routers[1], l.routers[2], "by the hub")
	hub.said()
	hub.step(TunnelPeer{"Tunnel0", addr("10.0.0.2"), false})
	same(t, "log", hub.said(), "%OSPF-5-ADJCHG: Process 1, Nbr 0.0.0.2 on Tunnel0 from FULL to DOWN, Neighbor Down: NHRP lost it")
	same(t, "neighbours", hub.neighbors(), "0.0.0.3 10.0.0.3 Tunnel0 Full")
}

// TestFilters sends nothing where `database-filter all out` is, and sends LSAs of a
// neighbour to others of its network only as retransmissions with `delay-reflood`.
func TestFilters(t *testing.T) {
	l, a, b := pair(t)
	a.iface("Eth0").DatabaseFilterOut = true
	l.start()
	a.opaque(packet.OpaqueAreaLSA, 200<<24|1, "of a")
	b.opaque(packet.OpaqueAreaLSA, 200<<24|2, "of b")
	l.bothFull(a, b)
	a.opaque(packet.OpaqueAreaLSA, 200<<24|3, "of a, later")
	l.advance(time.Minute)
	in := func(r *router) string { return strings.Join(r.database(), "\n") }
	if strings.Contains(in(b), "of 0.0.0.1") || !strings.Contains(in(a), "of 0.0.0.2") {
		t.Errorf("a has\n%s\nb has\n%s", in(a), in(b))
	}

	l = newTown(t)
	for k := range 3 {
		r := l.router(fmt.Sprint("r", k)).on("dmvpn", "Tunnel0", fmt.Sprintf("10.0.0.%d/24", k+1))
		*r.iface("Tunnel0") = InterfaceConfig{Name: "Tunnel0", Type: fsm.PointToMultipoint, DelayReflood: k == 0}
	}
	hub, one, other := l.routers[0], l.routers[1], l.routers[2]
	l.pass = func(from, to *router, _ *packet.Message) bool { return from == hub || to == hub }
	l.start()
	l.until(2*time.Minute, "Full", func() bool { return hub.full() == 2 })
	one.opaque(packet.OpaqueAreaLSA, 200<<24|1, "of a spoke")
	l.advance(3 * time.Second)
	if strings.Contains(in(other), "200.0.0.1") || !strings.Contains(in(hub), "200.0.0.1") {
		t.Errorf("at once:\n%s", in(other))
	}
	l.advance(5 * time.Second)
	if !strings.Contains(in(other), "200.0.0.1") {
		t.Error("not at all")
	}
}

// TestAnyPacketIsLife: a neighbour whose Hellos are lost stays while it sends other packets to
// this router, also to the group where it is alone (RFC 4222 section 2, recommendation 2); not by
// packets to a group that may hear of others.
func TestAnyPacketIsLife(t *testing.T) {
	for _, typ := range []fsm.NetworkType{fsm.PointToPoint, fsm.Broadcast} {
		l, a, b := pair(t)
		for _, r := range l.routers {
			r.iface("Eth0").Type = typ
		}
		l.start()
		l.bothFull(a, b)
		l.pass = func(from, _ *router, m *packet.Message) bool { return from != b || m.Type != packet.Hello }
		for k := range 12 {
			b.opaque(packet.OpaqueAreaLSA, 200<<24|packet.ID(k), "of b")
			l.advance(10 * time.Second)
		}
		if lives := a.full() == 1; lives != (typ == fsm.PointToPoint) {
			t.Errorf("%v: %q", typ, a.neighbors())
		}
		l.advance(41 * time.Second)
		if len(a.in().ifaces[0].neighbors) != 0 {
			t.Errorf("%v: %q", typ, a.neighbors())
		}
	}
}

// TestFlush ages an LSA prematurely: it goes everywhere, and is gone when all neighbours
// have acknowledged it (RFC 2328 sections 14 and 14.1).
func TestFlush(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.mustFlood(a, b, "to be flushed")
	in := a.in()
	key := packet.LSAKey{Type: packet.OpaqueAreaLSA, ID: 200<<24 | 9, Router: 1}
	lose := true
	l.pass = func(from, _ *router, m *packet.Message) bool {
		return !lose || from != b || m.Type != packet.LinkStateAck
	}
	in.flush(l.now, in.order[0].scope, key)
	a.step(Tick{})
	l.advance(3 * time.Second)
	if _, ok := in.order[0].scope.db.Get(l.now, key); !ok {
		t.Error("gone before it was acknowledged")
	}
	lose = false
	l.advance(10 * time.Second)
	for _, r := range l.routers {
		if _, ok := r.in().order[0].scope.db.Get(l.now, key); ok {
			t.Errorf("%s has it still", r.name)
		}
	}
}

// TestFlushOfLost lets a MaxAge LSA go when the neighbour that did not acknowledge it is gone.
func TestFlushOfLost(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.mustFlood(a, b, "to be flushed")
	key := packet.LSAKey{Type: packet.OpaqueAreaLSA, ID: 200<<24 | 9, Router: 1}
	b.crash()
	a.in().flush(l.now, a.in().order[0].scope, key)
	a.step(Tick{})
	l.advance(30 * time.Second)
	if _, ok := a.in().order[0].scope.db.Get(l.now, key); !ok {
		t.Error("gone before the neighbour is")
	}
	l.advance(15 * time.Second)
	if _, ok := a.in().order[0].scope.db.Get(l.now, key); ok {
		t.Error("there still")
	}
}

// TestAgeing refreshes own LSAs, and lets those of a router that is gone reach MaxAge
// (sections 12.4 and 14).
func TestAgeing(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.mustFlood(a, b, "of a")
	key := packet.LSAKey{Type: packet.OpaqueAreaLSA, ID: 200<<24 | 9, Router: 1}
	l.advance(31 * time.Minute)
	lsa, _ := b.in().order[0].scope.db.Get(l.now, key)
	if lsa.Sequence != packet.InitialSequence+1 || lsa.Age > 120 {
		t.Errorf("not refreshed: %v", lsa.LSAHeader)
	}
	a.crash()
	l.advance(50 * time.Minute)
	if _, ok := b.in().order[0].scope.db.Get(l.now, key); !ok {
		t.Error("gone too soon")
	}
	l.advance(11 * time.Minute)
	if _, ok := b.in().order[0].scope.db.Get(l.now, key); ok {
		t.Error("too old, and there")
	}
}

// TestPacing has packets of updates 33 ms apart, with as many LSAs as one has room for
// (`timers pacing flood`).
func TestPacing(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.advance(time.Minute)
	for k := range 200 {
		a.in().originate(l.now, a.in().as, lsdb.Statement{Type: packet.ExternalLSA, ID: packet.ID(k) << 8, Options: packet.OptionE,
			Body: packet.External{Mask: 0xffffff00, Metric: 20}.Append(nil)})
	}
	begin, times := l.now, []time.Duration{}
	l.pass = func(from, _ *router, m *packet.Message) bool {
		if from == a && m.Type == packet.LinkStateUpdate {
			times = append(times, l.now.Sub(begin))
		}
		return true
	}
	a.step(Tick{})
	l.advance(time.Second)
	ms := time.Millisecond
	if want := []time.Duration{0, 33 * ms, 66 * ms, 99 * ms, 132 * ms}; !slices.Equal(times, want) {
		t.Errorf("%v", times)
	}
	if n := b.in().as.db.Len(); n != 200 {
		t.Errorf("%d LSAs arrived", n)
	}
}

// TestFormerLife has LSAs of a former life come back, and be flushed where nobody knows of
// them any more (section 13.4).
func TestFormerLife(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.mustFlood(a, b, "of the former life")
	a.crash()
	a.start()
	l.advance(3 * time.Minute)
	key := packet.LSAKey{Type: packet.OpaqueAreaLSA, ID: 200<<24 | 9, Router: 1}
	if _, ok := b.in().order[0].scope.db.Get(l.now, key); ok || a.full() != 1 {
		t.Errorf("b has it still; %q", a.neighbors())
	}
}
