package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// lastPurge is the nominal interval after the last Purge Request that is not
	// answered; with 1, 2, 4 and 8 s before it, five go out.
	lastPurge = 16 * time.Second
	// maxTold bounds what a core remembers of whom it answered. A Resolution
	// Request beyond is refused with code 5 (RFC 2332 section 5.2.2: "can't store
	// sufficient information to send a purge"). It is enough for 500 clients that all
	// send to each other, at about 100 bytes each.
	maxTold = 1 << 18
	// maxToldLocal bounds it for each of this node's own addresses, of which whoever
	// asks is told.
	maxToldLocal = 4096
	// toldSweep is the least time between two searches for room.
	toldSweep = time.Second
)

// told is a station that was told of an entry.
type told struct {
	nbma  netip.Addr    // where its request came from
	id    uint32        // Request ID of that
	until clock.Instant // when what it was told ends by itself
}

// remember notes that the station whose request is in c.in is told of an entry. It
// reports false if there is no room.
func (c *Core) remember(now clock.Instant, e *entry, from netip.Addr) bool {
	station := c.in.SrcProtocol
	if _, again := e.told[station]; !again {
		full := func() bool { return c.told >= maxTold || e.kind == EntryLocal && len(e.told) >= maxToldLocal }
		if full() && now.Sub(c.toldSwept) >= toldSweep {
			c.toldSwept = now
			c.forgetTold(now, e)
		}
		if full() {
			return false
		}
		c.told++
	}
	if e.told == nil {
		e.told = make(map[netip.Addr]told)
	}
	e.told[station] = told{from, c.in.RequestID, e.expires}
	c.saveMemo(now, e.iface, memo{
		kind: memoTold, key: toldKey(e, station), target: e.target, asked: e.asked, station: station, nbma: from, id: c.in.RequestID, until: e.expires,
	})
	return true
}

// forgetTold forgets the stations whose information has ended by itself.
func (c *Core) forgetTold(now clock.Instant, e *entry) {
	for _, station := range e.stationsTold() {
		if e.told[station].until <= now {
			c.unremember(e, station)
		}
	}
}

// unremember forgets that a station was told of an entry.
func (c *Core) unremember(e *entry, station netip.Addr) {
	delete(e.told, station)
	c.told--
	c.emit(ForgetEntry{toldKey(e, station)})
}

