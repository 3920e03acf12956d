package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// MaxEntries bounds the dynamic entries of an instance. A registration beyond
// is refused with code 5, Insufficient Resources (RFC 2332 section 5.2.4).
const MaxEntries = 16384

// entry is an entry of the cache.
type entry struct {
	iface   *iface
	target  netip.Prefix // masked; its key
	nextHop netip.Addr
	nbma    netip.Addr
	claimed netip.Addr // zero unless a NAT changed the peer's NBMA address
	kind    EntryType
	flags   EntryFlags

	created    clock.Instant
	since      clock.Instant // of the present NBMA address
	expires    clock.Instant // clock.Never for static entries
	holdtime   time.Duration
	preference uint8
	mtu        uint16
	group      string
	requester  netip.Addr
	requestID  uint32
	refreshed  uint64
	saveKey    string              // of SaveEntry; "" if it was not saved
	saved      saved               // what was said by that
	shaped     netip.Addr          // where no more goes than its policy allows; zero if it has none
	rests      netip.Addr          // where packets have to pass for its sake, on a protected tunnel; zero if nowhere
	unmet      bool                // a station that packets did not pass to so far
	multicast  netip.Addr          // where multicast goes for its sake; zero if nowhere
	told       map[netip.Addr]told // who was told of it, by protocol address
	ask        *asking             // until it is resolved; nil for what needs no resolution
	trouble    *trouble            // nil: none so far

	// Of shortcuts, and of own prefixes that others were told of:
	asked netip.Addr // the address that was asked for; the zero Addr for what is no such entry
	route *route     // how asked is reached without NHRP; the entry goes when that changes

	// Of what was resolved:
	answered clock.Instant // when the last answer came
	used     clock.Instant // when data was sent there last, as far as is known
	override rib.Override  // as stated; the zero Override if nothing is
	renewal  *asking       // while it is resolved anew
	counted  bool          // in iface.resolvedCount
	probe    uint32        // Request ID of the keepalive that waits for an answer; 0: none
	missed   int           // keepalives in a row without an answer
}

// cache holds the entries of an instance by prefix.
type cache struct {
	entries map[netip.Prefix]*entry
	lengths [129]int // how many entries have each prefix length
	dynamic int      // entries that are not static
}

func (c *cache) get(p netip.Prefix) *entry { return c.entries[p] }

func (c *cache) put(e *entry) {
	if c.entries == nil {
		c.entries = make(map[netip.Prefix]*entry)
	}
	c.entries[e.target] = e
	c.lengths[e.target.Bits()]++
	if e.kind != EntryStatic {
		c.dynamic++
	}
}

func (c *cache) remove(e *entry) {
	delete(c.entries, e.target)
	c.lengths[e.target.Bits()]--
	if e.kind != EntryStatic {
		c.dynamic--
	}
}

// lookup returns the entry with the longest prefix that covers a and says where that
// station is, or nil: one that is not resolved does not hide a wider one. Shortcuts
// are no answer: requests follow routing.
func (c *cache) lookup(a netip.Addr) *entry {
	for bits := a.BitLen(); bits >= 0; bits-- {
		if c.lengths[bits] == 0 {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if e := c.entries[p]; e != nil && e.ask == nil && !e.asked.IsValid() {
				return e
			}
		}
	}
	return nil
}

// sorted returns the entries in order of address, shorter prefixes first.
func (c *cache) sorted() []*entry {
	all := make([]*entry, 0, len(c.entries))
	for _, e := range c.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return comparePrefix(a.target, b.target) })
	return all
}

func comparePrefix(a, b netip.Prefix) int {
	if n := a.Addr().Compare(b.Addr()); n != 0 {
		return n
	}
	return a.Bits() - b.Bits()
}

// hostPrefix returns the prefix that holds a alone.
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// resolved reports whether an entry is another station's answer.
func (e *entry) resolved() bool {
	return e.kind == EntryDynamic && e.flags&FlagRegistered == 0 && e.ask == nil
}

// addEntry puts a new entry into the cache and states what follows from it.
func (c *Core) addEntry(e *entry, event TraceEvent) {
	e.iface.cache.put(e)
	c.wantNeighbor(e)
	c.placeMulticast(e, false)
	c.placeShaper(e, false)
	c.timers.Set(timerKey{kind: timerExpire, entry: e}, e.expires)
	c.traceEntry(event, e)
}

