package core

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// helloDue sends a Hello, and arms the timer of the next one (RFC 2328 section 9.5).
func (i *iface) helloDue(now clock.Instant) {
	if !i.speaks() {
		return
	}
	i.instance.core.timers.Set(timerKey{kind: timerHello, iface: i}, now.Add(i.cfg.Hello))
	if i.multicasts() {
		i.sendHello(now, packet.AllSPFRouters)
		return
	}
	if i.virtual != nil {
		i.sendHello(now, i.virtual.remote)
		return
	}
	for _, n := range i.neighbors {
		if n.hears() {
			i.sendHello(now, n.addr)
		}
	}
}

// firstHello sends the first Hello of an interface. While this router restarts it waits for an
// interval, in which it hears the neighbours' where they reach all: a Hello that does not list
// them takes the adjacency down for a moment, and BIRD, which helps, may calculate its routes
// in that.
func (i *iface) firstHello(now clock.Instant) {
	if !i.instance.restarting || !i.multicasts() {
		i.helloDue(now)
		return
	}
	i.instance.core.timers.Set(timerKey{kind: timerHello, iface: i}, now.Add(i.cfg.Hello))
}

// hears reports whether a neighbour that is named is sent a Hello each Hello interval
// (section 9.5.1).
func (n *neighbor) hears() bool {
	i := n.iface
	switch {
	case n.state == fsm.NeighborDown:
		return false
	case i.typ != fsm.NonBroadcast, i.state == fsm.InterfaceDR, i.state == fsm.InterfaceBackup, n.addr == i.dr, n.addr == i.bdr:
		return true
	}
	return *i.cfg.Priority > 0 && n.priority > 0
}

// sendHello sends a Hello to a group or a neighbour.
func (i *iface) sendHello(now clock.Instant, to netip.Addr) {
	h := packet.HelloBody{Mask: i.mask(), Options: i.area.options(), Priority: *i.cfg.Priority,
		Interval: i.helloSeconds(), DeadInterval: uint32(i.cfg.Dead / time.Second), Designated: i.dr, Backup: i.bdr}
	for _, n := range i.neighbors {
		if n.state >= fsm.NeighborInit {
			h.Neighbors = append(h.Neighbors, n.id)
		}
	}
	slices.Sort(h.Neighbors)
	i.send(now, to, &packet.Message{Type: packet.Hello, HelloBody: h})
}

// goodbye sends a Hello that lists nobody, so that neighbours do not wait for the dead
// interval.
func (i *iface) goodbye(now clock.Instant) {
	if !i.speaks() {
		return
	}
	h := packet.HelloBody{Mask: i.mask(), Options: i.area.options(), Priority: *i.cfg.Priority, Interval: i.helloSeconds(), DeadInterval: uint32(i.cfg.Dead / time.Second)}
	m := &packet.Message{Type: packet.Hello, HelloBody: h}
	if i.multicasts() {
		i.send(now, packet.AllSPFRouters, m)
		return
	}
	for _, n := range i.neighbors {
		if n.state >= fsm.NeighborInit {
			i.send(now, n.addr, m)
		}
	}
}

// helloSeconds is the Hello interval as it is told: none with sub-second Hellos.
func (i *iface) helloSeconds() uint16 {
	if i.cfg.HelloPerSecond > 0 {
		return 0
	}
	return uint16(i.cfg.Hello / time.Second)
}

// mask is the network mask that Hellos tell: zeros on what has none (section 9.5).
func (i *iface) mask() uint32 {
	if i.typ == fsm.VirtualLink || i.typ == fsm.PointToPoint && i.addr.IsSingleIP() {
		return 0
	}
	return uint32(uint64(math.MaxUint32) << (32 - i.addr.Bits()))
}

// receiveHello takes a Hello (section 10.5).
func (i *iface) receiveHello(now clock.Instant, m *packet.Message, from netip.Addr) DropReason {
	if reason, text := i.fits(&m.HelloBody); reason != 0 {
		i.misfit(now, from, text)
		return reason
	}
	n := i.find(m.RouterID, from)
	if n != nil && n.id != 0 && n.id != m.RouterID {
		n.event(now, fsm.KillNbr, "Neighbor Down: Router ID changed")
		n = i.find(m.RouterID, from)
	}
	if n == nil {
		if n = i.meet(now, m.RouterID, from); n == nil {
			return DropLimit
		}
		n.uses(m)
		n.last.take(m)
	}
	if n.id == 0 {
		n.id = m.RouterID
	}
	if n.addr != from {
		i.extract(n)
		n.addr = from
		i.insert(n)
	}
	n.heard(now, m)
	return 0
}

// heard takes what a Hello of the neighbour says.
func (n *neighbor) heard(now clock.Instant, m *packet.Message) {
	i, h := n.iface, &m.HelloBody
	n.event(now, fsm.HelloReceived, "Received Hello")
	before := n.router()
	n.options = h.Options
	if !n.help.active { // who restarts remains what it was (RFC 3623 section 3)
		n.priority, n.dr, n.bdr = h.Priority, h.Designated, h.Backup
	}
	if !slices.Contains(h.Neighbors, i.instance.id) {
		if !n.help.active { // RFC 3623 section 3.1
			n.event(now, fsm.OneWayReceived, "1-Way")
		}
	} else {
		n.event(now, fsm.TwoWayReceived, "2-Way Received")
		i.resume(now, n)
	}
	if n.state >= fsm.NeighborTwoWay {
		if e, ok := fsm.Heard(i.state, before, n.router()); ok {
			i.event(now, e)
		}
	}
	if i.typ == fsm.NonBroadcast && n.priority > 0 && !n.hears() && n.state >= fsm.NeighborInit {
		i.sendHello(now, n.addr) // section 9.5.1: a reply to a router that may become designated
	}
}

// fits reports whether a Hello agrees with what is configured (section 10.5).
func (i *iface) fits(h *packet.HelloBody) (reason DropReason, text string) {
	mine := i.area.options()
	const kinds = packet.OptionE | packet.OptionNP
	switch {
	case !i.byRouter() && !i.anySource() && h.Mask != i.mask() && !(i.typ == fsm.PointToMultipoint && h.Mask == math.MaxUint32):
		return DropMask, fmt.Sprintf("network mask %v, %v configured", packet.ID(h.Mask), packet.ID(i.mask()))
	case i.cfg.HelloPerSecond == 0 && h.Interval != i.helloSeconds():
		return DropHello, fmt.Sprintf("hello interval %d, %d configured", h.Interval, i.helloSeconds())
	case h.DeadInterval != uint32(i.cfg.Dead/time.Second):
		return DropDead, fmt.Sprintf("dead interval %d, %d configured", h.DeadInterval, i.cfg.Dead/time.Second)
	case (h.Options^mine)&kinds != 0:
		return DropStubFlag, fmt.Sprintf("area type: options %v, %v configured", h.Options&kinds, mine&kinds)
	}
	return 0, ""
}

// mismatch is the last packet that did not fit what is configured.
type mismatch struct {
	text string
	at   clock.Instant
	logs quiet
}

// misfit remembers and logs that a packet does not fit what is configured: the field, what
// it says and what is configured.
func (i *iface) misfit(now clock.Instant, from netip.Addr, text string) {
	i.mismatch.text, i.mismatch.at = fmt.Sprintf("%s from %v", text, from), now
	if i.mismatch.logs.allow(now) {
		i.instance.core.emit(Log{SeverityWarning, "ERRRCV", fmt.Sprintf("Process %d, received invalid packet from %v on %s: %s", i.instance.key.Process, from, i.name, text)})
	}
}
