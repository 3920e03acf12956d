package core

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// parse decodes a packet into c.in. A panic of the decoder is a fault of ours
// that a stranger's octets brought to light: it costs this packet and is counted,
// so that nobody can end the daemon from afar. Everything behind the decoder is
// outside of this fence, since a core whose state is half changed must not go on.
func (c *Core) parse(b []byte) (err error, faulty bool) {
	defer func() {
		if recover() != nil {
			c.in, faulty = packet.Message{}, true
		}
	}()
	return c.decode(&c.in, b), false
}

// receive takes a packet through the checks that are the same for all types, in
// this order: interface, codec, own source address, authentication. Then the
// type decides.
func (c *Core) receive(now clock.Instant, in RxPacket) {
	in.NBMA = in.NBMA.Unmap()
	i := c.receiver(now, in)
	if i == nil {
		return
	}
	if !in.NBMA.IsValid() && i.linked && !i.multipoint {
		in.NBMA = i.dest // some kernels do not tell, where there is but one far end
	}
	for _, s := range i.servers {
		if s.nbma == in.NBMA {
			s.heard, s.hearing = now, true
		}
	}
	c.peerHeard(now, i, in.NBMA)
	err, faulty := c.parse(in.Packet)
	switch {
	case faulty:
		c.drop(i, in, DropParser)
		return
	case err != nil:
		c.undecodable(now, i, in, err)
		return
	}
	m := &c.in
	i.counters.Received[m.Type]++
	c.tracePacket(TraceReceived, i, in.NBMA, m)
	switch {
	case m.Protocol != i.protocol():
		c.drop(i, in, DropProtocol)
	case !i.ready:
		c.drop(i, in, DropNotReady)
	case !in.NBMA.IsValid() || !m.SrcProtocol.IsValid() || !m.DstProtocol.IsValid():
		c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
	case in.NBMA == i.source || !m.Type.IsReply() && i.own(m.SrcProtocol):
		// Also an Error Indication that came back: RFC 2332 section 5.2.7 has
		// it dropped quietly.
		c.drop(i, in, DropOwnSource)
		if m.Type.IsRequest() && in.NBMA != i.source {
			c.logError(now, i, in.NBMA, m.Type, "source protocol address is this node's own", 0)
		}
	case !i.authentic(m):
		c.unauthentic(now, i, in)
	default:
		c.dispatch(now, i, in)
		c.peerHeard(now, i, in.NBMA) // it may be a peer by now
	}
}

// dispatch hands the packet in c.in to what is done about its type.
func (c *Core) dispatch(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	switch m.Type {
	case packet.RegistrationRequest, packet.PurgeRequest:
		// RFC 2332 section 5.2.3: a client that does not know its server puts
		// its own address into the destination.
		if !i.own(m.DstProtocol) && m.DstProtocol != m.SrcProtocol {
			c.forward(now, i, in)
			return
		}
		if !c.answerable(now, i, in) {
			return
		}
		if m.Type == packet.PurgeRequest {
			c.purgeRequest(now, i, in)
		} else if !i.bound() && !i.aliased(in.NBMA) || !i.protected() || i.secured(in.NBMA) || !c.unsecuredRegistration(now, i, in) {
			c.registrationRequest(now, i, in)
		}
	case packet.ResolutionRequest:
		c.resolutionRequest(now, i, in)
	case packet.ResolutionReply:
		c.resolutionReply(now, i, in)
	case packet.RegistrationReply:
		c.registrationReply(now, i, in)
	case packet.ErrorIndication:
		c.errorIndication(now, i, in)
	case packet.PurgeReply:
		c.purgeReply(now, i, in)
	case packet.TrafficIndication:
		c.trafficIndication(now, i, in)
	default:
		c.drop(i, in, DropUnsupported)
	}
}

