package core

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// Beside its entries, a core has a later life know who believes what it said: the
// stations that were told of an entry, and those whose requests were passed on. What
// ceased to be true while nobody was there is then taken back. Of peers on protected
// tunnels it has it know since when they are secured: entries do not outlive that.

// The first octet of the SaveEntry.Data of memos; that of entries is saveVersion.
const (
	memoTold  = 0x11
	memoRelay = 0x12
	memoPeer  = 0x13
)

// memo is a memo that was read. Which fields are in use depends on the kind.
type memo struct {
	kind    uint8
	key     string       // of SaveEntry
	target  netip.Prefix // told: the entry; relay: the prefix by which dst was routed
	asked   netip.Addr   // told: see entry.asked
	out     string       // relay: interface by which it went on
	hop     netip.Addr   // relay: the station to which
	dst     netip.Addr   // relay
	station netip.Addr   // told: who was told; relay: who asked
	to      netip.Addr   // relay: see relay.to
	nbma    netip.Addr   // where a Purge Request goes
	id      uint32       // told: Request ID
	until   clock.Instant
}

func toldKey(e *entry, station netip.Addr) string {
	return fmt.Sprintf("told/%s/%d/%v/%v", e.iface.key.name, e.iface.key.family, e.target, station)
}

func (x *relay) saveKey() string {
	return fmt.Sprintf("relay/%s/%d/%v/%v", x.key.iface.key.name, x.key.iface.key.family, x.key.asker, x.key.dst)
}

// saveMemo states a memo of an instance.
func (c *Core) saveMemo(now clock.Instant, i *iface, m memo) {
	b := append(make([]byte, 0, 128), m.kind, byte(i.key.family), byte(m.target.Bits()))
	b = appendString(b, i.key.name)
	b = appendString(b, m.out)
	for _, a := range [...]netip.Addr{m.target.Addr(), m.asked, m.hop, m.dst, m.station, m.to, m.nbma} {
		b = append(append(b, byte(a.BitLen()/8)), a.AsSlice()...)
	}
	b = wire.AppendU32(b, m.id)
	b = wire.AppendU64(b, uint64(m.until.Sub(now)))
	c.emit(SaveEntry{Key: m.key, Data: b})
}

// parseMemo reads SaveEntry.Data of a memo. It is not trusted more than a packet.
func parseMemo(now clock.Instant, in RestoreEntry) (key ifaceKey, m memo, ok bool) {
	rd := wire.NewReader(in.Data)
	m = memo{key: in.Key, kind: rd.U8()}
	family, bits := rib.Family(rd.U8()), int(rd.U8())
	key = ifaceKey{string(rd.Bytes(int(rd.U8()))), family}
	m.out = string(rd.Bytes(int(rd.U8())))
	var target netip.Addr
	valid := family == rib.IPv4 || family == rib.IPv6
	for k, a := range [...]*netip.Addr{&target, &m.asked, &m.hop, &m.dst, &m.station, &m.to, &m.nbma} {
		*a, _ = netip.AddrFromSlice(rd.Bytes(int(rd.U8())))
		nbma := k == 6
		valid = valid && (!a.IsValid() || nbma || rib.FamilyOf(*a) == family && !a.Is4In6())
	}
	m.id = rd.U32()
	left := time.Duration(rd.U64()) - max(in.Elapsed, 0)
	if rd.Failed() || rd.Len() > 0 || !valid || !target.IsValid() || !m.station.IsValid() || !m.nbma.IsValid() || left <= 0 || left > MaxHoldtime {
		return key, m, false
	}
	m.until = now.Add(left)
	var err error
	m.target, err = target.Prefix(bits)
	if err != nil || m.asked.IsValid() && !m.target.Contains(m.asked) {
		return key, m, false
	}
	return key, m, m.kind == memoTold || m.kind == memoRelay && m.hop.IsValid() && m.dst.IsValid() && m.to.IsValid()
}

// restoreMemo takes a memo of an earlier life.
func (c *Core) restoreMemo(now clock.Instant, in RestoreEntry) {
	r := &c.replay
	key, m, ok := parseMemo(now, in)
	if !ok || r.ended || r.count >= maxRestored {
		c.emit(ForgetEntry{in.Key})
		return
	}
	if r.memos == nil {
		r.memos = make(map[ifaceKey][]memo)
	}
	r.memos[key] = append(r.memos[key], m)
	r.count++
	if i := c.ifaces[key]; i != nil {
		c.restoreMemos(now, i)
	}
}

// restoreMemos puts back the memos that wait for an instance, after its entries.
func (c *Core) restoreMemos(now clock.Instant, i *iface) {
	waiting := c.replay.memos[i.key]
	if !i.ready || len(waiting) == 0 {
		return
	}
	delete(c.replay.memos, i.key)
	c.replay.count -= len(waiting)
	for _, m := range waiting {
		restored := false
		switch {
		case m.until <= now:
		case m.kind == memoTold:
			restored = c.restoreTold(now, i, m)
		default:
			restored = c.restoreRelay(now, i, m)
		}
		if !restored {
			c.emit(ForgetEntry{m.key})
		}
	}
}

// restoreTold has an entry know again who was told of it. An own prefix is an entry
// for that sake alone; it rests on its route, and goes if that has changed meanwhile.
func (c *Core) restoreTold(now clock.Instant, i *iface, m memo) bool {
	e := i.cache.get(m.target)
	if e == nil {
		if !m.asked.IsValid() && !i.own(m.target.Addr()) || i.cache.dynamic >= MaxEntries {
			return false
		}
		var r *route
		if m.asked.IsValid() {
			if r = c.routeTo(now, i, m.asked); r == nil {
				return false
			}
		}
		c.in.SrcProtocol, c.in.RequestID = m.station, 0
		e = c.localEntry(now, i, m.target, r)
		c.live(now, e, m.until.Sub(now))
	}
	if e.kind != EntryLocal && e.flags&FlagRegistered == 0 || e.asked != m.asked || c.told >= maxTold {
		return false
	}
	if e.told == nil {
		e.told = make(map[netip.Addr]told)
	}
	if _, twice := e.told[m.station]; !twice {
		c.told++
	}
	e.told[m.station] = told{m.nbma, m.id, m.until}
	if e.kind == EntryLocal && e.expires < m.until {
		c.live(now, e, m.until.Sub(now))
	}
	if e.route != nil && e.route.known {
		c.parentChanged(now, e, true)
	}
	return true
}

// restoreRelay remembers again that a request was passed on.
func (c *Core) restoreRelay(now clock.Instant, i *iface, m memo) bool {
	out := c.ifaces[ifaceKey{m.out, i.key.family}]
	r := c.routeTo(now, i, m.dst)
	if out == nil || r == nil || len(c.relays) >= maxRelays || c.relays[relayKey{i, m.station, m.dst}] != nil {
		return false
	}
	x := &relay{key: relayKey{i, m.station, m.dst}, to: m.to, nbma: m.nbma, route: r, prefix: m.target, next: nextKey{out, m.hop}, until: m.until}
	c.relays[x.key] = x
	c.linkRelay(x)
	if r.known {
		c.relaysChanged(now, r)
	}
	return true
}
