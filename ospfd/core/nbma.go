package core

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// tunnelPeer takes what NHRP says of the other ends of a tunnel. On interfaces whose
// neighbours are named they are neighbours; one that is lost is lost here too, whatever the
// type of the network.
func (c *Core) tunnelPeer(now clock.Instant, p TunnelPeer) {
	k := tunnelPeer{p.Interface, p.Addr}
	if p.Up {
		c.peers[k] = true
	} else {
		delete(c.peers, k)
	}
	for _, in := range c.order {
		i := in.byName[p.Interface]
		if i == nil {
			continue
		}
		if n := i.byAddr[p.Addr]; n != nil && !p.Up && n.state >= fsm.NeighborInit && !n.help.active {
			n.event(now, fsm.KillNbr, "Neighbor Down: NHRP lost it")
		}
		i.reconcileNeighbors(now)
	}
}

// polls reports whether neighbours have to be named on the interface, since nothing is
// sent to a group.
func (i *iface) polls() bool { return !i.multicasts() && i.virtual == nil }

// named returns the neighbours of the interface that are named: by `neighbor` lines, and by
// NHRP where there is no multicast.
func (i *iface) named() map[netip.Addr]*StaticNeighbor {
	all := make(map[netip.Addr]*StaticNeighbor)
	if i.polls() {
		for p := range i.instance.core.peers { // unordered: a map is made of it
			if p.iface == i.name {
				all[p.addr] = &StaticNeighbor{Addr: p.addr, Priority: 1, Poll: i.cfg.Dead} // NHRP reaches it: it may well answer
			}
		}
	}
	for k := range i.instance.cfg.Neighbors {
		x := &i.instance.cfg.Neighbors[k]
		if i.addr.Contains(x.Addr) || i.anySource() && i.polls() {
			all[x.Addr] = x
		}
	}
	delete(all, i.addr.Addr())
	maps.DeleteFunc(all, func(a netip.Addr, _ *StaticNeighbor) bool { return !i.admits(a) })
	return all
}

// reconcileNeighbors brings the neighbours in line with those that are named.
func (i *iface) reconcileNeighbors(now clock.Instant) {
	i.static = i.named()
	for _, n := range slices.Clone(i.neighbors) {
		s := i.static[n.addr]
		switch {
		case n.state != fsm.NeighborDown && !i.admits(n.addr):
			n.static = nil
			n.event(now, fsm.KillNbr, "Neighbor Down: denied by neighbor-filter")
		case s == nil && n.static != nil && i.polls():
			n.static = nil
			if n.state == fsm.NeighborDown {
				i.forget(n)
			} else {
				n.event(now, fsm.KillNbr, "Neighbor Down: no longer configured")
			}
		default:
			n.name(now, s)
		}
	}
	if !i.polls() || i.passive {
		return
	}
	for _, a := range slices.SortedFunc(maps.Keys(i.static), netip.Addr.Compare) {
		if i.byAddr[a] != nil {
			continue
		}
		n := i.meet(now, 0, a)
		if n == nil {
			return
		}
		n.name(now, i.static[a])
		n.priority = n.static.Priority
		if i.state >= fsm.InterfaceWaiting {
			n.start(now)
		}
	}
}

// name takes over what is configured of the neighbour, nil for nothing.
func (n *neighbor) name(now clock.Instant, s *StaticNeighbor) {
	var cost uint16
	if s != nil && n.iface.typ == fsm.PointToMultipoint {
		cost = s.Cost
	}
	n.static = s
	if n.cost != cost {
		n.cost = cost
		n.iface.instance.routesInterface(now, n.iface)
	}
}

// startNeighbors begins with those that are named; all says: also with those that cannot
// become designated router.
func (i *iface) startNeighbors(now clock.Instant, all bool) {
	if i.passive || !i.polls() {
		return
	}
	for _, n := range slices.Clone(i.neighbors) {
		if n.static != nil && (all || n.static.Priority > 0) {
			n.start(now)
		}
	}
}

// start is the event Start: Hellos go to a neighbour that was not heard yet (RFC 2328
// section 10.3). On an NBMA network those that cannot become designated router speak with
// it and its backup alone.
func (n *neighbor) start(now clock.Instant) {
	i := n.iface
	if i.typ == fsm.NonBroadcast && i.state < fsm.InterfaceBackup && (*i.cfg.Priority == 0 || n.static.Priority == 0) && *i.cfg.Priority > 0 {
		return
	}
	n.event(now, fsm.Start, "Start")
}

// schedulePoll arms the timer of the next Hello to a neighbour that is down (section
// 9.5.1).
func (n *neighbor) schedulePoll(now clock.Instant) {
	poll := n.static.Poll
	if poll == 0 {
		poll = DefaultPoll
	}
	n.iface.instance.core.timers.Set(timerKey{kind: timerPoll, neighbor: n}, now.Add(poll))
}

// poll sends a Hello to a neighbour that is down.
func (n *neighbor) poll(now clock.Instant) {
	if n.state != fsm.NeighborDown || n.static == nil || !n.iface.speaks() {
		return
	}
	n.iface.sendHello(now, n.addr)
	n.schedulePoll(now)
}
