package core

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// replyHops is ar$hopcnt of a reply: as if it were a request of our own (RFC
// 2332 section 5.1).
const replyHops = 255

// registrationRequest is the server's half of RFC 2332 sections 5.2.3 and
// 5.2.4: each CIE of the request in c.in is cached or refused by itself, and
// the reply, which is the request with its type and codes changed, and with this
// node's address where the client did not know it, goes straight back to where
// the packet came from.
func (c *Core) registrationRequest(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	unique := m.Flags&packet.FlagRegistrationUnique != 0
	if len(m.CIEs) == 0 || unique && len(m.CIEs) > 1 || m.SrcNBMA.BitLen() != i.source.BitLen() {
		// With U set, only one CIE may be included (section 5.2.3); and a tunnel
		// has one transport, so an NBMA address of another family leads nowhere.
		c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
		return
	}
	client := i.clientNBMA(m, in.NBMA)
	for k := range m.CIEs {
		cie := &m.CIEs[k]
		why := i.misbound(client, registrant(cie.Protocol, m.SrcProtocol))
		if cie.Code = packet.CodeAdministrativelyProhibited; why == "" {
			cie.Code = c.registerCIE(now, i, client, cie, unique)
		}
		if cie.Code != packet.CodeSuccess {
			cie.HoldingTime = 0 // MUST be 0 on a NAK (section 5.2.0.1)
			i.counters.Drops[refusalReason(cie.Code)]++
			c.trace(Trace{
				Event: TraceRefused, Interface: i.key.name, Peer: m.SrcProtocol, NBMA: client, Code: uint16(cie.Code),
				RequestID: m.RequestID, Reason: why,
			})
			if why == "" {
				why = cie.Code.String()
			}
			c.logError(now, i, client, m.Type, why, uint16(cie.Code))
		}
	}
	m.Type, m.HopCount = packet.RegistrationReply, replyHops
	if m.DstProtocol == m.SrcProtocol {
		// The client does not know its server. Section 5.2.4 has nothing but the
		// Responder extension for that, which not every request asks for; clients
		// in use (FRR's "nhs dynamic") learn the address here.
		m.DstProtocol = i.addr.Addr()
	}
	c.replyExtensions(i, m, client)
	c.send(now, i, client, m, sendOwn)
}

// refusalReason is the counter of refused registrations with a code.
func refusalReason(code packet.CIECode) DropReason {
	switch code {
	case packet.CodeUniqueAddressAlreadyPresent:
		return DropUniqueAddress
	case packet.CodeInsufficientResources:
		return DropResources
	}
	return DropNotAllowed
}

// clientNBMA returns the NBMA address of the client that sent a request: the one
// that the packet came from, which is right whatever NATs did to it. Where a
// transit NHS forwarded the packet, that is the transit NHS's; then it is the one
// in the packet, if the last NHS in the record is configured to be where the
// packet came from. A client's word is not enough for that: it could bind
// addresses to any third station.
func (i *iface) clientNBMA(m *packet.Message, from netip.Addr) netip.Addr {
	e := m.Extension(packet.ForwardTransitNHS)
	if e == nil || len(e.CIEs) == 0 {
		return from
	}
	last := e.CIEs[len(e.CIEs)-1].Protocol
	if !last.IsValid() || m.SrcNBMA == i.source || i.aliased(m.SrcNBMA) {
		return from
	}
	if known := i.cache.get(hostPrefix(last)); known == nil || known.kind != EntryStatic || known.nbma != from {
		return from
	}
	return m.SrcNBMA
}

// registerCIE caches the binding of a CIE to the client's NBMA address and
// returns the code for the reply.
func (c *Core) registerCIE(now clock.Instant, i *iface, nbma netip.Addr, cie *packet.CIE, unique bool) packet.CIECode {
	m := &c.in
	client := cie.Protocol
	if !client.IsValid() {
		client = m.SrcProtocol // section 5.2.3: the client registers itself
	}
	target, ok := cie.Prefix(client)
	if !ok || unique && !target.IsSingleIP() || !i.servable(client, target) {
		return packet.CodeAdministrativelyProhibited
	}
	if cie.NBMA.IsValid() && cie.NBMA != m.SrcNBMA {
		return packet.CodeAdministrativelyProhibited // for another station: nobody vouches for it
	}
	e := i.cache.get(target)
	if n, ok := i.neighbors[client]; e == nil && ok && n.owner.kind == EntryStatic {
		e = n.owner // the station of a map with a mask
	}
	switch {
	case e != nil && e.kind != EntryStatic && e.flags&FlagRegistered == 0:
		// What this node found out by asking gives way to the station itself.
		c.removeEntry(now, e, TraceEntryDeleted, "Registration Request")
		return c.registerCIE(now, i, nbma, cie, unique)
	case e != nil && e.kind == EntryStatic:
		if e.nbma == nbma {
			return packet.CodeSuccess // the map says the same, and stays
		}
		e.troubled(now, fmt.Sprintf("%v (%d) to NBMA %v: static map", packet.CodeAdministrativelyProhibited, packet.CodeAdministrativelyProhibited, nbma))
		return packet.CodeAdministrativelyProhibited
	case e != nil && e.flags&FlagUnique != 0 && e.nbma != nbma:
		e.troubled(now, fmt.Sprintf("%v (%d) to NBMA %v", packet.CodeUniqueAddressAlreadyPresent, packet.CodeUniqueAddressAlreadyPresent, nbma))
		return packet.CodeUniqueAddressAlreadyPresent
	case e == nil && i.cache.dynamic >= MaxEntries:
		return packet.CodeInsufficientResources
	case cie.HoldingTime == 0:
		if e != nil { // cached information is discarded when the holding time ends
			c.removeEntry(now, e, TraceEntryDeleted, "Holding time 0")
		}
		return packet.CodeSuccess
	}
	c.cacheRegistration(now, i, e, registration{
		target: target, client: client, nbma: nbma, claimed: m.SrcNBMA, unique: unique,
		group: m.Group(), cie: cie,
	})
	return packet.CodeSuccess
}

