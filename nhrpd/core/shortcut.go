package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// settleTime is how long after an answer packets on the old way are no sign that
	// the answer is out of date.
	settleTime = 2 * time.Second
	// longestWindow is the longest time before its end in which an entry in use is
	// resolved anew; Cisco's figure.
	longestWindow = 120 * time.Second
)

// seekShortcut asks for a shorter way to the address that a route is about: a request
// goes the way that packets go (RFC 2332 section 5.2.1), to the next hop of the route.
func (c *Core) seekShortcut(now clock.Instant, i *iface, r *route) {
	dst := r.key.addr
	out, hop, ok := c.overTunnel(r, i)
	if !ok || !out.ready || !out.resolves() || !out.cfg.Shortcut {
		c.trace(Trace{Event: TraceNotRedirected, Interface: i.key.name, Peer: dst})
		return
	}
	if hop == dst { // a station of the tunnel: as if the kernel missed it
		c.neighborMiss(now, NeighborMiss{Interface: out.key.name, Addr: dst})
		return
	}
	if e := out.cache.get(hostPrefix(dst)); e != nil && (e.ask != nil || e.kind != EntryDynamic) {
		if e.ask != nil {
			e.ask.hits++
		}
		return
	}
	if e := out.cache.shortcut(dst); e != nil && now.Sub(e.answered) < settleTime {
		return // the packet was under way before
	}
	via := out.askedBy(hop)
	if !via.IsValid() || out.unresolved >= maxUnresolved || out.cache.dynamic >= MaxEntries || !c.askLimit.allow(now, dst) {
		c.trace(Trace{Event: TraceMissIgnored, Interface: out.key.name, Peer: dst})
		return
	}
	if e := out.cache.get(hostPrefix(dst)); e != nil {
		c.renew(now, e, false)
		return
	}
	e := &entry{
		iface: out, target: hostPrefix(dst), kind: EntryIncomplete, flags: FlagNegative, created: now, since: now,
		expires: now.Add(temporaryLife), asked: dst,
		ask: &asking{via: via, id: c.resolutionID(), pending: true, retry: firstRetry, hits: 1},
	}
	out.unresolved++
	c.rest(e, r)
	c.addEntry(e, TraceEntryAdded)
	c.sendResolution(now, e, e.ask)
	c.armAsk(now, e)
}

// askedBy returns the NBMA address of the station that is asked for what is routed to
// a next hop: of that hop, if it is known, otherwise of the best server.
func (i *iface) askedBy(hop netip.Addr) netip.Addr {
	if a := i.stationNBMA(hop); a.IsValid() {
		return a
	}
	if s := i.bestServer(netip.Addr{}); s != nil {
		return s.nbma
	}
	return netip.Addr{}
}

// shortcut returns the shortcut with the longest prefix that covers an address, or nil.
func (c *cache) shortcut(a netip.Addr) *entry {
	for bits := a.BitLen(); bits >= 0; bits-- {
		if c.lengths[bits] == 0 {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if e := c.entries[p]; e != nil && e.isShortcut() {
				return e
			}
		}
	}
	return nil
}

// isShortcut reports whether an entry is the answer about what is behind a station.
func (e *entry) isShortcut() bool {
	return e.kind == EntryDynamic && e.asked.IsValid() && e.ask == nil
}

