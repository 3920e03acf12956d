package core

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// forger is a neighbour of a router that a test plays: it is up, acknowledges what it is
// sent, and sends what the test wants.
type forger struct {
	t        testing.TB
	r        *router
	ifname   string
	addr     string
	seq      uint32
	received []*packet.Message // from the router, but Hellos
}

// forge makes friends with a router.
func forge(t testing.TB, r *router, ifname, from string) *forger {
	t.Helper()
	f := &forger{t: t, r: r, ifname: ifname, addr: from, seq: 1000}
	r.rx(ifname, from, hello())
	f.send(&packet.Message{Opcode: packet.Update, Flags: packet.FlagInit})
	f.settle()
	if n := r.neighborAt(from); n == nil || !n.up {
		t.Fatalf("%s is no neighbour", from)
	}
	return f
}

func (r *router) neighborAt(a string) *neighbor {
	for _, n := range r.core.order[0].neighbors {
		if n.addr == addr(a) {
			return n
		}
	}
	return nil
}

// send sends a reliable packet.
func (f *forger) send(m *packet.Message) {
	f.t.Helper()
	f.seq++
	m.AS, m.Sequence = 100, f.seq
	f.r.rx(f.ifname, f.addr, m)
	f.settle()
}

// settle acknowledges what the router sends.
func (f *forger) settle() {
	f.t.Helper()
	for n := 0; ; n++ {
		if n > 1000 {
			f.t.Fatal("no end of packets")
		}
		var acks []uint32
		for _, e := range f.r.take() {
			tx, ok := e.(TxPacket)
			if !ok || tx.Interface != f.ifname {
				continue
			}
			m, err := packet.Parse(tx.Packet)
			if err != nil {
				f.t.Fatal(err)
			}
			if m.Sequence != 0 {
				acks = append(acks, m.Sequence)
				f.received = append(f.received, m)
			}
		}
		if len(acks) == 0 {
			return
		}
		for _, a := range acks {
			f.r.rx(f.ifname, f.addr, &packet.Message{Opcode: packet.Hello, AS: 100, Ack: a})
		}
	}
}

// lone is a router on a network with nobody else.
func lone(t testing.TB, edit ...func(*InstanceConfig)) (*town, *router) {
	l := newTown(t)
	a := l.router("a", edit...).on("lan", "Eth0", "10.0.0.1/24").on("", "Eth1", "10.1.0.1/24")
	return l, a.start()
}

// external is a route TLV of an external route.
func external(p string, delay uint32) packet.Route {
	return packet.Route{Type: packet.TypeIPv4External, Classic: metric.Classic{Delay: delay, Bandwidth: 25600, MTU: 1500, Reliability: 255, Load: 1, Hops: 1},
		External:     packet.External{RouterID: 0x0a090909, AS: 65000, Metric: 20, Protocol: packet.ProtocolOSPF},
		Destinations: []netip.Prefix{prefix(p)}}
}

// TestHostileExternals: one packet with an external route for a prefix that is not in
// the table ends FRR's eigrpd up to version 10 at least, by an assertion that there is a
// successor: in eigrp_fsm_event_nq_fcn for an UPDATE, eigrp_fsm_event_q_fcn for a QUERY.
// Here nothing comes of it, but a REPLY to the QUERY, and the neighbour stays.
func TestHostileExternals(t *testing.T) {
	for _, op := range []packet.Opcode{packet.Update, packet.Query, packet.Reply, packet.SIAQuery, packet.SIAReply} {
		for _, delay := range []uint32{256, metric.ClassicUnreachable} {
			_, a := lone(t)
			f := forge(t, a, "Eth0", "10.0.0.2")
			f.received = nil
			for range 3 {
				f.send(&packet.Message{Opcode: op, Routes: []packet.Route{external("198.51.111.0/24", delay)}})
			}
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
			replies := 0
			for _, m := range f.received {
				if m.Opcode == packet.Reply || m.Opcode == packet.SIAReply {
					replies++
				}
			}
			if asked := op == packet.Query || op == packet.SIAQuery; asked != (replies > 0) {
				t.Errorf("%v, delay %d: %d REPLYs", op, delay, replies)
			}
			if op == packet.Update && delay == metric.ClassicUnreachable && len(a.routes()) > 0 {
				t.Errorf("routes: %q", a.routes())
			}
		}
	}
}

// TestStrangersHello: any Hello without sense does nothing: other K-values, a Hold Time of
// 0, none of the TLVs, terminations of others.
func TestStrangersHello(t *testing.T) {
	_, a := lone(t)
	for _, m := range []*packet.Message{
		{Opcode: packet.Hello, AS: 100},
		{Opcode: packet.Hello, AS: 100, Software: hello().Software},
		{Opcode: packet.Hello, AS: 100, Parameters: &packet.Parameters{Weights: metric.DefaultWeights}},
		{Opcode: packet.Hello, AS: 100, Parameters: &packet.Parameters{Weights: metric.Weights{K2: 7}, HoldTime: 15}},
		{Opcode: packet.Hello, AS: 100, Parameters: packet.Goodbye(15)},
		{Opcode: packet.Hello, AS: 100, Parameters: hello().Parameters, Terminated: []netip.Addr{addr("10.0.0.1")}},
		{Opcode: packet.Hello, AS: 100, Parameters: hello().Parameters, TIDs: []uint16{7}},
		{Opcode: packet.Update, AS: 100, Sequence: 5, Flags: packet.FlagInit},
	} {
		a.rx("Eth0", "10.0.0.2", m)
	}
	same(t, "neighbours", a.neighbors())
	f := forge(t, a, "Eth0", "10.0.0.2")
	f.r.rx("Eth0", "10.0.0.2", &packet.Message{Opcode: packet.Hello, AS: 100, Parameters: hello().Parameters, Software: hello().Software, Terminated: []netip.Addr{addr("10.0.0.9")}})
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
}

