package core

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// lastAsk is the nominal interval after the last request for an address: with
	// 1, 2, 4 and 8 s before it, five requests go out in about 12 s, and about 13 s
	// later the address is given up.
	lastAsk = 16 * time.Second
	// temporaryLife is how long traffic goes by way of the server without an
	// answer before the address is asked for anew; Cisco's figure.
	temporaryLife = 180 * time.Second
	// negativeLife is how long a refusal is remembered, and how long nobody is
	// asked where there is no server to ask.
	negativeLife = 10 * time.Second
	// maxUnresolved bounds the entries of an instance that are not resolved: a
	// host that sweeps the subnet of a tunnel makes one for each address.
	maxUnresolved = 1024
	// askInterval and askBurst limit the first requests for one address, which
	// follow each other where answers have short holding times.
	askInterval = time.Second
	askBurst    = 4
)

// asking is what an entry has until it is resolved: the client's half of RFC 2332
// sections 5.2.1 and 5.2.2.
type asking struct {
	server     *server    // a neighbour's: whom traffic goes to meanwhile; nil: none answers
	via        netip.Addr // NBMA address of who is asked
	id         uint32
	former     uint32        // of the request that id replaced
	pending    bool          // id has no answer yet
	retry      time.Duration // nominal interval that is armed; 0: none
	hits       uint64        // packets that the kernel asked about meanwhile, or Traffic Indications
	validate   bool          // of a renewal: without an answer at once, the entry goes
	refused    clock.Instant // when the first refusal of a renewal came, if wasRefused
	wasRefused bool
}

// neighborMiss begins a resolution: the kernel has packets for an address of a
// multipoint tunnel that has no neighbour. The address becomes a neighbour by way
// of a server at once, so that those packets are not lost, and the server is asked.
func (c *Core) neighborMiss(now clock.Instant, in NeighborMiss) {
	addr := in.Addr.Unmap()
	i := c.ifaces[ifaceKey{in.Interface, rib.FamilyOf(addr)}]
	if i == nil || !i.ready || !i.resolves() || !i.resolvable(addr) {
		return
	}
	target := hostPrefix(addr)
	if e := i.cache.get(target); e != nil {
		if e.ask != nil {
			e.ask.hits++
		}
		return // it has its neighbour, or is not to have one for now
	}
	if i.neighbors[addr].owner != nil {
		return // the station of a map with a mask
	}
	if i.unresolved >= maxUnresolved || i.cache.dynamic >= MaxEntries {
		c.trace(Trace{Event: TraceMissIgnored, Interface: i.key.name, Peer: addr})
		return
	}
	e := &entry{iface: i, target: target, kind: EntryIncomplete, created: now, since: now, ask: &asking{hits: 1}}
	i.unresolved++
	c.addEntry(e, TraceEntryAdded)
	c.ask(now, e)
}

// resolvable reports whether an address can be that of another station.
func (i *iface) resolvable(a netip.Addr) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || i.own(a) {
		return false
	}
	if !a.Is4() {
		return true
	}
	for _, x := range i.link.Addresses {
		if x.Prefix.Contains(a) && (a == x.Prefix.Masked().Addr() || a == broadcast(x.Prefix)) && x.Prefix.Bits() < 31 {
			return false
		}
	}
	return a != broadcast(netip.PrefixFrom(a, 0))
}

// broadcast returns the last address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for k := range b {
		b[k] |= byte(uint64(0xff) << 32 >> min(max(p.Bits()-8*k, 0), 8) >> 32)
	}
	return netip.AddrFrom4(b)
}

// bestServer returns the server that is asked for addresses: of those that
// respond the one with the best priority, then the lowest address; nil if none
// responds. A station at the NBMA address not is passed over.
func (i *iface) bestServer(not netip.Addr) *server {
	var best *server
	for _, s := range i.servers { // in order of address
		if s.state == NHSResponding && s.nbma != not && (best == nil || s.cfg.Priority < best.cfg.Priority) {
			best = s
		}
	}
	return best
}

