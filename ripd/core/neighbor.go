package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// neighborKey names a router by how it is heard.
type neighborKey struct {
	iface *iface
	addr  netip.Addr
}

// neighbor is a router from which responses come. It is forgotten when nothing
// was heard of it for the timeout of routes, and then its replay window too (RFC
// 4822 section 2.3.2).
type neighbor struct {
	iface      *iface
	addr       netip.Addr
	heard      clock.Instant
	version    uint8
	paths      int
	badPackets uint64
	badRoutes  uint64
}

// hear notes a response and returns its sender, nil if there are too many.
func (c *Core) hear(now clock.Instant, i *iface, addr netip.Addr, version uint8) *neighbor {
	in := i.instance
	n := in.neighbors[neighborKey{i, addr}]
	if n == nil {
		if len(in.neighbors) >= MaxNeighbors {
			return nil
		}
		n = &neighbor{iface: i, addr: addr}
		in.neighbors[neighborKey{i, addr}] = n
		c.timers.Set(timerKey{kind: timerNeighbor, neighbor: n}, now.Add(in.cfg.Timers.Invalid))
		c.neighborChanged(n, TracePeerUp, "up", "new neighbor")
	}
	n.heard, n.version = now, version
	return n
}

// checkNeighbor forgets a neighbour that fell silent.
func (c *Core) checkNeighbor(now clock.Instant, n *neighbor) {
	if due := n.heard.Add(n.iface.instance.cfg.Timers.Invalid); due > now {
		c.timers.Set(timerKey{kind: timerNeighbor, neighbor: n}, due)
		return
	}
	c.expire(now, n.iface.instance) // what it told is as old at least
	c.forget(n, "timeout")
}

// forget ends a neighbour without paths.
func (c *Core) forget(n *neighbor, why string) {
	delete(n.iface.instance.neighbors, neighborKey{n.iface, n.addr})
	c.timers.Clear(timerKey{kind: timerNeighbor, neighbor: n})
	n.iface.auth.forget(n.addr)
	c.neighborChanged(n, TracePeerDown, "down", why)
}

func (c *Core) neighborChanged(n *neighbor, event TraceEvent, state, why string) {
	in := n.iface.instance
	c.event(Trace{Event: event, VRF: in.vrf, Interface: n.iface.name, Peer: netip.AddrPortFrom(n.addr, packet.Port)})
	if in.cfg.LogNeighbors {
		c.log(SeverityNotice, "NBRCHANGE", fmt.Sprintf("Neighbor %v (%s)%s is %s: %s", n.addr, n.iface.name, inVRF(in.vrf), state, why))
	}
}

// sortedNeighbors returns the neighbours by address.
func (in *instance) sortedNeighbors() []*neighbor {
	all := make([]*neighbor, 0, len(in.neighbors))
	for _, n := range in.neighbors {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *neighbor) int {
		return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.iface.name, b.iface.name))
	})
	return all
}

// configured returns the routers of `neighbor` that are on the interface.
func (i *iface) configured() []netip.Addr {
	var on []netip.Addr
	for _, a := range i.instance.cfg.Neighbors {
		if i.onSubnet(a) && !i.hasAddr(a) {
			on = append(on, a)
		}
	}
	return on
}
