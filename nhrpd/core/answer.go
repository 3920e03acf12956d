package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// resolutionHops is ar$hopcnt of a Resolution Request of our own.
const resolutionHops = 255

// resolutionRequest is the server's half of RFC 2332 sections 5.2.1 and 5.2.2: it
// answers for this node itself, for the clients that are registered here and for what
// is behind this node, and passes on what it cannot answer: to a station of the
// tunnel, if a map says where it is; otherwise the way that packets go.
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
		e = i.cache.lookup(m.DstProtocol)
		switch {
		case e != nil && e.flags&FlagRegistered != 0 && (i.aliased(in.NBMA) || i.aliased(e.nbma)):
			c.refuseResolution(now, i, in, packet.CodeNoBinding) // they reach each other by way of this node only
			return
		case e != nil && e.flags&FlagRegistered != 0:
		case e != nil || i.onLink(m.DstProtocol):
			c.forward(now, i, in)
			return
		default:
			c.requestByRoute(now, i, in)
			return
		}
	}
	if !c.answerable(now, i, in) {
		return
	}
	if e == nil {
		e = c.localEntry(now, i, hostPrefix(m.DstProtocol), nil)
	}
	switch {
	case e == nil:
		c.refuseResolution(now, i, in, packet.CodeAdministrativelyProhibited)
	case m.Flags&packet.FlagResolutionUnique != 0 && e.flags&FlagUnique == 0:
		c.refuseResolution(now, i, in, packet.CodeBindingNotUnique)
	default:
		c.answerResolution(now, i, in, e, in.NBMA)
	}
}

// onLink reports whether an address is of the tunnel's subnets.
func (i *iface) onLink(a netip.Addr) bool {
	return slices.ContainsFunc(i.link.Addresses, func(x rib.Address) bool { return x.Prefix.Contains(a) })
}

// requestByRoute finds out how the destination of the request in c.in is reached, and
// then answers it or passes it on.
func (c *Core) requestByRoute(now clock.Instant, i *iface, in RxPacket) {
	r := c.routeTo(now, i, c.in.DstProtocol)
	if r != nil && r.known {
		c.requestRouted(now, i, in, r)
		return
	}
	if r != nil {
		m := c.in.Clone()
		in.Packet = slices.Clone(in.Packet[:min(len(in.Packet), maxContents)])
		if c.whenKnown(now, r, func(now clock.Instant) {
			if c.ifaces[i.key] == i && i.ready {
				c.in = *m
				c.requestRouted(now, i, in, r)
			}
		}) {
			return
		}
	}
	c.refuseResolution(now, i, in, packet.CodeInsufficientResources)
}

// requestRouted answers the request in c.in if this node is where its destination
// leaves the network (the egress router of RFC 2332 section 5.2.1), and passes it on
// to the next hop otherwise. The egress learns in passing where who asked is, and
// answers there directly: what comes back will go there.
func (c *Core) requestRouted(now clock.Instant, i *iface, in RxPacket, r *route) {
	m := &c.in
	if out, hop, ok := c.overTunnel(r, i); ok {
		way := out.askedBy(hop)
		if !out.ready || !way.IsValid() || way == in.NBMA {
			c.refuseResolution(now, i, in, packet.CodeNoBinding)
			return
		}
		from := passedBy(m)
		if c.relayTo(now, i, in, out, way) {
			c.rememberRelay(now, i, in, from, r, nextKey{out, hop})
		}
		return
	}
	p, ok := c.egress(r, i)
	if !ok {
		c.refuseResolution(now, i, in, packet.CodeNoBinding)
		return
	}
	if !c.answerable(now, i, in) {
		return
	}
	target, summary := i.answerPrefix(p, m.DstProtocol)
	if i.cache.get(target) == nil && i.cache.dynamic >= MaxEntries {
		c.refuseResolution(now, i, in, packet.CodeInsufficientResources)
		return
	}
	e := c.localEntry(now, i, target, r)
	if e == nil {
		c.refuseResolution(now, i, in, packet.CodeAdministrativelyProhibited)
		return
	}
	if e.flags &^= FlagSummary; summary {
		e.flags |= FlagSummary
	}
	c.answerResolution(now, i, in, e, c.learnAsker(now, i, in))
}

// answerPrefix returns the prefix that is answered about an address by a route: the
// longest summary map's that holds the route's; otherwise the route's, but not if that
// is so short that it would draw what other routers have. summary says that it is a
// summary map's.
func (i *iface) answerPrefix(p netip.Prefix, a netip.Addr) (target netip.Prefix, summary bool) {
	best := netip.Prefix{}
	for _, m := range i.cfg.SummaryMaps {
		if m.NBMA == i.source && m.Prefix.Contains(p.Addr()) && m.Prefix.Bits() <= p.Bits() && (!best.IsValid() || m.Prefix.Bits() > best.Bits()) {
			best = m.Prefix
		}
	}
	switch {
	case best.IsValid():
		return best, true
	case p.Bits() < i.cfg.MinPrefix:
		return hostPrefix(a), false
	}
	return p, false
}

