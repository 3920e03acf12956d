package core

import (
	"fmt"
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
