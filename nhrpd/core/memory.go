package core

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// maxRestored bounds what is taken from an earlier life.
const maxRestored = 4 * MaxEntries

// replay is the state of the statement of everything after a start.
type replay struct {
	attached   bool // Attached came
	interfaces bool // InterfacesKnown came
	config     bool // a ConfigSet came
	waiting    bool // timerReplay is armed
	ended      bool // EndOfReplay was emitted once: the table is known to be whole
	stale      int

	restored map[ifaceKey][]restored // entries that wait for their interface
	memos    map[ifaceKey][]memo     // what goes with them
	peers    map[peerKey]uint32      // with which generation peers were secured
	count    int                     // of both
}

// restored is an entry of an earlier life.
type restored struct {
	entry   *entry
	key     string
	expires clock.Instant
}

// attached begins a statement of everything.
func (c *Core) attached(now clock.Instant, in Attached) {
	c.replay.attached, c.replay.stale = true, in.Stale
	if c.replay.ended {
		// A restarted zebra: this life's table is whole already.
		c.emit(EndOfReplay{})
		return
	}
	c.checkReplay(now)
}

// checkReplay decides when everything was stated. Without stale objects it is,
// as soon as configuration and interfaces are known. With stale ones, it is
// after the longest holding time, configured or remembered: every client that
// lives has registered again by then, whether or not this daemon remembers it.
func (c *Core) checkReplay(now clock.Instant) {
	r := &c.replay
	if !r.attached || !r.interfaces || !r.config || r.ended || r.waiting {
		return
	}
	var longest time.Duration
	for _, i := range c.order {
		longest = max(longest, i.cfg.Holdtime)
		// unordered: a maximum
		for _, e := range i.cache.entries {
			longest = max(longest, e.holdtime)
		}
	}
	if r.stale == 0 || longest == 0 {
		c.endReplay(now)
		return
	}
	r.waiting = true
	c.timers.Set(timerKey{kind: timerReplay}, now.Add(longest))
}