// removeEntry takes an entry out of the cache and takes back what it stated.
// reason is for the message about a client that is gone.
func (c *Core) removeEntry(now clock.Instant, e *entry, event TraceEvent, reason string) {
	resolved := e.resolved()
	if resolved {
		c.dropBehind(now, e, reason) // before its neighbour goes
	}
	e.iface.cache.remove(e)
	c.stopAsking(e)
	c.stopRenewal(e)
	c.purge(now, e)
	for _, kind := range [...]timerKind{timerExpire, timerRefresh, timerKeepalive} {
		c.timers.Clear(timerKey{kind: kind, entry: e})
	}
	delete(e.iface.probes, e.probe)
	c.dropShortcut(e)
	c.countResolved(e, false)
	c.unrest(e)
	c.placePeer(e, true)
	c.touchStation(e.iface, e.target.Addr())
	c.placeMulticast(e, true)
	c.placeShaper(e, true)
	c.dropNeighbor(e)
	c.forget(e)
	c.traceEntryWhy(event, e, reason)
	switch {
	case e.flags&FlagRegistered != 0:
		c.logClient(e, "NHRP_NHC_DOWN", "is DOWN", reason)
		c.stationChanged(now, e.iface, e.target.Addr())
	case resolved && e.flags&FlagNexthop != 0 && !e.unmet:
		c.logPeer(e, "NHRP_NHP_DOWN", "is DOWN", reason)
	}
}

// expire serves the end of an entry's holding time: cached information SHALL be
// discarded then (RFC 2332 section 5.2.0.1).
func (c *Core) expire(now clock.Instant, e *entry) {
	c.removeEntry(now, e, TraceEntryExpired, "Expired")
}

func (c *Core) traceEntry(event TraceEvent, e *entry) { c.traceEntryWhy(event, e, "") }

func (c *Core) traceEntryWhy(event TraceEvent, e *entry, reason string) {
	if event == TraceEntryRefresh && !c.tracing {
		return
	}
	c.trace(Trace{
		Event: event, Interface: e.iface.key.name, Peer: e.target.Addr(), Target: e.target, NBMA: e.nbma, RequestID: e.requestID,
		Reason: reason,
	})
}

// staticWant is a static entry that the configuration asks for.
type staticWant struct {
	target  netip.Prefix
	nextHop netip.Addr
	nbma    netip.Addr
}

// wantedStatic lists the static entries of an instance: its maps, and one for
// each server whose NBMA address is known and that no map names.
func (i *iface) wantedStatic() []staticWant {
	want := make([]staticWant, 0, len(i.cfg.Maps)+len(i.servers))
	seen := make(map[netip.Prefix]bool)
	taken := make(map[netip.Addr]bool) // stations that have an entry to say where they are
	for _, m := range i.cfg.Maps {
		if m.Prefix.IsSingleIP() {
			taken[m.Prefix.Addr()] = true
		}
	}
	for _, s := range i.servers {
		taken[s.addr] = taken[s.addr] || s.nbma.IsValid()
	}
	add := func(p netip.Prefix, nbma netip.Addr) {
		target := p.Masked()
		if !target.IsValid() || !nbma.IsValid() || seen[target] || p.IsSingleIP() && i.own(p.Addr()) {
			return
		}
		seen[target] = true
		w := staticWant{target: target, nbma: nbma}
		// A mask may be written with a station's address or with the network's.
		if p.IsSingleIP() {
			w.nextHop = p.Addr()
		} else if p.Addr() != target.Addr() && !taken[p.Addr()] && !i.own(p.Addr()) {
			w.nextHop = p.Addr()
			taken[p.Addr()] = true
		}
		want = append(want, w)
	}
	for _, m := range i.cfg.Maps {
		if rib.FamilyOf(m.Prefix.Addr()) == i.key.family {
			add(m.Prefix, m.NBMA)
		}
	}
	for _, s := range i.servers {
		if s.addr.IsValid() {
			add(hostPrefix(s.addr), s.nbma)
		}
	}
	return want
}

// syncStatic brings the static entries in line with the configuration: first
// everything goes that is not wanted so, since a station may pass from one entry
// to another, then the rest comes.
func (c *Core) syncStatic(now clock.Instant, i *iface) {
	want := i.wantedStatic()
	wanted := make(map[netip.Prefix]staticWant, len(want))
	hosts := make(map[netip.Prefix]bool, len(want))
	for _, w := range want {
		wanted[w.target] = w
		if w.nextHop.IsValid() {
			hosts[hostPrefix(w.nextHop)] = true
		}
	}
	for _, e := range i.cache.sorted() {
		w, ok := wanted[e.target]
		switch {
		case e.kind == EntryStatic && (!ok || w.nextHop != e.nextHop):
			c.removeEntry(now, e, TraceEntryDeleted, "Unconfigured")
		case e.kind != EntryStatic && (ok || hosts[e.target]):
			c.removeEntry(now, e, TraceEntryDeleted, "Static map")
		}
	}
	for _, w := range want {
		e := i.cache.get(w.target)
		switch {
		case e == nil:
			c.addEntry(&entry{
				iface: i, target: w.target, nextHop: w.nextHop, nbma: w.nbma, kind: EntryStatic,
				created: now, since: now, expires: clock.Never, preference: 255,
			}, TraceEntryAdded)
		case e.nbma != w.nbma:
			e.nbma, e.since = w.nbma, now
			c.wantNeighbor(e)
			c.traceEntry(TraceEntryMoved, e)
		default:
			c.placePeer(e, false) // a map may have come or gone that says what a server's line says
		}
	}
}
