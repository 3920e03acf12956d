package core

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// receive takes a packet (RFC 2328 section 8.2).
func (c *Core) receive(now clock.Instant, rx RxPacket) {
	rx.Source, rx.Dest = rx.Source.Unmap(), rx.Dest.Unmap()
	m, err := packet.Parse(rx.Packet)
	for _, in := range c.order {
		by := in.byName[rx.Interface]
		if by == nil {
			continue
		}
		if err != nil {
			in.drop(by, rx, nil, DropMalformed)
			return
		}
		i, reason := in.ifaceFor(now, by, m, rx)
		if reason == 0 {
			reason = i.receive(now, m, rx)
		}
		if reason != 0 {
			if i == nil {
				i = by
			}
			in.drop(i, rx, m, reason)
		}
		return
	}
}

// drop counts a packet that is not taken.
func (in *instance) drop(i *iface, rx RxPacket, m *packet.Message, reason DropReason) {
	in.counters.Dropped[reason]++
	if i != nil {
		i.counters.Dropped[reason]++
	}
	if m == nil && in.core.tracing.Packets || m != nil && in.shows(m.Type) {
		in.trace(Trace{Event: TraceDropped, Interface: rx.Interface, Peer: rx.Source, Drop: reason})
	}
}

// ifaceFor returns the interface that a packet is for: that by which it came, if it is of
// its area, or a virtual link (section 8.2).
func (in *instance) ifaceFor(now clock.Instant, by *iface, m *packet.Message, rx RxPacket) (*iface, DropReason) {
	if by != nil && m.AreaID == by.area.id {
		if !by.speaks() {
			return by, DropPassive
		}
		return by, 0
	}
	if v := in.virtualFor(m, by); v != nil && !rx.Dest.IsMulticast() {
		if !v.speaks() {
			return v, DropPassive
		}
		return v, 0
	}
	if by != nil && by.speaks() {
		by.misfit(now, rx.Source, fmt.Sprintf("area %v, %v configured", m.AreaID, by.area.id))
	}
	return by, DropArea
}

// receive takes a packet that is of the interface's area.
func (i *iface) receive(now clock.Instant, m *packet.Message, rx RxPacket) DropReason {
	in := i.instance
	switch {
	case in.core.links.Own(in.key.VRF, rx.Source) > 0:
		return DropOwn
	case i.virtual == nil && !i.reaches(rx.Source):
		return DropSource
	case !i.admits(rx.Source):
		return DropFilter
	case rx.Dest == packet.AllDRouters && i.state != fsm.InterfaceDR && i.state != fsm.InterfaceBackup:
		return DropDestination
	}
	if reason := i.verify(in.core.wallTime(now), m, rx); reason != 0 {
		i.misfit(now, rx.Source, fmt.Sprintf("%v (type %d, key %d)", reason, m.Auth.Type, m.Auth.KeyID))
		return reason
	}
	if m.RouterID == in.id { // section 8.2, and of a neighbour's Hello section 10.5
		i.misfit(now, rx.Source, fmt.Sprintf("duplicate router ID %v", m.RouterID))
		return DropOwn
	}
	n := i.find(m.RouterID, rx.Source)
	if n != nil {
		if n.last.old(m) {
			return DropSequence
		}
		n.last.take(m)
		n.uses(m)
	}
	i.counters.of(m.Type).Received++
	in.counters.of(m.Type).Received++
	if in.shows(m.Type) {
		in.trace(Trace{Event: TraceReceived, Interface: i.name, Peer: rx.Source, Router: m.RouterID, Message: m})
	}
	if m.Type == packet.Hello {
		return i.receiveHello(now, m, rx.Source)
	}
	if n == nil || n.id != m.RouterID {
		return DropNoNeighbor
	}
	if n.state >= fsm.NeighborInit && (!rx.Dest.IsMulticast() || i.typ == fsm.PointToPoint && rx.Dest == packet.AllSPFRouters) {
		n.due = now.Add(i.cfg.Dead) // RFC 4222 section 2, recommendation 2
	}
	return n.receive(now, m)
}

// receive takes a packet of the neighbour that is no Hello.
func (n *neighbor) receive(now clock.Instant, m *packet.Message) DropReason {
	switch m.Type {
	case packet.DatabaseDescription:
		return n.description(now, m)
	case packet.LinkStateRequest:
		return n.requested(now, m)
	case packet.LinkStateUpdate:
		return n.updated(now, m)
	}
	return n.acknowledged(now, m)
}