func (c *Core) endReplay(clock.Instant) {
	r := &c.replay
	r.waiting, r.ended = false, true
	c.placeLines()
	var keys []string // of what did not find its interface
	// unordered: sorted below
	for _, all := range r.restored {
		for _, x := range all {
			keys = append(keys, x.key)
		}
	}
	// unordered: sorted below
	for _, all := range r.memos {
		for _, m := range all {
			keys = append(keys, m.key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		c.emit(ForgetEntry{key})
	}
	r.memos, r.peers = nil, nil
	r.restored, r.count = nil, 0
	c.touchPeers()
	c.trace(Trace{Event: TraceReplayEnded})
	c.emit(EndOfReplay{})
}

// saveVersion is the first octet of SaveEntry.Data.
const saveVersion = 2

// saved is what the last SaveEntry of an entry said, but for what only counts.
type saved struct {
	nextHop, nbma, claimed, requester, asked netip.Addr
	flags                                    EntryFlags
	holdtime                                 time.Duration
	mtu                                      uint16
	preference                               uint8
	group                                    string
	expires                                  clock.Instant
}

// recent reports whether what was saved of an entry is still good enough: it says the
// same, and the next life would let the entry live for half of its holding time at
// least, in which whoever it is of tells again. So not every refresh is saved.
func (s saved) recent(is saved) bool {
	late := is.expires.Sub(s.expires)
	is.expires = s.expires
	return s == is && late < is.holdtime/2
}

// save states an entry for a later life.
func (c *Core) save(now clock.Instant, e *entry) {
	is := saved{
		e.nextHop, e.nbma, e.claimed, e.requester, e.asked, e.flags &^ (FlagRIB | FlagNHO), e.holdtime, e.mtu, e.preference, e.group, e.expires,
	}
	if e.saveKey != "" && e.saved.recent(is) {
		return
	}
	e.saved = is
	if e.saveKey == "" {
		e.saveKey = e.iface.key.name + "/" + strconv.Itoa(int(e.iface.key.family)) + "/" + e.target.String()
	}
	b := make([]byte, 0, 96+len(e.iface.key.name))
	b = append(b, saveVersion, byte(e.iface.key.family), byte(e.target.Bits()), byte(e.kind))
	b = appendString(b, e.iface.key.name)
	for _, a := range [...]netip.Addr{e.target.Addr(), e.nextHop, e.nbma, e.claimed, e.requester, e.asked} {
		b = append(append(b, byte(a.BitLen()/8)), a.AsSlice()...)
	}
	b = wire.AppendU16(b, uint16(e.flags&^(FlagRIB|FlagNHO)))
	b = wire.AppendU64(b, uint64(now.Sub(e.created)))
	b = wire.AppendU64(b, uint64(e.expires.Sub(now)))
	b = wire.AppendU64(b, uint64(e.holdtime))
	b = wire.AppendU64(b, e.refreshed)
	b = wire.AppendU32(b, e.requestID)
	b = wire.AppendU16(b, e.mtu)
	b = append(b, e.preference)
	b = appendString(b, e.group)
	c.emit(SaveEntry{Key: e.saveKey, Data: b})
}

// forget takes a save back.
func (c *Core) forget(e *entry) {
	if e.saveKey != "" {
		c.emit(ForgetEntry{e.saveKey})
		e.saveKey = ""
	}
}

func appendString(b []byte, s string) []byte {
	s = s[:min(len(s), 255)]
	return append(append(b, byte(len(s))), s...)
}

// restore takes an entry of an earlier life. It is put back when its interface
// is known and configured; at once, if it is.
func (c *Core) restore(now clock.Instant, in RestoreEntry) {
	switch {
	case len(in.Data) > 0 && in.Data[0] == memoPeer:
		c.restorePeer(now, in)
		return
	case len(in.Data) > 0 && in.Data[0] != saveVersion:
		c.restoreMemo(now, in)
		return
	}
	r := &c.replay
	key, e, left, ok := parseSaved(now, in)
	if !ok || r.ended || r.count >= maxRestored {
		c.trace(Trace{Event: TraceEntryForgot})
		c.emit(ForgetEntry{in.Key})
		return
	}
	e.saveKey = in.Key
	if r.restored == nil {
		r.restored = make(map[ifaceKey][]restored)
	}
	r.restored[key] = append(r.restored[key], restored{e, in.Key, now.Add(left)})
	r.count++
	if i := c.ifaces[key]; i != nil {
		c.restorePending(now, i)
	}
}

// parseSaved reads SaveEntry.Data. It is not trusted more than a packet.
func parseSaved(now clock.Instant, in RestoreEntry) (key ifaceKey, e *entry, left time.Duration, ok bool) {
	rd := wire.NewReader(in.Data)
	version, family, bits, kind := rd.U8(), rib.Family(rd.U8()), int(rd.U8()), EntryType(rd.U8())
	if version != saveVersion || family != rib.IPv4 && family != rib.IPv6 || kind != EntryDynamic {
		return key, nil, 0, false
	}
	key = ifaceKey{string(rd.Bytes(int(rd.U8()))), family}
	var a [6]netip.Addr
	for k := range a {
		a[k], _ = netip.AddrFromSlice(rd.Bytes(int(rd.U8())))
	}
	e = &entry{kind: kind, nextHop: a[1], nbma: a[2], claimed: a[3], requester: a[4], asked: a[5], flags: EntryFlags(rd.U16())}
	age, rest := time.Duration(rd.U64()), time.Duration(rd.U64())
	e.holdtime, e.refreshed, e.requestID = time.Duration(rd.U64()), rd.U64(), rd.U32()
	e.mtu, e.preference = rd.U16(), rd.U8()
	e.group = string(rd.Bytes(int(rd.U8())))
	elapsed := max(in.Elapsed, 0)
	left = rest - elapsed
	target, err := a[0].Prefix(bits)
	if rd.Failed() || rd.Len() > 0 || err != nil || rib.FamilyOf(a[0]) != family || rib.FamilyOf(a[1]) != family ||
		!a[1].IsValid() || !a[2].IsValid() || a[5].IsValid() && !target.Contains(a[5]) || age < 0 || left <= 0 || rest > MaxHoldtime || e.holdtime < 0 || e.holdtime > MaxHoldtime {
		return key, nil, 0, false
	}
	e.target = target
	// Instants before the driver's origin are fine: only differences are shown.
	e.created = now - clock.Instant(min(age, maxAge)+min(elapsed, maxAge))
	e.since = e.created
	return key, e, left, true
}

// maxAge bounds an age that was read, so that the sum of two does not overflow.
const maxAge = 100 * 365 * 24 * time.Hour

// restorePending puts back the entries of an earlier life that wait for this
// instance. What the present already says better is left alone.
func (c *Core) restorePending(now clock.Instant, i *iface) {
	defer c.restoreMemos(now, i)
	waiting := c.replay.restored[i.key]
	if !i.linked || len(waiting) == 0 {
		return
	}
	delete(c.replay.restored, i.key)
	c.replay.count -= len(waiting)
	for _, x := range waiting {
		e := x.entry
		have := i.cache.get(e.target)
		if n, ok := i.neighbors[e.target.Addr()]; have == nil && ok && e.target.IsSingleIP() {
			have = n.owner // the station of a map with a mask
		}
		if x.expires <= now || have != nil || i.own(e.nextHop) || !i.carries(e.nbma) || i.cache.dynamic >= MaxEntries || c.outlived(i, e.nbma) {
			if have == nil || have.saveKey == "" {
				c.emit(ForgetEntry{x.key})
			}
			c.trace(Trace{Event: TraceEntryForgot, Interface: i.key.name, Peer: e.target.Addr(), NBMA: e.nbma})
			continue
		}
		e.iface, e.expires = i, x.expires
		c.addEntry(e, TraceEntryRestored)
		c.restated(now, e)
	}
}

// restated has what follows from an entry that was put back, where it was resolved by
// the earlier life.
func (c *Core) restated(now clock.Instant, e *entry) {
	if !e.resolved() {
		return
	}
	if e.asked.IsValid() {
		r := c.routeTo(now, e.iface, e.asked)
		if r == nil {
			c.removeEntry(now, e, TraceEntryForgot, "")
			return
		}
		c.rest(e, r)
	}
	c.timers.Set(timerKey{kind: timerRefresh, entry: e}, e.expires.Add(-window(e.holdtime)))
	c.countResolved(e, true)
	c.stateShortcut(e)
	c.keepAlive(now, e)
}
