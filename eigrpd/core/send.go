package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ifaceID and neighborID are what transport's names are in the core.
func ifaceID(id rtp.InterfaceID) dual.InterfaceID { return dual.InterfaceID(id) }
func neighborID(id rtp.PeerID) dual.NeighborID    { return dual.NeighborID(id) }

// peerIDs returns neighbours as reliable transport names them, nil for none.
func peerIDs(ids []dual.NeighborID) []rtp.PeerID {
	if len(ids) == 0 {
		return nil
	}
	out := make([]rtp.PeerID, len(ids))
	for k, id := range ids {
		out[k] = rtp.PeerID(id)
	}
	return out
}

// transportOptions are those of the reliable transport of the instance. Its first
// sequence number is random: so neighbours tell the first packet of this life from
// those of the last.
func (in *instance) transportOptions() rtp.Options {
	o := rtp.Options{First: in.core.rng.Uint32() >> 1, AddressLen: 4, Overhead: 20 + packet.HeaderLen + packet.AuthLen(packet.HMACSHA256)}
	if in.key.Family == rib.IPv6 {
		o.AddressLen, o.Overhead = 16, o.Overhead+20
	}
	return o
}

// transmit hands a packet to reliable transport: for the neighbours in to, or, if to
// is empty, for all that are up on the interface but those in except.
func (in *instance) transmit(now clock.Instant, i *iface, to, except []dual.NeighborID, op packet.Opcode, flags packet.Flags, tlvs []byte) {
	in.transport.Send(now, rtp.InterfaceID(i.id), peerIDs(to), peerIDs(except), rtp.Packet{Opcode: op, Flags: flags, TLVs: tlvs})
}

// carry does what reliable transport wants. It reports whether anything followed of
// it for others: then there may be more to do.
func (in *instance) carry(now clock.Instant) bool {
	more := false
	in.sent = in.transport.Drain(in.sent[:0])
	sent := in.sent
	in.sent = nil // what is done below may come back here
	for _, e := range sent {
		switch e := e.(type) {
		case rtp.Transmit:
			in.carryPacket(now, e)
		case rtp.SequenceHello:
			in.sequenceHello(now, e)
		case rtp.SendAck:
			in.carryAck(now, e)
		case rtp.Acked:
			in.acked(now, e)
			more = true
		case rtp.PeerLost:
			if n := in.neighbors[neighborID(e.Peer)]; n != nil {
				in.down(now, n, e.Why.String(), aloud)
			}
			more = true
		}
	}
	clear(sent)
	in.sent = sent[:0]
	return more
}

// acked ends the handshake when a neighbour has this router's INIT (RFC 7868 section
// 5.3.5).
func (in *instance) acked(now clock.Instant, e rtp.Acked) {
	n := in.neighbors[neighborID(e.Peer)]
	if n == nil {
		return
	}
	if in.core.tracing.Transmit {
		in.trace(now, Trace{Event: TraceAcked, Interface: n.iface.name, Peer: n.addr, Text: fmt.Sprintf("%v %d", e.Opcode, e.Seq)})
	}
	if e.Flags&packet.FlagInit != 0 {
		n.initAcked = true
		in.checkUp(now, n)
	}
}

// carryPacket sends a reliable packet.
func (in *instance) carryPacket(now clock.Instant, e rtp.Transmit) {
	i := in.byID[ifaceID(e.Interface)]
	if i == nil {
		return
	}
	to, ttl := in.group(), uint8(0)
	if e.Peer != 0 {
		n := in.neighbors[neighborID(e.Peer)]
		if n == nil {
			return
		}
		to, ttl = n.addr, n.ttl
	}
	if in.core.tracing.Transmit {
		t := Trace{Event: TraceEnqueued, Interface: i.name, Peer: to, Text: fmt.Sprintf("%v %d", e.Opcode, e.Seq)}
		switch {
		case e.Attempt > 1:
			t.Event = TraceRetransmit
		case e.Flags&packet.FlagConditionalReceive != 0:
			t.Event = TraceConditional
		}
		in.trace(now, t)
	}
	m := packet.Message{Opcode: e.Opcode, Flags: e.Flags, Sequence: e.Seq, Ack: e.Ack, AS: in.key.AS}
	in.send(now, i, to, ttl, &m, e.TLVs)
}

// carryAck sends an acknowledgment: a Hello with nothing in it (RFC 7868 section 6.5).
func (in *instance) carryAck(now clock.Instant, e rtp.SendAck) {
	i, n := in.byID[ifaceID(e.Interface)], in.neighbors[neighborID(e.Peer)]
	if i == nil || n == nil {
		return
	}
	m := packet.Message{Opcode: packet.Hello, Ack: e.Ack, AS: in.key.AS}
	in.send(now, i, n.addr, n.ttl, &m, nil)
}

// send sends a packet by an interface: a whole message, or the header of one with TLVs
// that are encoded already. One with a TTL goes to a remote neighbour, by whichever
// interface leads there.
func (in *instance) send(now clock.Instant, i *iface, to netip.Addr, ttl uint8, m *packet.Message, tlvs []byte) {
	c := in.core
	key, ok := i.auth.sendKey(c.wallTime(now))
	if !ok {
		in.warn(now, &i.noKey, "NOKEY", fmt.Sprintf("no valid key to send with on %s: nothing is sent", i.name))
		return
	}
	var b []byte
	var err error
	if tlvs != nil {
		b, err = m.AppendAround(make([]byte, 0, packet.HeaderLen+packet.AuthLen(packet.HMACSHA256)+len(tlvs)), tlvs, key, i.addr)
	} else {
		b, err = m.Append(nil, key, i.addr)
	}
	if err != nil {
		in.warn(now, &i.noKey, "PACKET", fmt.Sprintf("packet on %s cannot be sent: %v", i.name, err))
		return
	}
	in.counters.of(m).Sent++
	if c.tracing.Packets {
		if whole, err := packet.Parse(b); err == nil {
			in.trace(now, Trace{Event: TraceSent, Interface: i.name, Peer: to, Message: whole})
		}
	}
	tx := TxPacket{Interface: i.name, VRF: in.key.VRF, Source: i.addr, Dest: to, TTL: ttl, Packet: b}
	if ttl != 0 {
		tx.Interface = ""
	}
	c.emit(tx)
}

// of returns the counter of a message's type.
func (c *Counters) of(m *packet.Message) *PacketCounter {
	switch m.Opcode {
	case packet.Update:
		return &c.Update
	case packet.Query:
		return &c.Query
	case packet.Reply:
		return &c.Reply
	case packet.SIAQuery:
		return &c.SIAQuery
	case packet.SIAReply:
		return &c.SIAReply
	}
	if m.IsAck() {
		return &c.Ack
	}
	return &c.Hello
}
