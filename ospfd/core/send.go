package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/flood"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

const ipHeaderLen = 20 // octets

// send sends a packet by the interface, once with each key that signs.
func (i *iface) send(now clock.Instant, to netip.Addr, m *packet.Message) {
	in, c := i.instance, i.instance.core
	if !i.speaks() {
		return
	}
	m.RouterID, m.AreaID = in.id, i.area.id
	keys, _ := i.signing(c.wallTime(now))
	if len(keys) == 0 {
		i.misfit(now, i.addr.Addr(), "no valid key to send with: nothing is sent")
		return
	}
	tx := TxPacket{Interface: i.name, VRF: in.key.VRF, Source: i.addr.Addr(), Dest: to, TTL: 1}
	if i.virtual != nil {
		tx.Interface, tx.TTL = "", 0
	}
	for _, key := range keys {
		b, err := m.Append(nil, key, in.sequence.next(key, c.wallTime(now)), tx.Source)
		if err != nil {
			if in.logs.allow(now) {
				c.emit(Log{SeverityError, "PACKET", fmt.Sprintf("Process %d, packet on %s cannot be sent: %v", in.key.Process, i.name, err)})
			}
			return
		}
		tx.Packet = b
		i.counters.of(m.Type).Sent++
		in.counters.of(m.Type).Sent++
		c.emit(tx)
	}
	if in.shows(m.Type) {
		if whole, err := packet.Parse(tx.Packet); err == nil {
			in.trace(Trace{Event: TraceSent, Interface: i.name, Peer: to, Message: whole})
		}
	}
}

// sendTo sends a packet to a neighbour.
func (i *iface) sendTo(now clock.Instant, n *neighbor, m *packet.Message) { i.send(now, n.dest(), m) }

// group is the address to which updates and acknowledgments for all neighbours go; ok is
// false where each is sent its own: also on a multipoint tunnel that is treated as
// point-to-point, where a group has others in it.
func (i *iface) group() (to netip.Addr, ok bool) {
	if i.typ == fsm.PointToPoint && i.link.Tunnel != nil && i.link.Tunnel.Mode == rib.TunnelGREMultipoint {
		return netip.Addr{}, false
	}
	return flood.Group(i.typ, i.state)
}

// dest is the address of packets for the neighbour: on point-to-point networks that of the
// group (RFC 2328 section 8.1).
func (n *neighbor) dest() netip.Addr {
	if to, ok := n.iface.group(); ok && n.iface.typ == fsm.PointToPoint {
		return to
	}
	return n.addr
}

// room is how many octets of body a packet has room for that is not to be fragmented.
func (i *iface) room() int {
	trailer := 0
	for k := range i.auth.accept {
		trailer = max(trailer, i.auth.accept[k].TrailerLen())
	}
	return i.mtu() - ipHeaderLen - packet.HeaderLen - trailer
}

// shows reports whether packets of a type are traced.
func (in *instance) shows(t packet.Type) bool {
	on := &in.core.tracing
	return on.Packets || on.Hello && t == packet.Hello
}

// trace tells what happened.
func (in *instance) trace(t Trace) {
	t.Key = in.key
	in.core.emit(t)
}

// of returns the counter of a type of packets.
func (c *Counters) of(t packet.Type) *PacketCounter {
	switch t {
	case packet.DatabaseDescription:
		return &c.Description
	case packet.LinkStateRequest:
		return &c.Request
	case packet.LinkStateUpdate:
		return &c.Update
	case packet.LinkStateAck:
		return &c.Ack
	}
	return &c.Hello
}