// learnAsker learns where the station is that sent the request in c.in, and returns
// where the answer goes: there, or the way that the request came.
func (c *Core) learnAsker(now clock.Instant, i *iface, in RxPacket) netip.Addr {
	m := &c.in
	nbma, claimed := m.SrcNBMA, netip.Addr{}
	if nat := natAddress(m, m.SrcProtocol); nat.IsValid() && nat != nbma {
		nbma, claimed = nat, m.SrcNBMA
	}
	cie := packet.CIE{HoldingTime: seconds(i.cfg.Holdtime), Preference: 255}
	if len(m.CIEs) == 1 && m.CIEs[0].HoldingTime > 0 {
		cie.HoldingTime, cie.MTU = m.CIEs[0].HoldingTime, m.CIEs[0].MTU
	}
	if !i.multipoint || !c.learnPeer(now, i, m.SrcProtocol, nbma, claimed, &cie, m.Flags&packet.FlagRouter != 0) {
		return in.NBMA
	}
	if e := i.cache.get(hostPrefix(m.SrcProtocol)); e != nil && e.nbma.IsValid() {
		return e.nbma
	}
	return in.NBMA
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
	return at(passedBy(m))
}

// localEntry returns the entry for one of this node's own addresses, or for a prefix
// that is reached by way of it as long as a route stands, which says that others were
// told of it; nil if the cache says something else of that prefix.
func (c *Core) localEntry(now clock.Instant, i *iface, target netip.Prefix, r *route) *entry {
	e := i.cache.get(target)
	if e != nil && (e.isShortcut() || e.ask != nil) {
		// It was behind another station, or asked for; now it is here.
		c.removeEntry(now, e, TraceEntryReplaced, "")
		e = nil
	}
	if e == nil {
		e = &entry{
			iface: i, target: target, nextHop: i.addr.Addr(), nbma: i.source, kind: EntryLocal, flags: FlagRouter | FlagUnique | FlagLocal,
			created: now, since: now, mtu: uint16(min(i.link.MTU, 0xffff)), preference: 255,
		}
		if r == nil {
			e.nextHop = target.Addr()
		} else {
			e.asked = r.key.addr
			c.rest(e, r)
		}
		c.addEntry(e, TraceEntryAdded)
	}
	if e.kind != EntryLocal {
		return nil
	}
	e.holdtime = i.cfg.Holdtime
	e.requester, e.requestID = c.in.SrcProtocol, c.in.RequestID
	c.live(now, e, e.holdtime)
	return e
}

// answerResolution turns the request in c.in into the answer that an entry gives.
// All answers are authoritative: they come from registrations, or are about this
// node. The holding time is what is left of the entry's, rounded up.
//
// A prefix behind this node is told as it is: routers that ask for what is behind
// another want all of it, whatever length they write (Cisco).
func (c *Core) answerResolution(now clock.Instant, i *iface, in RxPacket, e *entry, to netip.Addr) {
	m := &c.in
	bits := e.target.Bits()
	if len(m.CIEs) == 1 && !e.asked.IsValid() { // the widest prefix that is acceptable
		asked, ok := m.CIEs[0].PrefixBits(m.DstProtocol)
		if !ok {
			c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
			return
		}
		bits = max(bits, asked)
	}
	if !c.remember(now, e, to) {
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
	c.sendResolutionReply(now, i, to)
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
	c.sendResolutionReply(now, i, in.NBMA)
}

func (c *Core) sendResolutionReply(now clock.Instant, i *iface, to netip.Addr) {
	m := &c.in
	m.Type, m.HopCount = packet.ResolutionReply, replyHops
	if e := m.Extension(packet.ResponderAddress); e != nil {
		e.CIEs = []packet.CIE{c.responderCIE(i)}
	}
	i.reauthenticate(m)
	c.send(now, i, to, m, sendOwn)
}

// forwardReply passes a Resolution Reply on to the station that asked, as the NHS
// that serves it (RFC 2332 section 5.2.2), with this node in the Reverse Transit
// NHS Record (5.3.3).
func (c *Core) forwardReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	out, client := c.clientOf(i, m.SrcProtocol)
	reverse, responder := m.Extension(packet.ReverseTransitNHS), m.Extension(packet.ResponderAddress)
	own := func(cie packet.CIE) bool { return i.own(cie.Protocol) }
	switch {
	case reverse != nil && slices.ContainsFunc(reverse.CIEs, own), responder != nil && slices.ContainsFunc(responder.CIEs, own):
		c.faultReply(now, i, in, DropLoop, packet.ErrLoopDetected, c.extensionOffset(packet.ReverseTransitNHS))
		return
	case client == nil || client.nbma == in.NBMA:
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
	out.reauthenticate(m)
	c.send(now, out, client.nbma, m, sendForwarded)
}

// clientOf returns the station with an address that is registered or configured here,
// on the tunnel given or on another of its network; nil if there is none.
func (c *Core) clientOf(i *iface, a netip.Addr) (*iface, *entry) {
	is := func(o *iface) *entry {
		e := o.cache.get(hostPrefix(a))
		if e == nil || e.kind != EntryStatic && e.flags&FlagRegistered == 0 {
			return nil
		}
		return e
	}
	if e := is(i); e != nil {
		return i, e
	}
	for _, o := range c.order {
		if o.key.family == i.key.family && o.cfg.NetworkID == i.cfg.NetworkID && o.ready {
			if e := is(o); e != nil {
				return o, e
			}
		}
	}
	return i, nil
}

// dropLocal removes entries about this node that are not true any more.
func (c *Core) dropLocal(now clock.Instant, i *iface) {
	for _, e := range i.cache.sorted() {
		gone := e.asked.IsValid() && e.nextHop != i.addr.Addr() || !e.asked.IsValid() && !i.own(e.target.Addr())
		if e.kind == EntryLocal && (!i.linked || e.nbma != i.source || gone) {
			c.removeEntry(now, e, TraceEntryDeleted, "Address changed")
		}
	}
}
