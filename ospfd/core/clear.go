package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// clear does `clear ip ospf …`.
func (c *Core) clear(now clock.Instant, r Clear) {
	for _, in := range c.order {
		if !in.on || r.Process != 0 && r.Process != in.key.Process || r.Process == 0 && r.VRF != "" && r.VRF != in.key.VRF {
			continue
		}
		switch r.Kind {
		case ClearProcess:
			in.end(now)
			in.begin(now)
		case ClearNeighbors:
			in.clearNeighbors(now, r)
		case ClearCounters:
			in.clearCounters(r)
		default:
			in.routesCleared(now, r.Kind)
		}
	}
}

func (in *instance) clearNeighbors(now clock.Instant, r Clear) {
	for _, i := range in.ifaces {
		if r.Interface != "" && r.Interface != i.name {
			continue
		}
		for _, n := range slices.Clone(i.neighbors) {
			if r.Neighbor == 0 || r.Neighbor == n.id {
				n.event(now, fsm.KillNbr, "Neighbor Down: Reset by administrator")
			}
		}
	}
}

func (in *instance) clearCounters(r Clear) {
	if r.Interface == "" && r.Neighbor == packet.ID(0) {
		in.counters = Counters{}
	}
	for _, i := range in.ifaces {
		if r.Interface != "" && r.Interface != i.name {
			continue
		}
		if r.Neighbor == 0 {
			i.counters = Counters{}
		}
		for _, n := range i.neighbors {
			if r.Neighbor == 0 || r.Neighbor == n.id {
				n.retransmitted, n.changes = 0, 0
			}
		}
	}
}