// ask points an entry at the server that serves best now and asks that for the
// address; where none responds the entry waits, and has no neighbour.
func (c *Core) ask(now clock.Instant, e *entry) {
	i, a := e.iface, e.ask
	s := i.bestServer(netip.Addr{})
	a.server, a.via, a.pending, a.retry = s, netip.Addr{}, false, 0
	c.timers.Clear(timerKey{kind: timerAsk, entry: e})
	if s == nil {
		e.troubled(now, "No Next Hop Server responds")
		e.kind, e.flags = EntryIncomplete, FlagNegative
		e.nextHop, e.nbma, e.since = netip.Addr{}, netip.Addr{}, now
		c.placePeer(e, false)
		c.dropNeighbor(e)
		c.live(now, e, negativeLife)
		return
	}
	a.via = s.nbma
	e.kind, e.flags = EntryDynamic, FlagTemporary|FlagUsed
	e.nextHop, e.nbma, e.since = e.target.Addr(), s.nbma, now
	c.wantNeighbor(e)
	c.live(now, e, temporaryLife)
	a.former = a.id
	a.id, a.pending, a.retry = c.resolutionID(), true, firstRetry
	if c.askLimit.allow(now, e.target.Addr()) {
		c.sendResolution(now, e, a)
	}
	c.armAsk(now, e)
}

// live gives an entry a time to live from now on.
func (c *Core) live(now clock.Instant, e *entry, d time.Duration) {
	e.expires = now.Add(d)
	c.timers.Set(timerKey{kind: timerExpire, entry: e}, e.expires)
}

func (c *Core) armAsk(now clock.Instant, e *entry) {
	c.timers.Set(timerKey{kind: timerAsk, entry: e}, now.Add(c.jitter(e.ask.retry)))
}

// askDue serves timerAsk: a request was not answered. It is sent again under the
// same Request ID (RFC 2332 section 5.2.0.1); after the last one traffic goes on by
// way of the server for the rest of the entry's life.
func (c *Core) askDue(now clock.Instant, e *entry) {
	a := e.ask
	if a.retry >= lastAsk {
		a.pending, a.retry = false, 0
		c.giveUp(now, e)
		e.troubled(now, "No Resolution Reply by way of NBMA "+text(a.via))
		c.trace(Trace{Event: TraceUnresolved, Interface: e.iface.key.name, Peer: e.target.Addr(), NBMA: e.nbma, RequestID: a.id, Reason: e.trouble.text})
		return
	}
	a.retry *= 2
	c.sendResolution(now, e, a)
	c.armAsk(now, e)
}

// giveUp has an entry that will not be resolved for now say so. What is behind a
// station has no neighbour by way of a server: it goes soon, and may be asked for
// again.
func (c *Core) giveUp(now clock.Instant, e *entry) {
	e.kind, e.flags = EntryIncomplete, FlagNegative
	if e.asked.IsValid() {
		c.live(now, e, negativeLife)
	} else {
		e.flags |= FlagTemporary
	}
}

// askAgain follows a change of the servers: a temporary entry never outlives its
// server, and what waits for one is asked for as soon as there is one.
func (c *Core) askAgain(now clock.Instant, i *iface) {
	if i.unresolved == 0 {
		return
	}
	none := i.bestServer(netip.Addr{}) == nil
	for _, e := range i.cache.sorted() {
		switch {
		case e.ask == nil || e.asked.IsValid():
		case e.ask.server == nil && !none:
			c.ask(now, e)
		case e.ask.server != nil && (e.ask.server.state != NHSResponding || e.ask.server.nbma != e.nbma):
			c.ask(now, e)
		}
	}
}