// receiver returns the instance that a packet is for, by what its fixed part
// says of the protocol; nil if there is none.
func (c *Core) receiver(now clock.Instant, in RxPacket) *iface {
	family := rib.IPv4
	if len(in.Packet) >= 4 && in.Packet[2] == byte(packet.ProtocolIPv6>>8) && in.Packet[3] == byte(packet.ProtocolIPv6&0xff) {
		family = rib.IPv6
	}
	if i := c.ifaces[ifaceKey{in.Interface, family}]; i != nil {
		return i
	}
	link, known := c.links[in.Interface]
	if !known {
		c.dropOther(in, DropNoInterface)
		return nil
	}
	c.dropOther(in, DropNoNetworkID)
	if c.logLimit.allow(now, in.NBMA) {
		own := netip.Addr{}
		if link.Tunnel != nil {
			own = link.Tunnel.Source
		}
		c.emit(Log{SeverityNotice, "NHRP_NETID_UNCONFIGURED", fmt.Sprintf(
			"%s: NHRP packet from (Tunnel: %s NBMA: %s) for (Tunnel: %s NBMA: %s) dropped, Reason: NHRP network-id is not configured",
			in.Interface, text(sourceOf(in.Packet, family)), text(in.NBMA), text(protocolAddress(link, family).Addr()), text(own))})
	}
	return nil
}

// undecodable handles a packet that the codec refused.
func (c *Core) undecodable(now clock.Instant, i *iface, in RxPacket, err error) {
	i.counters.Received[0]++
	e := new(packet.Error)
	if !errors.As(err, &e) {
		e.Reason = packet.ReasonTruncated
	}
	reason := DropMalformed
	switch e.Reason {
	case packet.ReasonTooLong:
		reason = DropOversized
	case packet.ReasonVersion:
		reason = DropVersion
	case packet.ReasonChecksum:
		reason = DropChecksum
	case packet.ReasonAddressFamily, packet.ReasonProtocol:
		reason = DropProtocol
	case packet.ReasonType:
		reason = DropUnsupported
	case packet.ReasonExtension, packet.ReasonDuplicateExtension:
		reason = DropInvalidExt
	}
	// Never an error for an error: what cannot be decoded may still be one.
	c.in = packet.Message{}
	if len(in.Packet) > offType && in.Packet[offType] == uint8(packet.ErrorIndication) {
		c.drop(i, in, reason)
		return
	}
	c.in.SrcProtocol = sourceOf(in.Packet, i.key.family)
	c.fault(now, i, in, reason, e.Reason.ErrorCode(), e.Offset)
}

// Offsets into a packet (RFC 2332 sections 5.1 and 5.2.0.1).
const (
	offType           = 17
	offSHTL           = 18
	offSSTL           = 19
	offSrcProtocolLen = 20
	offAddresses      = 28 // Source NBMA Address: after flags and Request ID, or after error code and offset
	addressLenMask    = 0x3f
)