// servable reports whether a client may register a prefix here. The subnet of
// the tunnel is no condition, as on Cisco routers; but nobody may take the
// server's own addresses, nor what cannot be a station.
func (i *iface) servable(client netip.Addr, target netip.Prefix) bool {
	if client.BitLen() != i.addr.Addr().BitLen() || client.IsUnspecified() || client.IsMulticast() || client.IsLoopback() {
		return false
	}
	if target.Bits() == 0 {
		return false
	}
	for _, a := range i.link.Addresses {
		if target.Contains(a.Prefix.Addr()) {
			return false
		}
	}
	return true
}

// registration is a binding to be cached.
type registration struct {
	target        netip.Prefix
	client        netip.Addr
	nbma, claimed netip.Addr // as seen, as claimed
	unique        bool
	group         string
	cie           *packet.CIE
}

// cacheRegistration makes or refreshes the entry e. A changed NBMA address
// moves the neighbour at once.
func (c *Core) cacheRegistration(now clock.Instant, i *iface, e *entry, r registration) {
	fresh := e == nil
	if fresh {
		e = &entry{iface: i, target: r.target, kind: EntryDynamic, created: now, since: now}
	}
	moved := !fresh && e.nbma != r.nbma
	if moved {
		c.purge(now, e)
	} else {
		c.forgetTold(now, e)
	}
	e.nextHop, e.nbma, e.claimed = r.client, r.nbma, netip.Addr{}
	e.flags = FlagRegistered | FlagUsed
	if r.target.IsSingleIP() {
		e.flags |= FlagNexthop
	}
	if r.unique {
		e.flags |= FlagUnique
	}
	if r.nbma != r.claimed {
		e.claimed = r.claimed
		e.flags |= FlagNAT
	}
	e.holdtime = time.Duration(r.cie.HoldingTime) * time.Second
	e.expires = now.Add(e.holdtime)
	e.preference, e.mtu, e.group = r.cie.Preference, r.cie.MTU, r.group
	e.requester, e.requestID = c.in.SrcProtocol, c.in.RequestID
	e.refreshed++
	switch {
	case fresh:
		c.addEntry(e, TraceEntryAdded)
		c.logClient(e, "NHRP_NHC_UP", "is UP", "Registration Request")
	case moved:
		e.since = now
		c.wantNeighbor(e)
		c.placeMulticast(e, false)
		c.placeShaper(e, false)
		c.timers.Set(timerKey{kind: timerExpire, entry: e}, e.expires)
		c.traceEntry(TraceEntryMoved, e)
		c.logClient(e, "NHRP_NHC_UP", "is UP", "NBMA address changed")
		c.stationChanged(now, i, e.target.Addr())
	default:
		c.wantNeighbor(e)
		c.placeShaper(e, false)
		c.timers.Set(timerKey{kind: timerExpire, entry: e}, e.expires)
		c.traceEntry(TraceEntryRefresh, e)
	}
	c.save(now, e)
}

// replyExtensions turns the extensions of a request into those of the reply:
// the responder's address is filled in (RFC 2332 section 5.3.1), the records of
// transit servers are left alone (5.3.2), authentication is made anew (5.3.4),
// and to the NAT address extension goes how this node sees the client. All
// others return as they came (5.3).
func (c *Core) replyExtensions(i *iface, m *packet.Message, seen netip.Addr) {
	if e := m.Extension(packet.ResponderAddress); e != nil {
		e.CIEs = []packet.CIE{c.responderCIE(i)}
	}
	seen = i.seenAt(seen)
	if e := m.Extension(packet.NATAddress); e != nil && len(e.Value) == 0 && seen.IsValid() && seen != m.SrcNBMA {
		e.CIEs = append(e.CIEs[:len(e.CIEs):len(e.CIEs)], packet.CIE{
			PrefixLength: uint8(m.SrcProtocol.BitLen()), NBMA: seen, Protocol: m.SrcProtocol,
		})
	}
	i.reauthenticate(m)
}

// ownCIE describes this node in Responder Address and transit records, whose
// Prefix Length MUST be 0 (RFC 2332 section 5.3.1).
func (i *iface) ownCIE() packet.CIE {
	return packet.CIE{
		MTU: uint16(min(i.link.MTU, 0xffff)), HoldingTime: seconds(i.cfg.Holdtime), NBMA: i.source, Protocol: i.addr.Addr(),
	}
}

// responderCIE describes this node in the Responder Address extension: by the address
// of the interface that `ip nhrp responder` names, if it has one of the family.
func (c *Core) responderCIE(i *iface) packet.CIE {
	cie := i.ownCIE()
	if a := protocolAddress(c.links[i.cfg.Responder], i.key.family).Addr(); i.cfg.Responder != "" && a.IsValid() {
		cie.Protocol = a
	}
	return cie
}

// askExtensions adds to a request of this node's own what it asks the stations on its
// way for: who answers (RFC 2332 section 5.3.1), and which servers pass it on (5.3.2
// and 5.3.3), the latter not under `no ip nhrp record`.
func (i *iface) askExtensions(exts []packet.Extension) []packet.Extension {
	exts = append(exts, packet.Extension{Type: packet.ResponderAddress, Compulsory: true})
	if i.cfg.NoRecord {
		return exts
	}
	return append(exts,
		packet.Extension{Type: packet.ForwardTransitNHS, Compulsory: true},
		packet.Extension{Type: packet.ReverseTransitNHS, Compulsory: true})
}
