package core_test

import (
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// simFlow is traffic between hosts of two LANs, in both directions.
type simFlow struct {
	lan    [2]int
	hole   [2]int // seconds for which a direction led nowhere so far
	uneven int    // seconds for which one direction was direct and the other not
}

// simWatch is what the flows of an act saw.
type simWatch struct {
	hole   int    // longest time for which packets led nowhere, in seconds
	where  string // which that was
	holes  int    // how many there were of a second at least
	uneven int    // longest time for which the two ends did not agree, in seconds
	which  string
	direct int // directions of flows that go from spoke to spoke, now
	all    int // directions of flows, now
}

// observe sends a packet of each flow in both directions and follows it.
func (w *simWAN) observe() {
	w.watch.direct, w.watch.all = 0, 0
	for f := range w.flows {
		flow := &w.flows[f]
		var direct [2]bool
		for d := range 2 {
			from, to := flow.lan[d], flow.lan[1-d]
			if w.owner[from] == w.owner[to] {
				flow.hole[d] = 0
				direct[d] = true
				continue
			}
			hops, trouble := w.follow(from, to)
			if w.ipsec != nil && w.ipsec.blocked(w.spokes[w.owner[from]], w.spokes[w.owner[to]]) {
				w.noteHole(flow, d, trouble) // never direct
				continue
			}
			w.watch.all++
			if direct[d] = trouble == "" && hops == 1; direct[d] {
				w.watch.direct++
			}
			w.noteHole(flow, d, trouble)
		}
		w.noteUneven(flow, direct[0] != direct[1])
	}
}

func (w *simWAN) noteHole(flow *simFlow, d int, trouble string) {
	if trouble == "" {
		flow.hole[d] = 0
		return
	}
	flow.hole[d]++
	if flow.hole[d] == 1 {
		w.watch.holes++
	}
	if flow.hole[d] > w.watch.hole {
		w.watch.hole = flow.hole[d]
		w.watch.where = fmt.Sprintf("%v: LAN %d to LAN %d: %s", w.Now(), flow.lan[d], flow.lan[1-d], trouble)
	}
}

func (w *simWAN) noteUneven(flow *simFlow, uneven bool) {
	if !uneven {
		flow.uneven = 0
		return
	}
	if flow.uneven++; flow.uneven > w.watch.uneven {
		w.watch.uneven = flow.uneven
		w.watch.which = fmt.Sprintf("%v: LANs %d and %d", w.Now(), flow.lan[0], flow.lan[1])
	}
}

// follow goes the way of a packet from a LAN to another, and returns over how many
// tunnels it went, and why it did not arrive. The kernels on the way tell of neighbours
// that they miss, and of packets that go back where they came from.
func (w *simWAN) follow(from, to int) (hops int, trouble string) {
	src, dst := simHost(from), simHost(to)
	r, in := w.spokes[w.owner[from]], outLAN
	for range simTTL {
		if !r.node.Alive() {
			return hops, r.node.Name() + " is dead"
		}
		way := r.forwarded(dst)
		switch way.out {
		case outNone:
			return hops, r.node.Name() + " has no route"
		case outLAN:
			return hops, ""
		case outCore:
			r, in = w.hubs[1-r.index], outCore
			continue
		}
		if in == outTunnel && r.hairpins {
			r.node.Post(core.Hairpin{In: "Tunnel0", Out: "Tunnel0", Packet: simInner(src, dst)})
		}
		nbma, ok := r.neighbors[way.hop]
		if !ok {
			r.node.Post(core.NeighborMiss{Interface: "Tunnel0", Addr: way.hop})
			return hops, fmt.Sprintf("%s has no neighbour %v", r.node.Name(), way.hop)
		}
		r.used[nbma] = true
		next := w.at[nbma]
		if next == nil {
			return hops, fmt.Sprintf("nobody is at %v, where %s has %v", nbma, r.node.Name(), way.hop)
		}
		if !w.passes(r, next) {
			return hops, fmt.Sprintf("%s is not secured with %v", r.node.Name(), next.node.Name())
		}
		r, in = next, outTunnel
		hops++
	}
	return hops, "loop at " + r.node.Name()
}

// pass lets time pass, looking at each second.
func (w *simWAN) pass(d time.Duration) error {
	for range int(d / time.Second) {
		w.converge()
		w.observe()
		if w.ipsec != nil {
			w.ipsec.watch()
		}
		if int(w.Now()/simSecond)%simUseReports == 0 {
			for _, r := range w.hubs {
				r.reportUse()
			}
			for _, r := range w.spokes {
				r.reportUse()
			}
		}
		if err := w.RunFor(time.Second); err != nil {
			return err
		}
	}
	return nil
}
