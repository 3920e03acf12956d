package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// maxRelays bounds the requests that a core remembers to have passed on. It is
	// enough for 500 clients that all send to each other; what is beyond is passed on,
	// and ends by its holding time alone.
	maxRelays = 1 << 18
	// relayLife is how long a request is remembered where it is not known for how long
	// the answer holds: two hours, the longest that engineers configure.
	relayLife = 2 * time.Hour
)

// relay is a Resolution Request that this node passed on by its routing. The answer
// goes from the egress to the station that asked, and says what was true then; only
// who routes sees when it ceases to be: when the route leads to another station, or
// that one moves or goes. Then who asked is told, by a Purge Request.
type relay struct {
	key   relayKey
	to    netip.Addr // whom a Purge Request goes to: the station that asked, or the transit NHS that passed its request on
	nbma  netip.Addr // where that is
	route *route
	// prefix is that by which the address was routed.
	prefix netip.Prefix
	next   nextKey
	until  clock.Instant
}

// relayKey tells requests apart.
type relayKey struct {
	iface *iface     // by which it came
	asker netip.Addr // protocol address of the station that asked
	dst   netip.Addr
}

// nextKey is the station that a request was passed on to.
type nextKey struct {
	iface *iface
	hop   netip.Addr
}

// passedBy returns the station from which a request came: the last transit NHS of its
// record, or who asked.
func passedBy(m *packet.Message) netip.Addr {
	if e := m.Extension(packet.ForwardTransitNHS); e != nil && len(e.CIEs) > 0 {
		return e.CIEs[len(e.CIEs)-1].Protocol
	}
	return m.SrcProtocol
}

// rememberRelay notes that the request in c.in, which came from a station, went on to
// a next hop, by a route.
func (c *Core) rememberRelay(now clock.Instant, i *iface, in RxPacket, from netip.Addr, r *route, next nextKey) {
	m := &c.in
	k := relayKey{i, m.SrcProtocol, m.DstProtocol}
	x := c.relays[k]
	if x == nil {
		if len(c.relays) >= maxRelays {
			return
		}
		x = &relay{key: k}
		c.relays[k] = x
	} else {
		c.unlinkRelay(x)
	}
	x.to, x.nbma, x.route, x.prefix, x.next, x.until = from, in.NBMA, r, r.is.Prefix, next, now.Add(relayLife)
	if e := next.iface.cache.get(hostPrefix(next.hop)); e != nil && e.flags&FlagRegistered != 0 {
		x.until = now.Add(e.holdtime) // a client tells in its registration how long what it says holds
	}
	c.linkRelay(x)
	c.saveMemo(now, i, memo{
		kind: memoRelay, key: x.saveKey(), target: x.prefix, out: next.iface.key.name, hop: next.hop, dst: k.dst, station: k.asker,
		to: x.to, nbma: x.nbma, until: x.until,
	})
}

func (c *Core) linkRelay(x *relay) {
	x.route.relays[x] = true
	if c.nexts[x.next] == nil {
		c.nexts[x.next] = map[*relay]bool{}
	}
	c.nexts[x.next][x] = true
}

func (c *Core) unlinkRelay(x *relay) {
	delete(x.route.relays, x)
	delete(c.nexts[x.next], x)
	if len(c.nexts[x.next]) == 0 {
		delete(c.nexts, x.next)
	}
}

func (c *Core) dropRelay(x *relay) {
	c.unlinkRelay(x)
	delete(c.relays, x.key)
	c.emit(ForgetEntry{x.saveKey()})
}

// relaysChanged follows a change of a route by which requests were passed on.
func (c *Core) relaysChanged(now clock.Instant, r *route) {
	for _, x := range sortedRelays(r.relays) {
		out, hop, ok := c.overTunnel(r, x.key.iface)
		if ok && out == x.next.iface && hop == x.next.hop {
			continue
		}
		c.dropRelay(x)
		c.purgeRelay(now, x, x.prefix)
	}
}

// stationChanged follows the move or the end of a station that requests were passed on
// to.
func (c *Core) stationChanged(now clock.Instant, i *iface, station netip.Addr) {
	for _, x := range sortedRelays(c.nexts[nextKey{i, station}]) {
		c.dropRelay(x)
		c.purgeRelay(now, x, x.prefix)
	}
}

// relaysPurged follows a Purge Request of a server: it concerns whose requests were
// passed on there as well.
func (c *Core) relaysPurged(now clock.Instant, nbma netip.Addr, p netip.Prefix) {
	var found []*relay
	// unordered: sorted below
	for next, all := range c.nexts {
		if e := next.iface.cache.get(hostPrefix(next.hop)); e == nil || e.nbma != nbma {
			continue
		}
		// unordered: sorted below
		for x := range all {
			if p.Contains(x.key.dst) {
				found = append(found, x)
			}
		}
	}
	slices.SortFunc(found, compareRelay)
	for _, x := range found {
		c.dropRelay(x)
		c.purgeRelay(now, x, p)
	}
}

// purgeRelay sends a Purge Request for the prefix by which an address was routed.
func (c *Core) purgeRelay(now clock.Instant, x *relay, p netip.Prefix) {
	i := x.key.iface
	if !i.ready || x.until <= now {
		return
	}
	if !p.IsValid() || p.Bits() < i.cfg.MinPrefix || !p.Contains(x.key.dst) {
		p = hostPrefix(x.key.dst)
	}
	// unordered: any of them says that it is told already
	for _, o := range i.purges {
		if o.station == x.to && o.target == p && o.retry == firstRetry {
			return
		}
	}
	nbma := x.nbma
	if e := i.cache.get(hostPrefix(x.to)); e != nil && e.flags&FlagRegistered != 0 {
		nbma = e.nbma // it may have moved since
	}
	c.startPurge(now, i, x.to, nbma, p, x.until)
}

// dropRelays forgets the requests that came or went by an instance that ends.
func (c *Core) dropRelays(i *iface) {
	gone := make(map[*relay]bool)
	// unordered: sorted below
	for k, x := range c.relays {
		if k.iface == i || x.next.iface == i {
			gone[x] = true
		}
	}
	for _, x := range sortedRelays(gone) {
		c.dropRelay(x)
	}
}

func sortedRelays(all map[*relay]bool) []*relay {
	found := make([]*relay, 0, len(all))
	for x := range all {
		found = append(found, x)
	}
	slices.SortFunc(found, compareRelay)
	return found
}

func compareRelay(a, b *relay) int {
	return cmp.Or(a.key.iface.key.compare(b.key.iface.key), a.key.asker.Compare(b.key.asker), a.key.dst.Compare(b.key.dst))
}
