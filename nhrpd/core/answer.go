package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// resolutionHops is ar$hopcnt of a Resolution Request of our own.
const resolutionHops = 255

// resolutionRequest is the server's half of RFC 2332 sections 5.2.1 and 5.2.2: it
// answers for this node itself and for the clients that are registered here, and
// passes on what it cannot answer. The answer goes back to where the request came
// from: to the client, or to the transit NHS that knows the client.
func (c *Core) resolutionRequest(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	var e *entry
	switch {
	case len(m.CIEs) > 1 || m.SrcNBMA.BitLen() != i.source.BitLen():
		// "Zero or one CIEs may be specified" (section 5.2.1).
		c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
		return
	case i.own(m.DstProtocol):
	case !i.served(m, in.NBMA):
		c.refuseResolution(now, i, in, packet.CodeAdministrativelyProhibited)
		return
	default:
		if e = i.cache.lookup(m.DstProtocol); e == nil || e.flags&FlagRegistered == 0 {
			c.forward(now, i, in)
			return
		}
	}
	if !c.answerable(now, i, in) {
		return
	}
	if e == nil {
		e = c.localEntry(now, i, m.DstProtocol)
	} else if m.Flags&packet.FlagResolutionUnique != 0 && e.flags&FlagUnique == 0 {
		c.refuseResolution(now, i, in, packet.CodeBindingNotUnique)
		return
	}
	c.answerResolution(now, i, in, e)
}

// served reports whether a request comes from a station that this node serves:
// from where that is registered or configured to be, or by way of a transit NHS
// that is.
func (i *iface) served(m *packet.Message, from netip.Addr) bool {
	at := func(a netip.Addr) bool {
		if !a.IsValid() {
			return false
		}
		e := i.cache.get(hostPrefix(a))
		return e != nil && e.nbma == from && (e.kind == EntryStatic || e.flags&FlagRegistered != 0)
	}
	if at(m.SrcProtocol) {
		return true
	}
	e := m.Extension(packet.ForwardTransitNHS)
	return e != nil && len(e.CIEs) > 0 && at(e.CIEs[len(e.CIEs)-1].Protocol)
}

// localEntry returns the entry for one of this node's own addresses, which says
// that others were told of it.
func (c *Core) localEntry(now clock.Instant, i *iface, a netip.Addr) *entry {
	e := i.cache.get(hostPrefix(a))
	if e == nil {
		e = &entry{
			iface: i, target: hostPrefix(a), nextHop: a, nbma: i.source, kind: EntryLocal, flags: FlagRouter | FlagUnique | FlagLocal,
			created: now, since: now, mtu: uint16(min(i.link.MTU, 0xffff)), preference: 255,
		}
		c.addEntry(e, TraceEntryAdded)
	}
	e.holdtime = i.cfg.Holdtime
	e.requester, e.requestID = c.in.SrcProtocol, c.in.RequestID
	c.live(now, e, e.holdtime)
	return e
}

// answerResolution turns the request in c.in into the answer that an entry gives.
// All answers are authoritative: they come from registrations, or are about this
// node. The holding time is what is left of the entry's, rounded up.
func (c *Core) answerResolution(now clock.Instant, i *iface, in RxPacket, e *entry) {
	m := &c.in
	bits := e.target.Bits()
	if len(m.CIEs) == 1 { // the widest prefix that is acceptable
		asked, ok := m.CIEs[0].PrefixBits(m.DstProtocol)
		if !ok {
			c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
			return
		}
		bits = max(bits, asked)
	}
	if !c.remember(now, e, in.NBMA) {
		c.refuseResolution(now, i, in, packet.CodeInsufficientResources)
		return
	}
	cie := packet.CIE{
		PrefixLength: uint8(bits), MTU: e.mtu, HoldingTime: seconds(e.expires.Sub(now) + time.Second - 1), Preference: e.preference,
		NBMA: e.nbma, Protocol: e.nextHop,
	}
	seen, claimed := e.nbma, e.claimed
	if e.kind == EntryLocal {
		if seen = i.translated(); seen.IsValid() {
			claimed, cie.NBMA = i.source, seen
		}
	}
	if nat := m.Extension(packet.NATAddress); nat != nil && len(nat.Value) == 0 && claimed.IsValid() {
		cie.NBMA = claimed
		nat.CIEs = append(slices.Clip(nat.CIEs), packet.CIE{PrefixLength: uint8(e.nextHop.BitLen()), NBMA: seen, Protocol: e.nextHop})
	}
	m.CIEs = []packet.CIE{cie}
	m.Flags &^= packet.FlagResolutionUnique | packet.FlagDestStable
	m.Flags |= packet.FlagAuthoritative
	if e.target.IsSingleIP() {
		m.Flags |= packet.FlagDestStable
	}
	if e.flags&FlagUnique != 0 {
		m.Flags |= packet.FlagResolutionUnique
	}
	c.sendResolutionReply(now, i, in)
}