// sourceOf reads the Source Protocol Address of a packet that cannot be decoded
// as a whole, for the messages about it. It returns the zero Addr if it is not
// there or not of the family.
func sourceOf(b []byte, family rib.Family) netip.Addr {
	if len(b) < offAddresses {
		return netip.Addr{}
	}
	at := offAddresses + int(b[offSHTL]&addressLenMask) + int(b[offSSTL]&addressLenMask)
	end := at + int(b[offSrcProtocolLen])
	if end > len(b) {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice(b[at:end])
	if !ok || rib.FamilyOf(a) != family {
		return netip.Addr{}
	}
	return a
}

// authentic compares the string of the Authentication extension with the
// configured one. Cisco has it in every type but the Error Indication, which
// has no extensions at all (RFC 2332 section 5.2.7) and is believed nothing.
func (i *iface) authentic(m *packet.Message) bool {
	want := i.cfg.Authentication
	if want == "" || m.Type == packet.ErrorIndication {
		return true
	}
	h, ok := m.Authentication()
	return ok && h.SPI == packet.SPIClearText && subtle.ConstantTimeCompare(h.Data, []byte(want)) == 1
}

// authenticate appends the Authentication extension, if there is a string.
func (i *iface) authenticate(exts []packet.Extension) []packet.Extension {
	if i.cfg.Authentication == "" {
		return exts
	}
	e, err := packet.ClearTextAuthentication(i.cfg.Authentication)
	if err != nil {
		return exts // longer than MaxAuthentication: the other side will refuse
	}
	return append(exts, e)
}

// reauthenticate makes the Authentication extension anew: it is pairwise and
// hop by hop (RFC 2332 section 5.3.4). Its place among the extensions is kept.
func (i *iface) reauthenticate(m *packet.Message) {
	at := slices.IndexFunc(m.Extensions, func(e packet.Extension) bool { return e.Type == packet.Authentication })
	own := i.authenticate(nil)
	switch {
	case at >= 0 && len(own) > 0:
		m.Extensions[at] = own[0]
	case at >= 0:
		m.Extensions = slices.Delete(m.Extensions, at, at+1)
	case len(own) > 0:
		m.Extensions = append(m.Extensions, own[0])
	}
}

// unauthentic handles a packet that failed authentication: a request is
// answered by an Error Indication and logged (RFC 2332 section 5.3.4.3); all
// else is dropped in silence, as Cisco does.
func (c *Core) unauthentic(now clock.Instant, i *iface, in RxPacket) {
	if !c.in.Type.IsRequest() {
		c.drop(i, in, DropAuthentication)
		return
	}
	c.fault(now, i, in, DropAuthentication, packet.ErrAuthenticationFailure, c.extensionOffset(packet.Authentication))
}

// answerable checks the extensions of a request that this node is to answer
// (RFC 2332 section 5.3).
func (c *Core) answerable(now clock.Instant, i *iface, in RxPacket) bool {
	err := c.in.CheckCompulsory()
	if err == nil {
		return true
	}
	var e *packet.Error
	if errors.As(err, &e) {
		c.fault(now, i, in, DropUnknownExt, e.Reason.ErrorCode(), e.Offset)
	}
	return false
}

// extensionOffset returns where in the packet in c.in an extension is; where it
// is absent, the offset of the Extensions Part.
func (c *Core) extensionOffset(t packet.ExtensionType) int {
	m := c.in
	all := m.Extensions
	m.Extensions, m.EndOfExtensions = nil, false
	off := m.Len()
	for _, e := range all {
		if e.Type == t {
			return off
		}
		off += 4 + len(e.Value)
		for _, cie := range e.CIEs {
			off += 12 + (cie.NBMA.BitLen()+cie.Protocol.BitLen())/8 + len(cie.NBMASubaddress)
		}
	}
	m.Extensions = nil
	return m.Len()
}

// drop counts a packet that is not acted on.
func (c *Core) drop(i *iface, in RxPacket, reason DropReason) {
	i.counters.Drops[reason]++
	c.trace(Trace{
		Event: TraceDropped, Interface: in.Interface, Peer: c.in.SrcProtocol, NBMA: in.NBMA,
		Message: uint8(c.in.Type), Drop: reason, RequestID: c.in.RequestID,
	})
}

// dropOther is drop for a packet that belongs to no instance.
func (c *Core) dropOther(in RxPacket, reason DropReason) {
	typ := uint8(0)
	if len(in.Packet) > offType && in.Packet[offType] < NumMessageTypes {
		typ = in.Packet[offType]
	}
	c.other.Received[typ]++
	c.other.Drops[reason]++
	c.trace(Trace{Event: TraceDropped, Interface: in.Interface, NBMA: in.NBMA, Message: typ, Drop: reason})
}

func (c *Core) tracePacket(event TraceEvent, i *iface, nbma netip.Addr, m *packet.Message) {
	if !c.tracing {
		return
	}
	peer := m.SrcProtocol
	if event != TraceReceived {
		peer = m.DstProtocol
	}
	c.trace(Trace{
		Event: event, Interface: i.key.name, Peer: peer, NBMA: nbma, Message: uint8(m.Type),
		Code: uint16(m.ErrorCode), RequestID: m.RequestID,
	})
}
