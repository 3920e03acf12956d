package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// ifaceKey names an instance of NHRP: a tunnel and a family of protocol
// addresses. The VRF is implied by the tunnel.
type ifaceKey struct {
	name   string
	family rib.Family
}

// matches reports whether the key is selected by a name and a family, where ""
// and 0 select all.
func (k ifaceKey) matches(name string, family rib.Family) bool {
	return (name == "" || name == k.name) && (family == 0 || family == k.family)
}

// iface is an instance of NHRP. It exists as long as a network-id is
// configured, whether or not the tunnel does.
type iface struct {
	key ifaceKey
	cfg InterfaceConfig // normal

	linked     bool // the tunnel is known; link is meaningful
	link       rib.Interface
	multipoint bool
	addr       netip.Prefix // own protocol address with its subnet; zero if there is none
	source     netip.Addr   // own NBMA address; zero if there is none
	dest       netip.Addr   // NBMA address of the far end of a point-to-point tunnel
	ready      bool         // up, with address and source: packets can be sent

	cache      cache
	neighbors  map[netip.Addr]neighbor // stated, by protocol address
	peers      map[netip.Addr]*peer    // other ends, by NBMA address; both families share them
	servers    []*server               // sorted by protocol address
	multicast  multicastBasis          // as stated
	shapers    shaperBasis             // as stated
	watched    bool                    // WatchMisses was asked for
	useWatched bool                    // WatchUse was asked for, whatever is resolved
	purges     map[uint32]*purging     // by Request ID
	unresolved int                     // entries that are not resolved

	renewals      map[uint32]*entry // by Request ID
	probes        map[uint32]*entry // keepalives without an answer, by Request ID
	resolvedCount int               // entries whose use matters
	hairpins      uint32            // group of the hairpins that are watched; 0: none

	counters    Counters
	windowStart clock.Instant // of max-send
	windowSent  int
}

// neighbor is a neighbour that was stated, and the entry that it follows from.
type neighbor struct {
	nbma  netip.Addr
	owner *entry
}

// protocol returns ar$pro.type of the instance.
func (i *iface) protocol() packet.ProtocolType {
	if i.key.family == rib.IPv6 {
		return packet.ProtocolIPv6
	}
	return packet.ProtocolIPv4
}

// carries reports whether an NBMA address is of the family of the tunnel's transport,
// as far as that is known.
func (i *iface) carries(nbma netip.Addr) bool {
	return !i.linked || i.link.Tunnel.IPv6Transport == nbma.Is6()
}

// own reports whether a is one of the tunnel's protocol addresses.
func (i *iface) own(a netip.Addr) bool {
	for _, x := range i.link.Addresses {
		if x.Prefix.Addr() == a {
			return true
		}
	}
	return false
}

// configureIface makes or changes the instance for key.
func (c *Core) configureIface(now clock.Instant, key ifaceKey, cfg InterfaceConfig) {
	i := c.ifaces[key]
	if i == nil {
		i = &iface{
			key: key, cfg: cfg, neighbors: make(map[netip.Addr]neighbor), peers: c.peersOf(key.name), renewals: make(map[uint32]*entry), probes: make(map[uint32]*entry),
		}
		c.ifaces[key] = i
		at, _ := slices.BinarySearchFunc(c.order, key, func(i *iface, k ifaceKey) int { return i.key.compare(k) })
		c.order = slices.Insert(c.order, at, i)
		c.reconcile(now, i)
		c.syncServers(now, i, false)
		return
	}
	if i.cfg.Equal(cfg) {
		return
	}
	old := i.cfg
	i.cfg = cfg
	again := old.Holdtime != cfg.Holdtime || old.RegistrationTimeout != cfg.RegistrationTimeout ||
		old.RegisterUnique != cfg.RegisterUnique || old.Authentication != cfg.Authentication || old.Group != cfg.Group
	c.placeResolution(now, i)
	c.syncServers(now, i, again)
	if !slices.Equal(old.Identities, cfg.Identities) || old.RequireIdentity != cfg.RequireIdentity {
		c.dropMisbound(now, i)
	}
	if !slices.Equal(old.SummaryMaps, cfg.SummaryMaps) {
		c.recheckLocal(now, i)
	}
	if old.Shortcut != cfg.Shortcut {
		c.restateShortcuts(now, i)
	}
	if old.Keepalive != cfg.Keepalive {
		for _, e := range i.cache.sorted() {
			c.keepAlive(now, e)
		}
	}
}