// sendResolution sends the Resolution Request that Cisco's routers send: flags Q,
// A and S, one CIE that describes this node, and the NAT address extension, with
// the NBMA address by which this node is seen if that is another than its own.
// The Prefix Length of 0 asks for a binding of exactly this address.
func (c *Core) sendResolution(now clock.Instant, e *entry, a *asking) {
	i := e.iface
	own := i.addr.Addr()
	cie := packet.CIE{MTU: uint16(min(i.link.MTU, 0xffff)), HoldingTime: seconds(i.cfg.Holdtime)}
	m := packet.Message{
		Type: packet.ResolutionRequest, HopCount: resolutionHops, RequestID: a.id,
		Flags:       packet.FlagRouter | packet.FlagAuthoritative | packet.FlagSourceStable | packet.FlagNAT,
		SrcProtocol: own, DstProtocol: e.question(), CIEs: []packet.CIE{cie},
		Extensions: make([]packet.Extension, 0, 5),
	}
	m.Extensions = i.askExtensions(m.Extensions)
	m.Extensions = i.authenticate(m.Extensions)
	nat := packet.Extension{Type: packet.NATAddress}
	if seen := i.translated(); seen.IsValid() {
		nat.CIEs = []packet.CIE{{PrefixLength: uint8(own.BitLen()), NBMA: seen, Protocol: own}}
	}
	m.Extensions = append(m.Extensions, nat)
	c.send(now, i, a.via, &m, sendOwn)
}

// resolutionReply takes the answer to a request of ours, or passes on that to
// another station's (RFC 2332 section 5.2.2). A reply is believed from the server
// that was asked and from the station that it is about; from nobody else.
func (c *Core) resolutionReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	if !i.own(m.SrcProtocol) {
		c.forwardReply(now, i, in)
		return
	}
	if c.renewed(now, i, in) || c.alive(i, in, m.RequestID) || c.knockAnswered(now, i, in) {
		return
	}
	e := i.cache.get(hostPrefix(m.DstProtocol))
	if e == nil {
		e = i.cache.shortcut(m.DstProtocol)
	}
	if e != nil && e.solicited(m.RequestID) {
		c.drop(i, in, DropUnexpectedReply) // too late, or again: the request was sent more than once
		return
	}
	if e == nil || e.ask == nil || e.ask.id != m.RequestID {
		// "If an unsolicited NHRP Resolution Reply packet is received, an Error
		// Indication of type Invalid NHRP Resolution Reply Received SHOULD be sent."
		c.faultReply(now, i, in, DropUnexpectedReply, packet.ErrInvalidResolutionReply, offRequestID)
		return
	}
	b, code := c.binding(i, e.question())
	if in.NBMA != e.ask.via && (code != packet.CodeSuccess || in.NBMA != b.nbma) {
		c.drop(i, in, DropUnexpectedReply)
		return
	}
	if code != packet.CodeSuccess {
		c.unresolved(now, e, code)
		return
	}
	if e.asked.IsValid() {
		c.learn(now, e, b)
	} else {
		c.resolved(now, e, b)
	}
}

// solicited reports whether an answer with a Request ID was asked for, but is not
// wanted any more.
func (e *entry) solicited(id uint32) bool {
	if a := e.ask; a != nil {
		return id == a.former || id == a.id && !a.pending
	}
	return e.resolved() && id == e.requestID
}

// binding is what a Resolution Reply says of an address.
type binding struct {
	nextHop       netip.Addr
	nbma, claimed netip.Addr // where it is reached, what it claims
	cie           *packet.CIE
}