// stationsTold returns the stations that were told of an entry, sorted.
func (e *entry) stationsTold() []netip.Addr {
	all := make([]netip.Addr, 0, len(e.told))
	for station := range e.told {
		all = append(all, station)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// purging is a Purge Request that waits for its reply.
type purging struct {
	iface   *iface
	station netip.Addr // whom it is sent to
	nbma    netip.Addr
	target  netip.Prefix
	id      uint32
	retry   time.Duration // nominal interval that is armed
	until   clock.Instant // nothing is left to be purged from then on
	rests   netip.Addr    // where packets have to pass for its sake, on a protected tunnel; zero if nowhere
}

// purge takes back what others were told of an entry that is not true any more
// (RFC 2332 section 5.2.5).
func (c *Core) purge(now clock.Instant, e *entry) {
	i := e.iface
	c.forgetTold(now, e)
	for _, station := range e.stationsTold() {
		t := e.told[station]
		c.unremember(e, station)
		if !i.ready {
			continue // nobody can be reached; they find out when their time is over
		}
		nbma := t.nbma
		if r := i.cache.get(hostPrefix(station)); r != nil && (r.flags&FlagRegistered != 0 || e.kind == EntryLocal && r.resolved()) {
			// It may have moved since. To whom this node is no server it goes straight
			// only about what is here: of others it is believed from their own servers,
			// the way by which they asked.
			nbma = r.nbma
		}
		c.startPurge(now, i, station, nbma, e.target, t.until)
	}
	e.told = nil
}

// startPurge sends a Purge Request, again and again until it is answered or there is
// nothing left to be purged.
func (c *Core) startPurge(now clock.Instant, i *iface, station, nbma netip.Addr, target netip.Prefix, until clock.Instant) {
	p := &purging{iface: i, station: station, nbma: nbma, target: target, id: c.nextRequestID(), retry: firstRetry, until: until}
	if i.purges == nil {
		i.purges = make(map[uint32]*purging)
	}
	i.purges[p.id] = p
	c.usePeer(i, &p.rests, nbma)
	c.sendPurge(now, p)
	c.timers.Set(timerKey{kind: timerPurge, purge: p}, now.Add(c.jitter(p.retry)))
}

func (c *Core) sendPurge(now clock.Instant, p *purging) {
	i := p.iface
	m := packet.Message{
		Type: packet.PurgeRequest, HopCount: registrationHops, RequestID: p.id, SrcProtocol: i.addr.Addr(), DstProtocol: p.station,
		CIEs: []packet.CIE{{PrefixLength: uint8(p.target.Bits()), Protocol: p.target.Addr()}},
	}
	m.Extensions = i.authenticate(nil)
	c.send(now, i, p.nbma, &m, sendOwn)
}

// purgeDue serves timerPurge: the request was not answered, and is sent again under
// the same Request ID until the information is over anyway.
func (c *Core) purgeDue(now clock.Instant, p *purging) {
	if p.retry >= lastPurge || p.until <= now || !p.iface.ready {
		c.endPurge(p)
		return
	}
	p.retry *= 2
	c.sendPurge(now, p)
	c.timers.Set(timerKey{kind: timerPurge, purge: p}, now.Add(c.jitter(p.retry)))
}

// farewell tells the stations that this one exchanged packets with that it is gone.
// They know where it is from its questions and answers, of which nobody keeps account.
// Servers are told by the end of the registration.
func (c *Core) farewell(now clock.Instant, i *iface) {
	if !i.ready || !i.multipoint {
		return
	}
	own := hostPrefix(i.addr.Addr())
	for _, e := range i.cache.sorted() {
		if e.resolved() && e.flags&FlagNexthop != 0 && i.secured(e.nbma) && !i.serverBehind(e.nbma) && !i.purgesFrom(e.target.Addr(), own) {
			c.startPurge(now, i, e.target.Addr(), e.nbma, own, e.expires)
		}
	}
}

// purgesFrom reports whether a station is being told that a prefix is not true any more.
func (i *iface) purgesFrom(station netip.Addr, p netip.Prefix) bool {
	// unordered: any will do
	for _, x := range i.purges {
		if x.station == station && x.target == p {
			return true
		}
	}
	return false
}

// dropPurges forgets the Purge Requests of an instance that ends.
func (c *Core) dropPurges(i *iface) {
	// unordered: nothing is emitted
	for _, p := range i.purges {
		c.endPurge(p)
	}
	i.purges = nil
}

// purgeReply ends a Purge Request of ours, or passes on the reply to another
// station's. An unsolicited one must be ignored (RFC 2332 section 5.2.5).
func (c *Core) purgeReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	if !i.own(m.SrcProtocol) {
		c.forwardReply(now, i, in)
		return
	}
	p := i.purges[m.RequestID]
	if p == nil || m.DstProtocol != p.station || in.NBMA != p.nbma {
		c.drop(i, in, DropUnexpectedReply)
		return
	}
	c.endPurge(p)
}

// endPurge forgets a Purge Request.
func (c *Core) endPurge(p *purging) {
	c.timers.Clear(timerKey{kind: timerPurge, purge: p})
	c.usePeer(p.iface, &p.rests, netip.Addr{})
	delete(p.iface.purges, p.id)
}

// purgeRequest discards what a station takes back, and confirms it unless the N
// bit is set (RFC 2332 section 5.2.5). A registration may be taken back by the
// station that made it, from where it made it; what was found out by asking, by a
// server of this node or by the station that it is about.
func (c *Core) purgeRequest(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	if len(m.CIEs) == 0 {
		c.fault(now, i, in, DropMalformed, packet.ErrProtocolError, offSrcProtocolLen)
		return
	}
	for k := range m.CIEs {
		cie := &m.CIEs[k]
		target, ok := cie.Prefix(cie.Protocol)
		if !ok || target.Bits() == 0 {
			continue
		}
		server := i.serverBehind(in.NBMA)
		if server {
			c.relaysPurged(now, in.NBMA, target)
			if e := i.cache.shortcut(target.Addr()); e != nil && e.target.Bits() < target.Bits() {
				// A server says that a part of it is not true: it knows no more of it
				// than what it was asked for.
				c.removeEntry(now, e, TraceEntryDeleted, "Purge Request")
			}
		}
		for _, e := range i.cache.within(target) {
			switch {
			case e.flags&FlagRegistered != 0 && e.nbma == in.NBMA && e.requester == m.SrcProtocol:
				c.removeEntry(now, e, TraceEntryDeleted, "Purge Request")
			case e.resolved() && (e.nbma == in.NBMA || server):
				c.removeEntry(now, e, TraceEntryDeleted, "Purge Request")
			case e.ask != nil && e.ask.pending && !e.asked.IsValid() && server:
				c.ask(now, e) // an answer that is under way may be older than the purge
			}
		}
	}
	if m.Flags&packet.FlagPurgeNoReply != 0 {
		return
	}
	m.Type, m.HopCount = packet.PurgeReply, replyHops
	c.replyExtensions(i, m, in.NBMA)
	c.send(now, i, in.NBMA, m, sendOwn)
}

// serverBehind reports whether one of the servers is at an NBMA address.
func (i *iface) serverBehind(nbma netip.Addr) bool {
	return slices.ContainsFunc(i.servers, func(s *server) bool { return s.nbma == nbma })
}

// within returns the entries that a prefix covers, sorted.
func (c *cache) within(p netip.Prefix) []*entry {
	if p.IsSingleIP() {
		if e := c.get(p); e != nil {
			return []*entry{e}
		}
		return nil
	}
	var found []*entry
	for _, e := range c.sorted() {
		if p.Contains(e.target.Addr()) && e.target.Bits() >= p.Bits() {
			found = append(found, e)
		}
	}
	return found
}
