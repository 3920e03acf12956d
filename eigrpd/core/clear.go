package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// selects reports whether an instance is one of those that an operator asks for.
func selects(in *instance, f rib.Family, vrf string, all bool, as uint16) bool {
	return (f == 0 || f == in.key.Family) && (all || vrf == in.key.VRF) && (as == 0 || as == in.key.AS)
}

// clear resets what an operator wants reset.
func (c *Core) clear(now clock.Instant, cl Clear) {
	for _, in := range c.order {
		if !in.on || !selects(in, cl.Family, cl.VRF, cl.AllVRFs, cl.AS) {
			continue
		}
		if cl.Counters {
			in.counters = Counters{}
			continue
		}
		if !cl.Soft {
			in.routesCleared(now, cl.Addr, cl.Interface)
		}
		for _, n := range in.sorted() {
			switch {
			case cl.Addr.IsValid() && cl.Addr != n.addr, cl.Interface != "" && cl.Interface != n.iface.name:
			case cl.Soft && !n.up: // it is about to exchange tables anyway
			case cl.Soft && !in.awaits(n):
				in.neighborChanged(now, n, TracePeerNew, "resync", "manually cleared")
				in.resync(now, n)
			default:
				in.down(now, n, "manually cleared", aloud)
			}
		}
	}
}
