package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// errorHops is ar$hopcnt of an Error Indication.
	errorHops = 255
	// maxContents bounds how much of the packet in error an Error Indication
	// encloses, so that it fits where the packet did not.
	maxContents = 512
)

// fault drops the packet in c.in, of which only SrcProtocol and Type need be
// known, and tells its sender why by an Error Indication (RFC 2332 section
// 5.2.7): never in answer to an Error Indication, never more than one, never
// more than the limiter grants to a source.
func (c *Core) fault(now clock.Instant, i *iface, in RxPacket, reason DropReason, code packet.ErrorCode, offset int) {
	c.drop(i, in, reason)
	typ, source := c.in.Type, c.in.SrcProtocol
	if typ == packet.ErrorIndication || !i.ready || !in.NBMA.IsValid() || !source.IsValid() {
		return
	}
	if in.NBMA == i.source || i.own(source) {
		return // it would come back to this node
	}
	if !c.errLimit.allow(now, in.NBMA) {
		i.counters.Drops[DropErrorLimit]++
		return
	}
	m := packet.Message{
		Type: packet.ErrorIndication, HopCount: errorHops, ErrorCode: code, ErrorOffset: uint16(min(offset, 0xffff)),
		SrcProtocol: i.addr.Addr(), DstProtocol: source, Payload: in.Packet[:min(len(in.Packet), maxContents)],
	}
	c.send(now, i, in.NBMA, &m, sendOwn)
	c.logError(now, i, in.NBMA, typ, code.String(), uint16(code))
}

// faultReply is fault for a reply, whose sender is not its source: it is told to
// the responder, if the reply has that, from whose direction it came.
func (c *Core) faultReply(now clock.Instant, i *iface, in RxPacket, reason DropReason, code packet.ErrorCode, offset int) {
	m := &c.in
	m.SrcProtocol = m.DstProtocol
	if e := m.Extension(packet.ResponderAddress); e != nil && len(e.CIEs) == 1 && e.CIEs[0].Protocol.IsValid() && !i.own(e.CIEs[0].Protocol) {
		m.SrcProtocol = e.CIEs[0].Protocol
	}
	c.fault(now, i, in, reason, code, offset)
}

// errorIndication takes note of an Error Indication. It is not authenticated,
// so it changes no state: the reason appears with the server whose request it
// is about, if it is about one, and in the log.
func (c *Core) errorIndication(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	if !i.own(m.DstProtocol) {
		c.drop(i, in, DropUnsupported) // in transit
		return
	}
	c.trace(Trace{Event: TraceErrorReceived, Interface: i.key.name, Peer: m.SrcProtocol, NBMA: in.NBMA, Message: uint8(m.Type), Code: uint16(m.ErrorCode)})
	code := m.ErrorCode
	about := packet.Type(0)
	if len(m.Payload) >= offAddresses {
		about = packet.Type(m.Payload[offType])
		if s := i.pendingServer(be32(m.Payload[offRequestID:])); s != nil && about == packet.RegistrationRequest && s.nbma == in.NBMA {
			s.trouble.indicated(now, code)
		}
	}
	c.logError(now, i, in.NBMA, about, code.String()+", reported by the peer", uint16(code))
}

// offRequestID is the offset of the Request ID in a packet with the common
// header (RFC 2332 section 5.2.0.1).
const offRequestID = 24

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// logError logs what is wrong with a peer, or what a peer says is wrong here.
func (c *Core) logError(now clock.Instant, i *iface, peer netip.Addr, typ packet.Type, reason string, code uint16) {
	if !c.logLimit.allow(now, peer) {
		return
	}
	what := "Packet"
	if typ != 0 {
		what = typ.String()
	}
	c.emit(Log{SeverityError, "DMVPN_NHRP_ERROR", fmt.Sprintf("%s: NHRP Encountered Error: %s: %s (code: %d) for (Tunnel: %s NBMA: %s) with (NBMA: %s)",
		i.key.name, what, reason, code, text(i.addr.Addr()), text(i.source), text(peer))})
}

// logServer logs that a Next Hop Server came up or went down.
func (c *Core) logServer(s *server, mnemonic, verb, reason string) {
	i := s.iface
	c.emit(Log{SeverityNotice, mnemonic, fmt.Sprintf("%s: Next Hop Server: (Tunnel: %s NBMA: %s) for (Tunnel: %s NBMA: %s) %s, Reason: %s",
		i.key.name, text(s.addr), text(s.nbma), text(i.addr.Addr()), text(i.source), verb, reason)})
}

// logClient logs that a Next Hop Client came up or went down.
func (c *Core) logClient(e *entry, mnemonic, verb, reason string) {
	i := e.iface
	c.emit(Log{SeverityNotice, mnemonic, fmt.Sprintf("%s: Next Hop Client: (Tunnel: %s NBMA: %s) for (Tunnel: %s NBMA: %s) %s, Reason: %s",
		i.key.name, text(e.nextHop), text(e.nbma), text(i.addr.Addr()), text(i.source), verb, reason)})
}

// logPeer logs that another station was resolved, or is gone.
func (c *Core) logPeer(e *entry, mnemonic, verb, reason string) {
	i := e.iface
	c.emit(Log{SeverityNotice, mnemonic, fmt.Sprintf("%s: Next Hop Peer: (Tunnel: %s NBMA: %s) for (Tunnel: %s NBMA: %s) %s, Reason: %s",
		i.key.name, text(e.nextHop), text(e.nbma), text(i.addr.Addr()), text(i.source), verb, reason)})
}

// text prints an address, or UNKNOWN for the zero Addr.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return "UNKNOWN"
	}
	return a.String()
}