// removeIface ends the instance: its network-id was taken away.
func (c *Core) removeIface(now clock.Instant, i *iface) {
	for len(i.servers) > 0 {
		c.removeServer(now, i.servers[0])
	}
	for _, e := range i.cache.sorted() {
		c.removeEntry(now, e, TraceEntryDeleted, "Unconfigured")
	}
	c.setMulticast(i, multicastBasis{})
	c.watchMisses(i, false)
	c.watchUse(i, false)
	c.dropPurges(i)
	c.unhold(i)
	c.dropRelays(i)
	c.countHairpins(hairpinKey{i.key.name, i.hairpins}, -1)
	delete(c.ifaces, i.key)
	c.order = slices.DeleteFunc(c.order, func(o *iface) bool { return o == i })
	c.placeLine(i.key.name)
}

// reconcileName brings the instances of a tunnel in line with its state.
func (c *Core) reconcileName(now clock.Instant, name string) {
	for _, i := range c.order {
		if i.key.name == name {
			c.reconcile(now, i)
		}
	}
}

// reconcile brings an instance in line with the state of its tunnel: neighbours
// where the tunnel became or ceased to be multipoint, and registrations at once
// where it came up or changed one of its addresses.
func (c *Core) reconcile(now clock.Instant, i *iface) {
	was := *i
	defer c.touchServers(i)
	link, linked := c.links[i.key.name]
	linked = linked && link.Tunnel != nil
	if i.linked && !linked {
		c.flush(now, i, "Interface Removed")
	}
	i.link, i.linked = link, linked
	i.multipoint, i.source, i.dest = false, netip.Addr{}, netip.Addr{}
	if i.linked {
		t := i.link.Tunnel
		i.multipoint = t.Mode == rib.TunnelGREMultipoint
		i.source, i.dest = t.Source, t.Destination
	}
	moved := was.linked && i.linked && was.link.Tunnel.IPv6Transport != i.link.Tunnel.IPv6Transport
	if moved {
		c.flush(now, i, "Tunnel Transport Changed")
	}
	i.addr = protocolAddress(i.link, i.key.family)
	i.ready = i.linked && (i.link.Up || i.link.HeldDown) && i.source.IsValid() && i.addr.IsValid() && (i.multipoint || i.dest.IsValid())

	if was.multipoint != i.multipoint || moved {
		c.restateNeighbors(i)
	}
	if was.secures() != i.secures() || was.protected() != i.protected() || i.protected() && (was.source != i.source || moved) {
		c.protectionChanged(now, i, &was)
	}
	c.dropOwn(now, i)
	c.dropLocal(now, i)
	c.dropElsewhere(now, i)
	c.placeResolution(now, i)
	c.watchHairpins()
	if was.link.VRF != i.link.VRF || was.multipoint != i.multipoint {
		c.restateShortcuts(now, i)
	}
	if was.addr.Addr() != i.addr.Addr() && was.ready {
		for _, s := range i.servers {
			c.deregister(now, s)
		}
	}
	switch {
	case i.ready && !was.ready:
		c.trace(Trace{Event: TraceInterfaceUp, Interface: i.key.name, Peer: i.addr.Addr(), NBMA: i.source})
	case was.ready && !i.ready:
		c.trace(Trace{Event: TraceInterfaceDown, Interface: i.key.name})
	}
	changed := i.ready != was.ready || was.addr.Addr() != i.addr.Addr() || !slices.Equal(was.linkLocal(), i.linkLocal()) || i.ready && *was.link.Tunnel != *i.link.Tunnel
	c.syncServers(now, i, changed)
	c.restorePending(now, i)
}

// protocolAddress returns the address of the family by which a tunnel is known
// in NHRP: its first that is not secondary; of IPv4 not a link-local one if there is
// a wider one, of IPv6 never one, which comes before those that are configured.
func protocolAddress(link rib.Interface, family rib.Family) netip.Prefix {
	var best netip.Prefix
	for _, a := range link.Addresses {
		addr := a.Prefix.Addr()
		if rib.FamilyOf(addr) != family || a.Secondary || addr.Is6() && addr.IsLinkLocalUnicast() {
			continue
		}
		if !best.IsValid() || best.Addr().IsLinkLocalUnicast() && !addr.IsLinkLocalUnicast() {
			best = a.Prefix
		}
	}
	return best
}

// maxLinkLocal is how many link-local addresses of a tunnel are registered.
const maxLinkLocal = 4

// linkLocal returns the tunnel's link-local addresses of IPv6. Routing protocols have
// them as next hops (RFC 2080 section 2.1.1, RFC 5340 section 2.5), so they are
// registered as well.
func (i *iface) linkLocal() []netip.Addr {
	var all []netip.Addr
	for _, x := range i.link.Addresses {
		a := x.Prefix.Addr()
		if i.key.family == rib.IPv6 && a.Is6() && a.IsLinkLocalUnicast() && len(all) < maxLinkLocal {
			all = append(all, a)
		}
	}
	return all
}

