package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// lists prints the lists of the first neighbour.
func (r *router) lists() string {
	r.t.Helper()
	l := r.query(Query{Kind: ReportNeighbors, Lists: true}).(*NeighborReport).Instances[0].Neighbors[0].Lists
	keys := func(all []packet.LSAHeader) (out []packet.LSAKey) {
		for _, h := range all {
			out = append(out, h.LSAKey)
		}
		return out
	}
	return fmt.Sprint("request ", keys(l.Request), ", retransmission ", keys(l.Retransmission), ", due: ", l.Due > 0)
}

// TestLists: what a neighbour was asked for and did not send, and what it did not acknowledge
// (RFC 2328 section 10).
func TestLists(t *testing.T) {
	l := newTown(t)
	a := l.router("a").on("ab", "Serial0", "10.0.1.1/24")
	b := l.router("b").on("ab", "Serial0", "10.0.1.2/24")
	l.start()
	a.opaque(packet.OpaqueAreaLSA, 200<<24|1, "early")
	l.pass = func(x, _ *router, m *packet.Message) bool { return x != a || m.Type != packet.LinkStateUpdate }
	l.advance(30 * time.Second)
	same(t, "of b, Loading", []string{b.lists()}, "request [router-LSA 0.0.0.1 of 0.0.0.1 area-local opaque LSA 200.0.0.1 of 0.0.0.1], retransmission [], due: false")
	l.pass = nil
	l.bothFull(a, b)
	l.advance(time.Minute)
	same(t, "of b, Full", []string{b.lists()}, "request [], retransmission [], due: false")
	l.pass = func(x, _ *router, m *packet.Message) bool { return x != a || m.Type != packet.LinkStateUpdate }
	a.opaque(packet.OpaqueAreaLSA, 200<<24|3, "late")
	a.opaque(packet.OpaqueAreaLSA, 200<<24|2, "late")
	l.advance(time.Second)
	same(t, "of a", []string{a.lists()}, "request [], retransmission [area-local opaque LSA 200.0.0.2 of 0.0.0.1 area-local opaque LSA 200.0.0.3 of 0.0.0.1], due: true")
}

// TestRetransmitWindow: LSAs that are to be retransmitted soon go with one that is due (RFC 2328
// section 13.6 leaves it open), within 50 ms or as configured, which may change.
func TestRetransmitWindow(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.advance(time.Minute)
	var sent []int
	l.pass = func(x, _ *router, m *packet.Message) bool {
		if x == a && m.Type == packet.LinkStateUpdate {
			sent = append(sent, len(m.Updates))
		}
		return x != a || m.Type != packet.LinkStateUpdate
	}
	for _, tc := range []struct {
		window time.Duration
		want   string
	}{{0, "[1 1 2]"}, {20 * time.Millisecond, "[1 1 1 1]"}} { // new ones, and again
		a.iface("Eth0").RetransmitWindow = tc.window
		a.configure()
		sent = nil
		a.opaque(packet.OpaqueAreaLSA, 200<<24|1, "first, "+tc.want)
		l.advance(40 * time.Millisecond)
		a.opaque(packet.OpaqueAreaLSA, 200<<24|2, "second, "+tc.want)
		l.advance(5500 * time.Millisecond)
		same(t, "LSAs in the packets", []string{fmt.Sprint(sent)}, tc.want)
	}
}

// TestTraceFlood: what was sent, received and acknowledged (`debug ip ospf flood`).
func TestTraceFlood(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.bothFull(a, b)
	l.advance(10 * time.Second)
	for _, r := range l.routers {
		r.step(Tracing{Flood: true})
		r.take()
	}
	a.opaque(packet.OpaqueAreaLSA, 200<<24|1, "text")
	l.advance(2 * time.Second)
	traces := func(r *router) (all []string) {
		for _, e := range r.take() {
			if t, ok := e.(Trace); ok && t.Event == TraceFlood {
				all = append(all, strings.TrimPrefix(fmt.Sprintln(t.Interface, t.Peer, t.Router, t.LSA.ID, t.Text), "Eth0 "))
			}
		}
		return all
	}
	same(t, "a", traces(a), "224.0.0.5 0.0.0.0 200.0.0.1 sent, sequence 0x80000001\n", "10.0.0.2 0.0.0.2 200.0.0.1 acknowledgment received, sequence 0x80000001\n")
	same(t, "b", traces(b), "10.0.0.1 0.0.0.1 200.0.0.1 received: newer, sequence 0x80000001\n", "224.0.0.5 0.0.0.0 200.0.0.1 acknowledged, sequence 0x80000001\n")
}

// TestAcksCollected: on a point-to-multipoint network acknowledgments of what comes in several
// packets go in one, to each neighbour by itself, also where it is flooded on (RFC 2328 section 13.5).
func TestAcksCollected(t *testing.T) {
	l, hub := cloud(t, 2, func(*InterfaceConfig) {})
	l.start()
	l.until(3*time.Minute, "Full", func() bool { return hub.full() == 2 })
	l.advance(30 * time.Second)
	var acks []string
	var before []uint64
	for _, r := range l.routers {
		before = append(before, r.status("Tunnel0").Counters.Retransmissions)
	}
	pass := l.pass
	l.pass = func(from, to *router, m *packet.Message) bool {
		if from == hub && m.Type == packet.LinkStateAck {
			acks = append(acks, fmt.Sprint(to.name, " ", len(m.Acks)))
		}
		return pass(from, to, m)
	}
	for k := range packet.ID(3) {
		l.routers[1].opaque(packet.OpaqueAreaLSA, 200<<24|k, "of a spoke")
		l.advance(50 * time.Millisecond) // more than the pacing of packets
	}
	l.routers[2].opaque(packet.OpaqueAreaLSA, 200<<24, "of the other")
	l.advance(2 * time.Second)
	same(t, "acknowledgments of the hub", acks, "r1 3", "r2 1")
	l.advance(time.Minute)
	for k, r := range l.routers {
		if n := r.status("Tunnel0").Counters.Retransmissions - before[k]; n != 0 {
			t.Errorf("%s retransmitted %d LSAs", r.name, n)
		}
	}
}
