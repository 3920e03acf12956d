package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// multicastKey is an NBMA address to which multicast of a tunnel goes. The
// instances of both families share it: the tunnel does not ask of which family a
// packet is.
type multicastKey struct {
	name string // of the tunnel
	nbma netip.Addr
}

// multicastBasis is what decides, beside the entries, where multicast of an
// instance goes.
type multicastBasis struct {
	dynamic bool // clients that register are among it
	source  netip.Addr
	static  []netip.Addr // configured addresses and servers so marked; sorted
}

// multicastStatic returns the configured addresses and those of the servers so
// marked that hear it, sorted, each once. The node itself is not among them: a hub may share
// the lines of its spokes.
func (i *iface) multicastStatic() []netip.Addr {
	all := slices.Clone(i.cfg.MulticastMaps)
	for _, s := range i.servers {
		if s.cfg.Multicast && s.hears() {
			all = append(all, s.nbma)
		}
	}
	all = slices.DeleteFunc(all, func(a netip.Addr) bool { return !i.station(a) })
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// station reports whether an NBMA address can be that of another station.
func (i *iface) station(nbma netip.Addr) bool {
	return nbma.IsValid() && !nbma.IsUnspecified() && !nbma.IsMulticast() && nbma != i.source && i.carries(nbma)
}

// multicastEntry reports whether multicast goes to where an entry leads: to a
// client that registered, under `map multicast dynamic`.
func (i *iface) multicastEntry(e *entry) bool {
	return i.cfg.MulticastDynamic && e.flags&FlagRegistered != 0 && i.station(e.nbma) && i.passes(e.nbma)
}

// wantMulticast counts one more reason for multicast to go somewhere, and states
// it with the first.
func (c *Core) wantMulticast(k multicastKey) {
	if c.multicast[k]++; c.multicast[k] == 1 {
		c.emit(PutMulticastPeer{rib.MulticastPeer{Interface: k.name, NBMA: k.nbma}})
	}
}

// dropMulticast takes a reason back, and the statement with the last.
func (c *Core) dropMulticast(k multicastKey) {
	if c.multicast[k]--; c.multicast[k] == 0 {
		delete(c.multicast, k)
		c.emit(DelMulticastPeer{rib.MulticastPeer{Interface: k.name, NBMA: k.nbma}.Key()})
	}
}

// placeMulticast brings what an entry is a reason for in line with it; gone says
// that it has left the cache.
func (c *Core) placeMulticast(e *entry, gone bool) {
	i := e.iface
	var want netip.Addr
	if !gone && i.multipoint && i.multicastEntry(e) {
		want = e.nbma
	}
	was := e.multicast
	if want == was {
		return
	}
	e.multicast = want
	if want.IsValid() {
		c.wantMulticast(multicastKey{i.key.name, want})
	}
	if was.IsValid() {
		c.dropMulticast(multicastKey{i.key.name, was})
	}
}

// syncMulticast brings where multicast of an instance goes in line with
// configuration, servers and tunnel. On a point-to-point tunnel it goes to the one
// far end by itself.
func (c *Core) syncMulticast(i *iface) {
	var now multicastBasis
	if i.multipoint {
		now = multicastBasis{dynamic: i.cfg.MulticastDynamic, source: i.source, static: i.multicastStatic()}
	}
	c.setMulticast(i, now)
}

func (c *Core) setMulticast(i *iface, now multicastBasis) {
	was := i.multicast
	i.multicast = now
	for _, a := range now.static {
		if _, old := slices.BinarySearchFunc(was.static, a, netip.Addr.Compare); !old {
			c.wantMulticast(multicastKey{i.key.name, a})
		}
	}
	if now.dynamic != was.dynamic || now.source != was.source {
		for _, e := range i.cache.sorted() {
			c.placeMulticast(e, false)
		}
	}
	for _, a := range was.static {
		if _, still := slices.BinarySearchFunc(now.static, a, netip.Addr.Compare); !still {
			c.dropMulticast(multicastKey{i.key.name, a})
		}
	}
}

// multicastTable lists where multicast of the instance goes; each NBMA address
// once.
func (i *iface) multicastTable() []MulticastEntry {
	var all []MulticastEntry
	seen := make(map[netip.Addr]bool)
	add := func(nbma netip.Addr, dynamic bool) {
		if !seen[nbma] {
			seen[nbma] = true
			all = append(all, MulticastEntry{Interface: i.key.name, VRF: i.link.VRF, Family: i.key.family, NBMA: nbma, Dynamic: dynamic})
		}
	}
	for _, a := range i.multicastStatic() {
		add(a, false)
	}
	// unordered: sorted below, and all entries of an NBMA address add the same
	for _, e := range i.cache.entries {
		if i.multicastEntry(e) {
			add(e.nbma, true)
		}
	}
	slices.SortFunc(all, func(a, b MulticastEntry) int { return a.NBMA.Compare(b.NBMA) })
	return all
}
