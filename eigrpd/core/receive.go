package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// receive takes a packet. That of another autonomous system is nobody's: several may
// share a network (RFC 7868 section 6.5). It is counted all the same, since the number
// may be a mistake.
func (c *Core) receive(now clock.Instant, rx RxPacket) {
	from := rx.Source.Unmap().WithZone("")
	if err := c.in.Decode(rx.Packet); err != nil {
		c.dropForAll(now, rx.Interface, from, DropMalformed)
		return
	}
	in := c.instances[Key{Family: rib.FamilyOf(from), VRF: c.links.VRF(rx.Interface), AS: c.in.AS}]
	if in == nil {
		c.dropForAll(now, rx.Interface, from, DropAS)
		return
	}
	if !in.on {
		return
	}
	if reason := in.receive(now, rx, from); reason != 0 {
		in.drop(now, rx.Interface, from, reason)
	}
}

// dropForAll counts a packet that is for no instance in all that it might be for.
func (c *Core) dropForAll(now clock.Instant, ifname string, from netip.Addr, reason DropReason) {
	for _, in := range c.order {
		if in.ifaces[ifname] != nil && in.key.Family == rib.FamilyOf(from) {
			in.drop(now, ifname, from, reason)
		}
	}
}

// drop counts a packet that is not taken.
func (in *instance) drop(now clock.Instant, ifname string, from netip.Addr, reason DropReason) {
	in.counters.Dropped[reason]++
	if in.core.tracing.Packets {
		in.trace(now, Trace{Event: TraceDropped, Interface: ifname, Peer: from, Drop: reason})
	}
}

// receive takes a packet of the autonomous system, which was decoded.
func (in *instance) receive(now clock.Instant, rx RxPacket, from netip.Addr) DropReason {
	m := &in.core.in
	by := in.ifaces[rx.Interface]
	multicast := rx.Dest.IsMulticast()
	switch {
	case m.VRID != packet.VRIDUnicast: // RFC 7868 section 6.5
		return DropMalformed
	case in.fromOwn(by, from):
		return DropOwn
	}
	how, i, reason := in.mayBe(by, from, multicast)
	if reason != 0 {
		return reason
	}
	n := in.byAddr[neighborKey{i, from}]
	if reason := i.auth.verify(in.core.wallTime(now), m, rx.Packet, from); reason != 0 {
		if n != nil {
			n.badAuth = true
		}
		in.reportAuth(now, i, from, reason)
		return reason
	}
	in.counters.of(m).Received++
	if in.core.tracing.Packets {
		in.trace(now, Trace{Event: TraceReceived, Interface: rx.Interface, Peer: from, Message: m.Clone()})
	}
	if n != nil { // RFC 7868 section 5.3.1: any packet will do
		n.heard, n.badAuth = now, false
	}
	switch {
	case m.Opcode == packet.Hello && m.Ack == 0:
		return in.receiveHello(now, i, n, from, how, multicast)
	case n == nil:
		return DropNoNeighbor
	}
	return in.receiveReliable(now, n, multicast)
}

// fromOwn reports whether an address is one of this router's. A link-local address may
// be another router's on another interface.
func (in *instance) fromOwn(by *iface, a netip.Addr) bool {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return by != nil && by.addr == a
	}
	return in.core.links.Own(in.key.VRF, a) > 0
}

// receiveReliable takes an acknowledgment or a packet that wants one.
func (in *instance) receiveReliable(now clock.Instant, n *neighbor, multicast bool) DropReason {
	m := &in.core.in
	h := rtp.Header{Opcode: m.Opcode, Flags: m.Flags, Seq: m.Sequence, Ack: m.Ack, Multicast: multicast}
	if multicast && !n.up && m.Sequence != 0 {
		return DropPending // RFC 7868 section 5.3.6: meant for others, or it comes again by unicast
	}
	v := in.transport.Received(now, n.peer(), h)
	if v == rtp.Restarted {
		if n = in.restarted(now, n); n == nil {
			return DropLimit
		}
		v = in.transport.Received(now, n.peer(), h)
	}
	switch v {
	case rtp.Deliver:
		in.deliver(now, n)
		return 0
	case rtp.Unreliable:
		in.carry(now)
		if m.IsAck() {
			return 0
		}
		return DropSequence
	case rtp.Early:
		return DropPending
	case rtp.Unknown:
		return DropNoNeighbor
	}
	return DropSequence
}

// deliver hands a packet to DUAL that reliable transport has taken.
func (in *instance) deliver(now clock.Instant, n *neighbor) {
	m := &in.core.in
	init := m.Flags&packet.FlagInit != 0
	if init {
		n.met = true
	}
	in.carry(now) // what it acknowledges may end the handshake
	if in.neighbors[n.id] != n {
		return
	}
	if !init || len(m.Routes) > 0 {
		// A router sends a packet after its INIT only when that was acknowledged, and
		// the acknowledgment rides on this router's INIT: it has that, even if its own
		// acknowledgment was lost.
		n.initAcked = true
	}
	in.checkUp(now, n)
	if len(m.Routes) > 0 {
		n.told = now
	}
	if m.Opcode == packet.Query || m.Opcode == packet.SIAQuery {
		in.abortRestart(now)
	}
	in.routesReceived(now, n, m)
	if m.Opcode == packet.Update && m.Flags&packet.FlagEndOfTable != 0 {
		in.abandonRestart(n) // what was not told again is gone
	}
}

// checkUp ends the handshake when both INITs have arrived.
func (in *instance) checkUp(now clock.Instant, n *neighbor) {
	if n.met && n.initAcked {
		in.rise(now, n)
	}
}

// reportAuth logs that a packet was refused.
func (in *instance) reportAuth(now clock.Instant, i *iface, from netip.Addr, reason DropReason) {
	m := &in.core.in
	var why string
	switch reason {
	case DropUnauthenticated:
		why = fmt.Sprintf("its authentication is %v", m.Auth.Algorithm)
	case DropKey:
		why = fmt.Sprintf("key ID %d is not valid", m.Auth.KeyID)
	case DropDigest:
		why = fmt.Sprintf("wrong digest, key ID %d", m.Auth.KeyID)
	}
	in.warn(now, &i.badAuth, "AUTHFAIL", fmt.Sprintf("packet of %v (%s) ignored: %s", from, i.name, why))
}