// translated returns the NBMA address by which this node's best server sees it, if
// a NAT is between.
func (i *iface) translated() netip.Addr {
	if s := i.bestServer(netip.Addr{}); s != nil {
		return s.translated
	}
	return netip.Addr{}
}

// refuseResolution answers by a NAK: one CIE with a code and nothing else (RFC
// 2332 section 5.2.2).
func (c *Core) refuseResolution(now clock.Instant, i *iface, in RxPacket, code packet.CIECode) {
	m := &c.in
	if !c.answerable(now, i, in) {
		return
	}
	c.trace(Trace{
		Event: TraceResolutionRefused, Interface: i.key.name, Peer: m.DstProtocol, NBMA: in.NBMA, Code: uint16(code), RequestID: m.RequestID,
	})
	m.CIEs = []packet.CIE{{Code: code}}
	m.Flags &^= packet.FlagDestStable
	c.sendResolutionReply(now, i, in)
}

func (c *Core) sendResolutionReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	m.Type, m.HopCount = packet.ResolutionReply, replyHops
	if e := m.Extension(packet.ResponderAddress); e != nil {
		e.CIEs = []packet.CIE{i.ownCIE()}
	}
	i.reauthenticate(m)
	c.send(now, i, in.NBMA, m, sendOwn)
}

// forwardReply passes a Resolution Reply on to the station that asked, as the NHS
// that serves it (RFC 2332 section 5.2.2), with this node in the Reverse Transit
// NHS Record (5.3.3).
func (c *Core) forwardReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	client := i.cache.get(hostPrefix(m.SrcProtocol))
	reverse, responder := m.Extension(packet.ReverseTransitNHS), m.Extension(packet.ResponderAddress)
	own := func(cie packet.CIE) bool { return i.own(cie.Protocol) }
	switch {
	case reverse != nil && slices.ContainsFunc(reverse.CIEs, own), responder != nil && slices.ContainsFunc(responder.CIEs, own):
		c.faultReply(now, i, in, DropLoop, packet.ErrLoopDetected, c.extensionOffset(packet.ReverseTransitNHS))
		return
	case client == nil || client.kind != EntryStatic && client.flags&FlagRegistered == 0 || client.nbma == in.NBMA:
		c.drop(i, in, DropUnreachable)
		return
	case m.CheckForward() != nil:
		c.drop(i, in, DropHopCount)
		return
	}
	m.HopCount--
	if reverse != nil {
		cie := i.ownCIE()
		if m.CheckCompulsory() != nil {
			cie.NBMA = netip.Addr{}
		}
		reverse.CIEs = append(slices.Clip(reverse.CIEs), cie)
	}
	i.reauthenticate(m)
	c.send(now, i, client.nbma, m, sendForwarded)
}

// dropLocal removes entries about this node that are not true any more.
func (c *Core) dropLocal(now clock.Instant, i *iface) {
	for _, e := range i.cache.sorted() {
		if e.kind == EntryLocal && (!i.linked || e.nbma != i.source || !i.own(e.target.Addr())) {
			c.removeEntry(now, e, TraceEntryDeleted, "Address changed")
		}
	}
}
