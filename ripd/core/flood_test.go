package core

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// TestFlood has a neighbour take 2,500 routes back and tell them again without
// end, on a multipoint tunnel that cannot carry that much. What waits to be told
// stays bounded by the table, as does the garbage, and all else is told in time:
// no regular update is kept from its turn for as long as a timeout.
func TestFlood(t *testing.T) {
	const routes = 2500
	r := newRig(t)
	r.step(Attached{})
	r.step(InterfaceChanged{link("Eth0", "10.0.0.1/24")})
	tunnel := link("Tunnel0", "10.0.1.1/24")
	tunnel.Type, tunnel.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint}
	r.step(InterfaceChanged{tunnel})
	r.step(InterfacesKnown{})
	r.step(ConfigSet{r.cfg})
	tell := func(metric uint32) {
		m := packet.Message{Command: packet.Response, Version: 2}
		for k := range uint32(routes) {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 20<<24|k<<8)
			m.Entries = append(m.Entries, packet.Route(netip.PrefixFrom(netip.AddrFrom4(a), 24), 0, netip.Addr{}, metric))
			if len(m.Entries) == packet.MaxEntries {
				b, _ := m.Append(nil, nil, 0)
				r.core.Step(r.now, RxPacket{Interface: "Eth0", Source: netip.MustParseAddrPort("10.0.0.2:520"), Dest: packet.Group, Packet: b})
				m.Entries = m.Entries[:0]
			}
		}
	}
	in := r.core.instances[""]
	lastTold, longest := r.now, time.Duration(0) // of 10.0.0.0/24, which does not change
	for n := range 900 {
		tell(uint32(1 + 15*(n%2)))
		r.now = r.now.Add(200 * time.Millisecond)
		r.core.Step(r.now, Tick{})
		if n := len(in.garbage); n > 4*routes {
			t.Fatalf("%d pieces of garbage of %d routes", n, routes)
		}
		if n := len(in.ifaces["Tunnel0"].multicast.jobs); n > 3 {
			t.Fatalf("%d jobs wait", n)
		}
		for _, e := range r.core.Drain(nil) {
			tx, ok := e.(TxPacket)
			if !ok || tx.Interface != "Tunnel0" {
				continue
			}
			m, err := packet.Parse(tx.Packet)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range m.Entries {
				if e.Addr == netip.MustParseAddr("10.0.0.0") {
					longest, lastTold = max(longest, r.now.Sub(lastTold)), r.now
				}
			}
		}
	}
	if longest = max(longest, r.now.Sub(lastTold)); longest > 90*time.Second {
		t.Errorf("a route that did not change was not told for %v", longest)
	}
}

// TestJoin: updates that wait become one, which tells of nothing but what either
// had to tell.
func TestJoin(t *testing.T) {
	to := []netip.AddrPort{netip.MustParseAddrPort("224.0.0.9:520")}
	triggered := func(list []*route, summaries ...*summary) *job {
		return &job{kind: jobTriggered, version: 2, dests: to, list: list, summaries: summaries}
	}
	a, b, c := &route{key: 1}, &route{key: 2}, &route{key: 3}
	s := &summary{}
	l := &lane{}
	shared := []*route{a, c}
	l.enqueue(triggered(shared))
	l.enqueue(triggered([]*route{b, c}, s))
	l.enqueue(&job{kind: jobRegular, version: 2, dests: to})
	l.enqueue(triggered([]*route{}, s))
	if len(l.jobs) != 2 || !slices.Equal(l.jobs[0].list, []*route{a, b, c}) || !slices.Equal(l.jobs[0].summaries, []*summary{s}) {
		t.Errorf("%d jobs: %+v", len(l.jobs), l.jobs[0])
	}
	if !slices.Equal(shared, []*route{a, c}) {
		t.Error("the list that others tell as well has changed")
	}
	l = &lane{}
	l.enqueue(triggered([]*route{}, s))
	l.enqueue(triggered([]*route{}, s))
	if len(l.jobs) != 1 || l.jobs[0].list == nil {
		t.Errorf("%d jobs, which tell the whole table", len(l.jobs))
	}
	// One that has begun is not joined, and the regular update is passed once.
	l.jobs[0].next = 5
	l.enqueue(&job{kind: jobRegular, version: 2, dests: to})
	l.enqueue(triggered([]*route{a}))
	l.jobs[1].next = 5
	l.enqueue(triggered([]*route{b}))
	var kinds []jobKind
	for _, j := range l.jobs {
		kinds = append(kinds, j.kind)
	}
	if !slices.Equal(kinds, []jobKind{jobTriggered, jobTriggered, jobRegular, jobTriggered}) {
		t.Errorf("order %v", kinds)
	}
}