// TestMaxNeighbors: a flood of Hellos from everywhere makes no more neighbours than the
// limit, and they are forgotten.
func TestMaxNeighbors(t *testing.T) {
	l := newTown(t)
	a := l.router("a").on("lan", "Eth0", "10.0.0.1/8").start()
	a.core.Drain(nil)
	b := encode(t, hello())
	for n := range uint32(MaxNeighbors + 100) {
		from := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}).Next().Next()
		a.core.Step(l.now, RxPacket{Interface: "Eth0", Source: from, Dest: packet.GroupIPv4, Packet: b})
		a.core.Drain(nil)
	}
	if n := a.drops(DropLimit); n != 100 {
		t.Errorf("%d dropped", n)
	}
	for range 100_000 {
		at, ok := a.core.Wake()
		if !ok || at > l.now.Add(3*time.Minute) {
			break
		}
		a.core.Step(at, Tick{})
		a.core.Drain(nil)
	}
	l.now = l.now.Add(3 * time.Minute)
	if n := a.neighbors(); len(n) != 0 {
		t.Errorf("%d neighbours are left", len(n))
	}
}

// FuzzCore hands a sequence of hostile packets to a router with a neighbour: each is an
// octet for who sends it and how, one for the time that passes, two for the length, and
// the packet, whose checksum and AS are put right, and its sequence number if that is
// wanted. What is sent and stated must be valid, and it goes with the neighbour.
func FuzzCore(f *testing.F) {
	for _, m := range append(every(),
		&packet.Message{Opcode: packet.Update, AS: 100, Routes: []packet.Route{external("198.51.111.0/24", 256)}},
		&packet.Message{Opcode: packet.Query, AS: 100, Routes: []packet.Route{external("198.51.111.0/24", metric.ClassicUnreachable)}},
		&packet.Message{Opcode: packet.Hello, AS: 100, SequenceAddrs: []netip.Addr{addr("10.0.0.1")}, MulticastSequence: 9},
		&packet.Message{Opcode: packet.Update, AS: 100, Flags: packet.FlagInit | packet.FlagRestart},
		&packet.Message{Opcode: packet.Update, AS: 100, Flags: packet.FlagEndOfTable},
	) {
		b := encode(f, m)
		seed := []byte{0x81, 1, byte(len(b) >> 8), byte(len(b))}
		f.Add(append(seed, b...))
		f.Add(append(append(append([]byte{0x02, 0, byte(len(b) >> 8), byte(len(b))}, b...), seed...), b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, a := lone(t, func(ic *InstanceConfig) {
			ic.Interfaces = []InterfaceConfig{{Name: "Eth0", Summaries: []Summary{{Prefix: prefix("198.0.0.0/8")}}, NoSplitHorizon: true}}
			ic.Redistribute = []Redistribute{{Protocol: rib.Static, Metric: &policy.Vector{Bandwidth: 1000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500}}}
		})
		peer := forge(t, a, "Eth0", "10.0.0.2")
		for n := 0; len(b) >= 4 && n < 24; n++ {
			how, pass, size := b[0], time.Duration(b[1])*100*time.Millisecond, int(binary.BigEndian.Uint16(b[2:]))
			b = b[4:]
			size = min(size, len(b), packet.MaxPacketSize)
			l.advance(pass)
			p := append([]byte{}, b[:size]...)
			b = b[size:]
			if len(p) >= packet.HeaderLen {
				wire.PutU16(p, 18, 100)
				if how&0x80 != 0 {
					peer.seq++
					binary.BigEndian.PutUint32(p[8:], peer.seq)
				}
				wire.PutU16(p, 2, 0)
				wire.PutU16(p, 2, wire.Checksum(p))
			}
			from := netip.AddrFrom4([4]byte{10, 0, 0, 2 + how&3}).String()
			a.rxBytes("Eth0", from, how&0x40 == 0, p)
			peer.settle()
		}
		a.query(Query{Kind: ReportTopology, Selected: SelectedAllLinks})
		a.query(Query{Kind: ReportStatus})
		a.edit("Eth0", setDown)
		l.advance(10 * time.Minute)
		same(t, "neighbours", a.neighbors())
		for k := range a.fib {
			if k.Prefix != prefix("198.0.0.0/8") {
				t.Errorf("left: %v", k.Prefix)
			}
		}
		if at, ok := a.core.Wake(); ok && at > l.now.Add(time.Hour) {
			t.Errorf("wants to be woken at %v", at)
		}
	})
}