// binding chooses among the CIEs of the reply in c.in; the code is that of the
// refusal if it is one, and No Binding if none of them can be used.
func (c *Core) binding(i *iface, asked netip.Addr) (best binding, code packet.CIECode) {
	m := &c.in
	code = packet.CodeNoBinding
	for k := range m.CIEs {
		cie := &m.CIEs[k]
		if cie.Code != packet.CodeSuccess {
			return binding{}, cie.Code // it MUST be the only one
		}
		b := binding{nextHop: cie.Protocol, nbma: cie.NBMA, cie: cie}
		if !b.nextHop.IsValid() {
			b.nextHop = m.DstProtocol
		}
		if nat := natAddress(m, b.nextHop); nat.IsValid() && nat != b.nbma {
			b.nbma, b.claimed = nat, cie.NBMA
		}
		covered, ok := cie.Prefix(m.DstProtocol)
		usable := ok && covered.Contains(asked) && cie.HoldingTime > 0 && i.station(b.nbma) && !i.aliased(b.nbma) &&
			b.nbma.BitLen() == i.source.BitLen() && !i.own(b.nextHop)
		if usable && (best.cie == nil || cie.Preference > best.cie.Preference) {
			best, code = b, packet.CodeSuccess
		}
	}
	return best, code
}

// natAddress returns the NBMA address behind a NAT that the packet's NAT address
// extension gives for a station; the zero Addr if there is none.
func natAddress(m *packet.Message, station netip.Addr) netip.Addr {
	if e := m.Extension(packet.NATAddress); e != nil {
		for _, cie := range e.CIEs {
			if cie.Protocol == station {
				return cie.NBMA
			}
		}
	}
	return netip.Addr{}
}

// resolved puts an answer into the place of the temporary entry, for the holding
// time that it has. Whatever the answer's prefix is, it is used for the address
// that was asked for.
func (c *Core) resolved(now clock.Instant, e *entry, b binding) {
	fresh := !e.resolved()
	c.stopAsking(e)
	if fresh || e.nbma != b.nbma {
		e.since = now
	}
	e.answered = now
	c.adopt(now, e, b)
	e.flags |= FlagNexthop
	c.placed(now, e)
	c.trace(Trace{Event: TraceResolved, Interface: e.iface.key.name, Peer: e.target.Addr(), NBMA: e.nbma, RequestID: e.requestID})
	if fresh {
		c.peerFound(e, "Resolution Reply")
		c.keepAlive(now, e)
	}
}

// peerFound tells of a station that was resolved: once packets pass to it.
func (c *Core) peerFound(e *entry, reason string) {
	if e.unmet = !e.iface.passes(e.nbma); !e.unmet {
		c.logPeer(e, "NHRP_NHP_UP", "is UP", reason)
	}
}

// unresolved remembers a refusal for a short time. Traffic goes on by way of the
// server, which does with it what it would without NHRP.
func (c *Core) unresolved(now clock.Instant, e *entry, code packet.CIECode) {
	a := e.ask
	a.pending, a.retry = false, 0
	c.timers.Clear(timerKey{kind: timerAsk, entry: e})
	c.giveUp(now, e)
	e.troubled(now, fmt.Sprintf("%v (%d)", code, uint8(code)))
	c.live(now, e, negativeLife)
	c.trace(Trace{
		Event: TraceUnresolved, Interface: e.iface.key.name, Peer: e.target.Addr(), NBMA: e.nbma, Code: uint16(code), RequestID: a.id, Reason: e.trouble.text,
	})
}

// stopAsking ends the resolution of an entry.
func (c *Core) stopAsking(e *entry) {
	if e.ask != nil {
		e.ask = nil
		e.iface.unresolved--
		c.timers.Clear(timerKey{kind: timerAsk, entry: e})
	}
}

// watchMisses has zebra tell of neighbours that the kernel misses on a multipoint
// tunnel. The instances of both families share the watch.
func (c *Core) watchMisses(i *iface, want bool) {
	if want == i.watched {
		return
	}
	i.watched = want
	name := i.key.name
	if want {
		if c.watched[name]++; c.watched[name] == 1 {
			c.emit(WatchMisses{name})
		}
	} else if c.watched[name]--; c.watched[name] == 0 {
		delete(c.watched, name)
		c.emit(UnwatchMisses{name})
	}
}