// learn makes a shortcut of the answer in c.in to a question about an address: an
// entry for the prefix that it covers, resting on the route that packets took so far,
// and one for the station behind which that is.
func (c *Core) learn(now clock.Instant, from *entry, b binding) {
	i, m, r, asked := from.iface, &c.in, from.route, from.asked
	target, ok := b.cie.Prefix(asked)
	if !ok || i.swallows(target, b.nbma) {
		target = hostPrefix(asked)
	}
	if from.target != target || from.ask != nil {
		c.removeEntry(now, from, TraceEntryReplaced, "")
	}
	e := i.cache.get(target)
	switch {
	case e == nil && i.cache.dynamic >= MaxEntries:
		return
	case e != nil && e.kind == EntryLocal:
		c.removeEntry(now, e, TraceEntryDeleted, "Resolution Reply")
		e = nil
	case e != nil && (e.kind == EntryStatic || e.flags&FlagRegistered != 0):
		return // what is configured or registered here says better where it is
	case e != nil && e.ask != nil:
		c.removeEntry(now, e, TraceEntryReplaced, "")
		e = nil
	}
	if target != hostPrefix(b.nextHop) && !c.learnPeer(now, i, b.nextHop, b.nbma, b.claimed, b.cie, m.Flags&packet.FlagRouter != 0) {
		return
	}
	fresh := e == nil
	if fresh {
		e = &entry{iface: i, target: target, kind: EntryDynamic, created: now, since: now}
	} else if e.nbma != b.nbma || e.nextHop != b.nextHop {
		e.since = now
	}
	e.asked, e.renewal, e.answered = asked, nil, now
	c.adopt(now, e, b)
	if fresh {
		c.addEntry(e, TraceEntryAdded)
	}
	c.rest(e, r)
	c.placed(now, e)
	c.trace(Trace{Event: TraceResolved, Interface: i.key.name, Peer: e.target.Addr(), NBMA: e.nbma, RequestID: m.RequestID})
}

// swallows reports whether a shortcut for a prefix would lead into the tunnel what
// carries the tunnel itself.
func (i *iface) swallows(p netip.Prefix, nbma netip.Addr) bool {
	if i.link.Tunnel == nil || i.link.Tunnel.VRF != i.link.VRF {
		return false
	}
	return p.Contains(nbma) || slices.ContainsFunc(i.servers, func(s *server) bool { return p.Contains(s.nbma) })
}

// adopt takes the answer in c.in into an entry.
func (c *Core) adopt(now clock.Instant, e *entry, b binding) {
	m := &c.in
	e.kind, e.flags, e.trouble = EntryDynamic, FlagUsed, nil
	if e.target == hostPrefix(b.nextHop) {
		e.flags |= FlagNexthop
	}
	for _, f := range [...]struct {
		bit  packet.Flags
		flag EntryFlags
	}{{packet.FlagRouter, FlagRouter}, {packet.FlagAuthoritative, FlagAuthoritative}, {packet.FlagResolutionUnique, FlagUnique}} {
		if m.Flags&f.bit != 0 {
			e.flags |= f.flag
		}
	}
	if b.claimed.IsValid() {
		e.flags |= FlagNAT
	}
	e.nextHop, e.nbma, e.claimed = b.nextHop, b.nbma, b.claimed
	e.preference, e.mtu, e.requestID = b.cie.Preference, b.cie.MTU, m.RequestID
	e.holdtime = time.Duration(b.cie.HoldingTime) * time.Second
	e.expires = now.Add(e.holdtime)
}

// placed states what follows from an entry that was answered.
func (c *Core) placed(now clock.Instant, e *entry) {
	c.wantNeighbor(e)
	c.live(now, e, e.holdtime)
	c.timers.Set(timerKey{kind: timerRefresh, entry: e}, e.expires.Add(-window(e.holdtime)))
	c.stateShortcut(e)
	c.countResolved(e, true)
	c.save(now, e)
}

// learnPeer makes or refreshes the entry of a station, of which was learnt where it is
// by its answer or its question. It reports false if there is no room, or if what is
// known of that station contradicts.
func (c *Core) learnPeer(now clock.Instant, i *iface, station, nbma, claimed netip.Addr, cie *packet.CIE, router bool) bool {
	if !i.resolvable(station) || !i.station(nbma) || i.aliased(nbma) || nbma.BitLen() != i.source.BitLen() {
		return false
	}
	target := hostPrefix(station)
	e := i.cache.get(target)
	switch {
	case e == nil && i.neighbors[station].owner != nil:
		return true // the station of a map with a mask
	case e == nil && i.cache.dynamic >= MaxEntries:
		return false
	case e != nil && (e.kind == EntryStatic || e.flags&FlagRegistered != 0):
		return true // a map or a registration says where it is
	case e != nil && e.kind == EntryLocal:
		return false
	}
	fresh := e == nil
	if fresh {
		e = &entry{iface: i, target: target, created: now, since: now}
	}
	up := fresh || !e.resolved()
	if e.nbma != nbma || up {
		e.since = now
	}
	c.stopAsking(e)
	e.kind, e.flags = EntryDynamic, FlagUsed|FlagNexthop
	if router {
		e.flags |= FlagRouter
	}
	if claimed.IsValid() {
		e.flags |= FlagNAT
	}
	e.nextHop, e.nbma, e.claimed = station, nbma, claimed
	e.preference, e.mtu, e.requestID = cie.Preference, cie.MTU, c.in.RequestID
	hold := time.Duration(cie.HoldingTime) * time.Second
	e.holdtime, e.expires = hold, now.Add(hold)
	if fresh {
		c.addEntry(e, TraceEntryAdded)
	}
	c.placed(now, e)
	if up {
		c.peerFound(e, "Resolution")
		c.keepAlive(now, e)
	}
	return true
}

