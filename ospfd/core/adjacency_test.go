package core

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// opaque originates an opaque LSA of an area or the AS.
func (r *router) opaque(t packet.LSType, id packet.ID, text string) {
	in := r.in()
	s := in.as
	if t == packet.OpaqueAreaLSA {
		s = in.order[0].scope
	}
	in.originate(r.town.now, s, lsdb.Statement{Type: t, ID: id, Options: packet.OptionE, Body: []byte(text)})
	r.step(Tick{})
}

// TestTwoRouters brings two routers to Full on a broadcast network, and their databases to
// agree (RFC 2328 sections 10.8, 13).
func TestTwoRouters(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	a.opaque(packet.OpaqueAreaLSA, 200<<24|1, "of a, from before")
	b.opaque(packet.OpaqueASLSA, 200<<24|2, "of b, from before")
	l.until(45*time.Second, "Full", func() bool { return a.full() == 1 && b.full() == 1 })
	same(t, "neighbours of a", a.neighbors(), "0.0.0.2 10.0.0.2 Eth0 Full")
	if st := a.status("Eth0"); st.State != fsm.InterfaceBackup || st.DR != addr("10.0.0.2") || st.DRID != 2 || st.BDRID != 1 {
		t.Errorf("a is %v, %v is designated router", st.State, st.DR)
	}
	b.opaque(packet.OpaqueAreaLSA, 200<<24|3, "of b, once they are adjacent")
	l.until(10*time.Second, "equal databases", func() bool { return len(a.database()) >= 6 && slices.Equal(a.database(), b.database()) })
	if !slices.Contains(a.said(), "%OSPF-5-ADJCHG: Process 1, Nbr 0.0.0.2 on Eth0 from LOADING to FULL, Loading Done") {
		t.Error("no message of the adjacency")
	}
}

var exchangeLSAs = flag.Int("exchange-lsas", 3000, "LSAs of a database that is exchanged")

// TestManyLSAs exchanges a large database between two routers (RFC 2328 sections
// 10.8 and 10.9), with loss.
func TestManyLSAs(t *testing.T) {
	n := *exchangeLSAs
	l, a, b := pair(t)
	drop := 0
	l.pass = func(_, _ *router, m *packet.Message) bool {
		drop++
		return m.Type == packet.Hello || drop%100 != 0
	}
	l.start()
	for k := range n {
		a.in().originate(l.now, a.in().as, lsdb.Statement{Type: packet.ExternalLSA, ID: packet.ID(k) << 8, Options: packet.OptionE,
			Body: packet.External{Mask: 0xffffff00, Metric: 20}.Append(nil)})
	}
	l.until(10*time.Minute, "Full", func() bool { return a.full() == 1 && b.full() == 1 })
	if da, db := a.database(), b.database(); len(da) < n || !slices.Equal(da, db) {
		t.Errorf("databases differ: %d and %d LSAs", len(da), len(db))
	}
}

// BenchmarkExchange50000 exchanges a database of 50,000 LSAs between two routers.
func BenchmarkExchange50000(b *testing.B) {
	for range b.N {
		l, x, y := pair(b)
		l.start()
		for k := range 50_000 {
			x.in().originate(l.now, x.in().as, lsdb.Statement{Type: packet.ExternalLSA, ID: packet.ID(k) << 8, Options: packet.OptionE,
				Body: packet.External{Mask: 0xffffff00, Metric: 20}.Append(nil)})
		}
		l.until(5*time.Minute, "Full", func() bool { return x.full() == 1 && y.full() == 1 })
		if n := y.in().as.db.Len(); n != 50_000 {
			b.Fatal(n)
		}
	}
}

// TestNetworkTypes brings routers to Full on each type of network, with loss.
func TestNetworkTypes(t *testing.T) {
	for _, x := range []struct {
		typ         fsm.NetworkType
		noBroadcast bool
		nbma        bool
		adjacencies int // of 4 routers together
	}{{fsm.Broadcast, false, false, 10}, {fsm.NonBroadcast, false, true, 10}, {fsm.PointToMultipoint, false, false, 12}, {fsm.PointToMultipoint, true, true, 12}} {
		t.Run(fmt.Sprint(x.typ, x.noBroadcast), func(t *testing.T) {
			l := newTown(t)
			lost := 0
			l.pass = func(_, _ *router, m *packet.Message) bool { lost++; return lost%7 != 0 }
			for k := range 4 {
				r := l.router(fmt.Sprint("r", k)).on("lan", "Eth0", fmt.Sprintf("10.0.0.%d/24", k+1))
				*r.iface("Eth0") = InterfaceConfig{Name: "Eth0", Type: x.typ, NoBroadcast: x.noBroadcast}
				for o := range 4 {
					if x.nbma && o != k {
						r.instance().Neighbors = append(r.instance().Neighbors, StaticNeighbor{Addr: addr(fmt.Sprintf("10.0.0.%d", o+1)), Priority: 1})
					}
				}
			}
			l.start()
			full := func() (n int) {
				for _, r := range l.routers {
					n += r.full()
				}
				return n
			}
			l.until(5*time.Minute, "Full", func() bool { return full() == x.adjacencies })
			for k, r := range l.routers {
				r.opaque(packet.OpaqueAreaLSA, 200<<24, fmt.Sprint("of ", k))
			}
			l.until(time.Minute, "equal databases", func() bool {
				d := l.routers[0].database()
				return len(d) >= 4 && !slices.ContainsFunc(l.routers, func(r *router) bool { return !slices.Equal(d, r.database()) })
			})
			l.advance(10 * time.Minute)
			if n := full(); n < x.adjacencies-3 {
				t.Errorf("%d adjacencies later", n)
			}
		})
	}
}
