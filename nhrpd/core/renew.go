package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// keepaliveMisses is how many questions a station may leave unanswered before what
// leads to it is given up.
const keepaliveMisses = 3

// renew resolves anew what an entry says, which stays in force meanwhile: since it is
// in use and about to end, or since there are signs that it is not true any more. In
// the second case, validate, an answer has to come at once.
func (c *Core) renew(now clock.Instant, e *entry, validate bool) {
	i := e.iface
	if a := e.renewal; a != nil {
		if !validate || a.validate {
			return // under way
		}
	}
	via := netip.Addr{}
	if e.asked.IsValid() {
		if _, hop, ok := c.overTunnel(e.route, i); ok {
			via = i.askedBy(hop)
		}
	} else if s := i.bestServer(netip.Addr{}); s != nil {
		via = s.nbma
	}
	if !i.ready || !i.resolves() || !via.IsValid() {
		return
	}
	c.stopRenewal(e)
	e.renewal = &asking{via: via, id: c.resolutionID(), pending: true, retry: firstRetry, validate: validate}
	i.renewals[e.renewal.id] = e
	c.sendResolution(now, e, e.renewal)
	c.timers.Set(timerKey{kind: timerRenew, entry: e}, now.Add(c.jitter(e.renewal.retry)))
}

// renewDue serves timerRenew: the request was not answered. What had to be answered at
// once is given up, so that its traffic takes the routing protocol's way; the rest is
// asked for until its time is over.
func (c *Core) renewDue(now clock.Instant, e *entry) {
	a := e.renewal
	switch {
	case a.validate:
		c.removeEntry(now, e, TraceEntryDeleted, "No Resolution Reply")
	case a.wasRefused && now.Sub(a.refused) > lastRetry:
		c.removeEntry(now, e, TraceEntryDeleted, "Resolution Refused")
	case a.retry >= lastAsk && !a.wasRefused:
		c.stopRenewal(e)
	default:
		if !a.wasRefused {
			e.troubled(now, "No Resolution Reply by way of NBMA "+text(a.via))
		}
		a.retry = min(2*a.retry, lastAsk)
		c.sendResolution(now, e, a)
		c.timers.Set(timerKey{kind: timerRenew, entry: e}, now.Add(c.jitter(a.retry)))
	}
}

func (c *Core) stopRenewal(e *entry) {
	if e.renewal != nil {
		delete(e.iface.renewals, e.renewal.id)
		e.renewal = nil
		c.timers.Clear(timerKey{kind: timerRenew, entry: e})
	}
}

// refreshDue serves timerRefresh: an entry is about to end, and is resolved anew if
// data went there lately.
func (c *Core) refreshDue(now clock.Instant, e *entry) {
	if e.used > 0 && now.Sub(e.used) < window(e.holdtime) {
		c.refresh(now, e)
	}
}

// refresh resolves an entry anew, but a station behind which something is: the answer
// about that says where the station is.
func (c *Core) refresh(now clock.Instant, e *entry) {
	if e.renewal == nil && e.resolved() && len(e.behind()) == 0 {
		c.renew(now, e, false)
	}
}

// peersUsed notes which entries are in use. What is about to end is resolved anew.
func (c *Core) peersUsed(now clock.Instant, in PeersUsed) {
	used := make(map[netip.Addr]bool, len(in.NBMA))
	for _, a := range in.NBMA {
		used[a.Unmap()] = true
	}
	for _, i := range c.order {
		if i.key.name != in.Interface || i.resolvedCount == 0 {
			continue
		}
		for _, e := range i.cache.sorted() {
			if !used[e.nbma] || !e.resolved() {
				continue
			}
			e.used = now
			if e.expires.Sub(now) <= window(e.holdtime) {
				c.refresh(now, e)
			}
		}
	}
}

// countResolved keeps count of the entries whose use matters, and has zebra tell of use
// as long as there are any.
func (c *Core) countResolved(e *entry, yes bool) {
	if e.counted == yes {
		return
	}
	i := e.iface
	if e.counted = yes; yes {
		i.resolvedCount++
		c.countUse(i.key.name, 1)
		return
	}
	i.resolvedCount--
	c.countUse(i.key.name, -1)
}