// window is how long before its end an entry in use is resolved anew.
func window(holdtime time.Duration) time.Duration {
	return min(longestWindow, holdtime/2)
}

// stateShortcut states the route of an entry to zebra, where it is to have one: what is
// behind a station goes to that, and the station itself out of the tunnel. It is in
// force as long as what it rests on leads into the network.
func (c *Core) stateShortcut(e *entry) {
	i := e.iface
	e.flags &^= FlagRIB | FlagNHO
	if !i.cfg.Shortcut || !i.multipoint || !e.resolved() || !i.passes(e.nbma) || e.target.Addr().IsLinkLocalUnicast() || e.asked.IsValid() && (e.route == nil || !e.route.known) {
		c.dropShortcut(e)
		return
	}
	o := rib.Override{
		VRF: i.link.VRF, Prefix: e.target, Protocol: rib.NHRP, Distance: rib.NHRP.Distance(),
		NextHop: rib.NextHop{Addr: e.nextHop, Interface: i.key.name, OnLink: true},
	}
	if e.host().IsValid() { // it has its neighbour itself
		o.NextHop = rib.NextHop{Interface: i.key.name}
	}
	e.flags |= FlagRIB
	if e.route != nil && e.route.is.Prefix == e.target {
		e.flags |= FlagNHO
	}
	if e.override == o {
		return
	}
	if e.override.Prefix.IsValid() && e.override.Key() != o.Key() {
		c.dropShortcut(e)
	}
	e.override = o
	c.shortcuts[o.Key()] = e
	c.emit(PutShortcut{o})
}

// dropShortcut takes the route of an entry back. Another tunnel's for the same prefix
// takes its place.
func (c *Core) dropShortcut(e *entry) {
	if !e.override.Prefix.IsValid() {
		return
	}
	k := e.override.Key()
	e.override = rib.Override{}
	e.flags &^= FlagRIB | FlagNHO
	if c.shortcuts[k] != e {
		return
	}
	delete(c.shortcuts, k)
	for _, i := range c.order {
		if o := i.cache.get(k.Prefix); o != nil && o != e && o.override.Prefix.IsValid() && o.override.Key() == k {
			c.shortcuts[k] = o
			c.emit(PutShortcut{o.override})
			return
		}
	}
	c.emit(DelShortcut{k})
}

// dropBehind removes the shortcuts to what is behind a station that is gone.
func (c *Core) dropBehind(now clock.Instant, e *entry, reason string) {
	for _, s := range e.behind() {
		c.removeEntry(now, s, TraceEntryDeleted, reason)
	}
}

// behind returns the shortcuts to what is behind a station, sorted.
func (e *entry) behind() (all []*entry) {
	if e.flags&FlagNexthop == 0 {
		return nil
	}
	// unordered: sorted below
	for _, s := range e.iface.cache.entries {
		if s != e && s.isShortcut() && s.nextHop == e.target.Addr() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return comparePrefix(a.target, b.target) })
	return all
}

// restateShortcuts follows a change of what decides about routes of a whole instance.
func (c *Core) restateShortcuts(now clock.Instant, i *iface) {
	for _, e := range i.cache.sorted() {
		switch {
		case e.isShortcut() && !i.cfg.Shortcut:
			c.removeEntry(now, e, TraceEntryDeleted, "Unconfigured")
		case e.resolved():
			c.stateShortcut(e)
		}
	}
}