// flush removes the dynamic entries of an instance.
func (c *Core) flush(now clock.Instant, i *iface, reason string) {
	for _, e := range i.cache.sorted() {
		if e.kind != EntryStatic {
			c.removeEntry(now, e, TraceEntryDeleted, reason)
		}
	}
}

// dropOwn removes dynamic entries for what has become an own address.
func (c *Core) dropOwn(now clock.Instant, i *iface) {
	for _, a := range i.link.Addresses {
		addr := a.Prefix.Addr()
		e := i.cache.get(netip.PrefixFrom(addr, addr.BitLen()))
		if e != nil && e.kind != EntryStatic && e.kind != EntryLocal {
			c.removeEntry(now, e, TraceEntryDeleted, "Own address")
		}
	}
}

// dropElsewhere removes what was learnt of stations that a point-to-point tunnel does
// not lead to: it was multipoint before, or led elsewhere.
func (c *Core) dropElsewhere(now clock.Instant, i *iface) {
	if i.multipoint || !i.dest.IsValid() {
		return
	}
	for _, e := range i.cache.sorted() {
		if (e.kind == EntryDynamic || e.kind == EntryIncomplete) && e.nbma != i.dest {
			c.removeEntry(now, e, TraceEntryDeleted, "Tunnel Destination Changed")
		}
	}
}

// host returns the address of which an entry can be the neighbour: the one that it
// is about; that of a map that was written with a station's address and a mask; the
// zero Addr for other prefixes and for this node itself.
func (e *entry) host() netip.Addr {
	switch {
	case e.kind == EntryLocal, e.asked.IsValid() && e.target.Addr() != e.nextHop:
		return netip.Addr{}
	case e.target.IsSingleIP():
		return e.target.Addr()
	case e.kind == EntryStatic:
		return e.nextHop
	}
	return netip.Addr{}
}

// station returns the address for which an entry needs a neighbour: none on a
// point-to-point tunnel, whose one far end needs none, nor as long as it is not
// known where it leads, nor for where the transport does not lead.
func (e *entry) station() netip.Addr {
	if !e.iface.multipoint || !e.nbma.IsValid() || !e.iface.carries(e.nbma) {
		return netip.Addr{}
	}
	return e.host()
}

// wantNeighbor states the neighbour of an entry, or its new NBMA address.
func (c *Core) wantNeighbor(e *entry) {
	c.placePeer(e, false)
	c.touchStation(e.iface, e.target.Addr())
	a := e.station()
	n := e.iface.neighbors[a]
	if !a.IsValid() || n.owner != nil && n.owner != e {
		return
	}
	way := e.way()
	switch {
	case way == n.nbma:
	case !way.IsValid():
		c.dropNeighbor(e)
	default:
		e.iface.neighbors[a] = neighbor{way, e}
		c.emit(PutNeighbor{rib.Neighbor{Interface: e.iface.key.name, Addr: a, NBMA: way}})
	}
}

// way returns where packets to the station of an entry go: to the station. Where that is
// not secured yet, packets would be lost, so they go by way of a server. Configured
// stations have no other way.
func (e *entry) way() netip.Addr {
	i := e.iface
	if e.kind == EntryStatic || i.passes(e.nbma) {
		return e.nbma
	}
	if s := i.bestServer(e.nbma); s != nil && e.resolved() && i.secured(s.nbma) {
		return s.nbma
	}
	return netip.Addr{}
}

// restateWays follows a change of the servers: stations that are not secured yet are
// reached by way of one.
func (c *Core) restateWays(i *iface) {
	if !i.protected() || !i.multipoint {
		return
	}
	for _, e := range i.cache.sorted() {
		if e.kind != EntryStatic && !i.passes(e.nbma) && e.station().IsValid() {
			c.wantNeighbor(e)
		}
	}
}

// dropNeighbor takes the neighbour of an entry back.
func (c *Core) dropNeighbor(e *entry) {
	i := e.iface
	a := e.host()
	if n, ok := i.neighbors[a]; !ok || n.owner != e {
		return
	}
	delete(i.neighbors, a)
	c.emit(DelNeighbor{rib.Neighbor{Interface: i.key.name, Addr: a}.Key()})
}

// restateNeighbors follows a change between multipoint and point-to-point, or of the
// transport.
func (c *Core) restateNeighbors(i *iface) {
	for _, e := range i.cache.sorted() {
		if e.station().IsValid() {
			c.wantNeighbor(e)
		} else {
			c.dropNeighbor(e)
		}
	}
}