// watchUse has zebra tell of use on the tunnel of an instance, whatever is resolved.
func (c *Core) watchUse(i *iface, want bool) {
	if want == i.useWatched {
		return
	}
	if i.useWatched = want; want {
		c.countUse(i.key.name, 1)
	} else {
		c.countUse(i.key.name, -1)
	}
}

// countUse counts what wants to know of the use of a tunnel: entries, and instances.
func (c *Core) countUse(name string, n int) {
	was := c.uses[name]
	c.uses[name] = was + n
	switch {
	case was == 0:
		c.emit(WatchUse{name})
	case was+n == 0:
		delete(c.uses, name)
		c.emit(UnwatchUse{name})
	}
}

// keepAlive begins to ask a station whether it is there, if that is configured.
func (c *Core) keepAlive(now clock.Instant, e *entry) {
	if e.iface.cfg.Keepalive <= 0 || e.flags&FlagNexthop == 0 || !e.resolved() {
		return
	}
	e.missed = 0
	c.timers.Set(timerKey{kind: timerKeepalive, entry: e}, now.Add(e.iface.cfg.Keepalive))
}

// keepaliveDue serves timerKeepalive: the station is asked for its own address, over
// the very tunnel that its shortcuts use. A station that stays silent takes along what
// is behind it.
func (c *Core) keepaliveDue(now clock.Instant, e *entry) {
	i := e.iface
	if i.cfg.Keepalive <= 0 || !i.ready || !i.resolves() {
		return
	}
	if !i.secured(e.nbma) {
		c.timers.Set(timerKey{kind: timerKeepalive, entry: e}, now.Add(i.cfg.Keepalive))
		return // nothing leads there yet
	}
	if e.probe != 0 {
		if e.missed++; e.missed >= keepaliveMisses {
			c.removeEntry(now, e, TraceEntryDeleted, "Keepalive Failure")
			return
		}
	}
	c.probe(now, e)
	c.timers.Set(timerKey{kind: timerKeepalive, entry: e}, now.Add(i.cfg.Keepalive))
}

// probe asks a station for its own address, straight.
func (c *Core) probe(now clock.Instant, e *entry) {
	delete(e.iface.probes, e.probe)
	e.probe = c.resolutionID()
	e.iface.probes[e.probe] = e
	c.sendResolution(now, e, &asking{via: e.nbma, id: e.probe})
}

// alive takes the answer of a station that was asked whether it is there; any answer
// from there will do. It reports false if the answer is to something else.
func (c *Core) alive(i *iface, in RxPacket, id uint32) bool {
	e := i.probes[id]
	if e == nil || in.NBMA != e.nbma {
		return false
	}
	delete(i.probes, id)
	e.probe, e.missed = 0, 0
	return true
}

// renewed takes the answer to a renewal. It reports false if it is not one.
func (c *Core) renewed(now clock.Instant, i *iface, in RxPacket) bool {
	m := &c.in
	e := i.renewals[m.RequestID]
	if e == nil {
		return false
	}
	b, code := c.binding(i, e.question())
	if in.NBMA != e.renewal.via && (code != packet.CodeSuccess || in.NBMA != b.nbma) || m.DstProtocol != e.question() {
		c.drop(i, in, DropUnexpectedReply)
		return true
	}
	if code != packet.CodeSuccess && !e.renewal.validate {
		// A server that has just begun knows nobody yet: what works goes on, and is asked
		// for again, until every station that lives has registered.
		e.troubled(now, code.String())
		if a := e.renewal; !a.wasRefused {
			a.wasRefused, a.refused = true, now
		}
		return true
	}
	c.stopRenewal(e)
	switch {
	case code != packet.CodeSuccess:
		c.removeEntry(now, e, TraceEntryDeleted, code.String())
	case e.asked.IsValid():
		c.learn(now, e, b)
	default:
		c.resolved(now, e, b)
	}
	return true
}

// question returns the address that is asked for to learn what an entry says.
func (e *entry) question() netip.Addr {
	if e.asked.IsValid() {
		return e.asked
	}
	return e.target.Addr()
}

// revalidate follows the return of a server: what it was told by way of it may not be
// true any more.
func (c *Core) revalidate(now clock.Instant, i *iface) {
	for _, e := range i.cache.sorted() {
		if e.isShortcut() {
			c.renew(now, e, false)
		}
	}
}
